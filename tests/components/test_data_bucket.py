"""A bucket for data: encrypted, versioned, closed, recorded and kept; and what cannot be one."""

import json
from dataclasses import replace

import pytest

from components.aws_location import AwsLocation
from components.bucket_options import InventoryFrequency, LockMode, ObjectLock
from components.data_bucket import DataBucket, DataBucketArgs
from components.log_bucket import LogBucket, LogBucketArgs
from components.retention import PROTECTED, Retention, RetentionMode

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


def data_bucket(*, sources=(NAME,), listed=(), **args):
    logs = LogBucket(
        "logs",
        LogBucketArgs(location=LOCATION, bucket_name="acme-dev-logs", source_buckets=sources, inventory_buckets=listed),
    )
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
    assert statements[3]["Condition"]["StringNotEquals"] == {"s3:x-amz-server-side-encryption-aws-kms-key-id": key_arn}


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


# Control 11


def test_a_lock_holds_every_new_version_and_leaves_the_bucket_as_it_was(capture):
    locked, unlocked = capture(data_bucket, lock=ObjectLock(days=30)), capture(data_bucket)
    lock = part(locked, "lock")
    assert lock.inputs["objectLockEnabled"] == "Enabled"
    assert lock.inputs["rule"] == {"defaultRetention": {"mode": "COMPLIANCE", "days": 30}}
    assert lock.protect and lock.retain_on_delete, "taken out of the program, it must not go by itself"
    assert part(locked, "versioning").urn in lock.dependencies, "S3 locks versions only"
    after = {resource.urn: resource.inputs for resource in locked}
    assert [r.name for r in unlocked if after.get(r.urn) != r.inputs] == [], "or the bucket would be replaced"


def test_a_lock_can_be_one_that_a_named_permission_opens(capture):
    lock = part(capture(data_bucket, lock=ObjectLock(days=7, mode=LockMode.GOVERNANCE)), "lock")
    assert lock.inputs["rule"] == {"defaultRetention": {"mode": "GOVERNANCE", "days": 7}}


@pytest.mark.parametrize("days", [0, -1, 36_501])
def test_a_lock_that_s3_does_not_know_is_refused(days):
    with pytest.raises(ValueError, match="is not possible: S3 locks for 1 to 36500"):
        ObjectLock(days=days)


# Lifecycle


def test_objects_expire_and_move_to_cheaper_storage_when_asked(capture):
    (rule,) = part(capture(data_bucket, expire_days=730, tiering_days=0), "lifecycle").inputs["rules"]
    assert rule["expiration"] == {"days": 730}
    assert rule["transitions"] == [{"days": 0, "storageClass": "INTELLIGENT_TIERING"}]


def test_objects_that_expire_before_they_move_are_refused(capture):
    with pytest.raises(ValueError, match="at most 29"):
        capture(data_bucket, expire_days=30, tiering_days=30)


# Inventory


def test_objects_are_listed_into_the_log_bucket_once_it_lets_the_list_in(capture):
    deployment = capture(data_bucket, listed=(NAME,), inventory=InventoryFrequency.WEEKLY)
    inventory = part(deployment, "inventory")
    assert inventory.inputs["schedule"] == {"frequency": "Weekly"}
    assert inventory.inputs["includedObjectVersions"] == "All"
    assert inventory.inputs["destination"]["bucket"] == {
        "accountId": "123456789012",
        "bucketArn": "arn:aws:s3:::acme-dev-logs",
        "format": "Parquet",
        "prefix": "inventory",
    }
    assert deployment.named("logs-policy").urn in inventory.dependencies


def test_a_bucket_whose_inventory_is_not_expected_is_refused(capture):
    with pytest.raises(ValueError, match="add the name to its inventory_buckets"):
        capture(data_bucket, inventory=InventoryFrequency.DAILY)


# Control 12

FAR = AwsLocation(account_id="123456789012", region="eu-west-1")
COPY = "acme-dev-data-123456789012-eu-west-1"


def replicated(*, to=FAR, lock=None, copy_lock=None, retention=PROTECTED, **args):
    logs = LogBucket("far-logs", LogBucketArgs(location=to, bucket_name="acme-far-logs", source_buckets=[COPY]))
    copy = DataBucket(
        "copy",
        DataBucketArgs(location=to, bucket_name=COPY, access_logs=logs, lock=copy_lock, retention=retention),
    )
    return data_bucket(replica=copy, lock=lock, retention=retention, **args)


