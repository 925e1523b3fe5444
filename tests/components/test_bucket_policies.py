"""Statements of bucket policies: what they deny, to whom, and what log delivery may do."""

from components.aws_location import AwsLocation
from components.bucket_policies import (
    configured_by_own_account_only,
    encrypted_with,
    receives_access_logs,
    tls_only,
)

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
ARN = "arn:aws:s3:::acme-dev-data"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"


def test_nothing_is_read_or_written_without_tls():
    assert tls_only(ARN).document() == {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Action": "s3:*",
        "Resource": [ARN, f"{ARN}/*"],
        "Principal": {"AWS": "*"},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_no_other_account_changes_policy_acl_or_encryption():
    statement = configured_by_own_account_only(ARN, LOCATION).document()
    assert statement["Effect"] == "Deny"
    assert statement["Action"] == [
        "s3:DeleteBucketPolicy",
        "s3:PutBucketAcl",
        "s3:PutBucketPolicy",
        "s3:PutEncryptionConfiguration",
        "s3:PutObjectAcl",
    ]
    assert statement["Condition"] == {"StringNotEquals": {"aws:PrincipalAccount": "123456789012"}}


def test_objects_are_encrypted_with_the_buckets_key_or_not_written():
    kms, own_key, customer_key = [statement.document() for statement in encrypted_with(ARN, KEY)]
    header = "s3:x-amz-server-side-encryption"
    assert kms["Condition"] == {"StringNotEqualsIfExists": {header: "aws:kms"}}, "no header means the bucket's default"
    assert own_key["Condition"] == {"StringNotEqualsIfExists": {f"{header}-aws-kms-key-id": KEY}}
    assert customer_key["Condition"] == {"Null": {f"{header}-customer-algorithm": "false"}}
    assert {statement["Effect"] for statement in (kms, own_key, customer_key)} == {"Deny"}
    assert {statement["Action"] for statement in (kms, own_key, customer_key)} == {"s3:PutObject"}


def test_log_delivery_writes_for_the_named_buckets_of_this_account_alone():
    sources = ["arn:aws:s3:::b", "arn:aws:s3:::a"]
    assert receives_access_logs(ARN, sources, LOCATION).document() == {
        "Sid": "ReceiveAccessLogs",
        "Effect": "Allow",
        "Action": "s3:PutObject",
        "Resource": f"{ARN}/*",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Condition": {
            "ArnLike": {"aws:SourceArn": ["arn:aws:s3:::a", "arn:aws:s3:::b"]},
            "StringEquals": {"aws:SourceAccount": "123456789012"},
        },
    }
