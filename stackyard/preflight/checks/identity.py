"""Whose account this is, whether the region is open, and whether the caller may deploy."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from stackyard.preflight.account import Account, first_region
from stackyard.preflight.check import EVERY, Check
from stackyard.preflight.finding import Finding, Level, Unanswered, failed, listed, passed
from stackyard.preflight.target import Target

if TYPE_CHECKING:
    from components.iam_policies import Conditions, Statement


@dataclass(frozen=True)
class Caller:
    account: str
    arn: str

    @property
    def partition(self) -> str:
        return self.arn.split(":")[1]


def fetch_caller(account: Account, target: Target) -> Caller | Unanswered:
    """The caller, or why the credentials are not usable. Raises Unanswered where AWS cannot be reached."""
    try:
        # A region that is not enabled would refuse the same credentials.
        answer = account.call("sts", "get_caller_identity", region=first_region(target.partition))
    except Unanswered as silence:
        if silence.credentials:
            return silence
        raise
    return Caller(account=str(answer["Account"]), arn=str(answer["Arn"]))


def judge_caller(caller: Caller | Unanswered, target: Target) -> Iterator[Finding]:
    if isinstance(caller, Unanswered):
        yield failed(str(caller), caller.remedy)
    elif caller.account != target.account_id:
        yield failed(
            f"the credentials belong to account {caller.account} ({caller.arn}), but {target.files} names account "
            f"{target.account_id} as the home of {target.environment}",
            f"take credentials of {target.account_id}, for example with AWS_PROFILE, or correct "
            "environment.accountId: the ids of the committed examples are AWS's own placeholders",
            "aws sts get-caller-identity",
        )
    elif caller.partition != target.partition:
        yield failed(
            f"the credentials belong to the partition {caller.partition}, but {target.region} lies in "
            f"{target.partition}",
            f"correct environment.region in {target.files}",
        )
    else:
        yield passed(f"account {caller.account}, as {caller.arn}")


def fetch_regions(account: Account, target: Target) -> Mapping[str, str]:
    """Whether the account may use them, by region."""
    answer = account.call("ec2", "describe_regions", region=first_region(target.partition), AllRegions=True)
    return {str(region["RegionName"]): str(region["OptInStatus"]) for region in answer["Regions"]}


def judge_region(regions: Mapping[str, str], target: Target) -> Iterator[Finding]:
    status = regions.get(target.region)
    if status is None:
        near = get_close_matches(target.region, regions, n=1)
        yield failed(
            f"AWS has no region {target.region}" + (f", did you mean {near[0]}?" if near else ""),
            f"correct environment.region in {target.files}: one of {', '.join(sorted(regions))}",
        )
    elif status == "not-opted-in":
        yield failed(
            f"the region {target.region} is not enabled in account {target.account_id}",
            "enable it, which takes minutes to hours, or choose another environment.region",
            f"aws account enable-region --region-name {target.region}",
        )
    else:
        yield passed(f"{target.region} is enabled ({status})")


@dataclass(frozen=True, kw_only=True)
class Simulated:
    principal: str
    """ARN of the user or role whose policies were evaluated."""
    allowed: int
    denied: tuple[str, ...]
    """Actions that a deployment needs and the policies do not allow, sorted."""


def fetch_simulation(account: Account, target: Target) -> Simulated:
    """What IAM would say to the actions of a deployment, with the resources, tags and region that it would name."""
    principal = _principal(account, target)
    decisions: dict[str, bool] = {}
    for statement in deploying(target):
        answer = account.call(
            "iam",
            "simulate_principal_policy",
            PolicySourceArn=principal,
            ActionNames=sorted(statement.actions),
            ResourceArns=[str(arn) for arn in statement.resources],
            ContextEntries=context(statement.conditions, target.region),
        )
        for result in answer["EvaluationResults"]:
            action = str(result["EvalActionName"])
            decisions[action] = decisions.get(action, True) and result["EvalDecision"] == "allowed"
    denied = tuple(sorted(action for action, allowed in decisions.items() if not allowed))
    return Simulated(principal=principal, allowed=len(decisions) - len(denied), denied=denied)


def judge_simulation(simulated: Simulated, target: Target) -> Iterator[Finding]:
    if not simulated.denied:
        yield passed(
            f"all {simulated.allowed} actions of a deployment are allowed to {simulated.principal} by simulation, "
            "which knows no policies of resources"
        )
        return
    actions = list(simulated.denied)
    yield failed(
        f"{len(actions)} of {len(actions) + simulated.allowed} actions of a deployment are denied to "
        f"{simulated.principal}: {listed(actions)}",
        "deploy as a role that has them: an administrator's, or the one that `ci.stacks` of the account stack makes "
        "(docs/components/ci_access.md)",
        f"aws iam simulate-principal-policy --policy-source-arn {shlex.quote(simulated.principal)} --action-names "
        + " ".join(actions),
    )


def deploying(target: Target) -> "list[Statement]":
    """What a deployment of the layers does, as the policies of CI's own roles say it."""
    from components.ci_changes import changes_of
    from components.ci_stacks import CiLayer, CiNames, CiStack
    from stacks.naming import DATA, STATE, STATE_LOGS
    from stacks.providers import location_of
    from stacks.settings import PROJECT

    statements: list[Statement] = []
    for name, settings in target.stacks.items():
        layers = tuple(CiLayer(str(layer)) for layer in settings.environment.layers if layer in target.layers)
        names = CiNames(prefix=settings.environment.prefix, project=PROJECT, location=location_of(settings))
        stack = CiStack(
            name=name,
            environment=target.environment,
            layers=layers,
            state_bucket=settings.physical_name(STATE),
            state_log_bucket=settings.physical_name(STATE_LOGS),
            data_bucket=settings.physical_name(DATA),
        )
        statements += [s for layer in layers for group in changes_of(names, stack, layer).values() for s in group]
    return statements


