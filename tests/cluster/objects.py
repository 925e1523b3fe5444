"""The Kubernetes objects of a captured stack as its provider sends them, and their places on a shared cluster."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.namespaces import NAME_LABEL
from stackyard.program.deployment import Deployment

PREFIX = "kubernetes:"
RELEASE = "kubernetes:helm.sh/v3:Release"
# What every cluster has: nobody's own.
SYSTEM_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})

Object = dict[str, Any]


def kubernetes_objects(deployment: Deployment) -> list[Object]:
    """Every object that the stack registers itself, in the order of its creation. What charts bring is not known."""
    return [
        _object(resource.type, resource.inputs)
        for resource in deployment
        if resource.type.startswith(PREFIX) and resource.type != RELEASE
    ]


def _object(type_: str, inputs: Mapping[str, Any]) -> Object:
    group, _, kind = type_.removeprefix(PREFIX).partition(":")
    return {"apiVersion": group.removeprefix("core/"), "kind": kind, **copy.deepcopy(dict(inputs))}


def named(obj: Mapping[str, Any]) -> str:
    """`NetworkPolicy pipelines/egress`."""
    metadata = obj.get("metadata", {})
    return f"{obj['kind']} " + "/".join(filter(None, (metadata.get("namespace"), metadata.get("name"))))


def of_kind(objects: Sequence[Object], *kinds: str) -> list[Object]:
    return [obj for obj in objects if obj["kind"] in kinds]


@dataclass(frozen=True)
class Move:
    """Puts a prefix before every namespace and every name that a whole cluster shares. Without one, nothing moves.

    On a cluster of somebody else the tests work in namespaces of their own, and never touch an object that was there.
    """

    prefix: str = ""
    namespaces: frozenset[str] = field(default_factory=frozenset)
    """Those that the objects create or live in."""

    @classmethod
    def of(cls, objects: Sequence[Object], prefix: str) -> "Move":
        names = {obj["metadata"]["name"] for obj in of_kind(objects, "Namespace")}
        return cls(prefix, frozenset(names - SYSTEM_NAMESPACES))

    def namespace(self, name: str) -> str:
        return f"{self.prefix}{name}" if name in self.namespaces else name

    def __call__(self, obj: Mapping[str, Any]) -> Object:
        moved = self._walk(obj)
        if self.prefix and "namespace" not in moved["metadata"] and moved["kind"] != "Namespace":
            moved["metadata"]["name"] = self.prefix + moved["metadata"]["name"]
        if moved["kind"] == "Namespace":
            moved["metadata"]["name"] = self.namespace(moved["metadata"]["name"])
        if moved["kind"] == "ValidatingAdmissionPolicyBinding":
            moved["spec"]["policyName"] = self.prefix + moved["spec"]["policyName"]
        return moved

    def _walk(self, value: Any, key: str = "") -> Any:
        if isinstance(value, Mapping):
            return {name: self._walk(entry, name) for name, entry in value.items()}
        if isinstance(value, list):
            return [self._walk(entry) for entry in value]
        if key in ("namespace", NAME_LABEL):
            return self.namespace(value)
        if isinstance(value, str):
            for name in self.namespaces:
                # How CEL rules name a caller.
                value = value.replace(f"system:serviceaccount:{name}:", f"system:serviceaccount:{self.prefix}{name}:")
        return value


def custom_resources_defined(definitions: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """apiVersion and kind of every served version of custom resource definitions."""
    for definition in definitions:
        spec = definition["spec"]
        for version in spec["versions"]:
            if version["served"]:
                yield f"{spec['group']}/{version['name']}", spec["names"]["kind"]
