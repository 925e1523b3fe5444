"""Who may pull images through the registry's caches: the nodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.iam_policies import identity_policy
from components.image_caches import importing_images, repositories_of
from components.invalid_argument import InvalidArgument


@dataclass(frozen=True, kw_only=True)
class ImageCacheAccessArgs:
    location: AwsLocation
    """Account and region of the registry."""

    stem: str
    """Stem of fixed names, as the `ContainerRegistry` has it."""

    caches: Sequence[str]
    """Names of its caches, at least one: the keys of its `upstreams`."""

    role_arns: Mapping[str, Input[str]]
    """ARNs of the roles of nodes, by a name for each, at least one. They have AmazonEC2ContainerRegistryPullOnly."""


class ImageCacheAccess(pulumi.ComponentResource):
    """Creates, for each role: a policy that lets it have the repositories of cached images made, below the caches'
    prefixes alone; fetching them is part of what nodes may do anyway. Costs nothing by itself.
    """

    repositories: Sequence[str]
    """ARN patterns of the repositories that pulls may make."""

    def __init__(self, name: str, args: ImageCacheAccessArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:ImageCacheAccess", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        _check(args)

        for noun, role_arn in sorted(args.role_arns.items()):
            self._let_import(noun, role_arn)

        self.repositories = repositories_of(args.location, args.stem, args.caches)
        self.register_outputs({"repositories": self.repositories})

    def _let_import(self, noun: str, role_arn: Input[str]) -> None:
        args = self._args
        aws.iam.RolePolicy(
            f"{self._name}-{noun}",
            role=Output.from_input(role_arn).apply(lambda arn: arn.rsplit("/", 1)[1]),
            policy=identity_policy(importing_images(args.location, args.stem, args.caches)),
            opts=self._child,
        )


def _check(args: ImageCacheAccessArgs) -> None:
    if not args.caches or not args.role_arns:
        raise InvalidArgument(
            "access to caches needs at least one cache and one role of nodes, for example caches=['quay'] and "
            "role_arns={'system-nodes': nodes.role_arn}"
        )
