"""Policy documents as typed statements, rendered to one canonical text and checked while they are built.

Sorted keys, sorted actions, single values without a list, as AWS itself stores them: a policy reads back unchanged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pulumi import Input, Output

from components.aws_location import AwsLocation
from components.invalid_argument import InvalidArgument

Conditions = Mapping[str, Mapping[str, Input[str] | Sequence[Input[str]]]]
"""Operator to key to value or values, as in IAM: `{"StringEquals": {"aws:SourceAccount": "123456789012"}}`."""

Principals = Mapping[str, Sequence[Input[str]]]

ANYONE: Principals = {"AWS": ("*",)}

# Services whose data a policy must name: an Allow on all keys or all buckets is refused.
NAMED_RESOURCES_ONLY = ("kms:", "s3:")
# What these create or list has no ARN yet, so IAM knows `*` only:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html
WITHOUT_RESOURCES = frozenset({"kms:CreateKey", "kms:ListAliases"})


class Effect(StrEnum):
    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement of a policy document."""

    sid: str = ""
    """Letters and digits, unique within a document. Default: none."""

    effect: Effect = Effect.ALLOW
    """Default: allow."""

    actions: Sequence[str]
    """IAM actions, `service:Action`."""

    resources: Sequence[Input[str]] = ()
    """ARNs. Empty only in a trust policy."""

    principals: Principals = field(default_factory=dict[str, Sequence[Input[str]]])
    """Principals by kind (`AWS`, `Service`, `Federated`). Empty in a policy that is attached to a role."""

    conditions: Conditions = field(default_factory=dict[str, Mapping[str, Input[str] | Sequence[Input[str]]]])
    """All must hold. Default: none."""

    def document(self) -> dict[str, Any]:
        """The statement as IAM writes it; values may still be outputs."""
        parts: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": str(self.effect),
            "Action": _one_or_many(sorted(self.actions)),
            "Resource": _one_or_many(self.resources),
            "Principal": {kind: _one_or_many(names) for kind, names in self.principals.items()},
            "Condition": {
                operator: {key: _one_or_many(value) for key, value in keys.items()}
                for operator, keys in self.conditions.items()
            },
        }
        return {key: value for key, value in parts.items() if value}


def identity_policy(statements: Sequence[Statement]) -> Output[str]:
    """A policy for a role. Raises ValueError on `*:*`, `service:*`, keys or buckets not named, and open PassRole."""
    for statement in statements:
        _check_identity(statement)
    return render(statements)


def resource_policy(statements: Sequence[Statement]) -> Output[str]:
    """A policy of a key, a bucket or a topic. Raises ValueError when anyone at all would be allowed."""
    for statement in statements:
        if not statement.principals:
            raise InvalidArgument(f"statement {statement.sid!r} of a resource policy names no principal")
        anyone = any("*" in names for names in statement.principals.values())
        if anyone and statement.effect is Effect.ALLOW and not statement.conditions:
            raise InvalidArgument(f"statement {statement.sid!r} allows everyone: name principals or add a condition")
    return render(statements)


def endpoint_policy(statements: Sequence[Statement]) -> Output[str]:
    """What passes a VPC endpoint, whoever asks. Raises ValueError when a statement lets everything through.

    A gateway endpoint knows no principals but anyone; conditions tell them apart.
    Source: https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
    """
    for statement in statements:
        if not statement.conditions and "*" in statement.resources:
            raise InvalidArgument(
                f"statement {statement.sid!r} lets everything through: name resources or add a condition"
            )
    return render([replace(statement, principals=ANYONE) for statement in statements])


def service_trust_policy(service: str, location: AwsLocation, source_arn: str) -> Output[str]:
    """Lets a service assume a role, on behalf of this account and of `source_arn` (wildcards allowed) alone.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    return render(
        [
            Statement(
                actions=["sts:AssumeRole"],
                principals={"Service": [service]},
                conditions={
                    "StringEquals": {"aws:SourceAccount": location.account_id},
                    "ArnLike": {"aws:SourceArn": source_arn},
                },
            )
        ]
    )


def render(statements: Sequence[Statement]) -> Output[str]:
    """The canonical text of a document. Raises ValueError on an empty document or a Sid used twice."""
    if not statements:
        raise InvalidArgument("a policy document needs at least one statement")
    sids = [statement.sid for statement in statements if statement.sid]
    if len(sids) != len(set(sids)):
        raise InvalidArgument(f"statement ids are not unique: {', '.join(sorted(sids))}")
    document = {"Version": "2012-10-17", "Statement": [statement.document() for statement in statements]}
    return Output.json_dumps(document, sort_keys=True)


def _check_identity(statement: Statement) -> None:
    if statement.principals:
        raise InvalidArgument(
            f"statement {statement.sid!r} of a role's policy names principals, which only resource policies have"
        )
    if not statement.resources:
        raise InvalidArgument(f"statement {statement.sid!r} of a role's policy names no resource")
    if statement.effect is Effect.DENY:
        return
    for action in statement.actions:
        if action == "*" or action.endswith(":*"):
            raise InvalidArgument(f"action {action!r} grants a whole service: list the actions that are needed")
        named = action.startswith(NAMED_RESOURCES_ONLY) and action not in WITHOUT_RESOURCES
        if named and "*" in statement.resources:
            raise InvalidArgument(f"action {action!r} on resource '*' reaches every key or bucket: name their ARNs")
    if "iam:PassRole" in statement.actions and "iam:PassedToService" not in _condition_keys(statement):
        raise InvalidArgument(
            "iam:PassRole needs the condition iam:PassedToService, else the role can be handed to any service"
        )


def _condition_keys(statement: Statement) -> set[str]:
    return {key for keys in statement.conditions.values() for key in keys}


def _one_or_many(values: Input[str] | Sequence[Input[str]]) -> Input[str] | list[Input[str]]:
    # A text and an output stand for one value.
    if isinstance(values, str) or not isinstance(values, Sequence):
        return values
    return values[0] if len(values) == 1 else list(values)
