"""From the validator's errors to problems in our own words; and from a model to a valid example."""

import re
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from stacks.plain import is_list, is_mapping
from stacks.problems import MISSING, SECRET_NAME, Problem, dotted, nearest, problem, shown

Location = tuple[int | str, ...]

NO_SECRETS = (
    "no secret values in settings, since they would travel through state, previews and logs: keep the value in AWS "
    "Secrets Manager and give only its name or ARN, as runners.githubAppSecretArn does"
)
HIDDEN = "[hidden]"


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
    value = HIDDEN if mark(field, "x-sensitive") else shown(entry["input"])
    return Problem(path=path, value=value, rule=rule, reason=reason, example=_line(at, example))


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
    example_path = dotted((*at, near)) if near else ""
    return Problem(
        path=path,
        value=shown(value),
        rule="must not be given: it is no known key" + (f", did you mean {near}?" if near else ""),
        reason=f"{dotted(at) or 'the configuration'} has the keys {', '.join(fields)}",
        example=_line(example_path, example_at(owner, (near,))) if near else "",
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
            return "must be a number" + (" without quotes" if isinstance(value, str) else "")
        case "bool_type":
            return "must be true or false, without quotes"
        case "tuple_type" | "list_type":
            return "must be a list"
        case "dict_type" | "model_type" | "model_attributes_type" | "mapping_type":
            return "must be a mapping of keys to values"
        case "enum":
            choices = [str(member) for member in bare(annotation)]
            near = nearest(value, choices) if isinstance(value, str) else None
            return f"must be one of {', '.join(choices)}" + (f", did you mean {near}?" if near else "")
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
    """A valid value for a type: for a section its required fields with their examples."""
    annotation = bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        required = {name: field for name, field in yaml_fields(annotation).items() if field.is_required()}
        return {name: example_at(annotation, (name,)) for name in required}
    if get_origin(annotation) is tuple:
        return [example_of(get_args(annotation)[0])]
    return MISSING


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
