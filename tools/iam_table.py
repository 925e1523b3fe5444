"""docs/iam.md: which role reads, writes or administers which data, directly or through another role.

Generated from the captures of the committed stacks. `python -m tools.iam_table --write` writes the page; `--check`
ends with status 1 when it is stale. What a table cannot know, it leaves in: a condition counts as met, an admission
policy as absent, so that the page shows the most that a role can reach.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackyard.program.deployment import Resource
from tools.access_levels import LEVELS, Level, levels_of
from tools.generated_page import write_or_check
from tools.policy_documents import Statement, together
from tools.policy_evaluator import Account, Role, account_of, decide
from tools.role_graph import Edge, edges, principal_name, reach

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "iam.md"
WRITE = "python -m tools.iam_table --write"

ENVIRONMENTS: Mapping[str, tuple[str, ...]] = {
    "local": ("local",),
    "dev": ("dev",),
    "staging": ("staging-base", "staging-platform"),
    # The committed account stack is that of prod's account.
    "prod": ("prod-base", "prod-platform", "account"),
}
"""Environment to its stacks."""

EVERYTHING: Mapping[str, str] = {
    "ecr": "every repository",
    "kms": "every key",
    "rds-db": "every database",
    "s3": "every bucket",
    "secretsmanager": "every secret",
}

# Keys whose id nobody knows yet are meant by their alias.
BY_ALIAS = ("kms:RequestAlias", "kms:ResourceAliases")


@dataclass(frozen=True, kw_only=True, order=True)
class Access:
    """What one principal can do with one thing."""

    principal: str
    """Logical name of a role, or a principal that the stack does not make."""
    thing: str
    """`data-bucket: flights/*`, `data-key`, …: logical names, so that environments compare."""
    level: Level
    through: str = ""
    """The role that it has to act as; empty for its own rights."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    name: str
    resources: tuple[Resource, ...]
    account: Account
    edges: tuple[Edge, ...]
    access: frozenset[Access]


def environment(name: str, resources: Iterable[Resource]) -> Environment:
    """Everything that the page says about one environment."""
    resources = tuple(resources)
    account = account_of(resources)
    found = edges(resources, account)
    own = {access for role in account.roles.values() for access in direct(account, role, resources)}
    own |= set(by_resource_policies(account, resources))
    return Environment(
        name=name,
        resources=resources,
        account=account,
        edges=found,
        access=frozenset(own | set(transitive(own, found))),
    )


def direct(account: Account, role: Role, resources: Iterable[Resource]) -> Iterator[Access]:
    """A role's own rights on data. Raises UnclassifiedAction for an action that no table knows."""
    names = things(resources)
    for statement in role.statements:
        if not statement.allow:
            continue
        for action in statement.actions:
            for level in levels_of(action):
                for pattern in _of_service(statement, action):
                    if decide(account, role, _concrete(action, level), _example(pattern)).allowed:
                        thing = everything(action) if pattern == "*" else label(pattern, statement, names)
                        yield Access(principal=role.name, thing=thing, level=level)


def by_resource_policies(account: Account, resources: Iterable[Resource]) -> Iterator[Access]:
    """What keys, buckets and topics grant by themselves to roles and services; the account's root is left out."""
    names = things(resources)
    for arn, statements in account.resource_policies.items():
        for statement in statements:
            if not statement.allow:
                continue
            for kind, name in statement.principals:
                if name.endswith(":root"):
                    continue
                who = f"service {re.sub(r'[.](?:[a-z]{2}-[a-z-]+-[0-9][.])?amazonaws[.]com', '', name)}"
                who = who if kind == "Service" else principal_name(name, account)
                for level in {level for action in statement.actions for level in levels_of(action)}:
                    yield Access(principal=who, thing=names.get(arn, arn), level=level)


