"""S3: buckets, their parts, and objects. Bucket parts have the bucket's name as id."""

from stackyard.local.aws import handlers
from stackyard.local.aws.rows import Op, Read, Row, Tagging

BUCKET = {"Bucket": "=id"}

BUCKET_ROW = Row(
    service="s3",
    create=Op(
        name="CreateBucket",
        params={
            "Bucket": "=bucket",
            # us-east-1 is the only region that must not be named.
            "CreateBucketConfiguration": {"LocationConstraint": "=region != 'us-east-1' && region || `null`"},
        },
    ),
    id="=bucket",
    read=Read(name="HeadBucket", params=BUCKET, path="@"),
    delete=(Op(name="DeleteBucket", params=BUCKET),),
    rename={"objectLockEnabled": "ObjectLockEnabledForBucket"},
    own=("forceDestroy",),
    tagging=Tagging(
        set=Op(name="PutBucketTagging", params={"Bucket": "=id", "Tagging": {"TagSet": "=tags || `[]`"}}),
        read=Read(name="GetBucketTagging", params=BUCKET, path="TagSet"),
    ),
    out={
        "arn": "arn:aws:s3:::{id}",
        "bucketDomainName": "{id}.s3.amazonaws.com",
        "bucketRegionalDomainName": "{id}.s3.{region}.amazonaws.com",
        "bucketRegion": "=region",
    },
    before_delete=handlers.empty_bucket,
)


def _part(noun: str, read_path: str, *, under: str = "", delete: Op | None = None, **more: object) -> Row:
    """A bucket's part: Put… creates and changes, Get… reads, Delete… removes."""
    return Row(
        service="s3",
        create=Op(name=f"PutBucket{noun}"),
        id="=bucket",
        read=Read(name=f"GetBucket{noun}", params=BUCKET, path=read_path),
        delete=(delete or Op(name=f"DeleteBucket{noun}", params=BUCKET),),
        put=True,
        under=under,
        **more,  # pyright: ignore[reportArgumentType] the row's remaining fields
    )


VERSIONING = _part(
    "Versioning",
    "Status && @",
    under="VersioningConfiguration",
    # Versioning cannot be removed, only suspended; the provider does the same.
    delete=Op(name="PutBucketVersioning", params={"Bucket": "=id", "VersioningConfiguration": {"Status": "Suspended"}}),
    rename={
        "versioningConfiguration": "VersioningConfiguration",
        "versioningConfiguration.mfaDelete": "MFADelete",
        "mfa": "MFA",
    },
    shows={"versioningConfiguration": "={Status: d.Status, MFADelete: d.MFADelete}"},
)

ENCRYPTION = Row(
    service="s3",
    create=Op(name="PutBucketEncryption"),
    id="=bucket",
    read=Read(name="GetBucketEncryption", params=BUCKET, path="ServerSideEncryptionConfiguration"),
    delete=(Op(name="DeleteBucketEncryption", params=BUCKET),),
    put=True,
    under="ServerSideEncryptionConfiguration",
    rename={
        "rules.applyServerSideEncryptionByDefault.kmsMasterKeyId": "KMSMasterKeyID",
        "rules.applyServerSideEncryptionByDefault.sseAlgorithm": "SSEAlgorithm",
        "rules.blockedEncryptionTypes": "BlockedEncryptionTypes.EncryptionType",
    },
)

LIFECYCLE = Row(
    service="s3",
    create=Op(name="PutBucketLifecycleConfiguration"),
    id="=bucket",
    read=Read(name="GetBucketLifecycleConfiguration", params=BUCKET, path="@"),
    delete=(Op(name="DeleteBucketLifecycle", params=BUCKET),),
    put=True,
    under="LifecycleConfiguration",
    own=("timeouts",),
)

LOGGING = _part(
    "Logging",
    "LoggingEnabled",
    under="BucketLoggingStatus.LoggingEnabled",
    # There is no delete call. An empty status switches logging off, else the target fills up again during destroy.
    delete=Op(name="PutBucketLogging", params={"Bucket": "=id", "BucketLoggingStatus": {}}),
)

