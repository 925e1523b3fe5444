"""The bucket that receives access logs: closed but for log delivery, and kept."""

import json

import pytest

from components.aws_location import AwsLocation
from components.log_bucket import LogBucket, LogBucketArgs

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
NAME = "acme-dev-access-logs"


def log_bucket(**args):
    defaults = {"location": LOCATION, "bucket_name": NAME, "source_buckets": ["acme-dev-data", "acme-dev-models"]}
    return LogBucket("logs", LogBucketArgs(**(defaults | args)))


def statements(deployment):
    return {
        s["Sid"]: s
        for s in json.loads(deployment.only("aws:s3/bucketPolicy:BucketPolicy").inputs["policy"])["Statement"]
    }


def test_only_log_delivery_is_let_in_and_only_for_the_source_buckets(capture):
    found = statements(capture(log_bucket))
    assert set(found) == {"TlsOnly", "OwnAccountConfigures", "ReceiveAccessLogs"}
    assert [sid for sid, statement in found.items() if statement["Effect"] == "Allow"] == ["ReceiveAccessLogs"]
    assert found["ReceiveAccessLogs"]["Condition"]["ArnLike"]["aws:SourceArn"] == [
        "arn:aws:s3:::acme-dev-data",
        "arn:aws:s3:::acme-dev-models",
    ]


def test_it_is_encrypted_with_s3s_own_keys_since_log_delivery_knows_no_other(capture):
    deployment = capture(log_bucket)
    (rule,) = deployment.only(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    ).inputs["rules"]
    assert rule == {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}
    assert not deployment.of_type("aws:kms/key:Key")


def test_its_own_accesses_are_not_logged(capture):
    assert not capture(log_bucket).of_type("aws:s3/bucketLogging:BucketLogging")


def test_logs_expire_and_so_do_their_old_versions(capture):
    lifecycle = capture(log_bucket, expire_days=90, noncurrent_days=7).only(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    )
    (rule,) = lifecycle.inputs["rules"]
    assert rule["expiration"] == {"days": 90}
    assert rule["noncurrentVersionExpiration"] == {"noncurrentDays": 7}


def test_everything_of_it_survives_a_destroy(capture):
    parts = [r for r in capture(log_bucket) if r.custom and not r.is_provider]
    assert len(parts) == 7
    assert [r.name for r in parts if not (r.protect and r.retain_on_delete)] == []


def test_its_name_is_known_only_when_logs_may_arrive(capture):
    deployment = capture(log_bucket)
    assert deployment.only("stackyard:index:LogBucket").outputs == {"bucketName": NAME}
    assert deployment.only("aws:s3/bucketPolicy:BucketPolicy").dependencies, "after the public access block"


def test_a_log_bucket_for_nobody_is_refused(capture):
    with pytest.raises(ValueError, match="at least one source bucket"):
        capture(log_bucket, source_buckets=[])


def test_inventories_arrive_from_the_listed_buckets_below_their_prefix_alone(capture):
    found = statements(capture(log_bucket, inventory_buckets=["acme-dev-data"]))["ReceiveInventories"]
    assert found["Principal"] == {"Service": "s3.amazonaws.com"}
    assert (found["Action"], found["Resource"]) == ("s3:PutObject", f"arn:aws:s3:::{NAME}/inventory/*")
    assert found["Condition"] == {
        "ArnLike": {"aws:SourceArn": "arn:aws:s3:::acme-dev-data"},
        "StringEquals": {"aws:SourceAccount": "123456789012", "s3:x-amz-acl": "bucket-owner-full-control"},
    }


def test_without_inventories_nobody_but_log_delivery_writes(capture):
    assert "ReceiveInventories" not in statements(capture(log_bucket))
