"""The contract between stack and pipelines."""

import pytest

from pipelines.contract import ENVIRONMENT_VARIABLE, Contract
from stackyard.errors import InvalidInput
from tests.pipelines.contracts import contract


def test_a_contract_survives_json_and_the_same_contract_gives_the_same_bytes():
    first = contract()
    assert Contract.from_json(first.to_json()) == first
    assert contract(pools={"gpu": "gpu-small", "cpu": "general"}).to_json() == first.to_json()


def test_a_step_reads_the_contract_from_its_environment():
    assert Contract.from_environment({ENVIRONMENT_VARIABLE: contract().to_json()}) == contract()


def test_outside_of_a_run_the_way_to_start_one_is_named():
    with pytest.raises(InvalidInput) as error:
        Contract.from_environment({})
    assert ENVIRONMENT_VARIABLE in str(error.value)
    assert "stackyard pipelines run" in str(error.value)


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("bucket", "Acme_Artifacts", "'Acme_Artifacts' is not a bucket name"),
        ("bucket", "x; rm -rf /", "is not a bucket name"),
        ("namespace", "my namespace", "'my namespace' is not a Kubernetes name"),
        ("queue", "", "'' is not a Kubernetes name"),
        ("image", "images.example/pipelines:latest", "not an image pinned by digest"),
        ("tracking_uri", "http://x\nhttp://y", "must be one line"),
        ("tracking_uri", "@{contract.bucket}", "without '@{'"),
        ("version", 2, "version"),
        ("service_accounts", {"training": "a b"}, "service_accounts.training"),
    ],
)
def test_a_wrong_value_is_named_with_its_field_and_the_rule(field, value, part):
    with pytest.raises(InvalidInput) as error:
        contract(**{field: value})
    assert field in str(error.value)
    assert part in str(error.value)


def test_all_wrong_fields_are_told_at_once_and_unknown_ones_too():
    with pytest.raises(InvalidInput) as error:
        contract(bucket="X", region="", colour="red")
    for field in ("bucket", "region", "colour"):
        assert f"{field}: " in str(error.value)


def test_what_is_no_json_is_refused_in_one_sentence():
    with pytest.raises(InvalidInput) as error:
        Contract.from_json("{")
    assert "not JSON" in str(error.value)
