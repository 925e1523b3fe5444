"""The explicit AWS provider of a stack: no resource may come from a default one."""

import pulumi_aws as aws

from components.aws_location import AwsLocation
from stacks.settings import Settings


def aws_provider(settings: Settings) -> aws.Provider:
    """Refuses every account but the stack's own, and tags everything it makes."""
    environment = settings.environment
    return aws.Provider(
        "aws",
        region=environment.region,
        allowed_account_ids=[environment.account_id],
        default_tags=aws.ProviderDefaultTagsArgs(tags=settings.default_tags),
    )


def location_of(settings: Settings) -> AwsLocation:
    environment = settings.environment
    return AwsLocation(account_id=environment.account_id, region=environment.region, partition=settings.partition)


def stem_of(settings: Settings) -> str:
    """Stem of fixed names, `<prefix>-<environment>`."""
    return f"{settings.environment.prefix}-{settings.environment.name}"