def transitive(own: Iterable[Access], found: Iterable[Edge]) -> Iterator[Access]:
    """The rights of every role that a principal can act as."""
    by_principal: dict[str, list[Access]] = {}
    for access in own:
        by_principal.setdefault(access.principal, []).append(access)
    for source, targets in reach(found).items():
        held = {(a.thing, a.level) for a in by_principal.get(source, [])}
        for target in targets:
            for access in by_principal.get(target, []):
                if (access.thing, access.level) not in held:
                    yield Access(principal=source, thing=access.thing, level=access.level, through=target)


# Names of things


def things(resources: Iterable[Resource]) -> dict[str, str]:
    """ARN to logical name, of whatever has one."""
    named: dict[str, str] = {}
    for resource in resources:
        if not resource.type.startswith("aws:"):
            continue
        arn = resource.outputs.get("arn")
        if resource.type == "aws:s3/bucket:Bucket":
            arn = arn or f"arn:aws:s3:::{resource.inputs['bucket']}"
        if isinstance(arn, str) and arn not in named:
            # The account's own things have names that an environment's have as well.
            of_account = resource.urn.startswith("urn:pulumi:account:")
            named[arn] = f"account: {resource.name}" if of_account else resource.name
            if resource.type == "aws:rds/instance:Instance":
                named[_connecting_arn(arn, str(resource.outputs["resourceId"]))] = resource.name
    return named


def _connecting_arn(arn: str, resource_id: str) -> str:
    """What connections to a database are granted on, up to the user: AWS's own id, which no other ARN holds."""
    prefix = arn.partition(":db:")[0].replace(":rds:", ":rds-db:")
    return f"{prefix}:dbuser:{resource_id}"


def label(pattern: str, statement: Statement, names: Mapping[str, str]) -> str:
    """A resource pattern of a policy, in logical names; of keys also by which alias they are meant."""
    aliases = [v for op in statement.conditions.values() for key, vs in op.items() if key in BY_ALIAS for v in vs]
    if aliases:
        return ", ".join(aliases)
    if ":s3:::" in pattern:
        bucket, _, path = pattern.partition("/")
        # A listing is limited by its condition and not by its resource.
        prefixes = [
            v for op in statement.conditions.values() for key, vs in op.items() if key == "s3:prefix" for v in vs
        ]
        below = path or ", ".join(prefixes) or "*"
        return f"{names.get(bucket, _short(bucket))}: {below}"
    if ":rds-db:" in pattern:
        database, _, user = pattern.rpartition("/")
        return f"{names.get(database, _short(database))}: as {user}"
    return names.get(pattern, _short(pattern))


def everything(action: str) -> str:
    """What `*` means as the resource of an action."""
    if action == "kms:CreateKey":
        return "new keys"
    return EVERYTHING[action.partition(":")[0]] if ":" in action else "everything"


def _short(pattern: str) -> str:
    """An ARN without account and region, which differ by environment; names of an environment stay."""
    if not pattern.startswith("arn:"):
        return pattern
    _, _, service, _, _, resource = pattern.split(":", 5)
    return f"{service}: {resource}"


def _of_service(statement: Statement, action: str) -> Iterator[str]:
    service = action.partition(":")[0]
    for pattern in statement.resources:
        if pattern == "*" or f":{service}:" in pattern or action == "*":
            yield pattern


def _concrete(action: str, level: Level) -> str:
    """An action that exists, for one with wildcards."""
    if "*" not in action:
        return action
    service = action.partition(":")[0] if ":" in action else "s3"
    candidates = (f"{service}:{name}" for name in LEVELS[service][level])
    return next((each for each in candidates if level in levels_of(each)), action)


def _example(pattern: str) -> str:
    """Something that the pattern matches: the evaluator decides about things, not about patterns."""
    return pattern.replace("*", "x") if pattern != "*" else "arn:aws:any:::x"


# The page


def committed() -> tuple[Environment, ...]:
    """Every environment of the committed stack files."""
    from tests.stack_captures import stack_capture

    return tuple(
        environment(name, together(stack_capture(stack) for stack in stacks)) for name, stacks in ENVIRONMENTS.items()
    )


