"""The Kubernetes cluster of an environment, and the one provider through which everything in it is made."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pulumi import Input, Output, ResourceOptions

from components.address_plan import PRIVATE_RANGES
from components.aws_location import AwsLocation
from components.encryption_keys import encryption_key, key_policy, used_by_log_group
from components.iam_policies import service_trust_policy
from components.invalid_argument import InvalidArgument
from components.kubeconfig import kubeconfig
from components.log_groups import check_retention_days
from components.role_names import KEEPS_ITS_NAME, role_name
from components.tagging import child_tags

# https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
CLUSTER_NAME = re.compile(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}")
PRINCIPAL_ARN = re.compile(r"arn:[a-z-]+:iam::\d{12}:(role|user)/.+")
CLUSTER_SERVICE = "eks.amazonaws.com"
# https://docs.aws.amazon.com/eks/latest/userguide/cluster-iam-role.html
CLUSTER_POLICY = "AmazonEKSClusterPolicy"
# https://docs.aws.amazon.com/eks/latest/userguide/access-policies.html: an access policy, which is none of IAM's.
CLUSTER_ADMIN_ACCESS = "cluster-access-policy/AmazonEKSClusterAdminPolicy"
ROLE_SESSION_SECONDS = 3600
WIDEST_PUBLIC_PREFIX = 8
FEWEST_SUBNETS = 2
HTTPS = 443


class ControlPlaneLog(StrEnum):
    API = "api"
    AUDIT = "audit"
    AUTHENTICATOR = "authenticator"
    CONTROLLER_MANAGER = "controllerManager"
    SCHEDULER = "scheduler"


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    location: AwsLocation
    """Account and region of the cluster."""

    cluster_name: str
    """Physical name, `<prefix>-<environment>`. Changing it makes another cluster."""

    kubernetes_version: str
    """Minor version, for example `1.35`; the table in stacks/versions.py says which exist."""

    subnet_ids: Input[Sequence[str]]
    """Private subnets in two zones or more: those of `Network`."""

    deployer_arn: str
    """ARN of the IAM role or user that applies the stack. It administers the cluster; its mere creator does not."""

    ci_role_arn: str | None = None
    """ARN of CI's deploy role, where CI applies the stack too: it administers the cluster as the deployer does.
    Default: CI does not."""

    admitted_groups: Mapping[str, Input[str]] = field(default_factory=dict[str, Input[str]])
    """Security groups whose members reach the API endpoint inside the VPC, by what they are, for example `runner`.
    Nodes do anyway. Default: none."""

    public_access_cidrs: Sequence[str] = ()
    """IPv4 blocks that reach the API endpoint from outside the VPC. Default: none, the endpoint is private alone."""

    log_types: Sequence[ControlPlaneLog] = tuple(ControlPlaneLog)
    """Control-plane logs that are kept. Default: all five."""

    log_retention_days: int = 365
    """Days that they are kept; one of those that CloudWatch Logs knows. Default: a year."""

    deletion_protection: bool = True
    """Whether AWS and Pulumi both refuse to delete the cluster, and Pulumi to replace it. Default: yes."""

    permissions_boundary: Input[str] | None = None
    """ARN of the policy that bounds the cluster's role. Default: unbounded."""


