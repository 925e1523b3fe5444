"""The bucket that receives the access logs of an environment's other buckets, and lists of their objects."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from components.aws_location import AwsLocation
from components.bucket_parts import (
    block_public_access,
    check_bucket_name,
    clean_up,
    encrypt_by_default,
    keep_versions,
    own_all_objects,
)
from components.bucket_policies import (
    configured_by_own_account_only,
    receives_access_logs,
    receives_inventories,
    tls_only,
)
from components.iam_policies import resource_policy
from components.invalid_argument import InvalidArgument
from components.retention import PROTECTED, Retention
from components.tagging import child_tags


@dataclass(frozen=True, kw_only=True)
class LogBucketArgs:
    location: AwsLocation
    """Account and region of the bucket. S3 delivers logs within a region only."""

    bucket_name: str
    """Physical name, at most 63 characters, unique: `<prefix>-<environment>-access-logs-<account>-<region>`."""

    source_buckets: Sequence[str]
    """Names of the buckets whose access logs may arrive here, at least one."""

    inventory_buckets: Sequence[str] = ()
    """Names of the buckets whose inventories may arrive here. Default: none."""

    expire_days: int = 365
    """Days that logs are kept. Default: a year."""

    noncurrent_days: int = 30
    """Days that overwritten or deleted logs are kept. Default: 30."""

    retention: Retention = PROTECTED
    """What a destroy does to the logs. Default: protected."""


class LogBucket(pulumi.ComponentResource):
    """Creates, always:

    - a bucket, encrypted with S3's own keys (log delivery accepts no other default), never emptied by a destroy;
    - versioning, the public access block, owner-enforced objects, a lifecycle;
    - the policy: TLS only, configured by its own account only, open to S3's log delivery for the source buckets, and
      to S3's inventories of `inventory_buckets`.

    Its own accesses are not logged: that would write about itself without end.
    """

    bucket_name: Output[str]
    """Known once logs may arrive, so whoever logs here waits for that."""

    def __init__(self, name: str, args: LogBucketArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:LogBucket", name, None, opts)
        self._name, self._args = name, args
        if not args.source_buckets:
            raise InvalidArgument("a log bucket needs at least one source bucket, whose access logs it receives")
        # The parts stay with the bucket: see bucket_parts.
        self._kept = args.retention.options(self)

        bucket = self._create_bucket()
        public_access_block = block_public_access(name, bucket, self._kept)
        own_all_objects(name, bucket, self._kept)
        versioning = keep_versions(name, bucket, self._kept)
        encrypt_by_default(name, bucket, self._kept)
        clean_up(name, versioning, self._kept, noncurrent_days=args.noncurrent_days, expire_days=args.expire_days)
        policy = self._create_policy(public_access_block)

        self.bucket_name = policy.bucket
        self.register_outputs({"bucketName": self.bucket_name})

    def log_accesses(self, name: str, bucket: aws.s3.Bucket, bucket_name: str, opts: ResourceOptions) -> None:
        """Lets S3 deliver the access logs of a bucket here. Raises InvalidArgument when it is none of the sources."""
        if bucket_name not in self._args.source_buckets:
            raise InvalidArgument(
                f"the log bucket does not accept logs of {bucket_name}: add the name to its source_buckets"
            )
        aws.s3.BucketLogging(
            f"{name}-logging",
            bucket=bucket.id,
            target_bucket=self.bucket_name,
            target_prefix=f"{bucket_name}/",
            opts=opts,
        )

    def accepts_inventory(self, bucket_name: str) -> bool:
        """Whether the inventories of a bucket may arrive here."""
        return bucket_name in self._args.inventory_buckets

    def _create_bucket(self) -> aws.s3.Bucket:
        name = f"{self._name}-bucket"
        return aws.s3.Bucket(
            name,
            bucket=check_bucket_name(self._args.bucket_name),
            force_destroy=False,
            tags=child_tags(self._name, name) | self._args.retention.tags(),
            opts=self._kept,
        )

    def _create_policy(self, public_access_block: aws.s3.BucketPublicAccessBlock) -> aws.s3.BucketPolicy:
        location = self._args.location
        arn = location.bucket_arn(self._args.bucket_name)
        sources = [location.bucket_arn(name) for name in self._args.source_buckets]
        listed = [location.bucket_arn(name) for name in self._args.inventory_buckets]
        return aws.s3.BucketPolicy(
            f"{self._name}-policy",
            # By way of the block: S3 refuses two changes of a bucket's access at once.
            bucket=public_access_block.bucket,
            policy=resource_policy(
                [
                    tls_only(arn),
                    configured_by_own_account_only(arn, location),
                    receives_access_logs(arn, sources, location),
                    *([receives_inventories(arn, listed, location)] if listed else []),
                ]
            ),
            opts=self._kept,
        )
