"""A bucket for data and models, with a key of its own."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.bucket_access import BucketAccess
from components.bucket_options import (
    InventoryFrequency,
    ObjectLock,
    ReplicationEnd,
    check_replication,
    list_objects,
    lock_objects,
    replicate,
    replication_role,
)
from components.bucket_parts import (
    block_public_access,
    check_bucket_name,
    clean_up,
    encrypt_by_default,
    keep_versions,
    own_all_objects,
)
from components.bucket_policies import configured_by_own_account_only, encrypted_with, tls_only
from components.encryption_keys import ROTATION_DAYS, encryption_key, key_policy, used_through_service_only
from components.iam_policies import resource_policy
from components.invalid_argument import InvalidArgument
from components.log_bucket import LogBucket
from components.retention import PROTECTED, Retention
from components.tagging import child_tags


@dataclass(frozen=True, kw_only=True)
class DataBucketArgs:
    location: AwsLocation
    """Account and region of the bucket."""

    bucket_name: str
    """Physical name, 3 to 63 characters, unique in the world: `<prefix>-<environment>-<noun>-<account>-<region>`.

    Deterministic, so that policies, the contract and a first preview can name it.
    """

    access_logs: LogBucket
    """Where access logs go, below `<bucket_name>/`. It must list this bucket among its sources."""

    noncurrent_days: int = 90
    """Days that overwritten and deleted objects can be brought back. Default: 90."""

    expire_days: int | None = None
    """Days after which current objects are deleted. Default: never."""

    tiering_days: int | None = None
    """Days after which objects move to S3 Intelligent-Tiering, where those that nobody reads cost up to 68 % less and
    are read as fast; it costs 0.0025 $ a month per 1,000 objects. 0 or more, fewer than `expire_days`. Its archive
    tiers are not used: their objects must be restored, for hours, before anybody reads them. Default: never."""

    lock: ObjectLock | None = None
    """Days that no version can be deleted. Cannot be taken back. Default: no lock."""

    inventory: InventoryFrequency | None = None
    """Lists all objects into the log bucket, daily or weekly, for 0.0025 $ per million. Default: none."""

    replica: "DataBucket | None" = None
    """Bucket in another region that gets a copy of every new object: storage twice, and 0.02 $ per GB of traffic.
    With `lock`, it needs one too. Default: none."""

    permissions_boundary: Input[str] | None = None
    """ARN of the policy that bounds the replication's role. Default: unbounded."""

    key_rotation_days: int = ROTATION_DAYS
    """Days between rotations of the key, 90 to 2560. Default: a year."""

    retention: Retention = PROTECTED
    """What a destroy does to the data and their key. Default: protected."""


