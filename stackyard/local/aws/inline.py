"""Rules and routes that a group or a table has now, in the form of inline inputs."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from stackyard.local.aws import handlers

Inputs = Mapping[str, Any]

_DIRECTIONS = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}
_SOURCES = (
    ("cidrBlocks", "IpRanges", "CidrIp"),
    ("ipv6CidrBlocks", "Ipv6Ranges", "CidrIpv6"),
    ("prefixListIds", "PrefixListIds", "PrefixListId"),
    ("securityGroups", "UserIdGroupPairs", "GroupId"),
)
_ROUTE_NAMES = {member: name for name, member in (handlers.INLINE_DESTINATIONS | handlers.ROUTE_TARGETS).items()}


def all_rules_now(inputs: Inputs, scope: Inputs) -> dict[str, Any]:
    """Both directions, given or not: for a group that is owned whole."""
    return {direction: _rules_now(direction, inputs, scope) for direction in _DIRECTIONS}


def given_rules_now(inputs: Inputs, scope: Inputs) -> dict[str, Any]:
    """The directions that are given inline; rules of the others are resources of their own."""
    return {name: value for name, value in all_rules_now(inputs, scope).items() if name in inputs}


def _rules_now(direction: str, inputs: Inputs, scope: Inputs) -> list[dict[str, Any]] | None:
    found = scope["d"].get(_DIRECTIONS[direction]) or []
    rules = [rule for permission in found for rule in _rules(permission, str(scope["id"]))]
    if _permissions(direction, {direction: rules}) == _permissions(direction, inputs):
        return inputs.get(direction)
    return sorted(rules, key=_text)


def _permissions(direction: str, inputs: Inputs) -> list[str]:
    return sorted({_text(permission) for permission in handlers.permissions(direction, inputs)})


def _rules(permission: Inputs, own_group: str) -> Iterator[dict[str, Any]]:
    """One rule for each source, so that a change of one touches no other."""
    base = {
        "protocol": str(permission.get("IpProtocol", "-1")),
        "fromPort": permission.get("FromPort", 0),
        "toPort": permission.get("ToPort", 0),
    }
    for name, member, key in _SOURCES:
        for source in permission.get(member) or []:
            about = {"description": source["Description"]} if source.get("Description") else {}
            itself = name == "securityGroups" and source[key] == own_group
            yield {**base, **({"self": True} if itself else {name: [source[key]]}), **about}


def routes_now(inputs: Inputs, scope: Inputs) -> dict[str, Any]:
    """A table's inline routes, without the local one and those that endpoints add; nothing where none are given."""
    if "routes" not in inputs:
        return {}
    now = [
        {_ROUTE_NAMES[member]: value for member, value in route.items() if member in _ROUTE_NAMES and value}
        for route in scope["d"].get("Routes") or []
        if route.get("GatewayId") != "local" and not str(route.get("GatewayId", "")).startswith("vpce-")
    ]
    same = handlers.routes({"routes": now}) == handlers.routes(inputs)
    return {"routes": inputs["routes"] if same else now}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
