"""Pools for tests, with a cluster and an autoscaler of their own."""

from components.capacity import Capacity
from components.gpu_node_pool import GpuNodePool, GpuNodePoolArgs
from components.node_autoscaler import NodeAutoscaler, NodeAutoscalerArgs
from components.node_pool import NodePool, NodePoolArgs
from stackyard.program.condemned import delete_layers
from stackyard.program.deployment import Deployment, Resource
from tests.components.test_cluster import LOCATION, cluster
from tests.components.test_node_autoscaler import CHART, CRD_CHART

NODE_CLASS = "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"
NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"
OVERLAY = "kubernetes:karpenter.sh/v1alpha1:NodeOverlay"
RELEASE = "kubernetes:helm.sh/v3:Release"


# For arguments that are refused, which happens before anybody looks at either.
NOT_NEEDED = {"cluster": None, "autoscaler": None}


def _provisioned():
    k8s = cluster()
    scaler = NodeAutoscaler(
        "nodes",
        NodeAutoscalerArgs(
            location=LOCATION,
            cluster=k8s,
            cluster_name="acme-dev",
            chart=CHART,
            crd_chart=CRD_CHART,
            after=[k8s],
        ),
    )
    return {"cluster": k8s, "autoscaler": scaler}


def _shared(**args):
    defaults = {
        **({} if "cluster" in args else _provisioned()),
        "cluster_name": "acme-dev",
        "capacity": Capacity.SPOT,
        "max_nodes": 4,
        "image_alias": "al2023@v20260724",
        "subnet_ids": ["subnet-2", "subnet-1"],
    }
    return defaults | args


def cpu_pool(**args):
    return NodePool(
        "general-pool",
        NodePoolArgs(**_shared(pool_name="general", **({"instance_types": ["m7i.xlarge", "m7i.large"]} | args))),
    )


def gpu_pool(**args):
    defaults = {"instance_types": ["g5.xlarge"], "max_gpus": 4}
    return GpuNodePool("gpu-pool", GpuNodePoolArgs(**_shared(pool_name="gpu", **(defaults | args))))


def spec(deployment: Deployment, type_: str) -> dict:
    return dict(deployment.only(type_).inputs["spec"])


def requirement(deployment: Deployment, key: str) -> list[str] | None:
    """Values that a pool allows for a label; None without a requirement."""
    found = [r for r in spec(deployment, NODE_POOL)["template"]["spec"]["requirements"] if r["key"] == key]
    assert all(r["operator"] == "In" for r in found)
    return list(found[0]["values"]) if found else None


def deleted_in(deployment: Deployment) -> dict[str, int]:
    """Name to the layer in which a destroy deletes it."""
    resources: list[Resource] = [r for r in deployment if r.custom and not r.is_provider]
    return {resource.name: layer for layer, group in enumerate(delete_layers(resources)) for resource in group}
