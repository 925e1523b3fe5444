"""The one rule for schedules, whether a stack file or a pipeline's declaration gives them."""

import re

# The bounds of Argo's parser, to which Sunday is 0 only: https://github.com/robfig/cron (v3)
_NUMBERS = ("[0-5]?[0-9]", "[01]?[0-9]|2[0-3]", "0?[1-9]|[12][0-9]|3[01]", "0?[1-9]|1[0-2]", "0?[0-6]")
PATTERN = " ".join(
    rf"{part}(?:,{part})*"
    for part in (rf"(?:\*|(?:{number})(?:-(?:{number}))?)(?:/0?[1-9]|/[1-9][0-9])?" for number in _NUMBERS)
)
RULE = (
    "must be a cron schedule of five numeric fields: minute 0-59, hour 0-23, day 1-31, month 1-12, weekday 0-6 "
    "from Sunday"
)

LONGEST_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
"""Days of the months that are shorter than the others, in the years in which they are longest."""


def why_refused(schedule: str) -> str:
    """Why the schedule is none, without a full stop; empty for one that Argo takes and that starts something."""
    if not re.fullmatch(PATTERN, schedule):
        return "the pipeline starts by it, in UTC"
    for first, last in re.findall(r"([0-9]+)-([0-9]+)", schedule):
        if int(first) > int(last):
            return f"{first}-{last} ends before it begins, and Argo refuses such a range"
    _, _, days, months, weekdays = schedule.split(" ")
    # Argo starts on a day that either field names, unless one of them is `*`: then the other one alone decides.
    if _is_any(days) or not _is_any(weekdays):
        return ""
    first_day, named = min(_numbers(days, 1, 31)), _numbers(months, 1, 12)
    if all(first_day > LONGEST_MONTHS.get(month, 31) for month in named):
        return f"day {days} never comes in month {months}, so the pipeline would never start"
    return ""


def _is_any(text: str) -> bool:
    # A step of 1 leaves the star a star; a longer one names single days.
    return any(re.fullmatch(r"\*(/0?1)?", part) for part in text.split(","))


def _numbers(text: str, lowest: int, highest: int) -> set[int]:
    """The numbers that a valid field names; `5/10` counts from 5 to the highest."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        begin = lowest if span == "*" else int(first)
        end = int(last) if last else highest if step or span == "*" else begin
        found.update(range(begin, end + 1, int(step or 1)))
    return found
