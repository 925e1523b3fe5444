"""Every policy document of a stack, read from its capture: who owns it, of which kind it is, and its statements."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, cast

from stackyard.program.deployment import Deployment, Resource
from stackyard.program.values import plain, walk


class Kind(StrEnum):
    IDENTITY = "identity"
    """What a role may do."""
    TRUST = "trust"
    """Who may take a role on."""
    RESOURCE = "resource"
    """Who may use a key, a bucket, a topic, a queue, a repository."""
    BOUNDARY = "boundary"
    """What a role may do at most: it takes away and grants nothing."""
    ENDPOINT = "endpoint"
    """What passes a VPC endpoint: it filters and grants nothing."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement; empty lists where the document has no such part."""

    sid: str = ""
    allow: bool
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    principals: tuple[tuple[str, str], ...] = ()
    """Kind (`AWS`, `Service`, `Federated`) and name; `("*", "*")` for everyone."""
    not_principals: tuple[tuple[str, str], ...] = ()
    conditions: Mapping[str, Mapping[str, tuple[str, ...]]] = field(
        default_factory=dict[str, Mapping[str, tuple[str, ...]]]
    )


@dataclass(frozen=True, kw_only=True)
class Document:
    owner: Resource
    kind: Kind
    path: str
    """The input in which it stands."""
    text: str
    statements: tuple[Statement, ...]


KINDS: Mapping[str, Kind] = {
    "aws:ec2/vpcEndpoint:VpcEndpoint": Kind.ENDPOINT,
    "aws:iam/policy:Policy": Kind.IDENTITY,
    "aws:iam/rolePolicy:RolePolicy": Kind.IDENTITY,
}
# Lifecycle rules are called policies too; these have no statements.
STATEMENT = '"Statement"'


def documents(deployment: Iterable[Resource]) -> Iterator[Document]:
    """In the order of the capture. Charts and objects of Kubernetes hold none."""
    deployment = list(deployment)
    boundaries = {str(r.inputs["permissionsBoundary"]) for r in deployment if r.inputs.get("permissionsBoundary")}
    for resource in deployment:
        if not resource.type.startswith("aws:"):
            continue
        for path, value in walk(plain(dict(resource.inputs))):
            if isinstance(value, str) and value.lstrip().startswith("{") and STATEMENT in value:
                yield Document(
                    owner=resource,
                    kind=Kind.BOUNDARY if resource.outputs.get("arn") in boundaries else _kind(resource, path),
                    path=path,
                    text=value,
                    statements=parse(value),
                )


def _kind(resource: Resource, path: str) -> Kind:
    if path == "assumeRolePolicy":
        return Kind.TRUST
    if resource.type == "aws:iam/role:Role":
        return Kind.IDENTITY  # inlinePolicies
    return KINDS.get(resource.type, Kind.RESOURCE)


def parse(text: str) -> tuple[Statement, ...]:
    """The statements of a document. Raises ValueError for JSON that is no policy."""
    found = json.loads(text)["Statement"]
    # One statement may stand without a list.
    entries = cast("list[Any]", found) if isinstance(found, list) else [found]
    return tuple(_statement(entry) for entry in entries)


def _statement(entry: Any) -> Statement:
    conditions = {
        operator: {key: many(values) for key, values in keys.items()}
        for operator, keys in entry.get("Condition", {}).items()
    }
    return Statement(
        sid=entry.get("Sid", ""),
        allow=entry["Effect"] == "Allow",
        actions=many(entry.get("Action")),
        not_actions=many(entry.get("NotAction")),
        resources=many(entry.get("Resource")),
        not_resources=many(entry.get("NotResource")),
        principals=_principals(entry.get("Principal")),
        not_principals=_principals(entry.get("NotPrincipal")),
        conditions=conditions,
    )


def many(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(entry) for entry in value)


def _principals(value: Any) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if value == "*":
        return (("*", "*"),)
    return tuple((kind, name) for kind, names in value.items() for name in many(names))


@cache
def managed_policy(arn: str) -> tuple[Statement, ...]:
    """The statements of a policy that AWS manages, from moto's copy of them. Raises LookupError for an unknown one."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    policies: dict[str, Any] = json.loads(aws_managed_policies_data)
    name = arn.rsplit("/", 1)[1]
    if name not in policies:
        raise LookupError(f"{arn} is not among the managed policies that moto {_moto_version()} knows")
    return parse(json.dumps(policies[name]["Document"]))


def _moto_version() -> str:
    from importlib.metadata import version

    return version("moto")


def together(deployments: Iterable[Deployment]) -> tuple[Resource, ...]:
    """The resources of several stacks that make up one environment."""
    return tuple(resource for deployment in deployments for resource in deployment)
