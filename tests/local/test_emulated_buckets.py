"""Where the emulator's buckets are other than moto's."""

import pytest
from botocore.exceptions import ClientError

from stackyard.local import safety

pytestmark = pytest.mark.local

REGION = "us-east-1"
LOCK = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}}


@pytest.fixture
def s3(endpoint):
    return safety.client("s3", endpoint=endpoint, region=REGION)


def test_a_bucket_tells_whether_its_events_go_to_eventbridge(s3):
    s3.create_bucket(Bucket="tells-of-events")
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket="tells-of-events")
    on = {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket="tells-of-events", NotificationConfiguration=on)
    assert s3.get_bucket_notification_configuration(Bucket="tells-of-events")["EventBridgeConfiguration"] == {}


def test_a_lock_holds_but_for_a_destroy_that_says_so(s3):
    s3.create_bucket(Bucket="holds-what-is-locked", ObjectLockEnabledForBucket=True)
    s3.put_object_lock_configuration(Bucket="holds-what-is-locked", ObjectLockConfiguration=LOCK)
    model = {"Key": "model", "Body": b"weights", "ChecksumAlgorithm": "CRC32"}
    version = s3.put_object(Bucket="holds-what-is-locked", **model)["VersionId"]
    one = {"Bucket": "holds-what-is-locked", "Key": "model", "VersionId": version}
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(**one)
    s3.delete_object(**one, BypassGovernanceRetention=True)
    assert "Versions" not in s3.list_object_versions(Bucket="holds-what-is-locked")


def test_a_legal_hold_holds_in_any_case(s3):
    s3.create_bucket(Bucket="holds-for-the-court", ObjectLockEnabledForBucket=True)
    version = s3.put_object(Bucket="holds-for-the-court", Key="a", Body=b"a")["VersionId"]
    one = {"Bucket": "holds-for-the-court", "Key": "a", "VersionId": version}
    s3.put_object_legal_hold(**one, LegalHold={"Status": "ON"})
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(**one, BypassGovernanceRetention=True)
