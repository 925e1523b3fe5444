"""What the settings name and do not make: roles, a secret, the connection to GitHub that a person confirms."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stacks.sections.operations import RunnerConnection
from stacks.settings import present
from stackyard.preflight.account import Account
from stackyard.preflight.check import BASE, PLATFORM, Check
from stackyard.preflight.finding import Finding, Unanswered, failed, listed, passed, skipped
from stackyard.preflight.target import Target

AVAILABLE = "AVAILABLE"
# As components/build_runner.py: https://docs.aws.amazon.com/codeconnections/latest/APIReference/
_LONGEST_NAME = 32


def fetch_named(account: Account, target: Target) -> Mapping[str, bool | Unanswered]:
    """Whether each thing is there, by ARN."""
    found: dict[str, bool | Unanswered] = {}
    cluster = present(target.cluster)
    for arn in (*cluster.admin_role_arns, *cluster.viewer_role_arns):
        role = {"RoleName": arn.rpartition("/")[2]}
        found[arn] = _exists(account, "iam", "get_role", frozenset({"NoSuchEntity", "NoSuchEntityException"}), role)
    for settings in target.stacks.values():
        if settings.runners:
            arn = settings.runners.github_app_secret_arn
            missing = frozenset({"ResourceNotFoundException"})
            found[arn] = _exists(account, "secretsmanager", "describe_secret", missing, {"SecretId": arn})
    return found


def _exists(
    account: Account, service: str, method: str, missing: frozenset[str], names: dict[str, str]
) -> bool | Unanswered:
    try:
        return account.call(service, method, missing=missing, **names) is not None
    except Unanswered as silence:
        return silence


def judge_named(found: Mapping[str, bool | Unanswered], target: Target) -> Iterator[Finding]:
    for arn, there in found.items():
        if isinstance(there, Unanswered):
            yield there.finding(arn)
        elif not there and arn.startswith("arn:aws:secretsmanager:"):
            yield skipped(f"{arn} does not exist: `runners` will need it, of which this version makes nothing yet")
        elif not there:
            yield failed(
                f"{arn} does not exist, and {target.files} names it",
                "create it, or correct the setting: EKS makes an access entry for each role, and the first of "
                "cluster.adminRoleArns deploys",
            )
    there = [arn for arn, exists in found.items() if exists is True]
    if there:
        yield passed(f"there: {listed(there)}")


@dataclass(frozen=True)
class Connection:
    arn: str
    status: str


def fetch_connection(account: Account, target: Target) -> Connection | None:
    """The build runner's connection; None before the first deployment."""
    name = target.stem[:_LONGEST_NAME]
    connections = account.call("codeconnections", "list_connections", ProviderTypeFilter="GitHub")["Connections"]
    mine = [c for c in connections if c["ConnectionName"] == name]
    return Connection(str(mine[0]["ConnectionArn"]), str(mine[0]["ConnectionStatus"])) if mine else None


def judge_connection(found: Connection | None, target: Target) -> Iterator[Finding]:
    stated, page = _stated(target), "docs/components/build_runner.md"
    if found is None and stated is RunnerConnection.CONFIRMED:
        yield failed(
            "buildRunner.connection is confirmed, and the account has no such connection yet: AWS would refuse the "
            "webhooks",
            f"set buildRunner.connection: pending in {target.files} for the first deployment ({page})",
        )
    elif found is None:
        yield passed("the connection to GitHub is made by the deployment, then waits for a person to confirm it")
    elif found.status == AVAILABLE:
        rest = "" if stated is RunnerConnection.CONFIRMED else ": buildRunner.connection may be set to confirmed"
        yield passed(f"the connection to GitHub is confirmed{rest}")
    elif stated is RunnerConnection.CONFIRMED:
        yield failed(
            f"buildRunner.connection is confirmed, and AWS says that {found.arn} is {found.status}",
            f"confirm it in the console, Developer Tools, Settings, Connections ({page})",
        )
    else:
        yield passed(f"the connection to GitHub is {found.status}, as buildRunner.connection says")


def _stated(target: Target) -> RunnerConnection:
    connections = [settings.build_runner.connection for settings in target.stacks.values()]
    return next((one for one in connections if one is not RunnerConnection.NONE), RunnerConnection.NONE)


def _no_runner(target: Target) -> str:
    return "there is no build runner" if _stated(target) is RunnerConnection.NONE else ""


def _emulated(target: Target) -> str:
    return "the local stack needs none of them" if target.emulated else ""


CHECKS: tuple[Check[Any], ...] = (
    Check(name="named roles and secrets", layers=PLATFORM, fetch=fetch_named, judge=judge_named, skip=_emulated),
    Check(name="connection to GitHub", layers=BASE, fetch=fetch_connection, judge=judge_connection, skip=_no_runner),
)
