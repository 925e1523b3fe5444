"""Decides whether a role may do something, from the documents alone: the logic that IAM documents, for one account.

An explicit deny wins. Otherwise the role's own policies must allow it within its boundary, or the resource's policy
names the role. A key's policy must agree in any case: naming the account hands the decision to the role's policies.
The emulator judges none of this (boundaries, conditions, explicit denies of resource policies).

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from stackyard.program.deployment import Resource
from tools.policy_documents import Document, Kind, Statement, documents, managed_policy

Context = Mapping[str, str]
"""Condition keys of a request with their values, for example `{"aws:SecureTransport": "true"}`."""

# Keys that say what the resource of a request is, so that a capture knows them: without a value they are absent.
FACTS = ("aws:resourcetag/", "iam:resourcetag/", "iam:permissionsboundary")


class UnknownOperator(ValueError):
    """A condition operator that this evaluator does not implement; guessing would be worse."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role with everything that decides what it may do."""

    name: str
    """Logical name."""
    arn: str
    statements: tuple[Statement, ...]
    trust: tuple[Statement, ...]
    boundary: tuple[Statement, ...] | None = None
    managed: tuple[str, ...] = ()
    """ARNs of attached policies that AWS manages."""
    facts: Context = field(default_factory=dict[str, str])
    """Its tags and its boundary's ARN, as condition keys of a request that is about this role."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """The roles and resource policies of an environment."""

    roles: Mapping[str, Role]
    """By ARN."""
    resource_policies: Mapping[str, tuple[Statement, ...]] = field(default_factory=dict[str, tuple[Statement, ...]])
    """By the ARN of what they protect."""

    def role(self, name: str) -> Role:
        """By logical name. Raises LookupError when there is none."""
        for role in self.roles.values():
            if role.name == name:
                return role
        raise LookupError(f"no role {name!r}; there are: {', '.join(sorted(r.name for r in self.roles.values()))}")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    allowed: bool
    why: str


def account_of(resources: Iterable[Resource]) -> Account:
    """Reads roles, their policies and all resource policies from captures."""
    resources = list(resources)
    found = list(documents(resources))
    named = {r.outputs.get("name", r.inputs.get("name")): r for r in resources if r.type == "aws:iam/role:Role"}
    policies = {
        str(d.owner.outputs.get("arn", "")): d.statements for d in found if d.owner.type == "aws:iam/policy:Policy"
    }
    roles: dict[str, Role] = {}
    for name, resource in named.items():
        attached = _attached(resources, str(name))
        roles[str(resource.outputs["arn"])] = Role(
            name=resource.name,
            arn=str(resource.outputs["arn"]),
            statements=(
                *_of_role(found, resource, str(name)),
                *(statement for arn in attached for statement in policies.get(arn) or managed_policy(arn)),
            ),
            trust=tuple(s for d in found if d.owner is resource and d.kind is Kind.TRUST for s in d.statements),
            boundary=_boundary(resource, policies),
            managed=tuple(arn for arn in attached if arn not in policies),
            facts=_facts(resource),
        )
    return Account(roles=roles, resource_policies=_resource_policies(found))


def _facts(role: Resource) -> dict[str, str]:
    tags: Mapping[str, Any] = role.outputs.get("tagsAll") or role.inputs.get("tags") or {}
    facts = {f"{kind}:ResourceTag/{key}": str(value) for key, value in tags.items() for kind in ("aws", "iam")}
    boundary = role.inputs.get("permissionsBoundary")
    return {**facts, "iam:PermissionsBoundary": str(boundary)} if boundary else facts


def _of_role(found: Iterable[Document], role: Resource, name: str) -> tuple[Statement, ...]:
    return tuple(
        statement
        for document in found
        if document.kind is Kind.IDENTITY
        and (
            document.owner is role
            or (document.owner.type == "aws:iam/rolePolicy:RolePolicy" and document.owner.inputs.get("role") == name)
        )
        for statement in document.statements
    )


def _attached(resources: Iterable[Resource], name: str) -> tuple[str, ...]:
    arns: list[str] = []
    for resource in resources:
        if resource.type == "aws:iam/rolePolicyAttachment:RolePolicyAttachment" and resource.inputs["role"] == name:
            arns.append(str(resource.inputs["policyArn"]))
        if resource.type == "aws:iam/role:Role" and resource.outputs.get("name") == name:
            arns.extend(str(arn) for arn in resource.inputs.get("managedPolicyArns") or ())
    return tuple(sorted(set(arns)))


def _boundary(role: Resource, policies: Mapping[str, tuple[Statement, ...]]) -> tuple[Statement, ...] | None:
    arn = role.inputs.get("permissionsBoundary")
    if not arn:
        return None
    # A boundary of another stack is not in these captures: it can only take away, so it counts as absent.
    return policies.get(str(arn))


def _resource_policies(found: Iterable[Document]) -> dict[str, tuple[Statement, ...]]:
    policies: dict[str, tuple[Statement, ...]] = {}
    for document in found:
        if document.kind is not Kind.RESOURCE:
            continue
        owner = document.owner
        if owner.type == "aws:s3/bucketPolicy:BucketPolicy":
            arn = f"arn:{_partition(document.text)}:s3:::{owner.inputs['bucket']}"
        elif owner.type.startswith(("aws:sns/topicPolicy", "aws:secretsmanager/secretPolicy")):
            arn = str(owner.inputs.get("arn") or owner.inputs.get("secretArn"))
        else:
            arn = str(owner.outputs.get("arn") or owner.inputs.get("queueUrl") or owner.inputs.get("repository"))
        policies[arn] = (*policies.get(arn, ()), *document.statements)
    return policies


def _partition(text: str) -> str:
    match = re.search(r"arn:(aws[a-z-]*):", text)
    return match[1] if match else "aws"


# The decision


def decide(
    account: Account,
    role: Role,
    action: str,
    resource: str,
    context: Context | None = None,
    facts: Context | None = None,
) -> Verdict:
    """Whether `role` may do `action` on `resource`.

    Without `context` the question is whether it could, in some context: conditions of an allow count as met, those of
    a deny as not met, and a key whose policy is in no capture as agreeing. `facts` then says what is known all the
    same: the resource's tags and boundary.
    """
    given = _Given(context, facts)
    protecting = _protecting(account, resource)
    own = [s for s in role.statements if _concerns(s, action, resource)]
    theirs = [s for s in protecting if _concerns(s, action, resource) and _names(s, role.arn)]
    for statement in (*own, *theirs, *(role.boundary or ())):
        if not statement.allow and _concerns(statement, action, resource) and holds(statement, given):
            return Verdict(allowed=False, why=f"denied by {statement.sid or 'a statement'}")
    if role.boundary is not None and not _allowed(role.boundary, action, resource, given):
        return Verdict(allowed=False, why="outside the role's boundary")
    directly = [s for s in theirs if s.allow and _names_itself(s, role.arn) and holds(s, given)]
    handed_on = any(s.allow and holds(s, given) for s in theirs) or (context is None and not protecting)
    # Creating a key or a name for one asks no key.
    if action.startswith("kms:") and ":alias/" not in resource and resource != "*" and not handed_on:
        return Verdict(allowed=False, why="the key's policy does not allow it")
    if _allowed(own, action, resource, given):
        return Verdict(allowed=True, why="the role's own policy")
    if directly:
        return Verdict(allowed=True, why="the resource's policy names the role")
    return Verdict(allowed=False, why="nothing allows it")


def _protecting(account: Account, resource: str) -> tuple[Statement, ...]:
    bucket = resource.split("/", 1)[0] if ":s3:::" in resource else resource
    return account.resource_policies.get(bucket, ())


def _allowed(statements: Iterable[Statement], action: str, resource: str, given: "_Given") -> bool:
    return any(s.allow and _concerns(s, action, resource) and holds(s, given) for s in statements)


def _concerns(statement: Statement, action: str, resource: str) -> bool:
    if statement.actions and not any(matches(pattern.lower(), action.lower()) for pattern in statement.actions):
        return False
    if statement.not_actions and any(matches(pattern.lower(), action.lower()) for pattern in statement.not_actions):
        return False
    if statement.not_resources and any(matches(pattern, resource) for pattern in statement.not_resources):
        return False
    # A key's policy says `*` and means its own key. A trust policy names no resource.
    return not statement.resources or any(matches(pattern, resource) for pattern in statement.resources)


def _names(statement: Statement, arn: str) -> bool:
    """The role itself, its account, or everyone."""
    root = re.sub(r":role/.*", ":root", arn)
    return any(
        name == "*" or name in (arn, root, arn.split(":")[4]) for kind, name in statement.principals if kind in "AWS*"
    )


def _names_itself(statement: Statement, arn: str) -> bool:
    return any(name in ("*", arn) for kind, name in statement.principals if kind in "AWS*")


@lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern), re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    """IAM's wildcards: `*` any characters, `?` exactly one. Case counts."""
    return _pattern(pattern).fullmatch(text) is not None