class DataBucket(pulumi.ComponentResource):
    """Creates, always:

    - the bucket, never emptied by a destroy, and a rotating KMS key that works through S3 alone (**1 $ a month**);
    - versioning, default encryption with that key, the public access block, owner-enforced objects;
    - a policy: TLS only, configured by its own account only, objects encrypted with that key only;
    - access logs to the log bucket, a lifecycle for old versions and abandoned uploads, events to EventBridge.

    With `lock`, a lock on every new version; with `inventory`, a list of all objects; with `replica`, the replication
    of every new object and its role.

    Storage costs 0.023 $ per GB and month, old versions included.
    """

    bucket_name: Output[str]
    """Known once what is written gets encrypted, so whoever writes waits for that."""
    bucket_arn: Output[str]
    key_arn: Output[str]
    access: BucketAccess
    """Grants: `read`, `write` and `maintain` below a prefix."""
    replication_end: ReplicationEnd
    """What another bucket's replication needs to know of this one."""

    def __init__(self, name: str, args: DataBucketArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:DataBucket", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        # The parts stay with the bucket, and the key that reads it: see bucket_parts.
        self._kept = args.retention.options(self)

        key = self._create_key()
        bucket = self._create_bucket()
        public_access_block = block_public_access(name, bucket, self._kept)
        own_all_objects(name, bucket, self._kept)
        versioning = keep_versions(name, bucket, self._kept)
        encryption = encrypt_by_default(name, bucket, self._kept, key.arn)
        self._create_lifecycle(versioning)
        self._create_policy(public_access_block, key)
        args.access_logs.log_accesses(name, bucket, args.bucket_name, self._kept)
        self._create_notification(bucket)
        self._create_lock(versioning)
        self._create_inventory(bucket)

        self.bucket_name = encryption.bucket
        self.bucket_arn = bucket.arn
        self.key_arn = key.arn
        self.access = BucketAccess(bucket_arn=self._arn, key_arn=key.arn)
        self.replication_end = self._as_replication_end(versioning, key)
        self._create_replication()
        self.register_outputs({"bucketName": self.bucket_name, "bucketArn": self.bucket_arn, "keyArn": self.key_arn})

    @property
    def _arn(self) -> str:
        return self._args.location.bucket_arn(self._args.bucket_name)

    def _tags(self, child: str) -> dict[str, str]:
        return child_tags(self._name, child) | self._args.retention.tags()

    def _create_key(self) -> aws.kms.Key:
        name, location = f"{self._name}-key", self._args.location
        key = encryption_key(
            name,
            description=f"Objects of {self._args.bucket_name}",
            policy=key_policy(location, [used_through_service_only(location, "s3")]),
            rotation_days=self._args.key_rotation_days,
            tags=self._tags(name),
            opts=self._kept,
        )
        # An alias is a name and no data: a rebuilt stack gives it to whatever key it then has.
        aws.kms.Alias(
            f"{name}-alias", name=f"alias/{self._args.bucket_name}", target_key_id=key.key_id, opts=self._child
        )
        return key

    def _create_bucket(self) -> aws.s3.Bucket:
        name = f"{self._name}-bucket"
        return aws.s3.Bucket(
            name,
            bucket=check_bucket_name(self._args.bucket_name),
            force_destroy=False,
            tags=self._tags(name),
            opts=self._kept,
        )

    def _create_policy(self, public_access_block: aws.s3.BucketPublicAccessBlock, key: aws.kms.Key) -> None:
        aws.s3.BucketPolicy(
            f"{self._name}-policy",
            # By way of the block: S3 refuses two changes of a bucket's access at once.
            bucket=public_access_block.bucket,
            policy=resource_policy(
                [
                    tls_only(self._arn),
                    configured_by_own_account_only(self._arn, self._args.location),
                    *encrypted_with(self._arn, key.arn),
                ]
            ),
            opts=self._kept,
        )

    def _create_notification(self, bucket: aws.s3.Bucket) -> None:
        aws.s3.BucketNotification(f"{self._name}-events", bucket=bucket.id, eventbridge=True, opts=self._kept)

    def _create_lifecycle(self, versioning: aws.s3.BucketVersioning) -> None:
        clean_up(
            self._name,
            versioning,
            self._kept,
            noncurrent_days=self._args.noncurrent_days,
            expire_days=self._args.expire_days,
            tiering_days=self._args.tiering_days,
        )

    def _create_lock(self, versioning: aws.s3.BucketVersioning) -> None:
        if self._args.lock is not None:
            lock_objects(self._name, versioning, self._args.lock, self._kept)

    def _create_inventory(self, bucket: aws.s3.Bucket) -> None:
        args = self._args
        if args.inventory is None:
            return
        if not args.access_logs.accepts_inventory(args.bucket_name):
            raise InvalidArgument(
                f"the log bucket does not accept inventories of {args.bucket_name}: "
                "add the name to its inventory_buckets"
            )
        list_objects(self._name, bucket, args.location, args.access_logs.bucket_name, args.inventory, self._kept)

    def _as_replication_end(self, versioning: aws.s3.BucketVersioning, key: aws.kms.Key) -> ReplicationEnd:
        return ReplicationEnd(
            location=self._args.location,
            bucket_arn=self._arn,
            versioned_bucket=versioning.bucket,
            key_arn=key.arn,
            locked=self._args.lock is not None,
        )

    def _create_replication(self) -> None:
        if self._args.replica is None:
            return
        source, replica = self.replication_end, self._args.replica.replication_end
        check_replication(source, replica)
        role = replication_role(
            self._name,
            source,
            replica,
            permissions_boundary=self._args.permissions_boundary,
            tags=child_tags(self._name, f"{self._name}-replication-role"),
            opts=self._child,
        )
        # Goes with its role: a configuration that stayed would fail object by object.
        replicate(self._name, source, replica, role, self._child)
