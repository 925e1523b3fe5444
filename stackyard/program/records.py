"""A deployment as plain JSON with everything that was registered: what `capture` prints and processes exchange."""

from dataclasses import fields
from typing import Any

from stackyard.program.deployment import Deployment, Resource
from stackyard.program.values import from_json, secret_as_plaintext, to_json

_FIELDS = tuple(field.name for field in fields(Resource))
_TUPLES = (
    "aliases",
    "additional_secret_outputs",
    "defaults",
    "dependencies",
    "ignore_changes",
    "replace_on_changes",
)
_VALUES = ("inputs", "outputs")


def to_record(resource: Resource) -> dict[str, Any]:
    """Every field that is set; secrets in clear text, marked."""
    record: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(resource, name)
        if name in _VALUES:
            value = to_json(value, secret=secret_as_plaintext)
        elif name == "property_dependencies":
            value = {key: list(urns) for key, urns in value.items()}
        elif isinstance(value, tuple):
            value = list(value)
        if value or (value is False and name in ("custom", "delete_before_replace")):
            record[name] = value
    return record


def from_record(record: dict[str, Any]) -> Resource:
    values = dict(record)
    for name in _VALUES:
        values[name] = from_json(values.get(name, {}))
    for name in _TUPLES:
        values[name] = tuple(values.get(name, ()))
    values["property_dependencies"] = {k: tuple(v) for k, v in values.get("property_dependencies", {}).items()}
    values.setdefault("custom", False)
    return Resource(**values)


def to_document(deployment: Deployment) -> dict[str, Any]:
    """The whole deployment; `secret` values stay marked with Pulumi's signature."""
    return {
        "project": deployment.project,
        "stack": deployment.stack,
        "resources": [to_record(resource) for resource in deployment],
        "outputs": to_json(deployment.outputs, secret=secret_as_plaintext),
    }


def from_document(document: dict[str, Any]) -> Deployment:
    return Deployment(
        project=document["project"],
        stack=document["stack"],
        resources=tuple(from_record(record) for record in document["resources"]),
        outputs=from_json(document["outputs"]),
    )