class Cluster(pulumi.ComponentResource):
    """Creates, always:

    - an EKS cluster (**73 $ a month**, six times that after standard support): secrets encrypted with a key of its own,
      API authentication only, endpoint inside the VPC and for `public_access_cidrs`;
    - the log group of its control plane, encrypted with the same key, before EKS can make one without retention;
    - its role; the deployer's access entry as administrator, and CI's where CI deploys;
    - for each admitted security group the rule that lets it reach the API endpoint inside the VPC;
    - the Kubernetes provider for everything in the cluster.

    Without nodes nothing runs on it yet.
    """

    cluster_name: Output[str]
    cluster_arn: Output[str]
    endpoint: Output[str]
    security_group_id: Output[str]
    """The group that EKS makes for control plane and nodes."""
    kubeconfig: Output[str]
    """For `kubectl`; holds no credential."""
    kubernetes: k8s.Provider
    """Hand it to what lives in the cluster, by `opts.providers`. It is there once the deployer has access."""

    def __init__(self, name: str, args: ClusterArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:Cluster", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        # A replaced cluster takes everything in it along before the engine reaches a refusal further on.
        self._guarded = ResourceOptions(parent=self, protect=True if args.deletion_protection else None)
        _check(args)

        key = self._create_key()
        log_group = self._create_log_group(key)
        role, attachment = self._create_role()
        cluster = self._create_cluster(role, key, after=[attachment, log_group])
        access = self._give_access(cluster)
        self.cluster_name = cluster.name
        self.cluster_arn = cluster.arn
        self.endpoint = cluster.endpoint
        self.security_group_id = cluster.vpc_config.apply(lambda config: config.cluster_security_group_id or "")
        self.kubeconfig = self._kubeconfig(cluster)
        # Without both the deployer is refused or does not get through, on the way up and on the way down.
        self.kubernetes = self._create_provider(cluster, after=[*access, *self._admit_groups()])
        self.register_outputs(
            {
                "clusterName": self.cluster_name,
                "clusterArn": self.cluster_arn,
                "endpoint": self.endpoint,
                "securityGroupId": self.security_group_id,
                "kubeconfig": self.kubeconfig,
            }
        )

    def _tags(self, child: str) -> dict[str, str]:
        return child_tags(self._name, child)

    @property
    def _log_group_name(self) -> str:
        # https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html: EKS writes to no other group.
        return f"/aws/eks/{self._args.cluster_name}/cluster"

    def _create_key(self) -> aws.kms.Key:
        name, location = f"{self._name}-key", self._args.location
        return encryption_key(
            name,
            description=f"Kubernetes secrets and control-plane logs of {self._args.cluster_name}",
            # EKS works with a grant that it makes on the key, so secrets need no statement.
            policy=key_policy(location, [used_by_log_group(location, self._log_group_name)]),
            tags=self._tags(name),
            # Without its key a cluster cannot read its secrets and cannot be repaired.
            opts=self._guarded,
        )

    def _create_log_group(self, key: aws.kms.Key) -> aws.cloudwatch.LogGroup:
        name = f"{self._name}-log-group"
        return aws.cloudwatch.LogGroup(
            name,
            name=self._log_group_name,
            kms_key_id=key.arn,
            retention_in_days=self._args.log_retention_days,
            tags=self._tags(name),
            opts=self._child,
        )

    def _create_role(self) -> tuple[aws.iam.Role, aws.iam.RolePolicyAttachment]:
        name, location = f"{self._name}-role", self._args.location
        cluster_arn = location.arn("eks", f"cluster/{self._args.cluster_name}")
        role = aws.iam.Role(
            name,
            name=role_name(self._args.cluster_name, name),
            description=f"Control plane of {self._args.cluster_name}",
            assume_role_policy=service_trust_policy(CLUSTER_SERVICE, location, cluster_arn),
            max_session_duration=ROLE_SESSION_SECONDS,
            permissions_boundary=self._args.permissions_boundary,
            tags=self._tags(name),
            opts=ResourceOptions.merge(self._child, KEEPS_ITS_NAME),
        )
        attachment = aws.iam.RolePolicyAttachment(
            f"{name}-policy",
            role=role.name,
            policy_arn=location.managed_policy_arn(CLUSTER_POLICY),
            opts=self._child,
        )
        return role, attachment

    def _create_cluster(
        self, role: aws.iam.Role, key: aws.kms.Key, *, after: Sequence[pulumi.Resource]
    ) -> aws.eks.Cluster:
        name, args = f"{self._name}-cluster", self._args
        return aws.eks.Cluster(
            name,
            name=args.cluster_name,
            version=args.kubernetes_version,
            role_arn=role.arn,
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=False
            ),
            # Add-ons come as managed ones, pinned; those that EKS installs by itself belong to nobody.
            bootstrap_self_managed_addons=False,
            deletion_protection=args.deletion_protection,
            enabled_cluster_log_types=sorted(args.log_types),
            encryption_config=aws.eks.ClusterEncryptionConfigArgs(
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=key.arn), resources=["secrets"]
            ),
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=args.subnet_ids,
                endpoint_private_access=True,
                endpoint_public_access=bool(args.public_access_cidrs),
                public_access_cidrs=sorted(args.public_access_cidrs) or None,
            ),
            tags=self._tags(name),
            # AWS: the policy must outlive the cluster; EKS makes a log group without retention when it finds none.
            opts=ResourceOptions.merge(self._guarded, ResourceOptions(depends_on=after)),
        )

    def _give_access(self, cluster: aws.eks.Cluster) -> list[aws.eks.AccessPolicyAssociation]:
        arns = {"deployer": self._args.deployer_arn, "ci": self._args.ci_role_arn}
        return [
            self._make_administrator(f"{self._name}-{who}-access", arn, cluster) for who, arn in arns.items() if arn
        ]

    def _make_administrator(self, name: str, arn: str, cluster: aws.eks.Cluster) -> aws.eks.AccessPolicyAssociation:
        location = self._args.location
        entry = aws.eks.AccessEntry(
            name,
            cluster_name=cluster.name,
            principal_arn=arn,
            type="STANDARD",
            tags=self._tags(name),
            opts=self._child,
        )
        return aws.eks.AccessPolicyAssociation(
            f"{name}-policy",
            cluster_name=entry.cluster_name,
            principal_arn=entry.principal_arn,
            policy_arn=f"arn:{location.partition}:eks::aws:{CLUSTER_ADMIN_ACCESS}",
            access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
            opts=self._child,
        )

    def _kubeconfig(self, cluster: aws.eks.Cluster) -> Output[str]:
        region = self._args.location.region
        authority = cluster.certificate_authority.apply(lambda authority: authority.data or "")
        return Output.all(name=cluster.name, endpoint=cluster.endpoint, authority=authority).apply(
            lambda known: kubeconfig(
                cluster_name=known["name"],
                endpoint=known["endpoint"],
                certificate_authority=known["authority"],
                region=region,
            )
        )

    def _admit_groups(self) -> list[aws.vpc.SecurityGroupIngressRule]:
        # Into the group that EKS makes: it guards the endpoint's network interfaces in the VPC.
        return [
            aws.vpc.SecurityGroupIngressRule(
                name := f"{self._name}-from-{noun}",
                security_group_id=self.security_group_id,
                referenced_security_group_id=group,
                description=f"{noun} to the API endpoint",
                ip_protocol="tcp",
                from_port=HTTPS,
                to_port=HTTPS,
                tags=self._tags(name),
                opts=self._child,
            )
            for noun, group in sorted(self._args.admitted_groups.items())
        ]

    def _create_provider(self, cluster: aws.eks.Cluster, *, after: Sequence[pulumi.Resource]) -> k8s.Provider:
        return k8s.Provider(
            f"{self._name}-kubernetes",
            kubeconfig=self.kubeconfig,
            # The cluster's identity: another kubeconfig for the same cluster then replaces nothing.
            cluster_identifier=cluster.arn,
            opts=ResourceOptions.merge(self._child, ResourceOptions(depends_on=after)),
        )


