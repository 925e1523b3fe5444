"""What carries pods: system nodes with their add-ons, the autoscaler, the pools of nodes."""

from collections.abc import Sequence
from typing import Any

from pulumi import Resource, ResourceOptions

from components.capacity import ceiling_usd_per_hour
from components.cluster import Cluster
from components.cluster_addons import ADDONS, NODE_ADDONS, ClusterAddons, ClusterAddonsArgs
from components.gpu_node_pool import GpuNodePool, GpuNodePoolArgs
from components.gpu_runtime import GpuRuntime, GpuRuntimeArgs
from components.gpu_sharing import GpuSharing, GpuSharingMode
from components.node_autoscaler import NodeAutoscaler, NodeAutoscalerArgs
from components.node_pool import NodePool, NodePoolArgs
from components.node_pool_spec import PoolRole
from components.system_nodes import SystemNodes, SystemNodesArgs
from stacks.base_outputs import BaseOutputs
from stacks.naming import disk_key_alias
from stacks.pins import chart_of, pinned
from stacks.prices import instance_prices
from stacks.providers import location_of, role_boundary_of, stem_of
from stacks.sections.pools import GpuPart
from stacks.sections.pools import NodePool as PoolSection
from stacks.settings import Settings

NODE_MONITORING = "eks-node-monitoring-agent"
EFA_PLUGIN = "aws-efa-k8s-device-plugin"


def system_nodes(settings: Settings, base: BaseOutputs, cluster: Cluster, opts: ResourceOptions) -> SystemNodes:
    """Network and credentials, then nodes."""
    versions_of = pinned(settings)
    first = _addons("node-addons", settings, cluster, NODE_ADDONS, after=[], opts=opts)
    return SystemNodes(
        "system-nodes",
        SystemNodesArgs(
            location=location_of(settings),
            cluster=cluster,
            kubernetes_version=versions_of.version,
            release_version=versions_of.node_image.release_version,
            subnet_ids=base.private_subnet_ids,
            permissions_boundary=role_boundary_of(settings),
            after=[first, *base.ways_out],
        ),
        opts,
    )


def cluster_addons(settings: Settings, cluster: Cluster, nodes: SystemNodes, opts: ResourceOptions) -> ClusterAddons:
    """What needs a node to run on, as far as the version table has it for the cluster's version."""
    later = [addon for addon in pinned(settings).addons if addon in ADDONS and addon not in NODE_ADDONS]
    return _addons("cluster-addons", settings, cluster, later, after=[nodes], opts=opts)


def _addons(
    name: str,
    settings: Settings,
    cluster: Cluster,
    wanted: Sequence[str],
    *,
    after: Sequence[Resource],
    opts: ResourceOptions,
) -> ClusterAddons:
    table = pinned(settings).addons
    return ClusterAddons(
        name,
        ClusterAddonsArgs(
            location=location_of(settings),
            cluster=cluster,
            versions={addon: table[addon].version for addon in wanted},
            permissions_boundary=role_boundary_of(settings),
            after=after,
        ),
        opts,
    )


def node_autoscaler(
    settings: Settings, cluster: Cluster, *, after: Sequence[Resource], opts: ResourceOptions
) -> NodeAutoscaler:
    """`after`: system nodes, the cluster's DNS on them, and the Prometheus operator's definitions."""
    return NodeAutoscaler(
        "node-autoscaler",
        NodeAutoscalerArgs(
            location=location_of(settings),
            cluster=cluster,
            cluster_name=stem_of(settings),
            chart=chart_of("karpenter"),
            crd_chart=chart_of("karpenter-crd"),
            # Where nothing is protected, one controller is enough.
            replicas=2 if settings.profile.deletion_protection else 1,
            node_repair=NODE_MONITORING in pinned(settings).addons,
            node_overlay=_needs_overlays(settings),
            metrics=True,
            disk_key_alias=disk_key_alias(settings.environment.prefix),
            permissions_boundary=role_boundary_of(settings),
            after=after,
        ),
        opts,
    )


