"""What turns nodes with GPUs into nodes that pods can ask for GPUs: device plugins, labels, figures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi import Output, ResourceOptions

from components.chart_pin import ChartPin
from components.chart_release import chart_release
from components.cluster_addons import TOLERATE_GPU_NODES, TOLERATE_SYSTEM_NODES
from components.gpu_sharing import GPU_PRESENT_LABEL, NOT_SHARED, WHOLE_GPU, GpuSharing, GpuSharingMode
from components.invalid_argument import InvalidArgument
from components.monitoring_crds import MONITORING_NAMESPACE
from components.namespaces import NamespaceQuota, admit, guard, privileged_namespace, to_dns, to_https, to_nodes
from components.system_nodes import SYSTEM_LABELS

GPU_NAMESPACE = "gpu-runtime"
PRIVILEGED_REASON = (
    "device plugins register at the kubelet's socket on the node, discovery reads the node's devices: hostPath and "
    "privileged containers"
)
PLUGIN_RELEASE = "nvidia-device-plugin"
EXPORTER_RELEASE = "dcgm-exporter"
EFA_RELEASE = "aws-efa-k8s-device-plugin"

METRICS_PORT = 9400
# https://github.com/aws/eks-node-monitoring-agent at tag v1.6.5, templates/dcgm-daemonset.yaml: on the node's address,
# on x86-64 alone.
HOST_ENGINE_PORT = 5555

ON_GPU_NODES = {GPU_PRESENT_LABEL: "true"}
# Device plugin, its discovery, the discovery's worker, exporter, EFA plugin.
PODS_PER_NODE = 5
# The discovery's master and collector, and the next ones while they are replaced.
OTHER_PODS = 4


@dataclass(frozen=True, kw_only=True)
class GpuRuntimeArgs:
    plugin_chart: ChartPin
    """Chart `nvidia-device-plugin`."""

    exporter_chart: ChartPin
    """Chart `dcgm-exporter`."""

    max_nodes: int
    """Most GPU nodes at once, over all pools: the namespace's quota has room for their agents."""

    after: Sequence[pulumi.Resource]
    """System nodes, on which the discovery's master runs; and the Prometheus operator's definitions with `metrics`."""

    efa_chart: ChartPin | None = None
    """Chart `aws-efa-k8s-device-plugin`, where a pool has EFA. Default: none."""

    sharing: Sequence[GpuSharing] = (NOT_SHARED,)
    """Ways in which pools share their GPUs; a node says by label which is its own. Default: not at all."""

    host_engine: bool = False
    """Whether the exporter asks the DCGM host engine of the node monitoring agent, which then must be installed: two
    engines on a node take the GPU's counters from each other. It runs on x86-64 alone, and so does the exporter then.
    Default: an engine of its own."""

    metrics: bool = False
    """Whether a ServiceMonitor is made. Its definition (monitoring.coreos.com) must be installed: else the release
    fails. Default: no."""