# Conditions


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, given: compare(float(given), float(wanted))


COMPARE: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, given: wanted == given,
    "StringEqualsIgnoreCase": lambda wanted, given: wanted.lower() == given.lower(),
    "StringLike": matches,
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": lambda wanted, given: wanted.lower() == given.lower(),
    "NumericEquals": _number(lambda given, wanted: given == wanted),
    "NumericLessThan": _number(lambda given, wanted: given < wanted),
    "NumericLessThanEquals": _number(lambda given, wanted: given <= wanted),
    "NumericGreaterThan": _number(lambda given, wanted: given > wanted),
    "NumericGreaterThanEquals": _number(lambda given, wanted: given >= wanted),
}
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}


class _Given:
    """What is known of a request: everything, or the facts about its resource alone."""

    def __init__(self, context: Context | None, facts: Context | None = None):
        self._everything = context is not None
        self._facts = facts is not None
        self._values = {key.lower(): value for key, value in {**(facts or {}), **(context or {})}.items()}

    def knows(self, key: str) -> bool:
        return self._everything or (self._facts and key.lower().startswith(FACTS))

    def value(self, key: str) -> str | None:
        return self._values.get(key.lower())


def holds(statement: Statement, given: _Given) -> bool:
    """Whether the statement's conditions are met. One that cannot be known is met in an allow, and not in a deny.

    Raises UnknownOperator, also where nothing is known.
    """
    met: list[bool] = []
    for operator, keys in statement.conditions.items():
        for key, wanted in keys.items():
            result = _met(operator, wanted, given.value(key))
            met.append(result if given.knows(key) else statement.allow)
    return all(met)


def _met(operator: str, wanted: tuple[str, ...], given: str | None) -> bool:
    name = operator.removeprefix("ForAnyValue:").removeprefix("ForAllValues:")
    vacuous = operator.startswith("ForAllValues:")
    if name == "Null":
        return (given is None) == (wanted[0].lower() == "true")
    if name.endswith("IfExists"):
        name, vacuous = name.removesuffix("IfExists"), True
    negated = name in NEGATED
    name = NEGATED.get(name, name)
    if name not in COMPARE:
        raise UnknownOperator(f"condition operator {operator!r} is not implemented: add it to COMPARE with a test")
    if given is None:
        # A missing key is unequal to everything, so a negated comparison holds.
        return vacuous or negated
    return any(COMPARE[name](each, given) for each in wanted) != negated
