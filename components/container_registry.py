"""Image repositories of an environment, and caches of public ones."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components import image_caches
from components.aws_location import AwsLocation
from components.encryption_keys import encryption_key, key_policy
from components.iam_policies import identity_policy
from components.invalid_argument import InvalidArgument
from components.retention import PROTECTED, Retention
from components.role_names import KEEPS_ITS_NAME, role_name
from components.tagging import child_tags

# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
REPOSITORY_NAME = re.compile(r"[a-z0-9]+([._/-][a-z0-9]+)*")
LONGEST_REPOSITORY_NAME = 256
ROLE_SESSION_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class ContainerRegistryArgs:
    location: AwsLocation
    """Account and region of the registry."""

    stem: str
    """Stem of fixed names, `<prefix>-<environment>`: a repository is called `<stem>/<name>`."""

    repositories: Sequence[str]
    """Names of the repositories, one for each image that is built, at least one: `training`, `tracking-server`."""

    untagged_days: int = 14
    """Days that an image which no tag names any longer is kept. Default: 14."""

    keep_images: int | None = None
    """Images kept in each repository, the newest; older ones expire, tagged or not. What a model in production was
    trained or is served with must be among them. Default: every tagged image.
    """

    upstreams: Mapping[str, str] = field(default_factory=dict[str, str])
    """Public registries to pull through: the host of each by a short name, `{"quay": …}`. Only such as ask for no
    credentials: Amazon ECR Public, the Kubernetes project's, Quay. Default: none.
    """

    cached_images: int = 50
    """Images kept in each cached repository; older ones are fetched again when somebody pulls them. Default: 50."""

    cached_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tags of the repositories that a cache makes, which the provider's default tags do not reach. Default: only the
    component's own.
    """

    permissions_boundary: Input[str] | None = None
    """ARN of the policy that bounds the role with which ECR makes cached repositories. Default: unbounded."""

    retention: Retention = PROTECTED
    """What a destroy does to the images and their key. Default: protected."""


class ContainerRegistry(pulumi.ComponentResource):
    """Creates, always:

    - a rotating KMS key for all images (**1 $ a month**);
    - for each name a repository with immutable tags, a scan on push and that key, never emptied by a destroy;
    - for each repository its lifecycle policy.

    With `upstreams`: for each a pull-through cache, the template of the repositories that it makes (immutable tags,
    that key, a lifecycle policy, tags), and one role with which ECR makes them.

    Tagged images expire by their number alone, and only with `keep_images`: a promoted model was trained with one of
    them. Cached ones do too: their registry has them. Storage costs 0.10 $ per GB and month.
    """

    repository_urls: dict[str, Output[str]]
    """Where to push and pull, by the names given: `<account>.dkr.ecr.<region>.amazonaws.com/<stem>/<name>`."""
    repository_arns: dict[str, Output[str]]
    """By the names given."""
    cache_urls: dict[str, Output[str]]
    """What replaces the host in an image's name, by upstream: the registry's own host and `/<stem>/<name>`."""
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
        role = self._create_cache_role(key) if args.upstreams else None
        caches = {cache: self._create_cache(cache, host, key, role) for cache, host in sorted(args.upstreams.items())}

        self.repository_urls = {noun: repository.repository_url for noun, repository in repositories.items()}
        self.repository_arns = {noun: repository.arn for noun, repository in repositories.items()}
        self.cache_urls = {cache: self._cache_url(rule) for cache, rule in caches.items()}
        self.key_arn = key.arn
        self.register_outputs(
            {
                "repositoryUrls": self.repository_urls,
                "repositoryArns": self.repository_arns,
                "cacheUrls": self.cache_urls,
                "keyArn": self.key_arn,
            }
        )

    def _tags(self, child: str) -> dict[str, str]:
        return child_tags(self._name, child) | self._args.retention.tags()

    def _cache_url(self, rule: aws.ecr.PullThroughCacheRule) -> Output[str]:
        location = self._args.location
        return Output.format(
            "{0}.dkr.ecr.{1}.{2}/{3}",
            rule.registry_id,
            location.region,
            location.dns_suffix,
            rule.ecr_repository_prefix,
        )

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
            policy=lifecycle_policy(self._args.untagged_days, self._args.keep_images),
            # Another text is another policy, and a repository has one: whoever deletes the old one last deletes both.
            opts=ResourceOptions.merge(self._child, ResourceOptions(delete_before_replace=True)),
        )

    def _create_cache_role(self, key: aws.kms.Key) -> aws.iam.Role:
        name, args = f"{self._name}-caches-role", self._args
        role = aws.iam.Role(
            name,
            name=role_name(args.stem, name),
            description=f"ECR makes the cached repositories of {args.stem}",
            assume_role_policy=image_caches.template_trust(),
            max_session_duration=ROLE_SESSION_SECONDS,
            permissions_boundary=args.permissions_boundary,
            tags=child_tags(self._name, name),
            opts=ResourceOptions.merge(self._child, KEEPS_ITS_NAME),
        )
        repositories = image_caches.repositories_of(args.location, args.stem, sorted(args.upstreams))
        aws.iam.RolePolicy(
            f"{name}-policy",
            role=role.id,
            policy=identity_policy(image_caches.making_repositories(repositories, key.arn)),
            opts=self._child,
        )
        return role

    def _create_cache(
        self, cache: str, host: str, key: aws.kms.Key, role: aws.iam.Role | None
    ) -> aws.ecr.PullThroughCacheRule:
        name, args = f"{self._name}-{cache}-cache", self._args
        template = aws.ecr.RepositoryCreationTemplate(
            f"{name}-template",
            prefix=image_caches.cache_prefix(args.stem, cache),
            description=f"Cached repositories of {args.stem}: {cache}",
            applied_fors=["PULL_THROUGH_CACHE"],
            # A tag that its registry moves goes on naming what was fetched first.
            image_tag_mutability="IMMUTABLE",
            encryption_configurations=[
                aws.ecr.RepositoryCreationTemplateEncryptionConfigurationArgs(encryption_type="KMS", kms_key=key.arn)
            ],
            lifecycle_policy=image_caches.cached_lifecycle(args.untagged_days, args.cached_images),
            resource_tags=dict(args.cached_tags) | child_tags(self._name, name),
            # With a key or tags AWS asks for a role: its own makes plain repositories only.
            custom_role_arn=role and role.arn,
            opts=self._child,
        )
        return aws.ecr.PullThroughCacheRule(
            name,
            ecr_repository_prefix=template.prefix,
            upstream_registry_url=host,
            opts=self._child,
        )


def lifecycle_policy(untagged_days: int, keep_images: int | None = None) -> str:
    """Images that no tag names expire after `untagged_days`, the oldest beyond `keep_images`. Raises ValueError below
    one of either."""
    if keep_images is not None:
        return image_caches.cached_lifecycle(untagged_days, keep_images)
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
