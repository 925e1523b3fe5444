"""A pool of CPU nodes: which Karpenter may start for pods that find no room, and when it takes them away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi import Input, Output, ResourceOptions

from components.capacity import RESERVED, Capacity
from components.cluster import Cluster
from components.instance_types import GPU_TYPES, architectures, other_accelerator
from components.invalid_argument import InvalidArgument
from components.node_autoscaler import NodeAutoscaler
from components.node_class import node_class_spec, pool_tags
from components.node_pool_spec import (
    EVERY_NIGHT,
    ReplacementWindow,
    cpu_disruption,
    cpu_labels,
    cpu_limits,
    node_pool_spec,
)
from components.pool_parts import after_autoscaler, node_class, node_pool

# Nodes of long life gather what nobody has patched.
LONGEST_LIFE = "720h"


@dataclass(frozen=True, kw_only=True)
class NodePoolArgs:
    cluster: Cluster
    """Cluster that its nodes join."""

    cluster_name: str
    """Physical name of the cluster: a tag of all that is started for it."""

    autoscaler: NodeAutoscaler
    """Karpenter, which starts the nodes with its role of nodes."""

    pool_name: str
    """Name in Karpenter, and of the nodes' label `karpenter.sh/nodepool`. Changing it makes another pool."""

    instance_types: Sequence[str]
    """EC2 types, any of which may be chosen; all of one processor architecture."""

    capacity: Capacity
    """Where nodes come from."""

    max_nodes: int
    """Most nodes at once; with their price the most that the pool can cost."""

    image_alias: str
    """One release of Amazon Linux 2023, for example `al2023@v20260724`; stacks/versions.py has it. Never the latest."""

    subnet_ids: Input[Sequence[str]]
    """Private subnets of all zones."""

    zones: Sequence[str] | None = None
    """Zones of the pool. Default: all of the subnets."""

    disk_size_gb: int = 100
    """Size of a node's root volume in GB. Default: 100."""

    disk_key_arn: Input[str] | None = None
    """KMS key of the volumes; its policy must let Karpenter's controller use it. Default: the account's key for EBS."""

    idle_minutes: int = 10
    """Minutes that a node is kept before it counts as too much. Default: 10."""

    reservation_ids: Sequence[str] = ()
    """Capacity reservations or capacity blocks; with these capacities alone, and needed there."""

    replacement_window: ReplacementWindow = EVERY_NIGHT
    """When drifted nodes are replaced. Default: every night from 1:00 to 5:00 UTC."""

    termination_grace_hours: int | None = 48
    """Hours after which a node that must go stops the pods that would not. Default: 48, longer than a pipeline's run
    may take (components/pipeline_engine.py). None: it waits for them, and a pod that never ends keeps an old node."""

    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tags of instances, volumes and network interfaces, beside those of pool and cluster: the provider's default tags
    do not reach them."""


class NodePool(pulumi.ComponentResource):
    """Creates, always:

    - an EC2NodeClass: pinned image, encrypted gp3 volume, instance metadata by token alone and out of reach of pods,
      private subnets and the cluster's security group by id, tags by which everything is found that was started;
    - a NodePool: types, zones and capacity as given, ceilings, no GPUs. Nodes that are empty or hardly used go after
      the idle time; pods that carry `karpenter.sh/do-not-disrupt` are never moved to save money. Nodes are replaced
      after 30 days, drifted ones at night; either waits 48 hours for such pods.

    **Costs what its nodes cost, at most `max_nodes` of the most expensive type; nothing while no pod needs them.**
    """

    pool_name: Output[str]

    def __init__(self, name: str, args: NodePoolArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:NodePool", name, None, opts)
        self._name, self._args = name, args
        check_pool(args)
        _check(args)
        self._after = after_autoscaler(ResourceOptions(parent=self), args.autoscaler.ready)

        nodes = self._create_node_class()
        self._create_pool(nodes)

        self.pool_name = Output.from_input(args.pool_name)
        self.register_outputs({"poolName": self.pool_name})

    def _create_node_class(self) -> pulumi.Resource:
        args = self._args
        spec = node_class_spec(
            image_alias=args.image_alias,
            role_name=args.autoscaler.node_role_name,
            subnet_ids=args.subnet_ids,
            security_group_ids=[args.cluster.security_group_id],
            instance_types=args.instance_types,
            disk_size_gb=args.disk_size_gb,
            disk_key_arn=args.disk_key_arn,
            reservation_ids=args.reservation_ids,
            tags=pool_tags(args.cluster_name, args.pool_name, self._name, args.tags),
        )
        spec["associatePublicIPAddress"] = False
        return node_class(f"{self._name}-node-class", args.pool_name, spec, self._after)

    def _create_pool(self, nodes: pulumi.Resource) -> None:
        args = self._args
        spec = node_pool_spec(
            node_class=args.pool_name,
            instance_types=args.instance_types,
            capacity=args.capacity,
            zones=args.zones,
            limits=cpu_limits(args.max_nodes),
            labels=cpu_labels(),
            taints=[],
            disruption=cpu_disruption(args.idle_minutes, args.replacement_window),
            expire_after=LONGEST_LIFE,
            termination_grace_hours=args.termination_grace_hours,
        )
        node_pool(f"{self._name}-node-pool", args.pool_name, spec, after=[nodes], opts=self._after)


def check_pool(args: NodePoolArgs) -> None:
    """What no pool can have, with GPUs or without. Raises InvalidArgument."""
    if not args.instance_types:
        raise InvalidArgument("instance_types is empty: give one or more, for example 'm7i.large'")
    for noun in ("max_nodes", "idle_minutes", "termination_grace_hours"):
        if (value := getattr(args, noun)) is not None and value < 1:
            raise InvalidArgument(f"{noun} {value} is not possible: give 1 or more")
    if len(found := architectures(args.instance_types)) > 1:
        raise InvalidArgument(
            f"pool {args.pool_name!r} mixes the processor architectures {' and '.join(found)}: an image runs on one of "
            "them, and the pool may choose either; give a pool for each"
        )
    reserved = args.capacity in RESERVED
    if reserved and not args.reservation_ids:
        raise InvalidArgument(
            f"pool {args.pool_name!r} of capacity {args.capacity} names no reservation: Karpenter takes capacity only "
            "from those that are named, give reservation_ids, for example ['cr-0123456789abcdef0']"
        )
    if args.reservation_ids and not reserved:
        raise InvalidArgument(
            f"pool {args.pool_name!r} of capacity {args.capacity} names reservations, which it would pay for and not "
            "use: give capacity 'reservation', or no reservation_ids"
        )


def _check(args: NodePoolArgs) -> None:
    if args.capacity is Capacity.CAPACITY_BLOCK:
        raise InvalidArgument(f"pool {args.pool_name!r} has no GPUs, and AWS sells capacity blocks for GPUs alone")
    for kind in args.instance_types:
        if kind in GPU_TYPES:
            raise InvalidArgument(
                f"{kind} has GPUs: without a taint CPU pods would fill such nodes, use GpuNodePool or a type without"
            )
        if other_accelerator(kind):
            raise InvalidArgument(
                f"{kind} has an accelerator for which the node image has no driver: use for example 'm7i.large'"
            )
