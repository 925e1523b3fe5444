"""From the validator's errors to problems in our own words; and from a model to a valid example."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from stacks.domain import PLACEHOLDER
from stacks.plain import is_list, is_mapping
from stacks.problems import (
    HIDDEN,
    MISSING,
    SECRET_NAME,
    Example,
    Problem,
    dotted,
    flow,
    nearest,
    repeatable,
    shown_at,
)
from stacks.sections.section import Section

Location = tuple[int | str, ...]

NO_SECRETS = (
    "no secret values in settings, since they would travel through state, previews and logs: keep the value in AWS "
    "Secrets Manager and give only its name or ARN, as runners.githubAppSecretArn does"
)
PLAIN_KEY = re.compile(r"[\w-]{1,40}")
"""A key that reads well in a path."""
LONGEST_EXAMPLE = 120
"""Characters of a person's own value that an example repeats."""


def problems_of(error: ValidationError, model: Any, prefix: Location, value: Any) -> Iterator[Problem]:
    """One problem per value that `model` (a type annotation) did not accept; `prefix` is where `value` stands."""
    entries = error.errors(include_url=False)
    locations = [_location(entry["loc"], model) for entry in entries]
    for entry, location in zip(entries, locations, strict=True):
        if entry["type"] == "too_short" and any(
            inner["loc"][: len(location)] == location for inner in entries if inner != entry
        ):
            # The validator counts only the entries that it could read.
            continue
        if entry["type"] == "extra_forbidden":
            owner, key = location[:-1], str(location[-1])
            yield unknown_key(
                dotted(prefix + location),
                key,
                entry["input"],
                field_at(model, owner)[0],
                prefix + owner,
                value_at(value, owner),
            )
        else:
            yield beside(_problem(entry, model, prefix, location), location, value, locations)


def _location(given: Iterable[int | str], model: Any) -> Location:
    """A mapping's bad key arrives as (…, key, "[key]"), which may be a key as well."""
    location = tuple(given)
    of_key = len(location) > 1 and location[-1] == "[key]" and _is_entry(model, location[:-1])
    return location[:-1] if of_key else location


def _is_entry(model: Any, location: Location) -> bool:
    """Whether a location is that of an entry of a mapping whose keys are free."""
    return bool(location) and get_origin(bare(field_at(model, location[:-1])[0])) in (dict, Mapping)


def value_at(value: Any, location: Location) -> Any:
    """What stands at a location inside a value; None where nothing does."""
    inner: Any = value
    for part in location:
        if isinstance(part, int):
            inner = inner[part] if is_list(inner) else None
        else:
            inner = inner.get(part) if is_mapping(inner) else None
    return inner


def beside(found: Problem, location: Location, value: Any, bad: Iterable[Location]) -> Problem:
    """The problem at a location inside `value` with an example that knows the other entries of its list."""
    *outer, index = location or ("",)
    siblings = value_at(value, tuple(outer))
    if not found.way or not isinstance(index, int) or not is_list(siblings):
        return found
    depth = len(outer)
    later = any(other[:depth] == tuple(outer) and int(other[depth]) < index for other in bad if len(other) > depth)
    others = (*siblings[:index], *siblings[index + 1 :])
    return replace(found, way=replace(found.way, beside=others, later=later))


def _problem(entry: Any, model: Any, prefix: Location, location: Location) -> Problem:
    kind, context, path = entry["type"], entry.get("ctx", {}), dotted(prefix + location)
    if kind == "json_invalid":
        rule = "must hold no halves of characters (lone surrogates) and no lists in lists in lists without end"
        return Problem(path=path, value="", rule=rule, reason="settings are texts in UTF-8, a few levels deep")
    annotation, field = field_at(model, location)
    example, own, at = example_at(model, location), False, path
    if _is_entry(model, location) and (len(entry["loc"]) > len(location) or not PLAIN_KEY.fullmatch(str(location[-1]))):
        # Where the key is what is wrong, the example is the whole mapping.
        example, at = example_at(model, location[:-1]), dotted(prefix + location[:-1])
    if kind == "missing":
        reason = _reason(field) if field else "the stack's layers need it"
        return Problem(
            path=path, value="", rule="is missing and must be given", reason=reason, way=_example(path, example)
        )
    if kind == "rule":
        rule, reason = context["rule"], context["reason"]
        if at == path:
            given = (context["example"], example, context["fallback"])
            example = next((entry for entry in given if entry is not MISSING), MISSING)
            # For an entry of a list it is made of the entry.
            own = example is context["example"] and bool(location) and isinstance(location[-1], int)
    else:
        rule, reason = _builtin_rule(kind, context, entry["input"], annotation), _reason(field)
        meant = _meant(kind, entry["input"], model, location)
        own, example = meant is not MISSING, example if meant is MISSING else meant
        if not own and kind == "model_type" and location and isinstance(location[-1], int):
            # Nobody knows what such a part is about: its id may be real, the rest would be made up.
            example = MISSING
    value = told(path, entry["input"], annotation, field)
    return Problem(path=path, value=value, rule=rule, reason=reason, way=_example(at, example, own))


