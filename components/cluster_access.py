"""Who besides the deployer may use a cluster's API: administrators and viewers, by access entries."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from components.aws_location import AwsLocation
from components.cluster import PRINCIPAL_ARN, Cluster
from components.invalid_argument import InvalidArgument
from components.tagging import child_tags


class AccessLevel(StrEnum):
    """Access policies of EKS: https://docs.aws.amazon.com/eks/latest/userguide/access-policies.html"""

    ADMIN = "AmazonEKSClusterAdminPolicy"
    VIEW = "AmazonEKSViewPolicy"
    """Everything in namespaces but Secrets. (AmazonEKSAdminViewPolicy shows those too.)"""


@dataclass(frozen=True, kw_only=True)
class ClusterAccessArgs:
    location: AwsLocation
    """Account and region of the cluster."""

    cluster: Cluster
    """Cluster that they may use."""

    admin_arns: Sequence[str] = ()
    """IAM roles or users that administer it. Not the deployer: `Cluster` makes its entry. Default: none."""

    viewer_arns: Sequence[str] = ()
    """IAM roles or users that may look at everything but Secrets. Default: none."""


class ClusterAccess(pulumi.ComponentResource):
    """Creates, for each role or user: its access entry, and the association with the access policy of its kind.

    Costs nothing.
    """

    principal_arns: Output[Sequence[str]]

    def __init__(self, name: str, args: ClusterAccessArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:ClusterAccess", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        _check(args)

        entries = [self._create_entry("admin", arn, AccessLevel.ADMIN) for arn in sorted(args.admin_arns)]
        entries += [self._create_entry("viewer", arn, AccessLevel.VIEW) for arn in sorted(args.viewer_arns)]

        self.principal_arns = Output.all(*(entry.principal_arn for entry in entries)).apply(list)
        self.register_outputs({"principalArns": self.principal_arns})

    def _create_entry(self, kind: str, arn: str, level: AccessLevel) -> aws.eks.AccessEntry:
        name = f"{self._name}-{kind}-{_last(arn)}"
        entry = aws.eks.AccessEntry(
            name,
            cluster_name=self._args.cluster.cluster_name,
            principal_arn=arn,
            type="STANDARD",
            tags=child_tags(self._name, name),
            opts=self._child,
        )
        aws.eks.AccessPolicyAssociation(
            f"{name}-policy",
            cluster_name=entry.cluster_name,
            principal_arn=entry.principal_arn,
            policy_arn=f"arn:{self._args.location.partition}:eks::aws:cluster-access-policy/{level}",
            access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
            opts=self._child,
        )
        return entry


def _last(arn: str) -> str:
    """Name of a role or user, without its path."""
    return arn.rsplit("/", 1)[-1]


def _check(args: ClusterAccessArgs) -> None:
    arns = [*args.admin_arns, *args.viewer_arns]
    if not arns:
        raise InvalidArgument(
            "nobody is named: give admin_arns or viewer_arns at least one, or leave the component out"
        )
    for arn in arns:
        if not PRINCIPAL_ARN.fullmatch(arn):
            raise InvalidArgument(
                f"{arn!r} is not the ARN of an IAM role or user: access entries know no sessions, "
                "write for example 'arn:aws:iam::123456789012:role/ml-engineer'"
            )
    for what, names in (("principal", arns), ("name", [_last(arn) for arn in arns])):
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise InvalidArgument(
                f"{what} {twice[0]!r} is given twice: EKS keeps one access entry per principal, and entries are told "
                "apart by the last part of the ARN"
            )
