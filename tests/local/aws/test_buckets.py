"""Buckets, their parts and objects: what was asked for is what boto3 finds."""

import json
from typing import Any

import pytest

from stackyard.local.aws import ProviderError
from stackyard.program.values import Asset
from tests.local.aws.support import Cloud, Made, policy, tags_of

pytestmark = pytest.mark.local

BUCKET, OBJECT = "aws:s3/bucket:Bucket", "aws:s3/bucketObjectv2:BucketObjectv2"


@pytest.fixture
def bucket(cloud: Cloud, request: pytest.FixtureRequest) -> Made:
    # One bucket a test, since their parts differ.
    name = "values-" + request.node.name.removeprefix("test_").replace("_", "-")[:50].rstrip("-")
    return cloud.make(BUCKET, name, bucket=name)


def test_a_bucket_is_in_the_stacks_region(cloud: Cloud, bucket: Made):
    assert cloud.boto("s3").get_bucket_location(Bucket=bucket.id)["LocationConstraint"] == "eu-central-1"
    assert bucket.outputs["bucketRegionalDomainName"] == f"{bucket.id}.s3.eu-central-1.amazonaws.com"


def test_a_buckets_parts_say_what_was_asked_for(cloud: Cloud, bucket: Made):
    def part(noun: str, **inputs: Any) -> None:
        lower = noun[0].lower() + noun[1:]
        cloud.make(f"aws:s3/{lower}:{noun}", bucket.id, bucket=bucket.id, **inputs)

    part("BucketVersioning", versioningConfiguration={"status": "Enabled"})
    part(
        "BucketPublicAccessBlock",
        blockPublicAcls=True,
        blockPublicPolicy=True,
        ignorePublicAcls=True,
        restrictPublicBuckets=True,
    )
    default = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "arn:aws:kms:eu-central-1:123456789012:key/k"}
    part(
        "BucketServerSideEncryptionConfiguration",
        rules=[{"applyServerSideEncryptionByDefault": default, "bucketKeyEnabled": True}],
    )
    rule = {
        "id": "tidy",
        "status": "Enabled",
        "filter": {"and": {"prefix": "raw/", "tags": {"keep": "no"}}},
        "expiration": {"days": 90},
        "noncurrentVersionExpiration": {"noncurrentDays": 30},
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
    }
    part("BucketLifecycleConfiguration", rules=[rule])

    s3 = cloud.boto("s3")
    assert s3.get_bucket_versioning(Bucket=bucket.id)["Status"] == "Enabled"
    assert set(s3.get_public_access_block(Bucket=bucket.id)["PublicAccessBlockConfiguration"].values()) == {True}
    (found,) = s3.get_bucket_encryption(Bucket=bucket.id)["ServerSideEncryptionConfiguration"]["Rules"]
    assert found["BucketKeyEnabled"] is True
    assert found["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": default["kmsMasterKeyId"],
    }
    (kept,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket.id)["Rules"]
    assert (kept["ID"], kept["Expiration"]["Days"]) == ("tidy", 90)
    assert kept["Filter"] == {"And": {"Prefix": "raw/", "Tags": [{"Key": "keep", "Value": "no"}]}}
    assert kept["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    assert kept["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7


def test_a_tls_only_policy_does_not_lock_the_pipelines_out(cloud: Cloud, bucket: Made):
    denial = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket.id}", f"arn:aws:s3:::{bucket.id}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    made = cloud.make("aws:s3/bucketPolicy:BucketPolicy", bucket.id, bucket=bucket.id, policy=policy(denial))
    assert json.loads(made.outputs["policy"])["Statement"] == [denial], (
        "the program and its reviews see the whole policy"
    )
    s3 = cloud.boto("s3")
    s3.put_object(Bucket=bucket.id, Key="k", Body=b"v")
    assert s3.get_object(Bucket=bucket.id, Key="k")["Body"].read() == b"v"
    assert cloud.read(made) == made.outputs