PUBLIC_ACCESS_BLOCK = Row(
    service="s3",
    create=Op(name="PutPublicAccessBlock"),
    id="=bucket",
    read=Read(name="GetPublicAccessBlock", params=BUCKET, path="PublicAccessBlockConfiguration"),
    delete=(Op(name="DeletePublicAccessBlock", params=BUCKET),),
    put=True,
    under="PublicAccessBlockConfiguration",
    own=("skipDestroy",),
)

OWNERSHIP = _part(
    "OwnershipControls",
    "OwnershipControls",
    rename={"rule": "OwnershipControls.Rules"},
    shows={"rule": "=d.Rules"},
)

OBJECT_LOCK = Row(
    service="s3",
    create=Op(
        name="PutObjectLockConfiguration",
        params={"ObjectLockConfiguration": {"ObjectLockEnabled": "=objectLockEnabled || 'Enabled'"}},
    ),
    id="=bucket",
    read=Read(name="GetObjectLockConfiguration", params=BUCKET, path="ObjectLockConfiguration.Rule && @"),
    # The lock itself cannot be removed, only its default retention.
    delete=(
        Op(
            name="PutObjectLockConfiguration",
            params={"Bucket": "=id", "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}},
        ),
    ),
    put=True,
    under="ObjectLockConfiguration",
    shows={"rule": "=d.ObjectLockConfiguration.Rule"},
)

NOTIFICATION = Row(
    service="s3",
    create=Op(
        name="PutBucketNotificationConfiguration",
        params={
            # Sent even when empty: the call replaces the bucket's whole configuration.
            "NotificationConfiguration": "=eventbridge && {EventBridgeConfiguration: `{}`} || `{}`",
        },
    ),
    id="=bucket",
    # The emulator forgets the EventBridge flag, so there is nothing to tell «gone» by.
    read=None,
    delete=(Op(name="PutBucketNotificationConfiguration", params={"Bucket": "=id", "NotificationConfiguration": {}}),),
    put=True,
    rename={
        "queues": "NotificationConfiguration.QueueConfigurations",
        "topics": "NotificationConfiguration.TopicConfigurations",
        "lambdaFunctions": "NotificationConfiguration.LambdaFunctionConfigurations",
    },
    prepare=handlers.notification_filters,
)

# What is read back lacks the statements that the emulator may not see: the policy as written stays the output.
POLICY = _part(
    "Policy",
    "@",
    prepare=handlers.emulated_bucket_policy,
    keep=("policy",),
    seen=handlers.emulated_bucket_policy,
    shows={"policy": "=d.Policy"},
)

OBJECT = Row(
    service="s3",
    create=Op(name="PutObject"),
    id="{bucket}/{key}",
    read=Read(name="HeadObject", params={"Bucket": "=bucket", "Key": "=key"}, path="@"),
    delete=(),
    put=True,
    rename={"kmsKeyId": "SSEKMSKeyId", "acl": "ACL", "websiteRedirect": "WebsiteRedirectLocation"},
    # source_hash and etag only make a change visible; the content is what is sent.
    own=("forceDestroy", "sourceHash", "etag"),
    prepare=handlers.object_body,
    tagging=Tagging(
        set=Op(
            name="PutObjectTagging", params={"Bucket": "=bucket", "Key": "=key", "Tagging": {"TagSet": "=tags || `[]`"}}
        ),
        read=Read(name="GetObjectTagging", params={"Bucket": "=bucket", "Key": "=key"}, path="TagSet"),
    ),
    out={"arn": "arn:aws:s3:::{bucket}/{key}", "versionId": "=d.VersionId", "etag": "=d.ETag"},
    keep=("etag", "kmsKeyId", "metadata"),
    live=handlers.object_content_now,
    before_delete=handlers.delete_object_versions,
)

ROWS = {
    "aws:s3/bucket:Bucket": BUCKET_ROW,
    "aws:s3/bucketPolicy:BucketPolicy": POLICY,
    "aws:s3/bucketVersioning:BucketVersioning": VERSIONING,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": ENCRYPTION,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": LIFECYCLE,
    "aws:s3/bucketLogging:BucketLogging": LOGGING,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": PUBLIC_ACCESS_BLOCK,
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": OWNERSHIP,
    "aws:s3/bucketNotification:BucketNotification": NOTIFICATION,
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": OBJECT_LOCK,
    "aws:s3/bucketObjectv2:BucketObjectv2": OBJECT,
}
