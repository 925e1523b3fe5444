"""The explicit AWS provider of a stack: no resource may come from a default one."""

import pulumi_aws as aws

from components.aws_location import AwsLocation
from components.ci_stacks import CiNames, CiPurpose
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
    return ci_names_of(settings).boundary_arn if deployed_by_ci(settings) else None


def deploy_role_of(settings: Settings) -> str | None:
    """ARN of the role with which CI deploys the stack; None where it does not."""
    if not deployed_by_ci(settings):
        return None
    return ci_names_of(settings).role_arn(_stack_of(settings), CiPurpose.DEPLOY)


def deployed_by_ci(settings: Settings) -> bool:
    """Whether the stack names itself in `ci.stacks`. Never true of the account stack."""
    return bool(settings.ci and _stack_of(settings) in settings.ci.stacks and not settings.has(Layer.ACCOUNT))


def ci_names_of(settings: Settings) -> CiNames:
    """The names of what belongs to CI, as the account stack computes them."""
    return CiNames(prefix=settings.environment.prefix, project=PROJECT, location=location_of(settings))


def _stack_of(settings: Settings) -> str:
    environment = settings.environment
    return f"{environment.name}-{environment.layers[0]}" if len(environment.layers) == 1 else environment.name