class GpuRuntime(pulumi.ComponentResource):
    """Creates, always:

    - a namespace for agents of GPU nodes, closed but **not restricted**: its pods may do anything to their node;
    - the NVIDIA device plugin with an entry for each way to share, GPU feature discovery and the Node Feature
      Discovery that it needs: labels with the GPUs' model and memory, on GPU nodes alone;
    - the DCGM exporter: load, memory, temperature and errors of each GPU.

    With `efa_chart`: the EFA device plugin.

    Costs nothing by itself: a little of each GPU node, and 0.1 CPUs of the system nodes.
    """

    namespace: Output[str]
    release_names: Output[Sequence[str]]
    """Known once the agents are installed."""

    def __init__(self, name: str, args: GpuRuntimeArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:GpuRuntime", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        _check(args)

        namespace = self._create_namespace()
        releases = [
            self._create_release("plugin", PLUGIN_RELEASE, args.plugin_chart, plugin_values(args.sharing), namespace),
            self._create_release("exporter", EXPORTER_RELEASE, args.exporter_chart, exporter_values(args), namespace),
        ]
        if args.efa_chart is not None:
            releases.append(self._create_release("efa", EFA_RELEASE, args.efa_chart, efa_values(), namespace))

        self.namespace = namespace.metadata.name
        self.release_names = Output.all(*(release.status.name for release in releases)).apply(list)
        self.register_outputs({"namespace": self.namespace, "releaseNames": self.release_names})

    def _create_namespace(self) -> k8s.core.v1.Namespace:
        name = f"{self._name}-namespace"
        namespace = privileged_namespace(name, GPU_NAMESPACE, self._child, reason=PRIVILEGED_REASON)
        guard(
            name,
            namespace,
            quota=agents_quota(self._args.max_nodes),
            egress=[to_dns(), to_https(), to_nodes(HOST_ENGINE_PORT)],
            opts=self._child,
        )
        admit(name, namespace, source=MONITORING_NAMESPACE, port=METRICS_PORT, opts=self._child)
        return namespace

    def _create_release(
        self, noun: str, release: str, chart: ChartPin, values: Mapping[str, Any], namespace: k8s.core.v1.Namespace
    ) -> k8s.helm.v3.Release:
        return chart_release(
            f"{self._name}-{noun}",
            chart,
            release_name=release,
            namespace=namespace.metadata.name,
            values=values,
            # Nodes for what is no agent of GPU nodes, and definitions for the ServiceMonitor.
            opts=ResourceOptions.merge(self._child, ResourceOptions(depends_on=list(self._args.after))),
        )


def agents_quota(max_nodes: int) -> NamespaceQuota:
    """Room for the agents of `max_nodes` nodes: a node whose plugin finds none never becomes ready.

    They request 0.42 CPUs and 0.6 GB a node.
    """
    return NamespaceQuota(cpus=max_nodes // 2 + 2, memory_gb=max_nodes + 2, pods=max_nodes * PODS_PER_NODE + OTHER_PODS)


def plugin_values(sharing: Sequence[GpuSharing]) -> dict[str, Any]:
    """Values of the chart; the keys are those of NVIDIA/k8s-device-plugin at tag v0.20.0."""
    system = {"nodeSelector": dict(SYSTEM_LABELS), "tolerations": [TOLERATE_SYSTEM_NODES]}
    return {
        # Nothing of an entry stands among the other values: those would win over every entry.
        "config": {"map": plugin_config(sharing), "default": NOT_SHARED.config_name},
        "nodeSelector": dict(ON_GPU_NODES),
        "tolerations": [TOLERATE_GPU_NODES],
        "resources": _amounts("50m", "64Mi", "256Mi"),
        "gfd": {"enabled": True},
        "nfd": {
            # A job that takes the labels off again would need a node to run on when all of them are going.
            "postDeleteCleanup": False,
            "master": {**system, "resources": _amounts("100m", "128Mi", "512Mi")},
            "gc": {**system, "resources": _amounts("10m", "64Mi", "256Mi")},
            # The chart's own list fits taints with another value, and replaces nothing of ours.
            "worker": {"nodeSelector": dict(ON_GPU_NODES), "tolerations": [TOLERATE_GPU_NODES]},
        },
    }


def plugin_config(sharing: Sequence[GpuSharing]) -> dict[str, str]:
    """Entries of the device plugin's configuration by name, always with `default`."""
    return {way.config_name: json.dumps(_entry(way), sort_keys=True) for way in sorted_ways((NOT_SHARED, *sharing))}


def sorted_ways(sharing: Sequence[GpuSharing]) -> list[GpuSharing]:
    """Each way once, by the name of its entry."""
    return [way for _, way in sorted({way.config_name: way for way in sharing}.items())]


def _entry(sharing: GpuSharing) -> dict[str, Any]:
    """https://github.com/NVIDIA/k8s-device-plugin/tree/v0.20.0#configuration-option-details; JSON is YAML too."""
    entry: dict[str, Any] = {
        "version": "v1",
        "flags": {
            "failOnInitError": True,
            # Partitions have names of their own as resources: who asks for a whole GPU never gets a part of one.
            "migStrategy": "mixed" if sharing.mode is GpuSharingMode.MIG else "none",
        },
    }
    if sharing.mode is GpuSharingMode.TIME_SLICING:
        entry["sharing"] = {
            "timeSlicing": {
                "renameByDefault": True,
                # Two shares are no more of a GPU than one.
                "failRequestsGreaterThanOne": True,
                "resources": [{"name": WHOLE_GPU, "replicas": sharing.slices}],
            }
        }
    return entry


def exporter_values(args: GpuRuntimeArgs) -> dict[str, Any]:
    """Values of the chart; the keys are those of NVIDIA/dcgm-exporter at tag 4.5.3-4.8.2."""
    values: dict[str, Any] = {
        "serviceAccount": {"create": True, "name": EXPORTER_RELEASE},
        # Without it the pod that uses the GPU would be hidden behind the exporter's own.
        "serviceMonitor": {"enabled": args.metrics, "honorLabels": True, "interval": "30s"},
        "nodeSelector": dict(ON_GPU_NODES),
        "tolerations": [TOLERATE_GPU_NODES],
        "resources": _amounts("100m", "128Mi", "1Gi"),
    }
    if args.host_engine:
        values["nodeSelector"] = {**ON_GPU_NODES, "kubernetes.io/arch": "amd64"}
        values["extraEnv"] = [
            {"name": "NODE_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
            {"name": "DCGM_REMOTE_HOSTENGINE_INFO", "value": f"$(NODE_IP):{HOST_ENGINE_PORT}"},
        ]
        # The engine reads the counters for which the chart adds SYS_ADMIN.
        values["securityContext"] = {"capabilities": {"add": [], "drop": ["ALL"]}}
    return values


def efa_values() -> dict[str, Any]:
    """Values of the chart; the keys are those of aws/eks-charts at commit bfe91c4."""
    return {
        "nodeSelector": dict(ON_GPU_NODES),
        "tolerations": [TOLERATE_GPU_NODES],
        "resources": _amounts("10m", "20Mi", "128Mi"),
    }


def _amounts(cpu: str, memory: str, most_memory: str) -> dict[str, Any]:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": most_memory}}


def _check(args: GpuRuntimeArgs) -> None:
    if args.max_nodes < 1:
        raise InvalidArgument(f"{args.max_nodes} GPU nodes need no runtime: give 1 or more, or leave it out")
