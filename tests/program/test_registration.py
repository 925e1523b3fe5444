"""What a registration says, in the form in which the engine keeps it."""

import pytest

from stackyard.errors import InvalidInput
from stackyard.program.registration import seconds


@pytest.mark.parametrize(("given", "kept"), [("60m", 3600), ("5m", 300), ("1h30m", 5400), ("0.5s", 0.5)])
def test_a_timeout_is_kept_in_seconds_as_the_engine_does(given, kept):
    # fixtures/engine/cases/timeouts-added: 5m is 300 there
    assert seconds(given) == kept
    assert type(seconds(given)) is type(kept)


@pytest.mark.parametrize("given", ["60", "an hour", "", "5 m", "-5m"])
def test_a_timeout_that_is_no_duration_is_refused_with_an_example(given):
    with pytest.raises(InvalidInput, match=r"is no duration: give hours, minutes and seconds, for example 1h30m"):
        seconds(given)