def told(path: str, value: Any, annotation: Any, field: FieldInfo | None) -> str:
    """A value as an error shows it; nothing of one in whose place or around which a secret may stand."""
    inside = yaml_fields(annotation).values()
    sensitive = mark(field, "x-sensitive") or (
        not is_mapping(value) and any(mark(one, "x-sensitive") for one in inside)
    )
    return HIDDEN if sensitive else shown_at(path, value)


def _meant(kind: str, value: Any, model: Any, location: Location) -> Any:
    """What the person meant by a value of the wrong type, where that is plain; MISSING otherwise."""
    annotation = field_at(model, location)[0]
    if kind == "enum":
        return (nearest(value, map(str, bare(annotation))) if isinstance(value, str) else None) or MISSING
    if kind == "model_type" and not location and isinstance(value, str):
        required = [name for name, field in yaml_fields(model).items() if field.is_required()]
        # Of an entry that needs a name alone, the name may be given alone.
        return next(({"name": name} for name in taken(model, "name", [value]) if required == ["name"]), MISSING)
    owner = bare(field_at(model, location[:-1])[0])
    if not location or not is_section(owner):
        return MISSING
    meant: list[Any] = []
    if kind in ("tuple_type", "list_type"):
        item = bare(field_at(annotation, (0,))[0])
        # Of a closed set another entry may be missing.
        meant = [] if isinstance(item, type) and issubclass(item, StrEnum) else [[value]]
    elif kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool):
        meant = [json.dumps(value)]
    elif isinstance(value, str):
        meant = [_read(value)]
    return next(taken(owner, str(location[-1]), meant), MISSING)


