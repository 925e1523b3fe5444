"""Checkov judges every stack: what it finds is mended, or stands in the table of exceptions with its reason."""

from functools import cache

import pytest

from stackyard.program.run import capture_callable
from stackyard.program.terraform_plan import terraform_type
from tests.judges.checkers import Judgement, checkov, known_types
from tests.judges.exceptions import CHECKOV, SEEN_BESIDE_OTHERS, UNJUDGED_TYPES
from tests.judges.planted import MUST_FAIL, bad
from tests.stack_captures import STACKS, stack_capture

pytestmark = pytest.mark.judges


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Judgements by stack; each is made once."""
    home = tmp_path_factory.mktemp("checkov")

    @cache
    def judge(stack: str) -> Judgement:
        return checkov(stack_capture(stack), home, stack)

    return judge


@pytest.fixture(scope="module")
def bad_twins(tmp_path_factory) -> Judgement:
    return checkov(capture_callable(bad), tmp_path_factory.mktemp("checkov"), "bad")


@pytest.mark.parametrize("stack", STACKS)
def test_checkov_finds_nothing_that_has_no_reason(judged, stack):
    unexcused = [
        f"{found.check} {found.resource}: {found.title}"
        for found in sorted(judged(stack).failed)
        if not any(row.covers(found.check, found.resource, stack) for row in CHECKOV)
    ]
    assert unexcused == [], "mend it, or say in tests/judges/exceptions.py why it stays"


@pytest.mark.parametrize("row", CHECKOV, ids=lambda row: f"{row.check} {row.resource}")
def test_every_exception_still_excuses_something(judged, row):
    assert any(row.covers(found.check, found.resource, stack) for stack in STACKS for found in judged(stack).failed), (
        "nothing fails this check any more: take the row out"
    )


@pytest.mark.parametrize("stack", STACKS)
def test_checkov_saw_the_resources_of_the_stack(judged, stack):
    types = {terraform_type(r.type) for r in stack_capture(stack) if r.type.startswith("aws:")}
    seen = {address.split(".")[0] for _, address in judged(stack).passed}
    seen |= {found.resource.split(".")[0] for found in judged(stack).failed}
    assert types - seen <= UNJUDGED_TYPES | SEEN_BESIDE_OTHERS


@pytest.mark.parametrize("check", MUST_FAIL)
def test_a_bad_twin_fails(bad_twins, check):
    address, _ = MUST_FAIL[check]
    failed = {(found.check, found.resource) for found in bad_twins.failed}
    assert (check, address) in failed, "the converter hides this fault from Checkov"


@pytest.mark.parametrize("check", MUST_FAIL)
def test_a_good_one_passes_where_the_stacks_have_one(judged, check):
    address, _ = MUST_FAIL[check]
    kind = address.split(".")[0]
    good = any((check, a) in judged(stack).passed for stack in STACKS for _, a in judged(stack).passed)
    present = {terraform_type(r.type) for s in STACKS for r in stack_capture(s) if r.type.startswith("aws:")}
    excused = any(row.check == check and row.stacks == ("*",) for row in CHECKOV)
    assert good or kind not in present or excused, "every resource fails it: it cannot tell good from bad"


def test_every_type_is_one_that_checkov_knows_or_known_to_be_unjudged(tmp_path):
    types = {terraform_type(r.type) for s in STACKS for r in stack_capture(s) if r.type.startswith("aws:")}
    assert types - known_types(tmp_path) - UNJUDGED_TYPES == set(), "a misspelt type passes every check unseen"


def test_a_misspelt_type_would_be_noticed(tmp_path):
    assert {"aws_s3_bucket", "aws_db_instance"} <= known_types(tmp_path)
    assert "aws_rds_instance" not in known_types(tmp_path)
