"""Policy documents: one canonical text, and what is refused while one is built."""

import json

import pytest

from components.aws_location import AwsLocation
from components.iam_policies import (
    ANYONE,
    Effect,
    Statement,
    endpoint_policy,
    identity_policy,
    render,
    resource_policy,
    service_trust_policy,
)

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
READ = Statement(actions=["s3:GetObject"], resources=["arn:aws:s3:::data/*"])


@pytest.fixture
def text(capture):
    """The text of a policy: `text(identity_policy, [statement])`."""

    def evaluate(make, *args) -> str:
        texts: list[str] = []
        capture(lambda: [make(*args).apply(texts.append)])
        return texts[0]

    return evaluate


def test_the_same_statement_in_another_order_is_the_same_text(text):
    one = Statement(actions=["s3:PutObject", "s3:GetObject"], resources=["arn:aws:s3:::data/*"])
    other = Statement(resources=["arn:aws:s3:::data/*"], actions=["s3:GetObject", "s3:PutObject"])
    assert text(render, [one]) == text(render, [other])


def test_the_text_has_sorted_keys_all_the_way_down(text):
    conditions = {"StringLike": {"b": "1", "a": "2"}, "Bool": {"aws:SecureTransport": "true"}}
    canonical = text(render, [Statement(sid="S", actions=["s3:GetObject"], resources=["a"], conditions=conditions)])
    assert canonical == json.dumps(json.loads(canonical), sort_keys=True)


def test_single_values_carry_no_list_as_aws_stores_them():
    statement = Statement(
        sid="Read",
        actions=["s3:GetObject"],
        resources=["arn:aws:s3:::data/*"],
        principals={"AWS": [LOCATION.root_arn]},
        conditions={"Bool": {"aws:SecureTransport": ["true"]}},
    )
    assert statement.document() == {
        "Sid": "Read",
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::data/*",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Condition": {"Bool": {"aws:SecureTransport": "true"}},
    }


def test_several_values_stay_a_list_and_empty_parts_are_left_out():
    statement = Statement(actions=["s3:PutObject", "s3:GetObject"], resources=["a", "b"])
    assert statement.document() == {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": ["a", "b"],
    }


@pytest.mark.parametrize("action", ["*", "s3:*", "iam:*"])
def test_a_role_is_never_granted_a_whole_service(action):
    with pytest.raises(ValueError, match="grants a whole service"):
        identity_policy([Statement(actions=[action], resources=["arn:aws:s3:::data"])])


@pytest.mark.parametrize("action", ["kms:Decrypt", "s3:GetObject"])
def test_a_role_is_never_granted_all_keys_or_all_buckets(action):
    with pytest.raises(ValueError, match="reaches every key or bucket"):
        identity_policy([Statement(actions=[action], resources=["*"])])


def test_a_role_may_be_denied_everything(text):
    deny = Statement(effect=Effect.DENY, actions=["s3:*"], resources=["*"])
    assert json.loads(text(identity_policy, [deny]))["Statement"][0]["Effect"] == "Deny"


def test_passing_a_role_needs_the_service_it_goes_to(text):
    grant = Statement(actions=["iam:PassRole"], resources=["arn:aws:iam::123456789012:role/node"])
    with pytest.raises(ValueError, match="iam:PassedToService"):
        identity_policy([grant])
    bounded = Statement(
        actions=["iam:PassRole"],
        resources=["arn:aws:iam::123456789012:role/node"],
        conditions={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    )
    assert "ec2.amazonaws.com" in text(identity_policy, [bounded])


def test_a_roles_policy_names_resources_and_no_principals():
    with pytest.raises(ValueError, match="names no resource"):
        identity_policy([Statement(actions=["s3:GetObject"])])
    with pytest.raises(ValueError, match="names principals"):
        identity_policy([Statement(actions=["s3:GetObject"], resources=["a"], principals=ANYONE)])


def test_a_resource_policy_allows_nobody_in_general(text):
    with pytest.raises(ValueError, match="names no principal"):
        resource_policy([READ])
    with pytest.raises(ValueError, match="allows everyone"):
        resource_policy([Statement(actions=["s3:GetObject"], resources=["a"], principals=ANYONE)])
    everyone_denied = Statement(effect=Effect.DENY, actions=["s3:*"], resources=["a"], principals=ANYONE)
    assert '"Deny"' in text(resource_policy, [everyone_denied])


def test_an_endpoint_policy_lets_nothing_through_unseen(text):
    with pytest.raises(ValueError, match="lets everything through"):
        endpoint_policy([Statement(actions=["s3:*"], resources=["*"])])
    (statement,) = json.loads(text(endpoint_policy, [READ]))["Statement"]
    assert statement["Principal"] == {"AWS": "*"}, "an endpoint knows no other principal"


def test_a_service_assumes_a_role_for_this_account_and_source_alone(text):
    document = json.loads(text(service_trust_policy, "eks.amazonaws.com", LOCATION, LOCATION.arn("eks", "cluster/dev")))
    (statement,) = document["Statement"]
    assert statement["Principal"] == {"Service": "eks.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:eks:eu-central-1:123456789012:cluster/dev"},
    }, "confused deputy"


def test_a_document_has_statements_with_ids_of_their_own():
    with pytest.raises(ValueError, match="at least one statement"):
        render([])
    twice = Statement(sid="Same", actions=["s3:GetObject"], resources=["a"])
    with pytest.raises(ValueError, match="not unique: Same, Same"):
        render([twice, twice])
