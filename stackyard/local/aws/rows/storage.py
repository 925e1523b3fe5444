"""S3: buckets, their parts, and objects. Bucket parts have the bucket's name as id."""

from typing import Any

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


def _without_selection(inputs: dict[str, Any]) -> dict[str, Any]:
    """The emulator drops which objects are chosen by their encryption."""
    rules = [{key: part for key, part in rule.items() if key != "sourceSelectionCriteria"} for rule in inputs["rules"]]
    return {**inputs, "rules": rules}


REPLICATION = Row(
    service="s3",
    create=Op(name="PutBucketReplication"),
    id="=bucket",
    read=Read(name="GetBucketReplication", params=BUCKET, path="ReplicationConfiguration"),
    delete=(Op(name="DeleteBucketReplication", params=BUCKET),),
    put=True,
    under="ReplicationConfiguration",
    seen=_without_selection,
    rename={
        "rules.id": "ID",
        "rules.destination.encryptionConfiguration.replicaKmsKeyId": "ReplicaKmsKeyID",
    },
)

_INVENTORY: dict[str, Any] = {
    "Id": "=name",
    "Destination": {
        "S3BucketDestination": {
            "AccountId": "=destination.bucket.accountId",
            "Bucket": "=destination.bucket.bucketArn",
            "Format": "=destination.bucket.format",
            "Prefix": "=destination.bucket.prefix",
        }
    },
}
_INVENTORY_OFF = {
    "IsEnabled": False,
    "IncludedObjectVersions": "=includedObjectVersions",
    "Schedule": {"Frequency": "=schedule.frequency"},
}


def _inventory(more: dict[str, Any]) -> Op:
    params = {"Bucket": "=bucket", "Id": "=name", "InventoryConfiguration": _INVENTORY | more}
    return Op(name="PutBucketInventoryConfiguration", params=params)


INVENTORY = Row(
    service="s3",
    create=_inventory({"IsEnabled": "=not_null(enabled, `true`)"}),
    id="{bucket}:{name}",
    read=Read(
        name="GetBucketInventoryConfiguration",
        params={"Bucket": "=bucket", "Id": "=name"},
        # One that is off is one that is gone: see `delete`.
        path="[InventoryConfiguration][?IsEnabled] | [0]",
    ),
    # Never DeleteBucketInventoryConfiguration: the emulator takes it for DeleteBucket.
    delete=(_inventory(_INVENTORY_OFF),),
    put=True,
    under="InventoryConfiguration",
    shows={
        "destination": (
            "=d.Destination.S3BucketDestination."
            "{bucket: {accountId: AccountId, bucketArn: Bucket, format: Format, prefix: Prefix}}"
        )
    },
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
    # The EventBridge flag is an empty object, as if there were nothing: no way to tell «gone» by it.
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
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": REPLICATION,
    "aws:s3/inventory:Inventory": INVENTORY,
}
