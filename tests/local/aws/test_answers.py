"""How a failed call is told."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError

from stackyard.local.aws.answers import explain


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ResponseParserError("<!doctype html>"), "the emulator broke down; its log (emulator.log beside the state)"),
        (
            ClientError({"Error": {"Code": "500", "Message": "<!doctype html>\n<title>500</title>"}}, "ListProjects"),
            "the emulator broke down; its log",
        ),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "Is the emulator running?"),
    ],
)
def test_a_call_without_an_answer_of_aws_says_where_to_look(error: Exception, told: str):
    text = explain(error, "CreateRole (iam, eu-central-1)", {})
    assert told in text
    assert "doctype" not in text
    assert not text.endswith("."), "the caller goes on after it"
