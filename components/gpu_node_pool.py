"""A pool of GPU nodes for training: never taken from a running job to save money."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.capacity import RESERVED, Capacity
from components.gpu_sharing import NOT_SHARED, GpuSharing, GpuSharingMode
from components.instance_types import GPU_TYPES
from components.invalid_argument import InvalidArgument
from components.node_class import efa_interfaces, node_class_spec, pool_tags, sharing_user_data
from components.node_pool import NodePoolArgs, check_pool
from components.node_pool_spec import gpu_disruption, gpu_labels, gpu_limits, gpu_taints, node_pool_spec, overlay_specs
from components.pool_parts import after_autoscaler, node_class, node_overlay, node_pool
from components.tagging import child_tags

ALL_TRAFFIC = "-1"
ENDS_ANNOTATION = "stackyard.dev/capacity-block-ends"


@dataclass(frozen=True, kw_only=True)
class GpuNodePoolArgs(NodePoolArgs):
    max_gpus: int
    """Most GPUs at once, over all nodes; a GPU that is shared counts once."""

    sharing: GpuSharing = NOT_SHARED
    """How pods share a GPU. Default: not at all."""

    node_overlays: bool = False
    """Whether the autoscaler reads NodeOverlays (its `node_overlay`); shared GPUs need them. Default: no."""

    efa: bool = False
    """Fast network between nodes (EFA); takes one zone. Default: no."""

    vpc_id: Input[str] | None = None
    """VPC of the subnets; with `efa` alone, and needed there. Default: none."""

    termination_grace_hours: int | None = None
    """Hours after which a node that must go stops its jobs. Default: it waits for them. With a number Karpenter begins
    to replace drifted nodes under running jobs (https://karpenter.sh/v1.14/concepts/disruption/#terminationgraceperiod).
    """

    capacity_block_ends: str | None = None
    """Last day of a capacity block, `YYYY-MM-DD` in UTC; with that capacity alone, and needed there: AWS takes the
    nodes then, whatever runs on them. Default: none."""


class GpuNodePool(pulumi.ComponentResource):
    """Creates, always:

    - an EC2NodeClass as `NodePool` does; images and scratch lie on local disks where all types have them;
    - a NodePool: tainted `nvidia.com/gpu`, labelled with its way to share, ceilings of nodes and GPUs. Nodes go when
      they have been empty for the idle time, and at no other time except when the node is broken or AWS takes it: no
      consolidation, no expiry, drifted ones at night and never under a job.

    With shared GPUs: NodeOverlays that say how many shares a type has. With MIG the nodes cut their GPUs as they boot.
    With `efa`: a security group that knows its own members alone, interfaces without addresses on every network card;
    and a cluster placement group, unless the nodes come from a reservation, which lies where it lies.

    **Costs what its nodes cost, at most `max_gpus` in at most `max_nodes`; a reservation costs that used or not.**
    """

    pool_name: Output[str]

    def __init__(self, name: str, args: GpuNodePoolArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:GpuNodePool", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        check_pool(args)
        _check(args)
        self._shares = shares_of_a_gpu(args.sharing, args.instance_types)
        self._after = after_autoscaler(self._child, args.autoscaler.ready)

        group = self._create_security_group() if args.efa else None
        placement = self._create_placement_group() if args.efa and args.capacity not in RESERVED else None
        nodes = self._create_node_class(group, placement)
        overlays = self._create_overlays() if args.sharing.needs_overlay else []
        self._create_pool(after=[nodes, *overlays])

        self.pool_name = Output.from_input(args.pool_name)
        self.register_outputs({"poolName": self.pool_name})

    def _tags(self, child: str) -> dict[str, str]:
        return child_tags(self._name, child)

    def _create_security_group(self) -> aws.ec2.SecurityGroup:
        """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-start.html#efa-start-security"""
        name = f"{self._name}-security-group"
        group = aws.ec2.SecurityGroup(
            name,
            description="EFA: all traffic between the nodes of the pool",
            vpc_id=self._args.vpc_id,
            tags=self._tags(name),
            opts=self._child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-in",
            security_group_id=group.id,
            description="From nodes of the pool",
            ip_protocol=ALL_TRAFFIC,
            referenced_security_group_id=group.id,
            tags=self._tags(f"{name}-in"),
            opts=self._child,
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{name}-out",
            security_group_id=group.id,
            description="To nodes of the pool",
            ip_protocol=ALL_TRAFFIC,
            referenced_security_group_id=group.id,
            tags=self._tags(f"{name}-out"),
            opts=self._child,
        )
        return group

    def _create_placement_group(self) -> aws.ec2.PlacementGroup:
        name = f"{self._name}-placement-group"
        return aws.ec2.PlacementGroup(name, strategy="cluster", tags=self._tags(name), opts=self._child)

    def _create_node_class(
        self, group: aws.ec2.SecurityGroup | None, placement: aws.ec2.PlacementGroup | None
    ) -> pulumi.Resource:
        args = self._args
        spec = node_class_spec(
            image_alias=args.image_alias,
            role_name=args.autoscaler.node_role_name,
            subnet_ids=args.subnet_ids,
            security_group_ids=[args.cluster.security_group_id, *([group.id] if group else [])],
            instance_types=args.instance_types,
            disk_size_gb=args.disk_size_gb,
            disk_key_arn=args.disk_key_arn,
            reservation_ids=args.reservation_ids,
            tags=pool_tags(args.cluster_name, args.pool_name, self._name, args.tags),
        )
        spec |= self._network(placement)
        if user_data := sharing_user_data(args.sharing, self._shares):
            spec["userData"] = user_data
        return node_class(f"{self._name}-node-class", args.pool_name, spec, self._after)

    def _network(self, placement: aws.ec2.PlacementGroup | None) -> dict[str, Any]:
        if not self._args.efa:
            return {"associatePublicIPAddress": False}
        # With several interfaces EC2 takes no word about public addresses; private subnets give none.
        found: dict[str, Any] = {"networkInterfaces": efa_interfaces(self._args.instance_types)}
        if placement is not None:
            found["placementGroupSelector"] = {"id": placement.placement_group_id}
        return found

    def _create_overlays(self) -> list[pulumi.Resource]:
        args = self._args
        specs = overlay_specs(args.pool_name, args.instance_types, args.sharing, self._shares)
        return [
            node_overlay(f"{self._name}-overlay-{count}", f"{args.pool_name}-{count}", spec, self._after)
            for count, spec in specs.items()
        ]

    def _create_pool(self, *, after: Sequence[pulumi.Resource]) -> None:
        args = self._args
        spec = node_pool_spec(
            node_class=args.pool_name,
            instance_types=args.instance_types,
            capacity=args.capacity,
            zones=args.zones,
            limits=gpu_limits(args.max_nodes, args.max_gpus, args.sharing, self._shares),
            labels=gpu_labels(args.sharing),
            taints=gpu_taints(),
            disruption=gpu_disruption(args.idle_minutes, args.replacement_window),
            # Expiry waits for no job; jobs have deadlines of their own.
            expire_after="Never",
            termination_grace_hours=args.termination_grace_hours,
        )
        ends = {ENDS_ANNOTATION: args.capacity_block_ends} if args.capacity_block_ends else None
        node_pool(f"{self._name}-node-pool", args.pool_name, spec, after=after, annotations=ends, opts=self._after)


def shares_of_a_gpu(sharing: GpuSharing, instance_types: Sequence[str]) -> int:
    """Pods that one GPU takes. Raises InvalidArgument where MIG cannot cut the types, or cuts them differently."""
    match sharing.mode:
        case GpuSharingMode.NONE:
            return 1
        case GpuSharingMode.TIME_SLICING:
            return sharing.slices or 1
        case GpuSharingMode.MIG:
            return _partitions(str(sharing.mig_profile), instance_types)


def _partitions(profile: str, instance_types: Sequence[str]) -> int:
    for kind in instance_types:
        gpu = GPU_TYPES[kind]
        if not gpu.mig:
            raise InvalidArgument(f"MIG with {kind} is not possible: the {gpu.model} cannot be partitioned")
        if profile not in gpu.mig:
            raise InvalidArgument(
                f"MIG profile {profile!r} is none of {kind}, whose {gpu.model} knows {', '.join(gpu.mig)}"
            )
    counts = {GPU_TYPES[kind].mig[profile] for kind in instance_types}
    if len(counts) > 1:
        raise InvalidArgument(
            f"MIG cuts these types into {' and '.join(map(str, sorted(counts)))} partitions of {profile}: nodes of a "
            "pool all cut theirs in one way, give a pool for each"
        )
    return counts.pop()


def _check(args: GpuNodePoolArgs) -> None:
    for kind in args.instance_types:
        if kind not in GPU_TYPES:
            raise InvalidArgument(f"{kind} is not known to have an NVIDIA GPU: use for example 'g5.xlarge'")
        if GPU_TYPES[kind].count > args.max_gpus:
            raise InvalidArgument(
                f"a single {kind} has {GPU_TYPES[kind].count} GPUs and would never start below a ceiling of "
                f"{args.max_gpus}: give max_gpus {GPU_TYPES[kind].count} or more"
            )
    if args.sharing.needs_overlay and not args.node_overlays:
        raise InvalidArgument(
            f"pool {args.pool_name!r} shares its GPUs and starts from zero: Karpenter counts whole GPUs and would "
            "start no node for a share, switch on the autoscaler's node_overlay and give node_overlays=True"
        )
    _check_block(args)
    _check_efa(args)


def _check_block(args: GpuNodePoolArgs) -> None:
    block = args.capacity is Capacity.CAPACITY_BLOCK
    if block and not args.capacity_block_ends:
        raise InvalidArgument(
            f"pool {args.pool_name!r} of capacity capacity_block names no end: AWS takes the nodes then, whatever runs "
            "on them, give capacity_block_ends, for example '2027-03-15'"
        )
    if args.capacity_block_ends and not block:
        raise InvalidArgument(
            f"pool {args.pool_name!r} of capacity {args.capacity} has no end: give capacity_block_ends with capacity "
            "'capacity_block' alone"
        )
    if block and len(args.zones or ()) != 1:
        raise InvalidArgument(
            f"pool {args.pool_name!r} of capacity capacity_block lies in one zone, and "
            f"{len(args.zones or ()) or 'all'} are given: give the block's own, for example ['us-east-1a']"
        )


def _check_efa(args: GpuNodePoolArgs) -> None:
    if args.efa != (args.vpc_id is not None):
        raise InvalidArgument("vpc_id belongs to efa: give both, or neither")
    if not args.efa:
        return
    for kind in args.instance_types:
        if not GPU_TYPES[kind].efa:
            raise InvalidArgument(f"{kind} has no EFA interfaces: use for example 'p5.48xlarge', or no efa")
    if len(args.zones or ()) != 1:
        raise InvalidArgument(
            f"EFA works inside one zone, and pool {args.pool_name!r} has {len(args.zones or ()) or 'all'}: give one, "
            "for example ['us-east-1a']"
        )
    efa_interfaces(args.instance_types)
