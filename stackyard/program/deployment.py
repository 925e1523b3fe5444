"""What a stack consists of: resources with their options, and outputs. Captures, states and plans share this form."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stackyard.program.values import Value

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"
STACK_REFERENCE_TYPE = "pulumi:pulumi:StackReference"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of a stack, as registered (capture) or as it is (state)."""

    urn: str
    type: str
    """Type token, for example `aws:s3/bucket:Bucket`."""
    name: str
    """Logical name: the last part of the URN."""
    custom: bool = True
    """False for components and the stack itself."""
    external: bool = False
    """Read, not managed."""
    id: str = ""
    inputs: Mapping[str, Value] = field(default_factory=dict)
    outputs: Mapping[str, Value] = field(default_factory=dict)
    defaults: tuple[str, ...] = ()
    """Inputs that the provider made up, for example a name."""
    parent: str = ""
    provider: str = ""
    """URN and id of the provider resource, joined by `::`."""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool | None = None
    deleted_with: str = ""
    aliases: tuple[str, ...] = ()
    """URNs that this resource had before."""
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    custom_timeouts: Mapping[str, Any] = field(default_factory=dict)
    recorded: bool = False
    """Local stack only: validated and recorded, since the emulator lacks the call."""

    @property
    def is_provider(self) -> bool:
        return self.type.startswith(PROVIDER_PREFIX)


@dataclass(frozen=True, kw_only=True)
class PendingOperation:
    """A step whose result nobody knows: its process was killed, or the endpoint gave no answer."""

    op: str
    """`create`, `create-replacement`, `update`, `delete` or `delete-replaced`."""
    resource: Resource
    """What was to be there afterwards; for a delete, what was to go."""
    prior: str = ""
    """URN under which the state knows what is updated or replaced: another one if the resource was renamed."""
    attempt: str = ""
    """Token that every call of the step carries, so that the same step can be carried out again."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A whole stack, resources in the order of their registration."""

    project: str
    stack: str
    resources: tuple[Resource, ...] = ()
    outputs: Mapping[str, Value] = field(default_factory=dict)
    pending_deletes: tuple[Resource, ...] = ()
    """Replaced, but still there: they have the URNs of their replacements."""
    pending_operations: tuple[PendingOperation, ...] = ()

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources)

    def of_type(self, type_: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type == type_]

    def names(self, type_: str) -> set[str]:
        return {resource.name for resource in self.of_type(type_)}

    def only(self, type_: str) -> Resource:
        """The one resource of a type. Raises LookupError when there are none or several."""
        found = self.of_type(type_)
        if len(found) != 1:
            raise LookupError(f"{len(found)} resources of type {type_}, expected one: {[r.name for r in found]}")
        return found[0]

    def named(self, name: str, type_: str | None = None) -> Resource:
        """The one resource with a logical name (and type). Raises LookupError otherwise."""
        found = [r for r in self.resources if r.name == name and type_ in (None, r.type)]
        if len(found) != 1:
            raise LookupError(f"{len(found)} resources named {name}, expected one: {[r.type for r in found]}")
        return found[0]

    def by_urn(self) -> dict[str, Resource]:
        return {resource.urn: resource for resource in self.resources}


def qualified_type(urn: str) -> str:
    """The nested types of a URN, `parent$child`."""
    return urn.split("::")[2]


def make_urn(project: str, stack: str, type_: str, name: str, parent: str = "") -> str:
    """URN as Pulumi makes it: a child carries the types of its parents, the stack excepted."""
    if parent and (parents := qualified_type(parent)) != STACK_TYPE:
        type_ = f"{parents}${type_}"
    return f"urn:pulumi:{stack}::{project}::{type_}::{name}"


def urn_name(urn: str) -> str:
    return urn.split("::", 3)[3]


def urn_type(urn: str) -> str:
    return qualified_type(urn).rsplit("$", 1)[-1]


def provider_urn(reference: str) -> str:
    """The URN of a provider reference, without the id behind it."""
    return reference.rsplit("::", 1)[0] if reference.count("::") > 3 else reference


def in_canonical_order(deployment: Deployment) -> Deployment:
    """The same deployment in an order that no scheduling changes: what is needed first, then by URN."""
    by_urn = deployment.by_urn()
    needed = {urn: needs(resource) & by_urn.keys() for urn, resource in by_urn.items()}
    needing: dict[str, list[str]] = {urn: [] for urn in by_urn}
    for urn, others in needed.items():
        for other in others:
            needing[other].append(urn)
    ready = [urn for urn, others in needed.items() if not others]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        urn = heapq.heappop(ready)
        order.append(urn)
        for other in needing[urn]:
            needed[other].discard(urn)
            if not needed[other]:
                heapq.heappush(ready, other)
    return replace(deployment, resources=tuple(by_urn[urn] for urn in order))


def needs(resource: Resource) -> set[str]:
    """URNs of what must be there before the resource and may only go after it."""
    urns = {*resource.dependencies, resource.parent, provider_urn(resource.provider), resource.deleted_with}
    return urns - {resource.urn, ""}