def _check(args: ClusterArgs) -> None:
    if not CLUSTER_NAME.fullmatch(args.cluster_name):
        raise InvalidArgument(
            f"cluster name {args.cluster_name!r} is not possible: a letter or digit, then letters, digits, - and _, "
            "at most 100 characters, for example 'acme-dev'"
        )
    if isinstance(args.subnet_ids, Sequence) and len(args.subnet_ids) < FEWEST_SUBNETS:
        raise InvalidArgument(f"a cluster needs subnets in at least {FEWEST_SUBNETS} zones, got {len(args.subnet_ids)}")
    for what, arn in (("deployer_arn", args.deployer_arn), ("ci_role_arn", args.ci_role_arn)):
        if arn is not None and not PRINCIPAL_ARN.fullmatch(arn):
            raise InvalidArgument(
                f"{what} {arn!r} is not the ARN of an IAM role or user: "
                "access entries know no sessions, write for example 'arn:aws:iam::123456789012:role/acme-deploy'"
            )
    if args.ci_role_arn == args.deployer_arn:
        raise InvalidArgument(
            f"{args.deployer_arn} is given as deployer and as CI's role: EKS keeps one access entry per principal, "
            "so leave ci_role_arn out or name the person's role as deployer"
        )
    check_retention_days(args.log_retention_days)
    for cidr in args.public_access_cidrs:
        _check_public_access(cidr)


def _check_public_access(cidr: str) -> None:
    try:
        block = IPv4Network(cidr)
    except ValueError as error:
        raise InvalidArgument(
            f"{cidr!r} is no block for the API endpoint ({error}); write it like 203.0.113.0/24"
        ) from None
    if block.prefixlen < WIDEST_PUBLIC_PREFIX:
        raise InvalidArgument(
            f"{cidr} opens the API endpoint to everyone: list your own blocks, for example 203.0.113.0/24"
        )
    if any(block.overlaps(range_) for range_ in PRIVATE_RANGES):
        raise InvalidArgument(
            f"{cidr} is private, and EKS refuses it for the public endpoint: list the public addresses you come from"
        )
