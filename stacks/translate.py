"""From the validator's errors to problems in our own words; and from a model to a valid example."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from stacks.plain import is_list, is_mapping
from stacks.problems import MISSING, SECRET_NAME, Problem, dotted, flow, nearest, problem, shown
from stacks.sections.section import Section

Location = tuple[int | str, ...]

NO_SECRETS = (
    "no secret values in settings, since they would travel through state, previews and logs: keep the value in AWS "
    "Secrets Manager and give only its name or ARN, as runners.githubAppSecretArn does"
)
HIDDEN = "[hidden]"
LONGEST_EXAMPLE = 120
"""Characters of a person's own value that an example repeats."""


def problems_of(error: ValidationError, model: Any, prefix: Location) -> Iterator[Problem]:
    """One problem per value that `model` (a type annotation) did not accept; `prefix` is where the value stands."""
    entries = error.errors(include_url=False)
    for entry in entries:
        location = tuple(entry["loc"])
        if entry["type"] == "too_short" and any(
            inner["loc"][: len(location)] == location for inner in entries if inner != entry
        ):
            # The validator counts only the entries that it could read.
            continue
        # A mapping's bad key arrives as (…, key, "[key]").
        location = location[:-1] if location and location[-1] == "[key]" else location
        yield _problem(entry, model, prefix, location)


def _problem(entry: Any, model: Any, prefix: Location, location: Location) -> Problem:
    kind, context, path = entry["type"], entry.get("ctx", {}), dotted(prefix + location)
    if kind == "extra_forbidden":
        return unknown_key(
            path, str(location[-1]), entry["input"], field_at(model, location[:-1])[0], prefix + location[:-1]
        )
    annotation, field = field_at(model, location)
    example = example_at(model, location)
    at = path
    if location and get_origin(bare(field_at(model, location[:-1])[0])) in (dict, Mapping) and kind == "rule":
        # The example of a mapping's entry is the whole mapping: its key may be what is wrong.
        location, at = location[:-1], dotted(prefix + location[:-1])
        example = example_at(model, location)
    if kind == "missing":
        reason = _reason(field) if field else "the stack's layers need it"
        return Problem(
            path=path, value="", rule="is missing and must be given", reason=reason, example=_line(path, example)
        )
    if kind == "rule":
        rule, reason = context["rule"], context["reason"]
        if at == path:
            given = (context["example"], example, context["fallback"])
            example = next((entry for entry in given if entry is not MISSING), MISSING)
    else:
        rule, reason = _builtin_rule(kind, context, entry["input"], annotation), _reason(field)
        example = _meant(kind, entry["input"], model, location, example)
    value = HIDDEN if mark(field, "x-sensitive") else shown(entry["input"])
    return Problem(path=path, value=value, rule=rule, reason=reason, example=_line(at, example))


def _meant(kind: str, value: Any, model: Any, location: Location, example: Any) -> Any:
    """What the person meant by a value of the wrong type, where that is plain; the example otherwise."""
    annotation = field_at(model, location)[0]
    if kind == "enum":
        near = nearest(value, map(str, bare(annotation))) if isinstance(value, str) else None
        return near or example
    owner = bare(field_at(model, location[:-1])[0])
    if not location or not is_section(owner):
        return example
    meant: list[Any] = []
    if kind in ("tuple_type", "list_type"):
        item = bare(field_at(annotation, (0,))[0])
        # Of a closed set another entry may be missing.
        meant = [] if isinstance(item, type) and issubclass(item, StrEnum) else [[value]]
    elif kind == "string_type" and isinstance(value, int | float):
        meant = [str(value)]
    elif isinstance(value, str):
        with suppress(yaml.YAMLError, ValueError):
            meant = [yaml.safe_load(value)]
    return next(iter(taken(owner, str(location[-1]), meant)), example)


def _line(path: str, example: Any) -> str:
    return "" if example is MISSING else problem(path, None, "", "", example).example


def unknown_key(path: str, key: str, value: Any, owner: Any, at: Location) -> Problem:
    """A key that a section (or the whole, when `owner` is the settings' model) does not have."""
    fields = yaml_fields(owner)
    if SECRET_NAME.search(key) and not isinstance(value, bool | int | float):
        return Problem(
            path=path,
            value=HIDDEN,
            rule="must not be given: it is no known key, and looks like a secret",
            reason=NO_SECRETS,
        )
    near = nearest(key, fields)
    # The value that a slip of the key gave, where the right key takes it.
    example = next(iter(taken(owner, near, [value])), example_at(owner, (near,))) if near else MISSING
    return Problem(
        path=path,
        value=HIDDEN if near and mark(fields[near], "x-sensitive") else shown(value),
        rule="must not be given: it is no known key" + (f" (did you mean {near}?)" if near else ""),
        reason=f"{dotted(at) or 'the configuration'} has the keys {', '.join(fields)}",
        example=_line(dotted((*at, near)), example) if near else "",
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
            return "must be a mapping of keys to values"
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
        yield from (value for value in values if len(flow(value)) <= LONGEST_EXAMPLE and _takes(section, key, value))


def _takes(section: Any, key: str, value: Any) -> bool:
    try:
        adapter(bare(section)).validate_json(json.dumps({key: value}, default=str))
    except ValidationError as error:
        return all(entry["loc"][:1] != (key,) for entry in error.errors(include_url=False))
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
