"""A bucket for data: encrypted, versioned, closed, recorded and kept; and what cannot be one."""

import json

import pytest

from components.aws_location import AwsLocation
from components.data_bucket import DataBucket, DataBucketArgs
from components.log_bucket import LogBucket, LogBucketArgs
from components.retention import Retention, RetentionMode

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
NAME = "acme-dev-data-123456789012-eu-central-1"
PARTS = {
    "bucket",
    "encryption",
    "events",
    "key",
    "key-alias",
    "lifecycle",
    "logging",
    "ownership",
    "policy",
    "public-access-block",
    "versioning",
}


def data_bucket(*, sources=(NAME,), **args):
    logs = LogBucket("logs", LogBucketArgs(location=LOCATION, bucket_name="acme-dev-logs", source_buckets=sources))
    return DataBucket(
        "data", DataBucketArgs(**({"location": LOCATION, "bucket_name": NAME, "access_logs": logs} | args))
    )


def part(deployment, noun):
    return deployment.named(f"data-{noun}")


def own(deployment):
    return [r for r in deployment if r.custom and r.name.startswith("data-")]


def test_a_bucket_has_exactly_its_parts(capture):
    assert {r.name for r in own(capture(data_bucket))} == {f"data-{noun}" for noun in PARTS}


def test_its_physical_name_is_the_given_one_on_every_part(capture):
    deployment = capture(data_bucket)
    parts = [r for r in own(deployment) if r.type.startswith("aws:s3/")]
    assert {r.inputs["bucket"] for r in parts} == {NAME}


def test_what_is_written_is_encrypted_with_the_buckets_own_key(capture):
    deployment = capture(data_bucket)
    (rule,) = part(deployment, "encryption").inputs["rules"]
    assert rule == {
        "applyServerSideEncryptionByDefault": {
            "sseAlgorithm": "aws:kms",
            "kmsMasterKeyId": part(deployment, "key").outputs["arn"],
        },
        "bucketKeyEnabled": True,
    }


def test_the_key_rotates_and_works_through_s3_alone(capture):
    deployment = capture(data_bucket, key_rotation_days=180)
    key, alias = part(deployment, "key"), part(deployment, "key-alias")
    assert key.inputs["enableKeyRotation"] is True
    assert key.inputs["rotationPeriodInDays"] == 180
    assert key.inputs["deletionWindowInDays"] == 30
    administer, through_s3 = json.loads(key.inputs["policy"])["Statement"]
    assert administer["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    assert through_s3["Condition"] == {"StringNotEquals": {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}}
    assert (alias.inputs["name"], alias.inputs["targetKeyId"]) == (f"alias/{NAME}", key.outputs["keyId"])


def test_all_four_flags_of_the_public_access_block_are_set(capture):
    block = part(capture(data_bucket), "public-access-block")
    flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert {flag: block.inputs[flag] for flag in flags} == dict.fromkeys(flags, True)


def test_versions_are_kept_owners_enforced_and_events_sent(capture):
    deployment = capture(data_bucket)
    assert part(deployment, "versioning").inputs["versioningConfiguration"] == {"status": "Enabled"}
    assert part(deployment, "ownership").inputs["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    assert part(deployment, "events").inputs["eventbridge"] is True


def test_the_policy_denies_and_allows_nobody(capture):
    deployment = capture(data_bucket)
    statements = json.loads(part(deployment, "policy").inputs["policy"])["Statement"]
    assert [s["Sid"] for s in statements] == [
        "TlsOnly",
        "OwnAccountConfigures",
        "KmsOnly",
        "OwnKeyOnly",
        "NoCustomerKey",
    ]
    assert {s["Effect"] for s in statements} == {"Deny"}
    key_arn = part(deployment, "key").outputs["arn"]
    assert statements[3]["Condition"] == {
        "StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption-aws-kms-key-id": key_arn}
    }


def test_accesses_are_logged_to_the_log_bucket_once_it_lets_them_in(capture):
    deployment = capture(data_bucket)
    logging = part(deployment, "logging")
    assert logging.inputs["targetBucket"] == "acme-dev-logs"
    assert logging.inputs["targetPrefix"] == f"{NAME}/"
    assert deployment.named("logs-policy").urn in logging.dependencies, "S3 refuses a target that lets no logs in"


def test_old_versions_and_abandoned_uploads_are_removed_but_no_current_object(capture):
    (rule,) = part(capture(data_bucket, noncurrent_days=30), "lifecycle").inputs["rules"]
    assert rule == {
        "id": "clean-up",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "expiration": {"expiredObjectDeleteMarker": True},
        "noncurrentVersionExpiration": {"noncurrentDays": 30},
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
    }


def test_data_key_and_all_that_closes_the_bucket_survive_a_destroy(capture):
    deployment = capture(data_bucket)
    unkept = [r.name for r in own(deployment) if not (r.protect and r.retain_on_delete)]
    assert unkept == ["data-key-alias"], "an alias is a name and no data"


def test_retained_data_stays_although_a_destroy_is_not_refused(capture):
    deployment = capture(data_bucket, retention=Retention(mode=RetentionMode.RETAINED, reason="protection is none"))
    assert not [r.name for r in own(deployment) if r.protect]
    assert [r.name for r in own(deployment) if not r.retain_on_delete] == ["data-key-alias"]
    for noun in ("bucket", "key"):
        assert part(deployment, noun).inputs["tags"]["stackyard:loosened"] == "retained: protection is none"


@pytest.mark.parametrize("mode", RetentionMode)
def test_no_retention_ever_empties_a_bucket(capture, mode):
    reason = "" if mode is RetentionMode.PROTECTED else "test"
    deployment = capture(data_bucket, retention=Retention(mode=mode, reason=reason))
    assert part(deployment, "bucket").inputs["forceDestroy"] is False


def test_its_name_and_grants_are_outputs(capture):
    made = []
    deployment = capture(lambda: made.append(data_bucket()))
    key_arn = part(deployment, "key").outputs["arn"]
    assert deployment.only("stackyard:index:DataBucket").outputs == {
        "bucketName": NAME,
        "bucketArn": f"arn:aws:s3:::{NAME}",
        "keyArn": key_arn,
    }
    assert made[0].access.bucket_arn == f"arn:aws:s3:::{NAME}", "plain, so a first preview shows grants in full"


def test_everything_that_can_be_tagged_names_its_component(capture):
    tagged = {r.name for r in own(capture(data_bucket)) if r.inputs.get("tags", {}).get("component") == "data"}
    assert tagged == {"data-bucket", "data-key"}, "parts and aliases carry no tags"


@pytest.mark.parametrize(
    "name", ["ab", "x" * 64, "Acme-data", "acme_data", "acme.data", "-acme", "acme-", "xn--acme", "acme-s3alias", ""]
)
def test_a_name_that_s3_refuses_is_refused(capture, name):
    with pytest.raises(ValueError, match="is not possible"):
        capture(data_bucket, bucket_name=name)


def test_a_bucket_whose_logs_are_not_expected_is_refused(capture):
    with pytest.raises(ValueError, match="add the name to its source_buckets"):
        capture(data_bucket, sources=["another-bucket"])
