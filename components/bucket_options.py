"""What a data bucket can do beyond its parts: lock its objects, list them, send them to another region."""

from dataclasses import dataclass
from enum import StrEnum

import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.bucket_policies import INVENTORY_PREFIX
from components.iam_policies import Conditions, Statement, identity_policy, render
from components.invalid_argument import InvalidArgument
from components.role_names import KEEPS_ITS_NAME, role_name

REPLICATION_SERVICE = "s3.amazonaws.com"
ROLE_SESSION_SECONDS = 3600

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
LONGEST_LOCK_DAYS = 36_500

INVENTORY_NAME = "all-objects"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html: what says whether the controls hold.
INVENTORY_FIELDS = (
    "BucketKeyStatus",
    "EncryptionStatus",
    "IntelligentTieringAccessTier",
    "LastModifiedDate",
    "ObjectLockMode",
    "ObjectLockRetainUntilDate",
    "ReplicationStatus",
    "Size",
    "StorageClass",
)

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html, without ReplicateDelete:
# delete markers stay where they were made.
READ_CONFIGURATION_ACTIONS = ("s3:GetReplicationConfiguration", "s3:ListBucket")
READ_VERSION_ACTIONS = ("s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging")
READ_LOCK_ACTIONS = ("s3:GetObjectLegalHold", "s3:GetObjectRetention")
WRITE_REPLICA_ACTIONS = ("s3:ReplicateObject", "s3:ReplicateTags")


class LockMode(StrEnum):
    GOVERNANCE = "GOVERNANCE"
    """Who has `s3:BypassGovernanceRetention` can still delete a version."""
    COMPLIANCE = "COMPLIANCE"
    """Nobody can, the account's root included, until the days are over; closing the account is the only way."""


@dataclass(frozen=True, kw_only=True)
class ObjectLock:
    """A lock on every new object version. It can be lengthened, and neither shortened for them nor taken back."""

    days: int
    """Days from the writing of a version, 1 to 36500."""

    mode: LockMode = LockMode.COMPLIANCE
    """Default: compliance."""

    def __post_init__(self) -> None:
        if not 1 <= self.days <= LONGEST_LOCK_DAYS:
            raise InvalidArgument(
                f"an object lock of {self.days} days is not possible: S3 locks for 1 to {LONGEST_LOCK_DAYS}, "
                "for example 30"
            )


class InventoryFrequency(StrEnum):
    DAILY = "Daily"
    WEEKLY = "Weekly"


@dataclass(frozen=True, kw_only=True)
class ReplicationEnd:
    """One end of a replication."""

    location: AwsLocation
    bucket_arn: str
    """ARN, plain: it follows from the name."""
    versioned_bucket: Input[str]
    """The bucket's name, known once it keeps versions: S3 replicates between such buckets only."""
    key_arn: Input[str]
    locked: bool

    @property
    def bucket_name(self) -> str:
        return self.bucket_arn.rsplit(":", 1)[-1]


def lock_objects(
    name: str, versioning: aws.s3.BucketVersioning, lock: ObjectLock, opts: ResourceOptions
) -> aws.s3.BucketObjectLockConfiguration:
    """Locks every version from now on. By way of the versioning, so a bucket that exists can be locked too.

    The bucket's own input `object_lock_enabled` would replace it. Source: PutObjectLockConfiguration, «you can enable
    Object Lock for new or existing buckets».
    """
    retention = aws.s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(mode=str(lock.mode), days=lock.days)
    return aws.s3.BucketObjectLockConfiguration(
        f"{name}-lock",
        bucket=versioning.bucket,
        object_lock_enabled="Enabled",
        rule=aws.s3.BucketObjectLockConfigurationRuleArgs(default_retention=retention),
        opts=opts,
    )


def list_objects(
    name: str,
    bucket: aws.s3.Bucket,
    location: AwsLocation,
    log_bucket_name: Output[str],
    frequency: InventoryFrequency,
    opts: ResourceOptions,
) -> aws.s3.Inventory:
    """A list of all versions, as Parquet, below `inventory/<bucket>/all-objects/` of the log bucket."""
    destination = aws.s3.InventoryDestinationBucketArgs(
        account_id=location.account_id,
        # By way of the log bucket's policy: the list may arrive by then.
        bucket_arn=log_bucket_name.apply(location.bucket_arn),
        format="Parquet",
        prefix=INVENTORY_PREFIX,
    )
    return aws.s3.Inventory(
        f"{name}-inventory",
        bucket=bucket.id,
        name=INVENTORY_NAME,
        included_object_versions="All",
        schedule=aws.s3.InventoryScheduleArgs(frequency=str(frequency)),
        destination=aws.s3.InventoryDestinationArgs(bucket=destination),
        optional_fields=list(INVENTORY_FIELDS),
        opts=opts,
    )


