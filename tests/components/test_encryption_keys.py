"""Keys: the account keeps control, services reach as far as they must, and periods that KMS knows."""

import json

import pytest
from pulumi import ResourceOptions

from components.aws_location import AwsLocation
from components.encryption_keys import (
    administered_by_account,
    encryption_key,
    key_policy,
    used_by_log_group,
    used_through_service_only,
)

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")


def a_key(**args):
    return encryption_key(
        "key", description="d", policy=key_policy(LOCATION), tags={"a": "b"}, opts=ResourceOptions(), **args
    )


def test_a_key_rotates_every_year_and_takes_a_month_to_delete(capture):
    key = capture(a_key).only("aws:kms/key:Key")
    assert key.inputs["enableKeyRotation"] is True
    assert key.inputs["rotationPeriodInDays"] == 365
    assert key.inputs["deletionWindowInDays"] == 30
    assert key.inputs["bypassPolicyLockoutSafetyCheck"] is False


def test_the_account_always_administers_its_key(capture):
    (statement,) = json.loads(capture(a_key).only("aws:kms/key:Key").inputs["policy"])["Statement"]
    assert statement == administered_by_account(LOCATION).document()
    assert statement["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}


@pytest.mark.parametrize("days", [0, 89, 2561])
def test_a_rotation_period_that_kms_does_not_know_is_refused(capture, days):
    with pytest.raises(ValueError, match="90 to 2560 days"):
        capture(a_key, rotation_days=days)


def test_data_is_decrypted_through_the_service_alone():
    statement = used_through_service_only(LOCATION, "s3").document()
    assert statement["Effect"] == "Deny"
    assert statement["Principal"] == {"AWS": LOCATION.root_arn}, "a Deny on the account reaches all its principals"
    assert statement["Condition"] == {"StringNotEquals": {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}}
    assert "kms:PutKeyPolicy" not in statement["Action"], "administration must stay possible"


def test_logs_use_the_key_for_one_group_only():
    statement = used_by_log_group(LOCATION, "/stackyard/acme-dev/flow-logs").document()
    assert statement["Principal"] == {"Service": "logs.eu-central-1.amazonaws.com"}
    arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/stackyard/acme-dev/flow-logs"
    assert statement["Condition"] == {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": arn}}
