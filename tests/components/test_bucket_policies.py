"""Statements of bucket policies: what they deny, to whom, and what log delivery may do."""

import pytest

from components.aws_location import AwsLocation
from components.bucket_policies import (
    configured_by_own_account_only,
    encrypted_with,
    receives_access_logs,
    tls_only,
)
from tests.tools.policies import account, allow, parsed, role
from tools.policy_evaluator import decide

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
    documents = [statement.document() for statement in encrypted_with(ARN, KEY)]
    assert {statement["Effect"] for statement in documents} == {"Deny"}
    assert {statement["Action"] for statement in documents} == {"s3:PutObject"}


HEADER = "s3:x-amz-server-side-encryption"


@pytest.mark.parametrize(
    ("headers", "written"),
    [
        ({}, True),
        ({HEADER: "aws:kms", f"{HEADER}-aws-kms-key-id": KEY}, True),
        ({HEADER: "aws:kms"}, True),
        ({HEADER: "AES256"}, False),
        ({HEADER: "aws:kms", f"{HEADER}-aws-kms-key-id": KEY.replace("/1", "/2")}, False),
        ({f"{HEADER}-customer-algorithm": "AES256"}, False),
    ],
    ids=["nothing said: the default", "its key", "the default key", "SSE-S3", "another key", "the caller's own key"],
)
def test_an_upload_that_says_nothing_passes_and_one_that_says_otherwise_does_not(headers, written):  # control 5
    policy = parsed(*(statement.document() for statement in encrypted_with(ARN, KEY)))
    writer = role("writer", allow("s3:PutObject", on=f"{ARN}/*"))
    known = account(writer, policies={ARN: policy})
    assert decide(known, writer, "s3:PutObject", f"{ARN}/a", headers).allowed is written


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