def test_every_new_object_is_copied_with_the_replicas_key_and_deletions_are_not(capture):
    deployment = capture(replicated)
    replication = part(deployment, "replication")
    (rule,) = replication.inputs["rules"]
    assert rule["destination"] == {
        "bucket": f"arn:aws:s3:::{COPY}",
        "encryptionConfiguration": {"replicaKmsKeyId": deployment.named("copy-key").outputs["arn"]},
        "metrics": {"status": "Enabled"},
    }
    assert rule["deleteMarkerReplication"] == {"status": "Disabled"}, "a delete here must not reach the copy"
    assert rule["sourceSelectionCriteria"] == {"sseKmsEncryptedObjects": {"status": "Enabled"}}
    assert (rule["status"], rule["filter"]) == ("Enabled", {"prefix": ""})
    versioned = {part(deployment, "versioning").urn, deployment.named("copy-versioning").urn}
    assert versioned <= set(replication.dependencies), "S3 replicates between versioned buckets only"


def test_the_replication_role_reads_here_writes_there_and_deletes_nowhere(capture):
    deployment = capture(replicated, permissions_boundary="arn:aws:iam::123456789012:policy/boundary")
    role = part(deployment, "replication-role")
    assert role.inputs["maxSessionDuration"] == 3600
    assert role.inputs["permissionsBoundary"] == "arn:aws:iam::123456789012:policy/boundary"
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "s3.amazonaws.com"}
    assert trust["Condition"]["ArnLikeIfExists"] == {"aws:SourceArn": f"arn:aws:s3:::{NAME}"}
    statements = json.loads(part(deployment, "replication-role-policy").inputs["policy"])["Statement"]
    by_sid = {statement["Sid"]: statement for statement in statements}
    assert not [a for s in statements for a in s["Action"] if "Delete" in a or a.endswith("*")]
    assert by_sid["ReadVersions"]["Resource"] == f"arn:aws:s3:::{NAME}/*"
    assert by_sid["WriteReplicas"]["Resource"] == f"arn:aws:s3:::{COPY}/*"
    assert by_sid["Decrypt"]["Resource"] == part(deployment, "key").outputs["arn"]
    assert by_sid["Decrypt"]["Condition"] == {"StringEquals": {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}}
    assert by_sid["Encrypt"]["Resource"] == deployment.named("copy-key").outputs["arn"]
    assert by_sid["Encrypt"]["Condition"] == {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}


def test_locks_are_copied_too_when_there_are_any(capture):
    lock = ObjectLock(days=30)
    deployment = capture(replicated, lock=lock, copy_lock=lock)
    text = part(deployment, "replication-role-policy").inputs["policy"]
    assert "s3:GetObjectRetention" in text and "s3:GetObjectLegalHold" in text
    assert "s3:GetObjectRetention" not in part(capture(replicated), "replication-role-policy").inputs["policy"]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"to": LOCATION}, "lost together with the original"),
        ({"to": AwsLocation(account_id="999999999999", region="eu-west-1")}, "needs that account's consent"),
        ({"lock": ObjectLock(days=30)}, "needs one too"),
    ],
)
def test_a_replica_that_protects_nothing_is_refused(capture, args, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(replicated, **args)


# Retention


@pytest.mark.parametrize(
    "retention",
    [
        PROTECTED,
        Retention(mode=RetentionMode.RETAINED, reason="example data"),
        Retention(mode=RetentionMode.DISPOSABLE, reason="example data"),
    ],
    ids=lambda retention: str(retention.mode),
)
def test_a_key_is_never_less_protected_than_the_bucket_that_it_reads(capture, retention):
    assert weaker_keys(capture(replicated, retention=retention)) == []


def test_a_key_that_is_less_protected_than_its_bucket_is_noticed(capture):
    deployment = capture(replicated)
    weaker = tuple(replace(r, protect=False) if r.name == "copy-key" else r for r in deployment)
    assert weaker_keys(replace(deployment, resources=weaker)) == ["copy-key"]


def weaker_keys(deployment):
    """Keys that may go while the bucket stays that they encrypt: the bucket's encryption names its key."""
    keys = {key.outputs["arn"]: key for key in deployment.of_type("aws:kms/key:Key")}
    buckets = {bucket.inputs["bucket"]: bucket for bucket in deployment.of_type("aws:s3/bucket:Bucket")}
    found = []
    for encryption in deployment.of_type(ENCRYPTION):
        key_arn = encryption.inputs["rules"][0]["applyServerSideEncryptionByDefault"].get("kmsMasterKeyId")
        key, bucket = keys.get(key_arn), buckets[encryption.inputs["bucket"]]
        if key and ((bucket.protect and not key.protect) or (bucket.retain_on_delete and not key.retain_on_delete)):
            found.append(key.name)
    return found


ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
