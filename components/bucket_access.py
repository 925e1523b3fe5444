"""Who may do what below a prefix of a data bucket: the grants that a bucket hands out.

A grant is a list of policy statements. Whoever owns the role puts them into its policy (`identity_policy`), so that one
policy shows everything the role may do. They name bucket, prefix and key; there is no grant on a whole bucket.
"""

import re
from dataclasses import dataclass

from pulumi import Input

from components.iam_policies import Statement
from components.invalid_argument import InvalidArgument

# S3 knows more characters; these need no escaping in a policy, and `*`, `?` and `$` would mean something else there.
PREFIX = re.compile(r"([A-Za-z0-9!_.=@()'-]+/)+")

READ_OBJECTS = ("s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion")
WRITE_OBJECTS = ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectTagging")
# Without DeleteObjectVersion: what is deleted can be brought back until the lifecycle removes it.
DELETE_OBJECTS = ("s3:DeleteObject",)


@dataclass(frozen=True, kw_only=True)
class BucketAccess:
    """Grants on one data bucket. Plain values, so the platform stack can build it from the base stack's outputs."""

    bucket_arn: str
    """ARN of the bucket; it follows from the settings."""

    key_arn: Input[str]
    """ARN of the bucket's key."""

    def read(self, prefix: str) -> list[Statement]:
        """List and read objects below `prefix` (`raw/flights/`), old versions too."""
        return [self._listing(prefix), self._objects(prefix, READ_OBJECTS), self._key("kms:Decrypt")]

    def write(self, prefix: str) -> list[Statement]:
        """Write objects below `prefix`, not read or delete them. Overwriting keeps the old version."""
        # S3 decrypts the parts of a multipart upload: https://repost.aws/knowledge-center/s3-large-file-encryption-kms-key
        return [self._objects(prefix, WRITE_OBJECTS), self._key("kms:Decrypt", "kms:GenerateDataKey")]

    def maintain(self, prefix: str) -> list[Statement]:
        """Read, write and delete objects below `prefix`. A delete can be undone: versions stay."""
        return [
            self._listing(prefix),
            self._objects(prefix, (*READ_OBJECTS, *WRITE_OBJECTS, *DELETE_OBJECTS)),
            self._key("kms:Decrypt", "kms:GenerateDataKey"),
        ]

    def _listing(self, prefix: str) -> Statement:
        # Whoever asks for an object that is not there hears so only with this, judged with its key as the prefix;
        # elsewhere S3 answers 403: https://github.com/ceph/ceph/pull/68577 does as AWS does.
        return Statement(
            actions=["s3:ListBucket"],
            resources=[self.bucket_arn],
            conditions={"StringLike": {"s3:prefix": f"{check_prefix(prefix)}*"}},
        )

    def _objects(self, prefix: str, actions: tuple[str, ...]) -> Statement:
        return Statement(actions=actions, resources=[f"{self.bucket_arn}/{check_prefix(prefix)}*"])

    def _key(self, *actions: str) -> Statement:
        return Statement(actions=actions, resources=[self.key_arn])


def check_prefix(prefix: str) -> str:
    """The prefix itself. Raises ValueError unless it is one or more folder names, each followed by a slash."""
    if not PREFIX.fullmatch(prefix):
        raise InvalidArgument(
            f"prefix {prefix!r} cannot be granted: name one or more folders, each followed by a slash, "
            "for example 'raw/flights/'; wildcards would reach further than they say"
        )
    return prefix
