"""bind: a stack's values take the place of tokens."""

import pytest

from pipelines.binding import bind
from pipelines.compile.compiled import read_compiled
from pipelines.contract import Contract
from pipelines.tokens import OPENING, strings, tokens
from stackyard.errors import InvalidInput
from tests.pipelines.contracts import contract


def bound(template, **changes):
    return bind(template, contract(**changes), pipeline="training")


def test_tokens_become_the_contracts_values_also_inside_longer_text():
    assert bound({"uri": "s3://@{contract.bucket}/metaflow", "n": 3, "on": True}) == {
        "uri": "s3://acme-dev-artifacts/metaflow",
        "n": 3,
        "on": True,
    }


def test_each_pipeline_gets_its_own_account_and_sees_no_other():
    template = {"account": "@{contract.service_account}", "all": "@{contract.json}"}
    result = bound(template)
    assert result["account"] == "pipeline-training"
    assert Contract.from_json(result["all"]).service_accounts == {"training": "pipeline-training"}


def test_the_template_itself_stays_as_it_was():
    template = {"list": [{"name": "A", "value": "@{contract.bucket}"}]}
    bound(template)
    assert template == {"list": [{"name": "A", "value": "@{contract.bucket}"}]}


def test_where_the_contract_has_no_value_the_entry_goes():
    template = {
        "labels": {"kueue.x-k8s.io/queue-name": "@{contract.queue}", "kept": "x"},
        "env": [{"name": "ENDPOINT", "value": "@{contract.s3_endpoint}"}, {"name": "KEPT", "value": "1"}],
        "nodeSelector": {"pool": "@{contract.pools.gpu}"},
    }
    assert bound(template, queue=None, pools={}) == {
        "labels": {"kept": "x"},
        "env": [{"name": "KEPT", "value": "1"}],
        "nodeSelector": {},
    }


def test_an_unknown_token_is_an_error_with_token_path_and_what_there_is():
    with pytest.raises(InvalidInput) as error:
        bound({"spec": {"templates": [{"image": "@{contract.imagee}"}]}})
    assert "@{contract.imagee}" in str(error.value)
    assert "$.spec.templates[0].image" in str(error.value)
    assert "contract.image" in str(error.value)


@pytest.mark.parametrize("text", ["@{contract.bucket", "s3://@{contract.bucket}/@{", "@{contract.{bucket}}"])
def test_a_broken_token_is_an_error_with_its_path(text):
    with pytest.raises(InvalidInput) as error:
        bound({"spec": {"uri": text}})
    assert "$.spec.uri" in str(error.value)


def test_a_token_in_a_key_is_an_error():
    with pytest.raises(InvalidInput) as error:
        bound({"spec": {"@{contract.bucket}": "x"}})
    assert "only values may" in str(error.value)


def test_a_missing_value_inside_a_longer_text_is_an_error_not_a_hole():
    with pytest.raises(InvalidInput) as error:
        bound({"url": "@{contract.s3_endpoint}/health"}, s3_endpoint=None)
    assert "$.url" in str(error.value)
    assert "part of a longer text" in str(error.value)


def test_a_pipeline_without_an_account_in_the_contract_is_an_error():
    with pytest.raises(InvalidInput) as error:
        bind({"a": "@{contract.service_account}"}, contract(service_accounts={}), pipeline="training")
    assert "names no service account" in str(error.value)


@pytest.mark.parametrize("s3_endpoint", [None, "http://127.0.0.1:5000"])
def test_nothing_is_left_of_any_token_in_the_committed_pipeline(s3_endpoint):
    template = read_compiled("training").template
    assert tokens(template), "nothing to bind: this test would prove nothing"
    result = bound(template, s3_endpoint=s3_endpoint)
    assert not [path for path, text in strings(result) if OPENING in text]
    containers = [step["container"] for step in result["spec"]["templates"] if "container" in step]
    for container in containers:
        endpoints = {entry["value"] for entry in container["env"] if entry["name"] == "METAFLOW_S3_ENDPOINT_URL"}
        assert endpoints == ({s3_endpoint} if s3_endpoint else set()), "on AWS boto3 finds the endpoint itself"