HEAD = f"""\
# Who can reach which data

Generated from the committed stacks by `{WRITE}`; not edited by hand.
[threat-model.md](threat-model.md) says which attacker holds which of these roles.

The page shows the most that a role can reach: conditions of an allow count as met, an admission policy in the cluster
counts as absent. A name is the one in the program; an environment is named only where not all have the row.
The account's administrators are left out: they can change everything.
"""


def render(environments: Iterable[Environment]) -> str:
    """The page, the same bytes for the same stacks."""
    environments = [each for each in environments if each.account.roles or each.access]
    names = [each.name for each in environments]
    parts = [HEAD, "## Data\n", *_access_table(environments, names)]
    parts += ["\n## Who can act as another role\n", *_edge_table(environments, names)]
    parts += ["\n## Roles\n", *_role_table(environments, names)]
    return "\n".join(parts) + "\n"


def _access_table(environments: list[Environment], names: list[str]) -> Iterator[str]:
    rows: dict[tuple[str, str, str, str, str], list[str]] = {}
    for each in environments:
        cells: dict[tuple[str, str], dict[Level, set[str]]] = {}
        for access in each.access:
            levels = cells.setdefault((access.principal, access.thing), {})
            levels.setdefault(access.level, set()).add(access.through)
        for (principal, thing), levels in cells.items():
            read, write, administer = (_cell(levels.get(level, set())) for level in Level)
            rows.setdefault((principal, thing, read, write, administer), []).append(each.name)
    yield "| Principal | Data | Read | Write | Administer | Environments |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for row, where in sorted(rows.items()):
        principal, thing, *levels = row
        yield f"| {principal} | `{thing}` | {' | '.join(levels)} | {_where(where, names)} |"


def _cell(through: set[str]) -> str:
    if not through:
        return "–"
    return "yes" if "" in through else f"as {', '.join(sorted(through))}"


def _edge_table(environments: list[Environment], names: list[str]) -> Iterator[str]:
    rows: dict[tuple[str, str, str], list[str]] = {}
    for each in environments:
        ways: dict[tuple[str, str], list[str]] = {}
        for edge in each.edges:
            ways.setdefault((edge.source, edge.target), []).append(edge.how)
        for (source, target), how in ways.items():
            rows.setdefault((source, target, ", ".join(how)), []).append(each.name)
    yield "| Principal | acts as | How | Environments |"
    yield "| --- | --- | --- | --- |"
    for (source, target, how), where in sorted(rows.items()):
        yield f"| {source} | {target} | {how} | {_where(where, names)} |"


def _role_table(environments: list[Environment], names: list[str]) -> Iterator[str]:
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for each in environments:
        for role in each.account.roles.values():
            row = (role.name, _trusted(role, each.account), _other_services(role), _managed(role))
            rows.setdefault(row, []).append(each.name)
    yield "| Role | Taken on by | Other services that it calls | Policies of AWS | Environments |"
    yield "| --- | --- | --- | --- | --- |"
    for (name, trusted, others, managed), where in sorted(rows.items()):
        yield f"| {name} | {trusted} | {others} | {managed} | {_where(where, names)} |"


def _trusted(role: Role, account: Account) -> str:
    names: set[str] = set()
    for statement in role.trust:
        subjects = [v for op in statement.conditions.values() for k, vs in op.items() if k.endswith(":sub") for v in vs]
        for kind, name in statement.principals:
            shown = name if kind == "Service" else principal_name(name, account)
            names.add(f"{shown} ({', '.join(subjects)})" if subjects else shown)
    return ", ".join(sorted(names))


def _other_services(role: Role) -> str:
    services = {a.partition(":")[0] for s in role.statements if s.allow for a in s.actions}
    return ", ".join(sorted(services - LEVELS.keys())) or "–"


def _managed(role: Role) -> str:
    return ", ".join(arn.rsplit("/", 1)[1] for arn in role.managed) or "–"


def _where(where: list[str], names: list[str]) -> str:
    return "all" if where == names else ", ".join(where)


def main() -> int:
    return write_or_check(PAGE, lambda current: render(committed()), what="docs/iam.md", command=WRITE)


if __name__ == "__main__":
    sys.exit(main())
