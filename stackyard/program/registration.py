"""A program's registration, off the wire: the resource that it asks for, and the names that it had before."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackyard.errors import InvalidInput
from stackyard.program.deployment import STACK_TYPE, Resource, make_urn, qualified_type, urn_name, urn_type
from stackyard.program.values import decode


@dataclass(frozen=True, kw_only=True)
class AliasSpec:
    """One former identity: parts that are empty stayed as they are."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent_urn: str = ""
    no_parent: bool = False


# The units of Go's durations that make sense for a resource: https://pkg.go.dev/time#ParseDuration
_UNITS = {"h": 3600, "m": 60, "s": 1}


def seconds(duration: str) -> float:
    """What the engine keeps of `1h30m`. Raises InvalidInput for anything that is no such duration."""
    if not re.fullmatch(r"(\d+(\.\d+)?[hms])+", duration):
        raise InvalidInput(f"timeout {duration!r} is no duration: give hours, minutes and seconds, for example 1h30m")
    total = math.fsum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration))
    # As Go writes it: 300, not 300.0.
    return int(total) if total.is_integer() else total


def resource_of(request: Any, project: str, stack: str) -> Resource:
    """The goal of a RegisterResourceRequest. `provider` and `aliases` are still to be resolved."""
    timeouts = request.customTimeouts
    return Resource(
        urn=make_urn(project, stack, request.type, request.name, request.parent),
        type=request.type,
        name=request.name,
        custom=request.custom,
        inputs=decode(request.object),
        parent=request.parent,
        provider=request.provider,
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies={
            key: tuple(sorted(deps.urns)) for key, deps in sorted(request.propertyDependencies.items())
        },
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        deleted_with=request.deletedWith,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        custom_timeouts={k: seconds(v) for k in ("create", "update", "delete") if (v := getattr(timeouts, k))},
    )


def alias_specs(request: Any) -> list[AliasSpec]:
    specs = [AliasSpec(urn=urn) for urn in request.aliasURNs]
    for alias in request.aliases:
        if alias.urn:
            specs.append(AliasSpec(urn=alias.urn))
            continue
        spec = alias.spec
        specs.append(
            AliasSpec(
                name=spec.name,
                type=spec.type,
                stack=spec.stack,
                project=spec.project,
                parent_urn=spec.parentUrn,
                no_parent=spec.noParent,
            )
        )
    return specs


def former_urns(
    resource: Resource, specs: Sequence[AliasSpec], former: Mapping[str, str], project: str, stack: str
) -> tuple[str, ...]:
    """Every URN that the resource may have had, in the order in which the engine tries them.

    `former`: what those that were registered before were called in the state. A child inherits what its parent was
    called there, combined with its own aliases.
    """
    own = [_alias_urn(resource, spec, former, project, stack) for spec in specs]
    urns = list(own)
    if former_parent := former.get(resource.parent):
        for type_, name in [(resource.type, resource.name), *((urn_type(urn), urn_name(urn)) for urn in own)]:
            urns.append(make_urn(project, stack, type_, _inherited_name(resource, name, former_parent), former_parent))
    return tuple(urn for urn in dict.fromkeys(urns) if urn != resource.urn)


def _inherited_name(resource: Resource, name: str, former_parent: str) -> str:
    # A child named after its parent was named after the parent's former name.
    parent_name = urn_name(resource.parent)
    if name.startswith(parent_name):
        return urn_name(former_parent) + name.removeprefix(parent_name)
    return name


def _alias_urn(resource: Resource, spec: AliasSpec, former: Mapping[str, str], project: str, stack: str) -> str:
    if spec.urn:
        return spec.urn
    parent = resource.parent
    if spec.parent_urn:
        parent = former.get(spec.parent_urn, spec.parent_urn)
    if spec.no_parent:
        parent = ""
    if parent and qualified_type(parent) == STACK_TYPE:
        parent = ""
    return make_urn(
        spec.project or project, spec.stack or stack, spec.type or resource.type, spec.name or resource.name, parent
    )
