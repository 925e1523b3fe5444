"""Argo's own kinds, checked against hera's models of Argo's API, where what they ignore is refused."""

import functools
import json
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from stackyard.local.kubernetes.problems import dotted, shown, unknown_field

ARGO_API_VERSION = "argoproj.io/v1alpha1"
KINDS = ("ClusterWorkflowTemplate", "CronWorkflow", "Workflow", "WorkflowEventBinding", "WorkflowTemplate")


def argo_problems(obj: Mapping[str, Any]) -> list[str]:
    """What is wrong with an object of `argoproj.io/v1alpha1`; empty when nothing is."""
    if obj["kind"] not in KINDS:
        return [f"kind {obj['kind']} of {ARGO_API_VERSION} has no model here: known are {', '.join(KINDS)}"]
    model = _model(obj["kind"])
    unknown = list(_unknown(model, obj, ()))
    return unknown + list(_wrong(model, obj))


@functools.cache
def _model(kind: str) -> Any:
    # Takes a second to import: only stacks with pipelines pay it.
    from hera.workflows.models.io.argoproj.workflow import v1alpha1

    return getattr(v1alpha1, kind)


def _wrong(model: Any, obj: Mapping[str, Any]) -> Iterator[str]:
    from pydantic import ValidationError

    try:
        # From JSON and strict: a number where text belongs is refused, as Argo's decoder refuses it.
        model.model_validate_json(json.dumps(obj), strict=True)
    except ValidationError as error:
        for item in error.errors():
            path = [part for part in item["loc"] if part not in ("str", "int", "bool")]
            if item["type"] == "missing":
                yield f"{dotted(path)} is missing: Argo needs it"
            else:
                yield f"{dotted(path)} is {shown(item['input'])}: {item['msg'][0].lower()}{item['msg'][1:]}"


def _unknown(annotation: Any, value: Any, path: tuple[str | int, ...]) -> Iterator[str]:
    """Fields that no model in `annotation` knows, at any depth. Free-form values (Any, plain maps) pass."""
    if isinstance(value, list):
        inner = _argument(annotation, list, 0)
        for index, entry in enumerate(value):
            yield from _unknown(inner, entry, (*path, index))
    elif isinstance(value, Mapping):
        model = next((option for option in _options(annotation) if hasattr(option, "model_fields")), None)
        if model is None:
            inner = _argument(annotation, dict, 1)
            for key, entry in value.items():
                yield from _unknown(inner, entry, (*path, key))
        elif "root" not in model.model_fields:
            yield from _unknown_in_model(model, value, path)


def _unknown_in_model(model: Any, value: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[str]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for key, entry in value.items():
        if key in fields:
            yield from _unknown(fields[key].annotation, entry, (*path, key))
        else:
            yield unknown_field(dotted(path), key, list(fields), f"Argo's {model.__name__}")


def _options(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _argument(annotation: Any, container: type, index: int) -> Any:
    for option in _options(annotation):
        if typing.get_origin(option) is container:
            return typing.get_args(option)[index]
    return Any
