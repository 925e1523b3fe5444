"""Notifications: encrypted topics that only this account's alarming services reach (controls 16 to 18 and 82)."""

import json

import pytest

from components.aws_location import AwsLocation
from components.notifications import Notifications, NotificationsArgs, Publisher, Severity, publishing
from components.retention import Retention, RetentionMode

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
TOPIC, POLICY = "aws:sns/topic:Topic", "aws:sns/topicPolicy:TopicPolicy"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
KEY = "aws:kms/key:Key"
SERVICES = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com", "costalerts.amazonaws.com", "events.rds.amazonaws.com"]
OWN_ACCOUNT = {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def notifications(page=(), ticket=(), **args):
    recipients = {Severity.PAGE: page, Severity.TICKET: ticket}
    defaults = {"location": LOCATION, "stem": "acme-dev", "recipients": recipients}
    return Notifications("alarms", NotificationsArgs(**(defaults | args)))


def statements(text):
    return {entry["Sid"]: entry for entry in json.loads(text)["Statement"]}


def test_each_severity_has_its_encrypted_topic_even_when_nobody_is_told(capture):
    # control 82
    deployment = capture(notifications)
    key = deployment.only(KEY)
    assert {r.name: r.inputs["kmsMasterKeyId"] for r in deployment.of_type(TOPIC)} == {
        "alarms-page": key.outputs["arn"],
        "alarms-ticket": key.outputs["arn"],
    }
    assert {r.inputs["displayName"] for r in deployment.of_type(TOPIC)} == {"acme-dev page", "acme-dev ticket"}
    assert deployment.of_type(SUBSCRIPTION) == []


def test_only_services_of_this_account_may_publish_and_only_by_tls(capture):
    # control 82: no public principal is allowed anything.
    deployment = capture(notifications)
    policies = deployment.of_type(POLICY)
    assert len(policies) == 2
    for policy in policies:
        found = statements(policy.inputs["policy"])
        assert set(found) == {"Publish", "OnlyTls"}
        publish = found["Publish"]
        assert publish["Action"] == "sns:Publish"
        assert publish["Resource"] == policy.inputs["arn"]
        assert publish["Principal"] == {"Service": SERVICES}
        assert publish["Condition"] == OWN_ACCOUNT
        assert found["OnlyTls"]["Effect"] == "Deny"
        assert found["OnlyTls"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_publishing_services_may_use_the_key_and_nobody_else_but_the_account(capture):
    # controls 16 to 18: without it an alarm to an encrypted topic is lost without a word.
    key = capture(notifications).only(KEY)
    assert key.inputs["enableKeyRotation"] is True
    assert key.inputs["deletionWindowInDays"] == 30
    found = statements(key.inputs["policy"])
    assert set(found) == {"Administer", "Publish"}
    assert found["Publish"]["Principal"] == {"Service": SERVICES}
    assert found["Publish"]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert found["Publish"]["Condition"] == OWN_ACCOUNT


def test_fewer_publishers_get_fewer_rights(capture):
    deployment = capture(notifications, publishers=(Publisher.CLOUDWATCH_ALARMS,))
    policies = [r.inputs["policy"] for r in (*deployment.of_type(POLICY), deployment.only(KEY))]
    assert [statements(text)["Publish"]["Principal"] for text in policies] == [{"Service": SERVICES[1]}] * 3


def test_recipients_are_subscribed_by_severity(capture):
    deployment = capture(notifications, page=("oncall@example.com",), ticket=("a@example.com", "b@example.com"))
    topics = {r.outputs["arn"]: r.name for r in deployment.of_type(TOPIC)}
    found = {(topics[r.inputs["topic"]], r.inputs["endpoint"]) for r in deployment.of_type(SUBSCRIPTION)}
    assert found == {
        ("alarms-page", "oncall@example.com"),
        ("alarms-ticket", "a@example.com"),
        ("alarms-ticket", "b@example.com"),
    }
    assert {r.inputs["protocol"] for r in deployment.of_type(SUBSCRIPTION)} == {"email"}


def test_who_leaves_takes_nobody_elses_subscription_along(capture):
    def urns(*addresses):
        return {r.urn for r in capture(notifications, ticket=addresses).of_type(SUBSCRIPTION)}

    assert urns("b@example.com") < urns("a@example.com", "b@example.com")


def test_outputs_come_by_severity_once_services_may_publish(capture):
    deployment = capture(notifications)
    outputs = deployment.only("stackyard:index:Notifications").outputs
    assert set(outputs["topicArns"]) == {"page", "ticket"}
    assert set(outputs["topicArns"].values()) == {r.outputs["arn"] for r in deployment.of_type(POLICY)}
    assert outputs["keyArn"] == deployment.only(KEY).outputs["arn"]


def test_the_key_goes_only_where_that_is_said(capture):
    key = capture(notifications).only(KEY)
    assert key.protect
    assert key.retain_on_delete
    loosened = Retention(mode=RetentionMode.DISPOSABLE, reason="example")
    key = capture(notifications, retention=loosened).only(KEY)
    assert not key.protect
    assert key.inputs["tags"]["stackyard:loosened"] == "disposable: example"


def test_a_role_that_publishes_gets_one_topic_and_its_key():
    topic, key = LOCATION.arn("sns", "alarms"), LOCATION.arn("kms", "key/1")
    publish, encrypt = publishing(topic, key)
    assert (publish.actions, publish.resources) == (["sns:Publish"], [topic])
    assert (set(encrypt.actions), encrypt.resources) == ({"kms:Decrypt", "kms:GenerateDataKey*"}, [key])


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"page": ("a@example.com", "a@example.com")}, "a@example.com stands twice among the recipients of 'page'"),
        ({"publishers": ()}, "topics without a publisher never send anything"),
    ],
)
def test_notifications_that_cannot_be_are_refused(capture, args, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(notifications, **args)
