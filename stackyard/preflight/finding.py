"""What a check found out, and how a check says that AWS did not answer."""

from dataclasses import dataclass
from enum import StrEnum

from stackyard.errors import UserError


class Level(StrEnum):
    """In the order in which they are shown."""

    FAIL = "fail"
    """A deployment would fail, or cost much more than meant."""
    UNKNOWN = "unknown"
    """AWS did not say: not allowed, not reachable, not known to the emulator. Never a pass."""
    SKIPPED = "skipped"
    """Does not apply to this environment or layer."""
    PASS = "pass"


@dataclass(frozen=True, kw_only=True)
class Finding:
    level: Level
    sentence: str
    """What was found, with the value and the rule."""
    remedy: str = ""
    """What a person does about it; empty where there is nothing to do."""
    command: str = ""
    """The same for a shell, where one command does it."""
    check: str = ""
    """Name of the check; whoever runs it fills it in."""


def passed(sentence: str) -> Finding:
    return Finding(level=Level.PASS, sentence=sentence)


def failed(sentence: str, remedy: str, command: str = "") -> Finding:
    return Finding(level=Level.FAIL, sentence=sentence, remedy=remedy, command=command)


def skipped(sentence: str) -> Finding:
    return Finding(level=Level.SKIPPED, sentence=sentence)


class Unanswered(UserError):
    """AWS was asked and did not say what was asked for."""

    def __init__(self, sentence: str, remedy: str = "", *, credentials: bool = False, denied: bool = False):
        super().__init__(sentence)
        self.remedy = remedy
        self.denied = denied
        """Whether AWS said that the caller may not ask."""
        self.credentials = credentials
        """Whether there are no usable credentials, so that every other call would fail as well."""

    def finding(self, about: str = "") -> Finding:
        """`about`: what remains unknown, where a check has several parts."""
        sentence = f"{about}: {self}" if about else str(self)
        return Finding(level=Level.UNKNOWN, sentence=sentence, remedy=self.remedy)


def listed(names: list[str], limit: int = 6) -> str:
    """For example `a, b and 3 more`; `none` for no names."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more if names else "none"
