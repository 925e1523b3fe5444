"""Parts that every bucket of Stackyard has, whatever it holds.

They are retained with their bucket: without them a bucket that stays would lose its versions and lie open.
"""

import re

import pulumi_aws as aws
from pulumi import Input, ResourceOptions

from components.invalid_argument import InvalidArgument

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, without dots: they break TLS.
BUCKET_NAME = re.compile(r"(?!xn--|sthree-|amzn-s3-demo-)[a-z0-9][a-z0-9-]{1,61}[a-z0-9](?<!-s3alias)(?<!--ol-s3)")

MULTIPART_ABORT_DAYS = 7


def check_bucket_name(name: str) -> str:
    """The name itself. Raises ValueError when S3 would refuse it, or a TLS host name."""
    if not BUCKET_NAME.fullmatch(name):
        raise InvalidArgument(
            f"bucket name {name!r} ({len(name)} characters) is not possible: "
            "3 to 63 lower-case letters, digits and hyphens, for example 'acme-dev-data-123456789012-eu-west-1'"
        )
    return name


def block_public_access(name: str, bucket: aws.s3.Bucket, opts: ResourceOptions) -> aws.s3.BucketPublicAccessBlock:
    """Neither an ACL nor a policy makes the bucket public, now or later."""
    return aws.s3.BucketPublicAccessBlock(
        f"{name}-public-access-block",
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=opts,
    )


def own_all_objects(name: str, bucket: aws.s3.Bucket, opts: ResourceOptions) -> aws.s3.BucketOwnershipControls:
    """ACLs are off: the account owns whatever is written."""
    return aws.s3.BucketOwnershipControls(
        f"{name}-ownership",
        bucket=bucket.id,
        rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
        opts=opts,
    )


def keep_versions(name: str, bucket: aws.s3.Bucket, opts: ResourceOptions) -> aws.s3.BucketVersioning:
    """Overwritten and deleted objects stay as old versions."""
    return aws.s3.BucketVersioning(
        f"{name}-versioning",
        bucket=bucket.id,
        versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
        opts=opts,
    )


def encrypt_by_default(
    name: str, bucket: aws.s3.Bucket, opts: ResourceOptions, key_arn: Input[str] | None = None
) -> aws.s3.BucketServerSideEncryptionConfiguration:
    """Encryption with a key, by bucket keys to keep KMS requests few; without one, with S3's own keys."""
    default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
        sse_algorithm="AES256" if key_arn is None else "aws:kms", kms_master_key_id=key_arn
    )
    rule = aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
        apply_server_side_encryption_by_default=default, bucket_key_enabled=None if key_arn is None else True
    )
    return aws.s3.BucketServerSideEncryptionConfiguration(
        f"{name}-encryption", bucket=bucket.id, rules=[rule], opts=opts
    )


def clean_up(
    name: str,
    versioning: aws.s3.BucketVersioning,
    opts: ResourceOptions,
    *,
    noncurrent_days: int,
    expire_days: int | None = None,
    tiering_days: int | None = None,
) -> aws.s3.BucketLifecycleConfiguration:
    """Removes old versions, abandoned uploads and, with `expire_days`, current objects.

    With `tiering_days` they move to Intelligent-Tiering after so many days. Raises ValueError when they would expire
    before that.
    """
    if tiering_days is not None and expire_days is not None and tiering_days >= expire_days:
        raise InvalidArgument(
            f"objects that expire after {expire_days} days cannot move to Intelligent-Tiering after {tiering_days}: "
            f"S3 wants fewer days, at most {expire_days - 1}"
        )
    tiering = aws.s3.BucketLifecycleConfigurationRuleTransitionArgs(
        days=tiering_days, storage_class="INTELLIGENT_TIERING"
    )
    expiration = aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(
        days=expire_days,
        # A delete marker without versions behind it only slows listings; S3 allows one of the two.
        expired_object_delete_marker=True if expire_days is None else None,
    )
    rule = aws.s3.BucketLifecycleConfigurationRuleArgs(
        id="clean-up",
        status="Enabled",
        filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
        expiration=expiration,
        transitions=None if tiering_days is None else [tiering],
        noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=noncurrent_days
        ),
        abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
            days_after_initiation=MULTIPART_ABORT_DAYS
        ),
    )
    # By way of the versioning: S3 refuses rules about old versions that cannot exist yet.
    return aws.s3.BucketLifecycleConfiguration(f"{name}-lifecycle", bucket=versioning.bucket, rules=[rule], opts=opts)
