"""The few nodes that a cluster always has: they carry only what must run before any other node can be made."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.cluster import Cluster
from components.invalid_argument import InvalidArgument
from components.node_role import node_role
from components.tagging import child_tags

# https://docs.aws.amazon.com/eks/latest/APIReference/API_Taint.html; what AWS's own add-ons tolerate.
SYSTEM_TAINT = "CriticalAddonsOnly"
SYSTEM_LABELS = {"stackyard/pool": "system"}
# Root device of Amazon Linux 2023.
ROOT_DEVICE = "/dev/xvda"
SMALLEST_VOLUME_GB = 20


@dataclass(frozen=True, kw_only=True)
class SystemNodesArgs:
    location: AwsLocation
    """Account and region of the cluster."""

    cluster: Cluster
    """Cluster that they join."""

    kubernetes_version: str
    """Minor version of the cluster, for example `1.35`."""

    release_version: str
    """Amazon Linux 2023 release, for example `1.35.6-20260714`; stacks/versions.py has it. Never the latest."""

    subnet_ids: Input[Sequence[str]]
    """Private subnets in two zones or more."""

    after: Sequence[pulumi.Resource]
    """What a node needs to become ready: the add-ons for network and credentials."""

    instance_types: Sequence[str] = ("m7i.large",)
    """x86-64 types, first choice first. Default: `m7i.large`."""

    nodes: int = 2
    """Nodes at the start and at least. Default: 2, one may fail."""

    max_nodes: int = 3
    """Most nodes. Default: 3."""

    volume_gb: int = 50
    """Size of a node's root volume in GB. Default: 50."""

    volume_key_arn: Input[str] | None = None
    """KMS key of the volumes; its policy must let the account's Auto Scaling role use it. Default: the account's key
    for EBS."""

    permissions_boundary: Input[str] | None = None
    """ARN of the policy that bounds the nodes' role. Default: unbounded."""


class SystemNodes(pulumi.ComponentResource):
    """Creates, always:

    - a managed node group in private subnets (**two m7i.large on demand, about 147 $ a month**), tainted
      `CriticalAddonsOnly`, with a pinned image and node repair;
    - its launch template: encrypted gp3 volume, instance metadata by token alone and out of reach of pods;
    - the nodes' role: registers nodes and pulls images, nothing else.
    """

    node_group_name: Output[str]
    role_arn: Output[str]

    def __init__(self, name: str, args: SystemNodesArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:SystemNodes", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        _check(args)

        role, attachments = self._create_role()
        template = self._create_launch_template()
        group = self._create_node_group(role, template, after=attachments)

        self.node_group_name = group.node_group_name
        self.role_arn = role.arn
        self.register_outputs({"nodeGroupName": self.node_group_name, "roleArn": self.role_arn})

    def _tags(self, child: str) -> dict[str, str]:
        return child_tags(self._name, child)

    def _create_role(self) -> tuple[aws.iam.Role, list[aws.iam.RolePolicyAttachment]]:
        args = self._args
        return node_role(
            f"{self._name}-role",
            component=self._name,
            description="System nodes",
            location=args.location,
            stem=args.cluster.cluster_name,
            permissions_boundary=args.permissions_boundary,
            opts=self._child,
        )

    def _create_launch_template(self) -> aws.ec2.LaunchTemplate:
        name, args = f"{self._name}-template", self._args
        return aws.ec2.LaunchTemplate(
            name,
            description="System nodes: encrypted volume, metadata by token",
            block_device_mappings=[
                aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                    device_name=ROOT_DEVICE,
                    ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                        encrypted="true",
                        kms_key_id=args.volume_key_arn,
                        volume_type="gp3",
                        volume_size=args.volume_gb,
                        delete_on_termination="true",
                    ),
                )
            ],
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled",
                http_tokens="required",
                # One hop ends at the node: a pod cannot take on the node's role.
                http_put_response_hop_limit=1,
                instance_metadata_tags="disabled",
            ),
            # The provider's default tags reach the template, but not what is launched from it.
            tag_specifications=[
                aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=self._tags(name))
                for kind in ("instance", "volume")
            ],
            tags=self._tags(name),
            opts=self._child,
        )

    def _create_node_group(
        self, role: aws.iam.Role, template: aws.ec2.LaunchTemplate, *, after: Sequence[pulumi.Resource]
    ) -> aws.eks.NodeGroup:
        name, args = f"{self._name}-nodes", self._args
        return aws.eks.NodeGroup(
            name,
            cluster_name=args.cluster.cluster_name,
            node_role_arn=role.arn,
            subnet_ids=args.subnet_ids,
            ami_type="AL2023_x86_64_STANDARD",
            capacity_type="ON_DEMAND",
            instance_types=list(args.instance_types),
            version=args.kubernetes_version,
            release_version=args.release_version,
            launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            scaling_config=aws.eks.NodeGroupScalingConfigArgs(
                min_size=args.nodes, desired_size=args.nodes, max_size=args.max_nodes
            ),
            update_config=aws.eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
            node_repair_config=aws.eks.NodeGroupNodeRepairConfigArgs(enabled=True),
            labels=dict(SYSTEM_LABELS),
            taints=[aws.eks.NodeGroupTaintArgs(key=SYSTEM_TAINT, value="true", effect="NO_SCHEDULE")],
            tags=self._tags(name),
            opts=ResourceOptions.merge(
                self._child,
                ResourceOptions(
                    # Nodes that come up before their add-ons or rights never become ready, and those rights must
                    # outlive the nodes.
                    depends_on=[*args.after, *after],
                    # Who runs the cluster may scale by hand in an incident; the next `up` must not undo it.
                    ignore_changes=["scalingConfig.desiredSize"],
                ),
            ),
        )


def _check(args: SystemNodesArgs) -> None:
    if not args.release_version.startswith(f"{args.kubernetes_version}."):
        raise InvalidArgument(
            f"node release {args.release_version!r} is not one of Kubernetes {args.kubernetes_version}: nodes join a "
            f"cluster of their own minor version, for example '{args.kubernetes_version}.6-20260714'"
        )
    if not 1 <= args.nodes <= args.max_nodes:
        raise InvalidArgument(f"{args.nodes} nodes of at most {args.max_nodes} are not possible: give 1 or more")
    if args.volume_gb < SMALLEST_VOLUME_GB:
        raise InvalidArgument(
            f"a root volume of {args.volume_gb} GB is too small: the image and what it pulls need "
            f"{SMALLEST_VOLUME_GB} GB or more, for example 50"
        )
    if not args.instance_types:
        raise InvalidArgument("instance_types is empty: give one or more, for example 'm7i.large'")
