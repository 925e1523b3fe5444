"""Months as text: ranges, lengths, and what is refused."""

import pytest

from pipelines.training.months import days_in, month_after, month_range
from stackyard.errors import InvalidInput


def test_a_range_includes_both_ends_and_crosses_years():
    assert month_range("2013-11", "2014-02") == ("2013-11", "2013-12", "2014-01", "2014-02")
    assert month_range("2013-01", "2013-01") == ("2013-01",)


def test_december_is_followed_by_january():
    assert month_after("2013-12") == "2014-01"
    assert month_after("2013-03") == "2013-04"


def test_february_has_its_days():
    assert (days_in("2013-02"), days_in("2012-02")) == (28, 29)


@pytest.mark.parametrize("text", ["2013", "2013-13", "2013-00", "2013-1", "13-01", "January 2013", "", "2013-01 "])
def test_what_is_no_month_is_refused_with_an_example(text: str):
    with pytest.raises(InvalidInput) as refused:
        month_range(text, "2013-03")
    assert repr(text) in str(refused.value), "the sentence names the value"
    assert "for example 2013-01" in str(refused.value)


def test_a_range_that_runs_backwards_is_refused_with_the_range_the_other_way_round():
    with pytest.raises(InvalidInput, match=r"runs backwards.*for example 2013-01 to 2013-03"):
        month_range("2013-03", "2013-01")