def gpu_runtime(settings: Settings, *, after: Sequence[Resource], opts: ResourceOptions) -> None:
    """Nothing without GPU pools. `after`: system nodes, and the Prometheus operator's definitions."""
    pools = [(pool, pool.gpu) for pool in settings.node_pools if pool.gpu]
    if not pools:
        return
    args = GpuRuntimeArgs(
        plugin_chart=chart_of("nvidia-device-plugin"),
        exporter_chart=chart_of("dcgm-exporter"),
        efa_chart=chart_of(EFA_PLUGIN) if any(gpu.efa for _, gpu in pools) else None,
        sharing=[sharing_of(gpu) for _, gpu in pools],
        max_nodes=sum(pool.max_nodes for pool, _ in pools),
        host_engine=NODE_MONITORING in pinned(settings).addons,
        metrics=True,
        after=after,
    )
    GpuRuntime("gpu-runtime", args, opts)


def sharing_of(gpu: GpuPart) -> GpuSharing:
    return GpuSharing(mode=GpuSharingMode(gpu.sharing), slices=gpu.slices, mig_profile=gpu.mig_profile)


def _needs_overlays(settings: Settings) -> bool:
    return any(sharing_of(pool.gpu).needs_overlay for pool in settings.node_pools if pool.gpu)


def node_pools(
    settings: Settings, base: BaseOutputs, cluster: Cluster, autoscaler: NodeAutoscaler, opts: ResourceOptions
) -> list[Resource]:
    """The pools for CPU work, on which the cluster's own controllers run."""
    made: list[Resource] = []
    for pool in settings.node_pools:
        shared = _pool_arguments(settings, base, cluster, autoscaler, pool)
        if pool.gpu is None:
            made.append(NodePool(f"{pool.name}-pool", NodePoolArgs(**shared), opts))
            continue
        gpu = GpuNodePoolArgs(
            **shared,
            max_gpus=pool.gpu.max_gpus,
            sharing=sharing_of(pool.gpu),
            node_overlays=_needs_overlays(settings),
            efa=pool.gpu.efa,
            vpc_id=base.vpc_id if pool.gpu.efa else None,
            capacity_block_ends=pool.capacity_block_ends,
        )
        GpuNodePool(f"{pool.name}-pool", gpu, opts)
    return made


def _pool_arguments(
    settings: Settings, base: BaseOutputs, cluster: Cluster, autoscaler: NodeAutoscaler, pool: PoolSection
) -> dict[str, Any]:
    return {
        "cluster": cluster,
        "cluster_name": stem_of(settings),
        "autoscaler": autoscaler,
        "pool_name": pool.name,
        "instance_types": pool.instance_types,
        "capacity": pool.capacity,
        "max_nodes": pool.max_nodes,
        "image_alias": pinned(settings).node_image.alias,
        "subnet_ids": base.private_subnet_ids,
        "zones": pool.zones,
        "disk_size_gb": pool.disk_size_gb,
        "idle_minutes": pool.idle_minutes,
        "reservation_ids": pool.reservation_ids,
        "tags": settings.default_tags,
    }


def pool_roles(settings: Settings) -> dict[str, str]:
    """What pipelines select nodes by, by role: the roles that have a pool."""
    roles = {PoolRole.GPU if pool.gpu else PoolRole.CPU for pool in settings.node_pools}
    return {role.value: role.value for role in sorted(roles)}


def pool_ceilings(settings: Settings) -> list[dict[str, Any]]:
    """Each pool's ceilings, and what it costs an hour when it has reached them; None where that is not known."""
    prices = instance_prices(settings.environment.region)
    return [
        {
            "name": pool.name,
            "capacity": pool.capacity.value,
            "maxNodes": pool.max_nodes,
            "maxGpus": pool.gpu.max_gpus if pool.gpu else 0,
            "ceilingUsdPerHour": ceiling_usd_per_hour(
                pool.instance_types,
                pool.capacity,
                max_nodes=pool.max_nodes,
                max_gpus=pool.gpu.max_gpus if pool.gpu else None,
                prices=prices,
            ),
        }
        for pool in settings.node_pools
    ]
