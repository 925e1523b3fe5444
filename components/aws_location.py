"""Where a component's resources live: account, region, partition. Facts from settings, never looked up."""

import re
from dataclasses import dataclass

from components.invalid_argument import InvalidArgument

ACCOUNT_ID = re.compile(r"\d{12}")
REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d")


@dataclass(frozen=True, kw_only=True)
class AwsLocation:
    account_id: str
    """AWS account that owns the resources, 12 digits."""

    region: str
    """AWS region, for example `eu-west-1`."""

    partition: str = "aws"
    """`aws`, `aws-us-gov` or `aws-cn`. Default: the commercial partition."""

    def __post_init__(self) -> None:
        if not ACCOUNT_ID.fullmatch(self.account_id):
            raise InvalidArgument(f"account_id {self.account_id!r} is not 12 digits, for example '123456789012'")
        if not REGION.fullmatch(self.region):
            raise InvalidArgument(f"region {self.region!r} is not the name of an AWS region, for example 'eu-west-1'")

    @property
    def dns_suffix(self) -> str:
        """Suffix of service host names in this partition."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    @property
    def root_arn(self) -> str:
        """The account itself as a principal: whoever its IAM policies allow."""
        return f"arn:{self.partition}:iam::{self.account_id}:root"

    def arn(self, service: str, resource: str) -> str:
        """ARN of a regional resource of this account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    def bucket_arn(self, bucket_name: str) -> str:
        """ARN of a bucket: it names neither account nor region."""
        return f"arn:{self.partition}:s3:::{bucket_name}"

    def managed_policy_arn(self, name: str) -> str:
        """ARN of a policy that AWS maintains."""
        return f"arn:{self.partition}:iam::aws:policy/{name}"
