"""Image repositories of an environment."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from components.aws_location import AwsLocation
from components.encryption_keys import encryption_key, key_policy
from components.invalid_argument import InvalidArgument
from components.retention import PROTECTED, Retention
from components.tagging import child_tags

# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
REPOSITORY_NAME = re.compile(r"[a-z0-9]+([._/-][a-z0-9]+)*")
LONGEST_REPOSITORY_NAME = 256


@dataclass(frozen=True, kw_only=True)
class ContainerRegistryArgs:
    location: AwsLocation
    """Account and region of the registry."""

    stem: str
    """Stem of fixed names, `<prefix>-<environment>`: a repository is called `<stem>/<name>`."""

    repositories: Sequence[str]
    """Names of the repositories, one for each image that is built, at least one: `training`, `tracking-server`."""

    untagged_days: int = 14
    """Days that an image which no tag names any longer is kept. Tagged images never expire. Default: 14."""

    retention: Retention = PROTECTED
    """What a destroy does to the images and their key. Default: protected."""


class ContainerRegistry(pulumi.ComponentResource):
    """Creates, always:

    - a rotating KMS key for all images (**1 $ a month**);
    - for each name a repository with immutable tags, a scan on push and that key, never emptied by a destroy;
    - for each repository its lifecycle policy.

    Tagged images do not expire: the image that a promoted model was trained or is served with may be any of them.
    Storage costs 0.10 $ per GB and month.
    """

    repository_urls: dict[str, Output[str]]
    """Where to push and pull, by the names given: `<account>.dkr.ecr.<region>.amazonaws.com/<stem>/<name>`."""
    repository_arns: dict[str, Output[str]]
    """By the names given."""
    key_arn: Output[str]

    def __init__(self, name: str, args: ContainerRegistryArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:ContainerRegistry", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        # Images of models in production cannot be rebuilt bit for bit; the key is what reads them.
        self._kept = args.retention.options(self)
        _check_repositories(args.repositories)

        key = self._create_key()
        repositories = {noun: self._create_repository(noun, key) for noun in args.repositories}
        for noun, repository in repositories.items():
            self._create_lifecycle(noun, repository)
        # Pull-through cache rules for upstreams without credentials join here.

        self.repository_urls = {noun: repository.repository_url for noun, repository in repositories.items()}
        self.repository_arns = {noun: repository.arn for noun, repository in repositories.items()}
        self.key_arn = key.arn
        self.register_outputs(
            {"repositoryUrls": self.repository_urls, "repositoryArns": self.repository_arns, "keyArn": self.key_arn}
        )

    def _tags(self, child: str) -> dict[str, str]:
        return child_tags(self._name, child) | self._args.retention.tags()

    def _create_key(self) -> aws.kms.Key:
        name = f"{self._name}-key"
        return encryption_key(
            name,
            description=f"Images of {self._args.stem}",
            # ECR works with grants that it makes on the key: the account's statement is all it needs.
            policy=key_policy(self._args.location),
            tags=self._tags(name),
            opts=self._kept,
        )

    def _create_repository(self, noun: str, key: aws.kms.Key) -> aws.ecr.Repository:
        name = f"{self._name}-{noun}"
        return aws.ecr.Repository(
            name,
            name=_repository_name(self._args.stem, noun),
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=key.arn)
            ],
            force_delete=False,
            tags=self._tags(name),
            opts=self._kept,
        )

    def _create_lifecycle(self, noun: str, repository: aws.ecr.Repository) -> None:
        aws.ecr.LifecyclePolicy(
            f"{self._name}-{noun}-lifecycle",
            repository=repository.name,
            policy=lifecycle_policy(self._args.untagged_days),
            opts=self._child,
        )


def lifecycle_policy(untagged_days: int) -> str:
    """Images that no tag names expire after `untagged_days`. Raises ValueError below one day."""
    if untagged_days < 1:
        raise InvalidArgument(
            f"untagged images cannot expire after {untagged_days} days: ECR knows 1 day and more, for example 14"
        )
    rule = {
        "rulePriority": 1,
        "description": f"Untagged images expire after {untagged_days} days",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": untagged_days,
        },
        "action": {"type": "expire"},
    }
    return json.dumps({"rules": [rule]}, sort_keys=True)


def _repository_name(stem: str, noun: str) -> str:
    name = f"{stem}/{noun}"
    if not REPOSITORY_NAME.fullmatch(name) or len(name) > LONGEST_REPOSITORY_NAME:
        raise InvalidArgument(
            f"repository name {name!r} is not possible: lower-case letters and digits, joined by single . _ - or /, "
            f"at most {LONGEST_REPOSITORY_NAME} characters, for example 'acme-dev/training'"
        )
    return name


def _check_repositories(names: Sequence[str]) -> None:
    if not names:
        raise InvalidArgument("a container registry needs at least one repository, for example 'training'")
    if len(set(names)) != len(names):
        raise InvalidArgument(f"a repository is named twice: {', '.join(names)}")
