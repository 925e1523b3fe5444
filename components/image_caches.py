"""Pull-through caches of a registry: their names, and what ECR and those who pull need for them.

The first pull of an image through a cache makes ECR fetch it from its public registry into a repository of the account;
later pulls come from there. Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html
"""

import json
import re
from collections.abc import Mapping, Sequence

from pulumi import Input, Output

from components.aws_location import AwsLocation
from components.iam_policies import Statement, render
from components.invalid_argument import InvalidArgument

# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreatePullThroughCacheRule.html
CACHE_PREFIX = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
LONGEST_CACHE_PREFIX = 30
ECR_SERVICE = "ecr.amazonaws.com"


def cache_prefix(stem: str, cache: str) -> str:
    """What names of cached repositories begin with, `<stem>/<cache>`. Raises ValueError for what ECR refuses."""
    prefix = f"{stem}/{cache}"
    if not CACHE_PREFIX.fullmatch(prefix) or len(prefix) > LONGEST_CACHE_PREFIX:
        raise InvalidArgument(
            f"prefix {prefix!r} of a cache is not possible: ECR knows lower-case letters and digits, joined by single "
            f". _ - or /, at most {LONGEST_CACHE_PREFIX} characters and not {len(prefix)}, for example 'acme-dev/quay'"
        )
    return prefix


def repositories_of(location: AwsLocation, stem: str, caches: Sequence[str]) -> list[str]:
    """ARN patterns of all repositories that these caches make."""
    return [location.arn("ecr", f"repository/{cache_prefix(stem, cache)}/*") for cache in sorted(caches)]


def template_trust() -> Output[str]:
    """Lets ECR take on the role that makes cached repositories.

    AWS documents no source account or ARN for it; a template takes only a role of its own account.
    Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates-create-iam.html
    """
    return render([Statement(actions=["sts:AssumeRole"], principals={"Service": [ECR_SERVICE]})])


def making_repositories(repositories: Sequence[str], key_arn: Input[str]) -> list[Statement]:
    """What that role may do: make and tag these repositories, encrypted with this key.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates-custom.html
    """
    return [
        Statement(sid="Repositories", actions=["ecr:CreateRepository", "ecr:TagResource"], resources=repositories),
        # ECR works with grants on the key.
        Statement(sid="Key", actions=["kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"], resources=[key_arn]),
    ]


def importing_images(location: AwsLocation, stem: str, caches: Sequence[str]) -> list[Statement]:
    """What whoever pulls first needs besides AmazonEC2ContainerRegistryPullOnly: to have the image's repository made.

    To have an image fetched (`ecr:BatchImportUpstreamImage`) is part of that policy.
    Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
    """
    return [
        Statement(
            sid="MakeCachedRepositories",
            actions=["ecr:CreateRepository"],
            resources=repositories_of(location, stem, caches),
        )
    ]


def cached_lifecycle(untagged_days: int, images: int) -> str:
    """Images that no tag names expire by age, the oldest others by number. Raises ValueError below one of either."""
    if untagged_days < 1 or images < 1:
        raise InvalidArgument(
            f"a repository cannot keep {images} images, or untagged ones for {untagged_days} days: ECR knows 1 and "
            "more, for example 50 and 14"
        )
    rules = [
        _rule(
            1,
            "Untagged",
            {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days"},
            untagged_days,
        ),
        # ECR wants the rule for any image to come last.
        _rule(2, "Oldest", {"tagStatus": "any", "countType": "imageCountMoreThan"}, images),
    ]
    return json.dumps({"rules": rules}, sort_keys=True)


def _rule(priority: int, what: str, selection: Mapping[str, str], number: int) -> dict[str, object]:
    return {
        "rulePriority": priority,
        "description": f"{what} images expire beyond {number}",
        "selection": {**selection, "countNumber": number},
        "action": {"type": "expire"},
    }
