"""What carries pods: system nodes with their add-ons, the autoscaler, the pools of nodes."""

from pulumi import ResourceOptions

from components.cluster import Cluster
from components.cluster_addons import ADDONS, NODE_ADDONS, ClusterAddons, ClusterAddonsArgs
from components.system_nodes import SystemNodes, SystemNodesArgs
from stacks.base_outputs import BaseOutputs
from stacks.pins import pinned
from stacks.providers import location_of, role_boundary_of
from stacks.settings import Settings


def system_nodes(settings: Settings, base: BaseOutputs, cluster: Cluster, opts: ResourceOptions) -> SystemNodes:
    """Network and credentials, then nodes, then what needs a node to run on."""
    versions_of, location = pinned(settings), location_of(settings)
    versions = {name: addon.version for name, addon in versions_of.addons.items() if name in ADDONS}
    first = ClusterAddons(
        "node-addons",
        ClusterAddonsArgs(
            location=location,
            cluster=cluster,
            versions={n: versions[n] for n in NODE_ADDONS},
            permissions_boundary=role_boundary_of(settings),
        ),
        opts,
    )
    nodes = SystemNodes(
        "system-nodes",
        SystemNodesArgs(
            location=location,
            cluster=cluster,
            kubernetes_version=versions_of.version,
            release_version=versions_of.node_image.release_version,
            subnet_ids=base.private_subnet_ids,
            permissions_boundary=role_boundary_of(settings),
            after=[first],
        ),
        opts,
    )
    ClusterAddons(
        "cluster-addons",
        ClusterAddonsArgs(
            location=location,
            cluster=cluster,
            versions={name: version for name, version in versions.items() if name not in NODE_ADDONS},
            permissions_boundary=role_boundary_of(settings),
            after=[nodes],
        ),
        opts,
    )
    return nodes
