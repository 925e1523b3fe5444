"""Statements of bucket policies. All of them deny, but for the delivery of access logs and inventories."""

from collections.abc import Sequence

from pulumi import Input

from components.aws_location import AwsLocation
from components.iam_policies import ANYONE, Conditions, Effect, Statement

LOG_DELIVERY_SERVICE = "logging.s3.amazonaws.com"
INVENTORY_SERVICE = "s3.amazonaws.com"
INVENTORY_PREFIX = "inventory"

# FSBP S3.6: https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html#s3-6
CONFIGURATION_ACTIONS = (
    "s3:DeleteBucketPolicy",
    "s3:PutBucketAcl",
    "s3:PutBucketPolicy",
    "s3:PutEncryptionConfiguration",
    "s3:PutObjectAcl",
)


def tls_only(bucket_arn: str) -> Statement:
    """No request without TLS (FSBP S3.5)."""
    return Statement(
        sid="TlsOnly",
        effect=Effect.DENY,
        actions=["s3:*"],
        resources=[bucket_arn, f"{bucket_arn}/*"],
        principals=ANYONE,
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )


def configured_by_own_account_only(bucket_arn: str, location: AwsLocation) -> Statement:
    """No other account changes policy, ACL or encryption, whatever a later statement allows (FSBP S3.6)."""
    return Statement(
        sid="OwnAccountConfigures",
        effect=Effect.DENY,
        actions=CONFIGURATION_ACTIONS,
        resources=[bucket_arn, f"{bucket_arn}/*"],
        principals=ANYONE,
        conditions={"StringNotEquals": {"aws:PrincipalAccount": location.account_id}},
    )


def encrypted_with(bucket_arn: str, key_arn: Input[str]) -> list[Statement]:
    """Objects are encrypted with this key. A request that says nothing is fine: the bucket's default applies.

    A comparison that something is not equal also holds for what is not there, with `IfExists` too: hence `Null`.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """
    header = "s3:x-amz-server-side-encryption"

    def deny(sid: str, conditions: Conditions) -> Statement:
        return Statement(
            sid=sid,
            effect=Effect.DENY,
            actions=["s3:PutObject"],
            resources=[f"{bucket_arn}/*"],
            principals=ANYONE,
            conditions=conditions,
        )

    def other_than(key: str, value: Input[str]) -> Conditions:
        return {"StringNotEquals": {key: value}, "Null": {key: "false"}}

    return [
        deny("KmsOnly", other_than(header, "aws:kms")),
        deny("OwnKeyOnly", other_than(f"{header}-aws-kms-key-id", key_arn)),
        # A key that the caller keeps is how extortion by encryption works.
        deny("NoCustomerKey", {"Null": {f"{header}-customer-algorithm": "false"}}),
    ]


def receives_access_logs(bucket_arn: str, source_arns: Sequence[str], location: AwsLocation) -> Statement:
    """S3 delivers the access logs of `source_arns`, buckets of this account, and of no others.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
    """
    return Statement(
        sid="ReceiveAccessLogs",
        actions=["s3:PutObject"],
        resources=[f"{bucket_arn}/*"],
        principals={"Service": [LOG_DELIVERY_SERVICE]},
        conditions={
            "ArnLike": {"aws:SourceArn": sorted(source_arns)},
            "StringEquals": {"aws:SourceAccount": location.account_id},
        },
    )


def receives_inventories(bucket_arn: str, source_arns: Sequence[str], location: AwsLocation) -> Statement:
    """S3 delivers the inventories of `source_arns`, buckets of this account, below `inventory/`, and of no others.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html
    """
    return Statement(
        sid="ReceiveInventories",
        actions=["s3:PutObject"],
        resources=[f"{bucket_arn}/{INVENTORY_PREFIX}/*"],
        principals={"Service": [INVENTORY_SERVICE]},
        conditions={
            "ArnLike": {"aws:SourceArn": sorted(source_arns)},
            "StringEquals": {
                "aws:SourceAccount": location.account_id,
                "s3:x-amz-acl": "bucket-owner-full-control",
            },
        },
    )
