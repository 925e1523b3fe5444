"""A bucket that an AWS service writes the account's history into: who did what, and what changed when."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.bucket_parts import (
    block_public_access,
    check_bucket_name,
    clean_up,
    encrypt_by_default,
    keep_versions,
    own_all_objects,
)
from components.bucket_policies import configured_by_own_account_only, tls_only
from components.iam_policies import Statement, resource_policy
from components.invalid_argument import InvalidArgument
from components.log_bucket import LogBucket
from components.retention import PROTECTED, Retention
from components.tagging import child_tags

NONCURRENT_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class AuditBucketArgs:
    location: AwsLocation
    """Account and region of the bucket."""

    bucket_name: str
    """Physical name, at most 63 characters, unique: `<prefix>-<environment>-trail-<account>-<region>`."""

    key_arn: Input[str]
    """Key that encrypts the objects; its policy must let `service` use it."""

    access_logs: LogBucket
    """Receives the accesses to this bucket; must accept its name."""

    service: str
    """The AWS service that writes, for example `cloudtrail.amazonaws.com`."""

    source_arn: str = ""
    """ARN of that service's resource for which alone it may write. Default: any of this account's."""

    expire_days: int = 731
    """Days that the history is kept. Default: two years."""

    lock_days: int = 0
    """Days in which nobody can delete what was written, but an administrator with a permission of its own. At most
    `expire_days`. Default: no lock, since AWS Config refuses buckets that lock by default."""

    retention: Retention = PROTECTED
    """What a destroy does to the history. Default: protected."""


class AuditBucket(pulumi.ComponentResource):
    """Creates, always:

    - a bucket, encrypted with the given key, never emptied by a destroy, with its accesses logged;
    - versioning, the public access block, owner-enforced objects, a lifecycle, events to EventBridge;
    - the policy: TLS only, configured by its own account only, open to one service for one of its resources.

    With `lock_days`: an object lock.
    """

    bucket_name: Output[str]
    """Known once the service may write, so whoever configures the service waits for that."""

    def __init__(self, name: str, args: AuditBucketArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:AuditBucket", name, None, opts)
        self._name, self._args = name, args
        self._kept = args.retention.options(self)
        _check_lock(args)

        bucket = self._create_bucket()
        public_access_block = block_public_access(name, bucket, self._kept)
        own_all_objects(name, bucket, self._kept)
        versioning = keep_versions(name, bucket, self._kept)
        encrypt_by_default(name, bucket, self._kept, key_arn=args.key_arn)
        clean_up(name, versioning, self._kept, noncurrent_days=NONCURRENT_DAYS, expire_days=args.expire_days)
        self._lock(versioning)
        args.access_logs.log_accesses(name, bucket, args.bucket_name, self._kept)
        aws.s3.BucketNotification(f"{name}-events", bucket=bucket.id, eventbridge=True, opts=self._kept)
        policy = self._create_policy(public_access_block)

        self.bucket_name = policy.bucket
        self.register_outputs({"bucketName": self.bucket_name})

    def _create_bucket(self) -> aws.s3.Bucket:
        name = f"{self._name}-bucket"
        return aws.s3.Bucket(
            name,
            bucket=check_bucket_name(self._args.bucket_name),
            object_lock_enabled=True if self._args.lock_days else None,
            force_destroy=False,
            tags=child_tags(self._name, name) | self._args.retention.tags(),
            opts=self._kept,
        )

    def _lock(self, versioning: aws.s3.BucketVersioning) -> None:
        if not self._args.lock_days:
            return
        retention = aws.s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(
            mode="GOVERNANCE", days=self._args.lock_days
        )
        aws.s3.BucketObjectLockConfiguration(
            f"{self._name}-lock",
            # By way of the versioning, without which S3 knows no lock.
            bucket=versioning.bucket,
            rule=aws.s3.BucketObjectLockConfigurationRuleArgs(default_retention=retention),
            opts=self._kept,
        )

    def _create_policy(self, public_access_block: aws.s3.BucketPublicAccessBlock) -> aws.s3.BucketPolicy:
        location = self._args.location
        arn = location.bucket_arn(self._args.bucket_name)
        return aws.s3.BucketPolicy(
            f"{self._name}-policy",
            # By way of the block: S3 refuses two changes of a bucket's access at once.
            bucket=public_access_block.bucket,
            policy=resource_policy(
                [
                    tls_only(arn),
                    configured_by_own_account_only(arn, location),
                    *written_by_service(arn, self._args.service, self._args.source_arn, location),
                ]
            ),
            opts=self._kept,
        )


def written_by_service(bucket_arn: str, service: str, source_arn: str, location: AwsLocation) -> list[Statement]:
    """A service looks at the bucket and writes below `AWSLogs/<account>/`, for this account or one resource of it.

    Sources: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html,
    https://docs.aws.amazon.com/config/latest/developerguide/s3-bucket-policy.html
    """
    source = {"aws:SourceAccount": location.account_id, **({"aws:SourceArn": source_arn} if source_arn else {})}
    owned = {**source, "s3:x-amz-acl": "bucket-owner-full-control"}
    principals = {"Service": [service]}
    return [
        Statement(
            sid="ServiceLooks",
            actions=["s3:GetBucketAcl", "s3:ListBucket"],
            resources=[bucket_arn],
            principals=principals,
            conditions={"StringEquals": source},
        ),
        Statement(
            sid="ServiceWrites",
            actions=["s3:PutObject"],
            resources=[f"{bucket_arn}/AWSLogs/{location.account_id}/*"],
            principals=principals,
            conditions={"StringEquals": owned},
        ),
    ]


def _check_lock(args: AuditBucketArgs) -> None:
    if not 0 <= args.lock_days <= args.expire_days:
        raise InvalidArgument(
            f"a lock of {args.lock_days} days cannot be: give 0 for none, or at most the {args.expire_days} days "
            "after which the history expires, for example 365"
        )
