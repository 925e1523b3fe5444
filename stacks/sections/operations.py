"""Who is told, who builds, what it may cost; and what exists once per account."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import ClassVar

from stacks.domain import BucketName, Email, Repository, StackName
from stacks.problems import MISSING, Problem, problem
from stacks.sections.section import Section, setting


class Notifications(Section):
    """Who is told about alarms, by severity."""

    read_by: ClassVar = "`Notifications`"
    example_fields: ClassVar = ("page",)

    page: tuple[Email, ...] = setting(
        "E-mail addresses that are woken up. Default: nobody.", ["ml-oncall@example.com"], default=()
    )
    ticket: tuple[Email, ...] = setting(
        "E-mail addresses that are told in working hours; also get budget alerts. Default: nobody.",
        ["ml-platform@example.com"],
        default=(),
    )


class RunnerConnection(StrEnum):
    NONE = "none"
    PENDING = "pending"
    """AWS refuses webhooks on it, so no job runs yet."""
    CONFIRMED = "confirmed"


class BuildRunner(Section):
    """The runner inside the VPC that deploys the platform layer and builds images."""

    read_by: ClassVar = "`BuildRunner`"
    example_fields: ClassVar = ("connection",)

    connection: RunnerConnection = setting(
        "Its connection to GitHub: none is no runner; pending, until a person has confirmed it; needs `ci.repository`.",
        "none",
        default=RunnerConnection.NONE,
    )

    @property
    def enabled(self) -> bool:
        """Whether there is a runner."""
        return self.connection is not RunnerConnection.NONE


HIGHEST_BUDGET_USD = 1_000_000_000
"""No account costs as much in a month, so a larger number is a slip of the keyboard."""


class Budget(Section):
    """Monthly budget and its alerts at 50, 80 and 100 percent and on forecast."""

    read_by: ClassVar = "`CostGuard`"

    monthly_usd: float = setting(
        "US dollars a month. Has no default: somebody must decide.",
        400,
        gt=0,
        le=HIGHEST_BUDGET_USD,
        allow_inf_nan=False,
    )


class Account(Section):
    """What exists once per AWS account."""

    read_by: ClassVar = "`AccountGuard`"

    data_buckets: tuple[BucketName, ...] = setting(
        "Full names of the buckets whose object accesses CloudTrail records.",
        ["stackyard-prod-data-777788889999-us-east-1"],
        default=(),
    )
    notify: tuple[Email, ...] = setting(
        "E-mail addresses that get the account's security alarms.", ["security@example.com"], min_length=1
    )


class Ci(Section):
    """The GitHub repository whose workflows preview and deploy."""

    read_by: ClassVar = "`CiAccess`, `BuildRunner`"

    repository: Repository = setting("GitHub repository, OWNER/NAME, no wildcards.", "example-org/stackyard")
    stacks: tuple[StackName, ...] = setting(
        "Account: stacks that get a preview and a deploy role, their GitHub environments are STACK-preview and STACK. "
        "Elsewhere: the stack's own name, if CI deploys it: its roles then carry CI's boundary.",
        ["prod-base", "prod-platform"],
        default=(),
    )

    def rules(self, path: str) -> Iterable[Iterator[Problem]]:
        return (self._stack_problems(path),)

    def _stack_problems(self, path: str) -> Iterator[Problem]:
        names = [name for _, name in self.entries("stacks")]
        if "account" in names:
            yield problem(
                f"{path}.stacks",
                names,
                "must not contain account",
                "the account stack holds CI's own permissions, so only an administrator applies it",
                [name for name in names if name != "account"] if self.readable("stacks") else MISSING,
            )
