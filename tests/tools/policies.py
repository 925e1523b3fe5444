"""Small accounts for tests of the evaluator and of the table: roles and what protects things, from plain documents."""

import json
from collections.abc import Mapping
from typing import Any

from stackyard.program.deployment import Resource
from tools.policy_documents import Statement, parse
from tools.policy_evaluator import Account, Role

ACCOUNT = "123456789012"
CLUSTER = "aws:eks/cluster:Cluster"
CLUSTER_ARN = f"arn:aws:eks:eu-central-1:{ACCOUNT}:cluster/c"


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def allow(*actions: str, on: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}


def deny(*actions: str, on: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {**allow(*actions, on=on, **more), "Effect": "Deny"}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def parsed(*statements: dict[str, Any]) -> tuple[Statement, ...]:
    return parse(document(*statements))


def role(name: str, *statements: dict[str, Any], boundary: tuple[Statement, ...] | None = None) -> Role:
    return Role(name=name, arn=role_arn(name), statements=parsed(*statements), trust=(), boundary=boundary)


def account(*roles: Role, policies: Mapping[str, tuple[Statement, ...]] | None = None) -> Account:
    return Account(roles={r.arn: r for r in roles}, resource_policies=policies or {})


def resource(type_: str, name: str, inputs: dict[str, Any], outputs: dict[str, Any] | None = None) -> Resource:
    urn = f"urn:pulumi:test::test::{type_}::{name}"
    return Resource(urn=urn, type=type_, name=name, inputs=inputs, outputs=outputs or {})


def role_resources(name: str, *statements: dict[str, Any], trust: dict[str, Any] | None = None) -> list[Resource]:
    """A role with one policy, as a capture shows it."""
    trusted = trust or {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    made = resource(
        "aws:iam/role:Role",
        name,
        {"name": name, "assumeRolePolicy": document(trusted)},
        {"arn": role_arn(name), "name": name},
    )
    policy = resource(
        "aws:iam/rolePolicy:RolePolicy", f"{name}-policy", {"role": name, "policy": document(*statements)}
    )
    return [made, policy]


def pod_identity(role_name: str, namespace: str, service_account: str) -> Resource:
    return resource(
        "aws:eks/podIdentityAssociation:PodIdentityAssociation",
        f"{role_name}-identity",
        {"namespace": namespace, "serviceAccount": service_account, "roleArn": role_arn(role_name)},
    )
