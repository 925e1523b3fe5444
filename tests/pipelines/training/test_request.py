"""What a run is asked for is checked before anything is ingested."""

import re
from typing import Any

import pytest

from pipelines.arguments import arguments
from pipelines.training.declaration import DECLARATION
from pipelines.training.request import check_request
from stackyard.errors import InvalidInput

DEFAULTS: dict[str, Any] = {parameter.name: parameter.default for parameter in DECLARATION.parameters}
WRONG = [
    ({"evaluate_from": "2013-03"}, "evaluation must come after training"),
    ({"train_to": "2013-05"}, "evaluation must come after training"),
    ({"train_to": "2013-12"}, "no month after 2013-12"),
    ({"train_from": "2013-13"}, "'2013-13' is not a month"),
    ({"train_to": "2013-3"}, "'2013-3' is not a month"),
    ({"train_from": "2014-01", "train_to": "2014-02"}, "from 2013-01 to 2013-12 only"),
    ({"ingest_to": "2014-01"}, "from 2013-01 to 2013-12 only"),
    ({"ingest_from": "2013-12", "ingest_to": "2013-01"}, "runs backwards"),
    ({"train_from": "2013-06"}, "train_from is 2013-06 and train_to 2013-03"),
    ({"evaluate_to": "2013-03"}, "runs backwards"),
    ({"margin": 0.6}, "margin 0.6"),
    ({"margin": -0.1}, "margin -0.1"),
    ({"margin": float("nan")}, "margin nan"),
    ({"device": "tpu"}, "device 'tpu'"),
    ({"source": "nycflights"}, "source 'nycflights'"),
]


def test_the_declared_defaults_are_a_possible_request():
    check_request(**DEFAULTS)


@pytest.mark.parametrize(("wrong", "part"), WRONG)
def test_what_a_later_step_would_refuse_is_refused_at_once(wrong, part):
    with pytest.raises(InvalidInput) as error:
        check_request(**(DEFAULTS | wrong))
    assert part in str(error.value)


@pytest.mark.parametrize("wrong", [wrong for wrong, _ in WRONG])
def test_the_example_in_the_refusal_is_itself_a_possible_request(wrong):
    with pytest.raises(InvalidInput) as error:
        check_request(**(DEFAULTS | wrong))
    options = {"--from ": "train_from=", "--to ": "train_to=", "--set ": ""}
    example = re.split(r"for example ", str(error.value), flags=re.IGNORECASE)[1].rstrip(".").partition(", or ")[0]
    for option, meant in options.items():
        example = example.replace(option, meant)
    given = dict(part.split("=") for part in example.split())
    values = arguments(DECLARATION, {name: str(value) for name, value in (wrong | given).items()})
    assert values.items() >= {name: type(DEFAULTS[name])(text) for name, text in given.items()}.items()


def test_months_of_a_folder_are_its_own():
    given: dict[str, Any] = {name: "2024-05" for name in DEFAULTS if name.startswith(("ingest", "train"))}
    given |= {"source": "s3://acme-data/sources/2024", "evaluate_from": "2024-06", "evaluate_to": "2024-06"}
    check_request(**(DEFAULTS | given))
    given |= {"evaluate_from": "2024-05", "evaluate_to": "2024-05"}
    with pytest.raises(InvalidInput, match="evaluate_from=2024-06"):
        check_request(**(DEFAULTS | given))
