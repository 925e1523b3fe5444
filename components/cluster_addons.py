"""Managed add-ons of a cluster, each at one pinned version with the values that we set."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.cluster import Cluster
from components.invalid_argument import InvalidArgument
from components.pod_identity import pod_role
from components.tagging import child_tags

# What system nodes are tainted with, and what may run there all the same.
TOLERATE_SYSTEM_NODES = {"key": "CriticalAddonsOnly", "operator": "Exists"}
TOLERATE_GPU_NODES = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


@dataclass(frozen=True, kw_only=True)
class AddonRights:
    """An AWS policy that an add-on's service account needs."""

    service_account: str
    managed_policy: str


@dataclass(frozen=True, kw_only=True)
class Addon:
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Configuration values. Default: those of the add-on."""

    rights: AddonRights | None = None
    """Default: none; the add-on calls no AWS API, or with the identity of the pod that it serves."""


# Before nodes, since without them a node does not become ready or its pods get no credentials. All run in the host's
# network, so they start on a node that has no pod network yet.
NODE_ADDONS = ("eks-pod-identity-agent", "kube-proxy", "vpc-cni")

ADDONS: Mapping[str, Addon] = {
    "aws-ebs-csi-driver": Addon(
        rights=AddonRights(
            service_account="ebs-csi-controller-sa", managed_policy="service-role/AmazonEBSCSIDriverPolicy"
        )
    ),
    # Mounts with the rights of the pod that asks (authenticationSource: pod), so it has none of its own.
    "aws-mountpoint-s3-csi-driver": Addon(),
    "coredns": Addon(),
    # Its DCGM server tolerates nothing by default; the agent then finds healthy GPU nodes broken and has them replaced.
    "eks-node-monitoring-agent": Addon(values={"dcgmAgent": {"tolerations": [TOLERATE_GPU_NODES]}}),
    "eks-pod-identity-agent": Addon(),
    "kube-proxy": Addon(),
    # Only system nodes exist when it starts.
    "metrics-server": Addon(values={"tolerations": [TOLERATE_SYSTEM_NODES]}),
    "vpc-cni": Addon(
        # Every scalar is a text in this add-on's schema.
        values={
            # Without it NetworkPolicies are accepted and ignored.
            "enableNetworkPolicy": "true",
            "env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"},
            "nodeAgent": {"enablePolicyEventLogs": "true"},
        },
        rights=AddonRights(service_account="aws-node", managed_policy="AmazonEKS_CNI_Policy"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class ClusterAddonsArgs:
    location: AwsLocation
    """Account and region of the cluster."""

    cluster: Cluster
    """Cluster that they are installed in."""

    versions: Mapping[str, str]
    """Version of each add-on by its name, for example `{"coredns": "v1.14.6-eksbuild.4"}`; stacks/versions.py has
    those that fit the cluster. Never empty."""

    after: Sequence[pulumi.Resource] = ()
    """What must be there first: nodes, for add-ons that run as deployments. Default: the cluster is enough."""

    permissions_boundary: Input[str] | None = None
    """ARN of the policy that bounds the add-ons' roles. Default: unbounded."""


class ClusterAddons(pulumi.ComponentResource):
    """Creates, for each of `versions`:

    - the managed add-on at that version; what the program says wins over changes made by hand;
    - if it calls AWS: a role with the one policy that AWS asks for, handed to the add-on's service account alone by
      Pod Identity, so that nodes need no such rights.

    Costs nothing by itself.
    """

    addon_names: Output[Sequence[str]]
    """Names of the add-ons, known once they run."""

    def __init__(self, name: str, args: ClusterAddonsArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:ClusterAddons", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        _check(args.versions)

        addons = [self._create_addon(addon) for addon in sorted(args.versions)]

        self.addon_names = Output.all(*(addon.addon_name for addon in addons)).apply(list)
        self.register_outputs({"addonNames": self.addon_names})

    def _create_addon(self, addon: str) -> aws.eks.Addon:
        name, known = f"{self._name}-{addon}", ADDONS[addon]
        associations, needed = self._create_rights(addon, known.rights)
        return aws.eks.Addon(
            name,
            cluster_name=self._args.cluster.cluster_name,
            addon_name=addon,
            addon_version=self._args.versions[addon],
            configuration_values=json.dumps(known.values, sort_keys=True) if known.values else None,
            pod_identity_associations=associations,
            # A half-made add-on of an interrupted run is taken over.
            resolve_conflicts_on_create="OVERWRITE",
            # Kept changes by hand would make two clusters of one program differ unseen.
            resolve_conflicts_on_update="OVERWRITE",
            tags=child_tags(self._name, name),
            opts=ResourceOptions.merge(self._child, ResourceOptions(depends_on=[*self._args.after, *needed])),
        )

    def _create_rights(
        self, addon: str, rights: AddonRights | None
    ) -> tuple[list[aws.eks.AddonPodIdentityAssociationArgs] | None, list[pulumi.Resource]]:
        if rights is None:
            return None, []
        location = self._args.location
        role = pod_role(
            f"{self._name}-{addon}-role",
            component=self._name,
            description=f"Add-on {addon}",
            location=location,
            cluster_arn=self._args.cluster.cluster_arn,
            permissions_boundary=self._args.permissions_boundary,
            opts=self._child,
        )
        attachment = aws.iam.RolePolicyAttachment(
            f"{self._name}-{addon}-role-policy",
            role=role.name,
            policy_arn=location.managed_policy_arn(rights.managed_policy),
            opts=self._child,
        )
        association = aws.eks.AddonPodIdentityAssociationArgs(role_arn=role.arn, service_account=rights.service_account)
        return [association], [attachment]


def _check(versions: Mapping[str, str]) -> None:
    if not versions:
        raise InvalidArgument("no add-on is named: give versions at least one, for example coredns")
    for addon, version in sorted(versions.items()):
        if addon not in ADDONS:
            raise InvalidArgument(
                f"add-on {addon!r} is not known: its rights and values must be written down first; "
                f"known are {', '.join(sorted(ADDONS))}"
            )
        if "-eksbuild." not in version:
            raise InvalidArgument(
                f"version {version!r} of add-on {addon} is not one of EKS's: pin it with its build, "
                "for example 'v1.14.6-eksbuild.4'"
            )
