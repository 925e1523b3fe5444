"""Calendar months as `YYYY-MM` text, and ranges of them."""

from __future__ import annotations

import calendar
import re

from stackyard.errors import InvalidInput

MONTH = re.compile(r"(\d{4})-(\d{2})")


def parse_month(text: str) -> tuple[int, int]:
    """Year and month number of `YYYY-MM`. Raises InvalidInput for anything else."""
    match = MONTH.fullmatch(text)
    if match is None or not 1 <= int(match[2]) <= 12:
        raise InvalidInput(f"{text!r} is not a month: give year and month as YYYY-MM, for example 2013-01.")
    return int(match[1]), int(match[2])


def month_range(first: str, last: str) -> tuple[str, ...]:
    """All months from `first` to `last`, both included. Raises InvalidInput when they run backwards."""
    start, end = _ordinal(first), _ordinal(last)
    if end < start:
        raise InvalidInput(
            f"The range {first} to {last} runs backwards: the first month must not come after the last, "
            f"for example {last} to {first}."
        )
    return tuple(_text(ordinal) for ordinal in range(start, end + 1))


def month_after(month: str) -> str:
    """The calendar month that follows."""
    return _text(_ordinal(month) + 1)


def days_in(month: str) -> int:
    """Number of days of the month."""
    return calendar.monthrange(*parse_month(month))[1]


def _ordinal(month: str) -> int:
    year, number = parse_month(month)
    return year * 12 + number - 1


def _text(ordinal: int) -> str:
    return f"{ordinal // 12:04d}-{ordinal % 12 + 1:02d}"
