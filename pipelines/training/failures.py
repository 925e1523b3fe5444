"""What is wrong with data, as rows of a table that a person can act on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stackyard.errors import UserError

HEADINGS = ("month", "column", "check", "failing", "examples")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One rule that one column of one month breaks."""

    month: str
    column: str
    check: str
    failing: int
    """Number of rows, or of whatever the check counts."""
    examples: str = ""
    """The first few different values."""


class DataRejected(UserError):
    """The data breaks its schema. The text is the table of what is wrong; nothing after validation has run."""

    def __init__(self, failures: Sequence[Failure], where: str):
        self.failures = tuple(failures)
        self.where = where
        noun = "check fails" if len(self.failures) == 1 else "checks fail"
        super().__init__(
            f"The data is rejected: {len(self.failures)} {noun} at {where}. Nothing was trained or registered.\n"
            + table(self.failures)
        )

    def __reduce__(self) -> tuple[type[DataRejected], tuple[tuple[Failure, ...], str]]:
        return type(self), (self.failures, self.where)


def table(failures: Sequence[Failure]) -> str:
    """Plain text table, one line a failure, columns aligned."""
    rows = [HEADINGS, *((f.month, f.column, f.check, str(f.failing), f.examples) for f in failures)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
