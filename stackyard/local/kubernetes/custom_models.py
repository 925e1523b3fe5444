"""Checks objects of custom kinds against pydantic models of the fields that we set: any other field is refused."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from stackyard.local.kubernetes.problems import dotted, shown, unknown_field

FIELDS = ("apiVersion", "kind", "metadata", "spec")


class CustomModel(BaseModel):
    """Fields as in the kind's definition, in snake_case."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


Specs = Mapping[tuple[str, str], type[CustomModel]]
"""apiVersion and kind to the model of `spec`."""


def custom_problems(obj: Mapping[str, Any], specs: Specs, owner: str) -> list[str]:
    """What is wrong with an object, a sentence each. `owner`: whose kinds these are, for the sentences."""
    api_version, kind = obj["apiVersion"], obj["kind"]
    model = specs.get((api_version, kind))
    if model is None:
        known = ", ".join(sorted(name for version, name in specs if version == api_version))
        return [f"kind {kind} of {api_version} has no model here: known is {known}"]
    problems = [unknown_field("", key, list(FIELDS), kind) for key in obj if key not in (*FIELDS, "status")]
    try:
        # From JSON and strict: a number where text belongs is refused, as the API server refuses it.
        model.model_validate_json(json.dumps(obj.get("spec")), strict=True)
    except ValidationError as error:
        problems += _sentences(error, model, kind, owner)
    return problems


def _sentences(error: ValidationError, model: type[CustomModel], kind: str, owner: str) -> Iterator[str]:
    for item in error.errors(include_url=False):
        path = ["spec", *(part for part in item["loc"] if part != "[key]")]
        match item["type"]:
            case "extra_forbidden":
                known = [field.alias or name for name, field in _at(model, item["loc"][:-1]).model_fields.items()]
                yield unknown_field(dotted(path[:-1]), str(path[-1]), known, f"our model of {kind}")
            case "missing":
                yield f"{dotted(path)} is missing: {owner} needs it"
            case "value_error":
                yield f"{dotted(path)}: {item['msg'].removeprefix('Value error, ')}"
            case _:
                yield f"{dotted(path)} is {shown(item['input'])}: {item['msg'][0].lower()}{item['msg'][1:]}"


def _at(model: type[CustomModel], location: tuple[int | str, ...]) -> type[CustomModel]:
    """The model of the object at a place."""
    for part in location:
        if isinstance(part, str):
            field = next(field for name, field in model.model_fields.items() if (field.alias or name) == part)
            model = next(option for option in _options(field.annotation) if hasattr(option, "model_fields"))
    return model


def _options(annotation: Any) -> tuple[Any, ...]:
    inner = getattr(annotation, "__args__", ())
    return (annotation, *(deeper for option in inner for deeper in _options(option)))
