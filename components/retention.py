"""What a destroy, or a change that would replace, does to things that hold data."""

import re
from dataclasses import dataclass
from enum import StrEnum

import pulumi
from pulumi import ResourceOptions

from components.invalid_argument import InvalidArgument

LOOSENED_TAG = "stackyard:loosened"

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html and the tag rules of the other services:
# what all of them accept in a tag value, which is where the reason is shown.
REASON = re.compile(r"[A-Za-z0-9 +\-=._:/@]{1,200}")


class RetentionMode(StrEnum):
    PROTECTED = "protected"
    """Pulumi refuses to delete or replace it; unprotected and out of the program, it still stays in the account."""
    RETAINED = "retained"
    """A destroy ends, the thing stays in the account and can be imported again."""
    DISPOSABLE = "disposable"
    """A destroy deletes it. A bucket must be empty for that: no mode ever empties one."""


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long data outlives its stack. All but `PROTECTED` carry a reason, which becomes a tag that reviews see."""

    mode: RetentionMode = RetentionMode.PROTECTED
    """Default: protected."""

    reason: str = ""
    """Why less than protected is right here; mandatory then, letters, digits, spaces and `+-=._:/@`, at most 200."""

    def __post_init__(self) -> None:
        if self.mode is RetentionMode.PROTECTED:
            if self.reason:
                raise InvalidArgument(
                    f"retention 'protected' takes no reason, got {self.reason!r}: drop it or choose another mode"
                )
        elif not self.reason.strip():
            raise InvalidArgument(
                f"retention '{self.mode}' needs a reason, since data can be lost: "
                f"Retention(mode=RetentionMode.{self.mode.name}, reason='example data only')"
            )
        elif not REASON.fullmatch(self.reason):
            raise InvalidArgument(
                f"the retention reason {self.reason!r} cannot be a tag value: "
                "use letters, digits, spaces and +-=._:/@, at most 200 characters"
            )

    def options(self, parent: pulumi.Resource) -> ResourceOptions:
        """Options for a child that holds data, or without which the data that stays would lie open."""
        return ResourceOptions(
            parent=parent,
            protect=True if self.mode is RetentionMode.PROTECTED else None,
            retain_on_delete=None if self.mode is RetentionMode.DISPOSABLE else True,
        )

    def tags(self) -> dict[str, str]:
        """The tag that shows a loosened retention; empty for a protected one."""
        return {LOOSENED_TAG: f"{self.mode}: {self.reason}"} if self.reason else {}


PROTECTED = Retention()
