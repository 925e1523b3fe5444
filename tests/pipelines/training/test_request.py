"""What a run is asked for is checked before anything is ingested."""

from typing import Any

import pytest

from pipelines.training.declaration import DECLARATION
from pipelines.training.request import check_request
from stackyard.errors import InvalidInput

DEFAULTS: dict[str, Any] = {
    parameter.name: parameter.default for parameter in DECLARATION.parameters if parameter.name != "source"
}


def test_the_declared_defaults_are_a_possible_request():
    check_request(**DEFAULTS)


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"evaluate_from": "2013-03"}, "evaluation must come after training"),
        ({"train_to": "2013-05"}, "evaluation must come after training"),
        ({"train_from": "2013-13"}, "'2013-13' is not a month"),
        ({"evaluate_to": "2013-03"}, "runs backwards"),
        ({"margin": 0.6}, "margin 0.6"),
        ({"margin": -0.1}, "margin -0.1"),
        ({"device": "tpu"}, "device 'tpu'"),
    ],
)
def test_what_a_later_step_would_refuse_is_refused_at_once(wrong, part):
    with pytest.raises(InvalidInput) as error:
        check_request(**(DEFAULTS | wrong))
    assert part in str(error.value)