def context(conditions: "Conditions", region: str) -> list[dict[str, Any]]:
    """The request's context under which the conditions hold, its region in any case. What must be absent stays out."""
    entries = {"aws:RequestedRegion": _entry("aws:RequestedRegion", [region], "string")}
    for operator, keys in sorted(conditions.items()):
        if operator == "Null":
            continue
        many = operator.startswith(("ForAnyValue:", "ForAllValues:"))
        for key, value in sorted(keys.items()):
            values = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
            # Of several values that a single-valued key may have, a request has one.
            entries[key] = _entry(key, values, "stringList") if many else _entry(key, values[:1], "string")
    return list(entries.values())


def _entry(key: str, values: Sequence[Any], kind: str) -> dict[str, Any]:
    return {"ContextKeyName": key, "ContextKeyValues": [str(value) for value in values], "ContextKeyType": kind}


def _principal(account: Account, target: Target) -> str:
    """The user or role behind the credentials: IAM simulates no sessions."""
    arn = str(account.call("sts", "get_caller_identity", region=first_region(target.partition))["Arn"])
    resource = arn.rpartition(":")[2]
    kind, _, rest = resource.partition("/")
    if kind == "assumed-role":
        # The session's ARN leaves out the role's path.
        return str(account.call("iam", "get_role", RoleName=rest.partition("/")[0])["Role"]["Arn"])
    if kind == "user":
        return arn
    raise Unanswered(
        f"IAM simulates users and roles only, and the caller is {arn}",
        "take a role for deployments: EKS knows no access entry for anybody else",
    )


def _account_layer_only(target: Target) -> str:
    only = {str(layer) for layer in target.layers} == {"account"}
    return "the account layer is applied by an administrator, who may do everything" if only else ""


CHECKS: tuple[Check[Any], ...] = (
    Check(
        name="account",
        layers=EVERY,
        fetch=fetch_caller,
        judge=judge_caller,
        stops=frozenset({Level.FAIL, Level.UNKNOWN}),
    ),
    Check(name="region", layers=EVERY, fetch=fetch_regions, judge=judge_region, stops=frozenset({Level.FAIL})),
    Check(
        name="permissions",
        layers=EVERY,
        fetch=fetch_simulation,
        judge=judge_simulation,
        skip=_account_layer_only,
    ),
)
