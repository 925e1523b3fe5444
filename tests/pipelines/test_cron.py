"""One rule for schedules: a declaration and a stack file refuse and take the same ones."""

import pytest
from pydantic import TypeAdapter, ValidationError

from pipelines.cron import why_refused
from pipelines.declaration import PipelineDeclaration
from stacks.domain import Cron
from stackyard.errors import InvalidInput

TAKEN = [
    "0 3 2 * *", "*/15 0-6,22-23 * 1-12/3 1-5", "59 23 31 12 0", "00 03 1,15 * *",
    # Leap days come, and days that some of the months have.
    "0 3 29 2 *", "0 3 31 1-2 *", "0 3 30-31 2,4 *", "0 3 28,30 2 *", "0 3 */30 2 *", "0 3 1/31 2 *",
    # With a weekday, Argo starts on either.
    "0 3 30 2 1", "0 3 31 4 */2",
    "0 3 * 2 *", "0 3 */1 2 *", "0 3 *,30 2 *",
]  # fmt: skip
REFUSED = [
    ("every day", "starts by it"), ("0 3 2 *", "starts by it"), ("60 3 2 * *", "starts by it"),
    ("0 3 2 * MON", "starts by it"), ("0 3 * * 7", "starts by it"), ("", "starts by it"),
    ("0 22-6 * * *", "22-6 ends before it begins"),
    ("0 3 30 2 *", "day 30 never comes in month 2"), ("0 3 31 4,6,9,11 *", "day 31 never comes in month 4,6,9,11"),
    ("0 3 30-31 2 *", "day 30-31 never comes in month 2"), ("0 3 30/1 02 *", "day 30/1 never comes in month 02"),
    ("0 3 31 2-11/9 *", "never comes"), ("0 3 31 2 */1", "never comes"), ("0 3 31 2 1,*", "never comes"),
]  # fmt: skip


def declared(schedule: str) -> None:
    PipelineDeclaration(name="plain", description="Plain.", schedule=schedule)


@pytest.mark.parametrize("schedule", TAKEN)
def test_a_schedule_that_argo_takes_and_that_comes_is_taken_everywhere(schedule):
    assert why_refused(schedule) == ""
    declared(schedule)
    assert TypeAdapter(Cron).validate_python(schedule) == schedule


@pytest.mark.parametrize(("schedule", "reason"), REFUSED)
def test_a_schedule_that_is_none_or_never_comes_is_refused_everywhere_with_the_same_reason(schedule, reason):
    assert reason in why_refused(schedule)
    with pytest.raises(InvalidInput) as refused:
        declared(schedule)
    assert reason in str(refused.value) and "five numeric fields" in str(refused.value)
    assert "for example 0 4 1 * *" in str(refused.value)
    with pytest.raises(ValidationError) as error:
        TypeAdapter(Cron).validate_python(schedule)
    context = error.value.errors()[0].get("ctx", {})
    assert reason in context["reason"] and "five numeric fields" in context["rule"]