def test_deleting_a_buckets_logging_switches_it_off(cloud: Cloud, bucket: Made):
    target = cloud.make(BUCKET, "log-target", bucket="values-log-target")
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::values-log-target/*",
    }
    cloud.make("aws:s3/bucketPolicy:BucketPolicy", "log-target", bucket=target.id, policy=policy(allow))
    logging = cloud.make(
        "aws:s3/bucketLogging:BucketLogging", bucket.id, bucket=bucket.id, targetBucket=target.id, targetPrefix="a/"
    )
    s3 = cloud.boto("s3")
    assert s3.get_bucket_logging(Bucket=bucket.id)["LoggingEnabled"]["TargetPrefix"] == "a/"
    cloud.remove(logging)
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket.id)


def test_a_bucket_with_objects_is_only_emptied_by_force_destroy(cloud: Cloud, bucket: Made):
    cloud.make(
        "aws:s3/bucketVersioning:BucketVersioning",
        bucket.id,
        bucket=bucket.id,
        versioningConfiguration={"status": "Enabled"},
    )
    s3 = cloud.boto("s3")
    for body in (b"one", b"two"):
        s3.put_object(Bucket=bucket.id, Key="k", Body=body)
    s3.delete_object(Bucket=bucket.id, Key="k")
    with pytest.raises(ProviderError, match=r"DeleteBucket \(s3, .*BucketNotEmpty"):
        cloud.remove(bucket)
    cloud.remove(cloud.change(bucket, forceDestroy=True))
    assert cloud.read(bucket) is None


@pytest.mark.parametrize("source", ["content", "base64", "text asset", "file asset"])
def test_an_objects_body_is_its_content_and_goes_with_all_versions(cloud: Cloud, tmp_path: Any, source: str):
    file = tmp_path / "package.tgz"
    file.write_bytes(b"body")
    given: dict[str, Any] = {
        "content": {"content": "body"},
        "base64": {"contentBase64": "Ym9keQ=="},
        "text asset": {"source": Asset(hash="h", text="body")},
        "file asset": {"source": Asset(hash="h", path=str(file))},
    }[source]
    name = f"values-object-{source.replace(' ', '-')}"
    bucket = cloud.make(BUCKET, name, bucket=name)
    cloud.make(
        "aws:s3/bucketVersioning:BucketVersioning", name, bucket=name, versioningConfiguration={"status": "Enabled"}
    )
    made = cloud.make(
        OBJECT, name, bucket=name, key="code/p.tgz", contentType="application/gzip", tags={"team": "ml"}, **given
    )
    s3 = cloud.boto("s3")
    found = s3.get_object(Bucket=name, Key="code/p.tgz")
    assert (found["Body"].read(), found["ContentType"]) == (b"body", "application/gzip")
    assert tags_of(s3.get_object_tagging(Bucket=name, Key="code/p.tgz")["TagSet"]) == {"team": "ml"}
    cloud.remove(made)
    cloud.remove(bucket)


def test_an_object_can_be_changed_and_deleted_when_its_old_file_is_gone(cloud: Cloud, tmp_path: Any, bucket: Made):
    file = tmp_path / "one.tgz"
    file.write_bytes(b"one")
    changed, deleted = (
        cloud.make(OBJECT, key, bucket=bucket.id, key=key, source=Asset(hash="1", path=str(file)))
        for key in ("changed", "deleted")
    )
    file.unlink()
    cloud.change(changed, source=Asset(hash="2", text="two"))
    assert cloud.boto("s3").get_object(Bucket=bucket.id, Key="changed")["Body"].read() == b"two"
    cloud.remove(deleted)
    assert cloud.read(deleted) is None


def test_a_file_that_is_not_there_is_named(cloud: Cloud, bucket: Made):
    with pytest.raises(ProviderError, match=r"the file missing\.tgz that an object is uploaded from does not exist"):
        cloud.make(OBJECT, bucket.id, bucket=bucket.id, key="k", source=Asset(hash="h", path="/nowhere/missing.tgz"))


INVENTORY = "aws:s3/inventory:Inventory"


def test_taking_an_inventory_back_leaves_the_bucket(cloud: Cloud, bucket: Made):
    inventory = cloud.make(
        INVENTORY,
        bucket.id,
        bucket=bucket.id,
        name="all-objects",
        includedObjectVersions="All",
        schedule={"frequency": "Weekly"},
        destination={"bucket": {"bucketArn": "arn:aws:s3:::logs", "format": "Parquet"}},
    )
    cloud.remove(inventory)
    assert cloud.read(inventory) is None
    # The emulator takes DeleteBucketInventoryConfiguration for DeleteBucket.
    assert cloud.boto("s3").head_bucket(Bucket=bucket.id)["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_bucket_of_another_region_is_made_there(cloud: Cloud):
    far = cloud.make(BUCKET, "far", bucket="values-far", region="us-west-2")
    assert cloud.boto("s3").get_bucket_location(Bucket="values-far")["LocationConstraint"] == "us-west-2"
    assert far.outputs["region"] == "us-west-2"


def test_a_versioned_bucket_that_exists_can_be_locked(cloud: Cloud, bucket: Made):
    cloud.make(
        "aws:s3/bucketVersioning:BucketVersioning",
        bucket.id,
        bucket=bucket.id,
        versioningConfiguration={"status": "Enabled"},
    )
    cloud.make(
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        bucket.id,
        bucket=bucket.id,
        objectLockEnabled="Enabled",
        rule={"defaultRetention": {"mode": "COMPLIANCE", "days": 30}},
    )
    found = cloud.boto("s3").get_object_lock_configuration(Bucket=bucket.id)["ObjectLockConfiguration"]
    assert found["Rule"]["DefaultRetention"] | {"Years": 0} == {"Mode": "COMPLIANCE", "Days": 30, "Years": 0}
