"""Grants on a data bucket: exact actions, never beyond the prefix, never on another key."""

import pytest

from components.bucket_access import BucketAccess

BUCKET = "arn:aws:s3:::acme-dev-data"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
ACCESS = BucketAccess(bucket_arn=BUCKET, key_arn=KEY)
LISTING = {
    "Effect": "Allow",
    "Action": "s3:ListBucket",
    "Resource": BUCKET,
    "Condition": {"StringLike": {"s3:prefix": "raw/flights/*"}},
}


def documents(statements):
    return [statement.document() for statement in statements]


def test_reading_lists_and_gets_below_the_prefix_and_decrypts_with_the_one_key():
    assert documents(ACCESS.read("raw/flights/")) == [
        LISTING,
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion"],
            "Resource": f"{BUCKET}/raw/flights/*",
        },
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": KEY},
    ]


def test_writing_neither_reads_nor_lists_nor_deletes():
    objects, key = documents(ACCESS.write("raw/flights/"))
    assert objects["Action"] == [
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
        "s3:PutObjectTagging",
    ]
    assert objects["Resource"] == f"{BUCKET}/raw/flights/*"
    assert key == {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": KEY}


def test_maintaining_deletes_in_a_way_that_can_be_undone():
    listing, objects, _ = documents(ACCESS.maintain("raw/flights/"))
    assert listing == LISTING
    assert "s3:DeleteObject" in objects["Action"]
    assert "s3:DeleteObjectVersion" not in objects["Action"], "a deleted version is gone for good"


@pytest.mark.parametrize("grant", ["read", "write", "maintain"])
def test_no_grant_reaches_the_whole_bucket_or_changes_its_configuration(grant):
    for statement in getattr(ACCESS, grant)("raw/"):
        assert "*" not in statement.resources
        assert f"{BUCKET}/*" not in statement.resources
        assert not [a for a in statement.actions if "Policy" in a or "Encryption" in a or "Acl" in a or "*" in a]


@pytest.mark.parametrize(
    "prefix", ["", "/", "raw", "/raw/", "raw/*", "raw//x/", "*/", "ra?/", "${aws:username}/", "raw/x"]
)
@pytest.mark.parametrize("grant", ["read", "write", "maintain"])
def test_what_is_no_folder_cannot_be_granted(grant, prefix):
    with pytest.raises(ValueError, match="cannot be granted"):
        getattr(ACCESS, grant)(prefix)