def replicate(
    name: str, source: ReplicationEnd, replica: ReplicationEnd, role: aws.iam.Role, opts: ResourceOptions
) -> aws.s3.BucketReplicationConfig:
    """Copies every new version to the replica, encrypted with its key. Deletions are not copied; metrics are kept."""
    rule = aws.s3.BucketReplicationConfigRuleArgs(
        id="everything",
        priority=1,
        status="Enabled",
        filter=aws.s3.BucketReplicationConfigRuleFilterArgs(prefix=""),
        delete_marker_replication=aws.s3.BucketReplicationConfigRuleDeleteMarkerReplicationArgs(status="Disabled"),
        source_selection_criteria=aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaArgs(
            # Without it S3 passes over everything that a key encrypts, which is everything here.
            sse_kms_encrypted_objects=aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaSseKmsEncryptedObjectsArgs(
                status="Enabled"
            )
        ),
        destination=aws.s3.BucketReplicationConfigRuleDestinationArgs(
            bucket=Output.from_input(replica.versioned_bucket).apply(replica.location.bucket_arn),
            encryption_configuration=aws.s3.BucketReplicationConfigRuleDestinationEncryptionConfigurationArgs(
                replica_kms_key_id=replica.key_arn
            ),
            metrics=aws.s3.BucketReplicationConfigRuleDestinationMetricsArgs(status="Enabled"),
        ),
    )
    return aws.s3.BucketReplicationConfig(
        f"{name}-replication", bucket=source.versioned_bucket, role=role.arn, rules=[rule], opts=opts
    )


def check_replication(source: ReplicationEnd, replica: ReplicationEnd) -> None:
    """Raises ValueError when the copy would be lost with the original, or could be deleted where that cannot."""
    if source.location.region == replica.location.region:
        raise InvalidArgument(
            f"a replica in {replica.location.region} is lost together with the original: take another region"
        )
    if source.location.account_id != replica.location.account_id:
        raise InvalidArgument(
            f"a replica in account {replica.location.account_id} needs that account's consent, which is not built: "
            f"replicate within {source.location.account_id}"
        )
    if source.locked and not replica.locked:
        raise InvalidArgument("the replica of a bucket with an object lock needs one too: S3 refuses it otherwise")


def replication_role(
    name: str,
    source: ReplicationEnd,
    replica: ReplicationEnd,
    *,
    permissions_boundary: Input[str] | None,
    tags: dict[str, str],
    opts: ResourceOptions,
) -> aws.iam.Role:
    """Reads versions of the source and writes them to the replica; both keys through S3 alone."""
    role = aws.iam.Role(
        f"{name}-replication-role",
        name=role_name(source.bucket_name, "replication"),
        description=f"Copies new objects to {replica.location.region}",
        assume_role_policy=_trust(source),
        max_session_duration=ROLE_SESSION_SECONDS,
        permissions_boundary=permissions_boundary,
        tags=tags,
        opts=ResourceOptions.merge(opts, KEEPS_ITS_NAME),
    )
    aws.iam.RolePolicy(
        f"{name}-replication-role-policy",
        role=role.name,
        policy=identity_policy(replication_statements(source, replica)),
        opts=opts,
    )
    return role


def replication_statements(source: ReplicationEnd, replica: ReplicationEnd) -> list[Statement]:
    """What the role may do: nothing that deletes."""
    versions = (*READ_VERSION_ACTIONS, *(READ_LOCK_ACTIONS if source.locked else ()))
    return [
        Statement(sid="ReadConfiguration", actions=READ_CONFIGURATION_ACTIONS, resources=[source.bucket_arn]),
        Statement(sid="ReadVersions", actions=versions, resources=[f"{source.bucket_arn}/*"]),
        Statement(sid="WriteReplicas", actions=WRITE_REPLICA_ACTIONS, resources=[f"{replica.bucket_arn}/*"]),
        Statement(
            sid="Decrypt", actions=["kms:Decrypt"], resources=[source.key_arn], conditions=_through_s3(source.location)
        ),
        Statement(
            sid="Encrypt",
            # GenerateDataKey: the replica's bucket key.
            actions=["kms:Encrypt", "kms:GenerateDataKey"],
            resources=[replica.key_arn],
            conditions=_through_s3(replica.location),
        ),
    ]


def _through_s3(location: AwsLocation) -> Conditions:
    return {"StringEquals": {"kms:ViaService": f"s3.{location.region}.{location.dns_suffix}"}}


def _trust(source: ReplicationEnd) -> Output[str]:
    # IfExists: AWS's page on replication shows no condition and does not say that S3 names the source here. Where it
    # does, it must be this bucket; a copy that silently stops would be worse than a missing key.
    return render(
        [
            Statement(
                actions=["sts:AssumeRole"],
                principals={"Service": [REPLICATION_SERVICE]},
                conditions={
                    "StringEqualsIfExists": {"aws:SourceAccount": source.location.account_id},
                    "ArnLikeIfExists": {"aws:SourceArn": source.bucket_arn},
                },
            )
        ]
    )
