"""The explicit AWS provider of a stack: no resource may come from a default one."""

import pulumi_aws as aws

from components.aws_location import AwsLocation
from components.ci_stacks import CiNames
from stacks.settings import PROJECT, Layer, Settings


def aws_provider(settings: Settings, region: str = "") -> aws.Provider:
    """Refuses every account but the stack's own, and tags everything it makes. `region`: another than the stack's."""
    environment = settings.environment
    return aws.Provider(
        f"aws-{region}" if region else "aws",
        region=region or environment.region,
        allowed_account_ids=[environment.account_id],
        default_tags=aws.ProviderDefaultTagsArgs(tags=settings.default_tags),
    )


def location_of(settings: Settings, region: str = "") -> AwsLocation:
    """Where resources are made: in the stack's region, or in another one of its account."""
    environment = settings.environment
    return AwsLocation(
        account_id=environment.account_id, region=region or environment.region, partition=settings.partition
    )


def stem_of(settings: Settings) -> str:
    """Stem of fixed names, `<prefix>-<environment>`."""
    return f"{settings.environment.prefix}-{settings.environment.name}"


def role_boundary_of(settings: Settings) -> str | None:
    """ARN of CI's boundary where CI deploys the stack: it may create no role without (docs/components/ci_access.md).

    A stack says so by naming itself in `ci.stacks`. None elsewhere.
    """
    environment, ci = settings.environment, settings.ci
    own = f"{environment.name}-{environment.layers[0]}" if len(environment.layers) == 1 else environment.name
    if ci is None or own not in ci.stacks or settings.has(Layer.ACCOUNT):
        return None
    return CiNames(prefix=environment.prefix, project=PROJECT, location=location_of(settings)).boundary_arn
