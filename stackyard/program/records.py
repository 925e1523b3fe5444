"""A deployment as plain JSON with everything that was registered: what `capture` prints and processes exchange."""

from dataclasses import fields
from typing import Any

from stackyard.program.deployment import Deployment, PendingOperation, Resource
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


def operation_to_record(operation: PendingOperation) -> dict[str, Any]:
    return {
        "op": operation.op,
        "resource": to_record(operation.resource),
        "prior": operation.prior,
        "attempt": operation.attempt,
    }


def operation_from_record(record: dict[str, Any]) -> PendingOperation:
    return PendingOperation(**{**record, "resource": from_record(record["resource"])})


def to_document(deployment: Deployment) -> dict[str, Any]:
    """The whole deployment; `secret` values stay marked with Pulumi's signature."""
    document: dict[str, Any] = {
        "project": deployment.project,
        "stack": deployment.stack,
        "resources": [to_record(resource) for resource in deployment],
        "outputs": to_json(deployment.outputs, secret=secret_as_plaintext),
    }
    if deployment.pending_deletes:
        document["pending_deletes"] = [to_record(resource) for resource in deployment.pending_deletes]
    if deployment.pending_operations:
        document["pending_operations"] = [operation_to_record(pending) for pending in deployment.pending_operations]
    return document


def from_document(document: dict[str, Any]) -> Deployment:
    return Deployment(
        project=document["project"],
        stack=document["stack"],
        resources=tuple(from_record(record) for record in document["resources"]),
        outputs=from_json(document["outputs"]),
        pending_deletes=tuple(from_record(record) for record in document.get("pending_deletes", ())),
        pending_operations=tuple(operation_from_record(record) for record in document.get("pending_operations", ())),
    )
