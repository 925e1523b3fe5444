"""A bucket for an account's history: one service writes, nobody deletes, nothing is public."""

import json

import pytest

from components.audit_bucket import AuditBucket, AuditBucketArgs
from components.aws_location import AwsLocation
from components.log_bucket import LogBucket, LogBucketArgs

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
KEY = "arn:aws:kms:eu-central-1:123456789012:key/k"
TRAIL = "arn:aws:cloudtrail:eu-central-1:123456789012:trail/t"


def bucket(accepts=True, **args):
    sources = ["history"] if accepts else ["other"]
    logs = LogBucket("logs", LogBucketArgs(location=LOCATION, bucket_name="access-logs", source_buckets=sources))
    defaults = {
        "location": LOCATION,
        "bucket_name": "history",
        "key_arn": KEY,
        "access_logs": logs,
        "service": "cloudtrail.amazonaws.com",
        "source_arn": TRAIL,
    }
    return AuditBucket("audit", AuditBucketArgs(**(defaults | args)))


def statements(deployment):
    document = json.loads(deployment.named("audit-policy").inputs["policy"])
    return {entry["Sid"]: entry for entry in document["Statement"]}


def test_one_service_writes_for_one_resource_below_the_accounts_folder(capture):
    writes = statements(capture(bucket))["ServiceWrites"]
    assert writes["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
    assert writes["Resource"] == "arn:aws:s3:::history/AWSLogs/123456789012/*"
    assert writes["Condition"]["StringEquals"] == {
        "aws:SourceAccount": "123456789012",
        "aws:SourceArn": TRAIL,
        "s3:x-amz-acl": "bucket-owner-full-control",
    }


def test_a_service_that_names_no_resource_is_bound_to_the_account(capture):
    looks = statements(capture(bucket, source_arn="", service="config.amazonaws.com"))["ServiceLooks"]
    assert looks["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_nobody_comes_without_tls_or_configures_from_another_account(capture):
    found = statements(capture(bucket))
    assert found["TlsOnly"]["Effect"] == found["OwnAccountConfigures"]["Effect"] == "Deny"


# Controls 1, 5 to 11
def test_the_bucket_has_what_every_bucket_has(capture):
    deployment = capture(bucket)
    block = deployment.named("audit-public-access-block").inputs
    flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert all(block[name] is True for name in flags)
    (rule,) = deployment.named("audit-encryption").inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY}
    assert rule["bucketKeyEnabled"] is True
    assert deployment.named("audit-versioning").inputs["versioningConfiguration"] == {"status": "Enabled"}
    assert deployment.named("audit-ownership").inputs["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    assert deployment.named("audit-logging").inputs["targetBucket"] == "access-logs"
    assert deployment.named("audit-events").inputs["eventbridge"] is True
    (lifecycle,) = deployment.named("audit-lifecycle").inputs["rules"]
    assert lifecycle["expiration"] == {"days": 731}


def test_a_lock_keeps_everybody_from_deleting(capture):
    deployment = capture(bucket, lock_days=90)
    assert deployment.named("audit-bucket").inputs["objectLockEnabled"] is True
    assert deployment.named("audit-lock").inputs["rule"] == {"defaultRetention": {"mode": "GOVERNANCE", "days": 90}}


def test_without_days_there_is_no_lock(capture):
    deployment = capture(bucket)
    assert "objectLockEnabled" not in deployment.named("audit-bucket").inputs
    assert not deployment.of_type("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")


@pytest.mark.parametrize("days", [-1, 800])
def test_a_lock_that_is_longer_than_the_history_is_refused(capture, days):
    with pytest.raises(Exception, match=f"lock of {days} days cannot be"):
        capture(bucket, lock_days=days)


def test_the_bucket_and_its_parts_outlive_a_destroy(capture):
    children = [r for r in capture(bucket) if r.name.startswith("audit-")]
    assert children
    assert all(child.protect and child.retain_on_delete for child in children)


def test_a_log_bucket_that_does_not_accept_the_name_is_refused(capture):
    with pytest.raises(Exception, match="add the name to its source_buckets"):
        capture(bucket, accepts=False)