def _read(text: str) -> Any:
    """What text would be without its quotes, as far as people write numbers and answers in them."""
    if re.fullmatch(r"-?[0-9]{1,15}", text):
        return int(text)
    if re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,15}", text):
        return float(text)
    return {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(text.lower(), text)


def _example(at: str, example: Any, own: bool = False) -> Example | None:
    return None if example is MISSING else Example(at=at, value=example, own=own)


def unknown_key(path: str, key: str, value: Any, owner: Any, at: Location, given: Any) -> Problem:
    """A key that a section (or the whole, when `owner` is the settings' model) does not have; `given` holds it."""
    fields = yaml_fields(owner)
    if SECRET_NAME.search(key) and not isinstance(value, bool):
        return Problem(
            path=path,
            value=HIDDEN,
            rule="must not be given: it is no known key, and looks like a secret",
            reason=NO_SECRETS,
        )
    outer, _, inner = key.partition(".")
    near, meant = (outer, {inner: value}) if inner and outer in fields else (nearest(key, fields), value)
    way, has_keys = None, f"{dotted(at) or 'the configuration'} has the keys {', '.join(fields)}"
    shown = told(path, value, fields[near].annotation, fields[near]) if near else shown_at(path, value)
    if near and not (is_mapping(given) and near in given):
        # The value that a slip of the key gave, where the right key takes it.
        own = next(taken(owner, near, [meant]), MISSING)
        if own is MISSING and value and (is_mapping(value) or is_list(value)):
            # An example would replace what the person wrote.
            reason = f"{key} is no known key, and {has_keys}"
            return Problem(path=path, value=shown, rule=f"must be called {near}", reason=reason)
        example = example_at(owner, (near,)) if own is MISSING else own
        way = _example(dotted((*at, near)), example, own is not MISSING)
    return Problem(
        path=path,
        value=shown,
        rule="must not be given: it is no known key" + (f" (did you mean {near}?)" if near else ""),
        reason=has_keys,
        way=way,
    )


def _builtin_rule(kind: str, context: dict[str, Any], value: Any, annotation: Any) -> str:
    quotes = " in quotes" if isinstance(value, int | float) and not isinstance(value, bool) else ""
    match kind:
        case "string_type":
            return f"must be text{quotes}"
        case "int_type" | "int_from_float" | "int_parsing":
            return "must be a whole number" + (
                " without quotes" if isinstance(value, str) and value.isdecimal() else ""
            )
        case "finite_number":
            return "must be a finite number"
        case "float_type":
            return "must be a number" + (" without quotes" if isinstance(value, str) and _is_number(value) else "")
        case "bool_type":
            return "must be true or false, without quotes"
        case "tuple_type" | "list_type":
            return "must be a list"
        case "dict_type" | "model_type" | "model_attributes_type" | "mapping_type":
            fields = yaml_fields(annotation)
            required = [name for name, field in fields.items() if field.is_required()]
            return "must be a mapping of keys to values" + (f" with {', '.join(required)}" if required else "")
        case "enum":
            choices = [str(member) for member in bare(annotation)]
            near = nearest(value, choices) if isinstance(value, str) else None
            return f"must be one of {', '.join(choices)}" + (f" (did you mean {near}?)" if near else "")
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            words = {
                "greater_than_equal": "at least",
                "greater_than": "more than",
                "less_than_equal": "at most",
                "less_than": "less than",
            }
            return f"must be {words[kind]} {_number(next(iter(context.values())))}"
        case "too_short":
            return f"must have at least {context['min_length']} {_entries(context['min_length'])}"
        case "too_long":
            return f"must have at most {context['max_length']} {_entries(context['max_length'])}"
        case "string_too_short":
            return f"must have at least {context['min_length']} characters"
        case "string_too_long":
            return f"must have at most {context['max_length']} characters"
        case _:
            return f"must be valid ({kind.replace('_', ' ')})"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _entries(count: int) -> str:
    return "entry" if count == 1 else "entries"


def _reason(field: FieldInfo | None) -> str:
    if field is None or not field.description:
        return "the section is written like that"
    return f"the setting means «{re.split(r'[.](?: |$)', field.description)[0]}»"


def field_at(model: Any, location: Location) -> tuple[Any, FieldInfo | None]:
    """Annotation at a location inside `model`, and the nearest field on the way to it."""
    annotation, field = model, None
    for part in location:
        annotation = bare(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = yaml_fields(annotation).get(str(part))
            annotation = field.annotation if field else Any
        else:
            arguments = get_args(annotation)
            annotation = arguments[0 if isinstance(part, int) else -1] if arguments else Any
    return annotation, field


def example_at(model: Any, location: Location) -> Any:
    """A valid value for a location; MISSING when none is known."""
    if not location:
        return example_of(model)
    annotation, field = field_at(model, location)
    inner = bare(annotation)
    owner = bare(field_at(model, location[:-1])[0])
    if isinstance(owner, type) and issubclass(owner, BaseModel) and field is not None:
        return field.examples[0] if field.examples else example_of(annotation)
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        return example_of(inner)
    parent = example_at(model, location[:-1])
    last = location[-1]
    if is_list(parent) and parent and isinstance(last, int):
        return parent[min(last, len(parent) - 1)]
    return next(iter(parent.values())) if is_mapping(parent) and parent else MISSING


def example_of(annotation: Any) -> Any:
    """A valid value for a type: for a section its required and its telling fields with their examples."""
    annotation = bare(annotation)
    if is_section(annotation):
        return required_example(annotation) | {
            name: example_at(annotation, (name,)) for name in annotation.example_fields
        }
    if get_origin(annotation) is tuple:
        return [example_of(get_args(annotation)[0])]
    return MISSING


@cache
def adapter(annotation: Any) -> TypeAdapter[Any]:
    """The validator of a type; building one is slow."""
    return TypeAdapter(annotation)


def accepts(annotation: Any, value: Any) -> bool:
    """Whether a value, as it comes from YAML, is one of a type."""
    try:
        adapter(annotation).validate_json(json.dumps(value, default=str))
    except ValidationError:
        return False
    return True


def taken(section: Any, key: str, values: Iterable[Any]) -> Iterator[Any]:
    """Those of the values that a field of a section accepts and a sentence may repeat."""
    if not mark(yaml_fields(section).get(key), "x-sensitive"):
        yield from (value for value in values if _may_be_repeated(value) and _takes(section, key, value))


def _may_be_repeated(value: Any) -> bool:
    placeholder = isinstance(value, str) and PLACEHOLDER.fullmatch(value.strip())
    return (
        value not in (None, HIDDEN, "")
        and not placeholder
        and len(flow(value)) <= LONGEST_EXAMPLE
        and repeatable(value)
    )


def _takes(section: Any, key: str, value: Any) -> bool:
    try:
        adapter(bare(section)).validate_json(json.dumps({key: value}, default=str))
    except ValidationError as error:
        own = (entry["loc"][:1] == (key,) or entry["type"] == "json_invalid" for entry in error.errors())
        return not any(own)
    return True


def required_example(section: type[Section]) -> dict[str, Any]:
    """The least that a section needs, with the fields' examples."""
    required = (name for name, field in yaml_fields(section).items() if field.is_required())
    return {name: example_at(section, (name,)) for name in required}


def is_section(annotation: Any) -> TypeGuard[type[Section]]:
    """Whether a type is a section, or a part of one with fields of its own."""
    return isinstance(annotation, type) and issubclass(annotation, Section)


def yaml_fields(model: Any) -> dict[str, FieldInfo]:
    """Fields by the name that stands in YAML."""
    model = bare(model)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return {}
    return {field.alias or name: field for name, field in model.model_fields.items()}


def mark(field: FieldInfo | None, name: str) -> str:
    """A remark that a field carries for the tools of this folder, `x-…`; empty when it carries none."""
    extra: Any = field.json_schema_extra if field else None
    return str(extra[name]) if is_mapping(extra) and name in extra else ""


def bare(annotation: Any) -> Any:
    """An annotation without `Annotated` and `| None`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, UnionType):
            annotation = next(part for part in get_args(annotation) if part is not type(None))
        else:
            return annotation
