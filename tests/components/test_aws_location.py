"""Where resources live: ARNs per partition, and facts that cannot be true."""

import pytest

from components.aws_location import AwsLocation


def test_arns_name_account_and_region_where_the_service_does():
    location = AwsLocation(account_id="123456789012", region="eu-central-1")
    assert location.arn("kms", "key/1") == "arn:aws:kms:eu-central-1:123456789012:key/1"
    assert location.bucket_arn("data") == "arn:aws:s3:::data"
    assert location.root_arn == "arn:aws:iam::123456789012:root"
    assert location.managed_policy_arn("AmazonEKSClusterPolicy") == "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"


def test_china_has_its_own_partition_and_host_names():
    location = AwsLocation(account_id="123456789012", region="cn-north-1", partition="aws-cn")
    assert location.bucket_arn("data") == "arn:aws-cn:s3:::data"
    assert location.dns_suffix == "amazonaws.com.cn"


@pytest.mark.parametrize("account_id", ["", "12345", "1234567890123", "12345678901x"])
def test_an_account_is_twelve_digits(account_id):
    with pytest.raises(ValueError, match="is not 12 digits"):
        AwsLocation(account_id=account_id, region="eu-central-1")


@pytest.mark.parametrize("region", ["", "eu-central-1a", "frankfurt", "EU-CENTRAL-1"])
def test_a_region_has_the_form_of_one(region):
    with pytest.raises(ValueError, match="is not the name of an AWS region"):
        AwsLocation(account_id="123456789012", region=region)
