"""Which nodes Karpenter may start for a pool, and when it takes them away: the spec of its NodePool (karpenter.sh/v1).

Plain functions. Fields as in the definition of sigs.k8s.io/karpenter at v1.14.1.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pulumi import Input

from components.capacity import CAPACITY_TYPES, WEIGHTS, Capacity
from components.gpu_sharing import CONFIG_LABEL, GPU_PRESENT_LABEL, GPU_TAINT, WHOLE_GPU, GpuSharing
from components.instance_types import GPU_TYPES, architectures
from components.invalid_argument import InvalidArgument
from pipelines.compile.shape import POOL_LABEL

GROUP = "karpenter.sh"
NODE_CLASS_GROUP = "karpenter.k8s.aws"
NODE_CLASS_KIND = "EC2NodeClass"
# Karpenter itself gives it to every node, with the pool's name.
POOL_NAME_LABEL = "karpenter.sh/nodepool"
INSTANCE_TYPE_LABEL = "node.kubernetes.io/instance-type"
ZONE_LABEL = "topology.kubernetes.io/zone"
HOURS_OF_A_DAY = 24


class PoolRole(StrEnum):
    """Value of the nodes' label `stackyard.dev/pool`, by which pipelines select; all pools of a role share it."""

    CPU = "cpu"
    GPU = "gpu"


@dataclass(frozen=True, kw_only=True)
class ReplacementWindow:
    """Hours of every day in which drifted nodes are replaced: those of an older image, or of other settings."""

    start_hour: int = 1
    """In UTC, 0 to 23. Default: 1, after the working day in Europe and in America."""

    hours: int = 4
    """Length, 1 to 24. Default: 4."""

    def __post_init__(self) -> None:
        if not 0 <= self.start_hour < HOURS_OF_A_DAY or not 1 <= self.hours <= HOURS_OF_A_DAY:
            raise InvalidArgument(
                f"a replacement window of {self.hours} hours from {self.start_hour}:00 is not possible: it starts at "
                "0 to 23 and has 1 to 24 hours, for example start_hour=1, hours=4"
            )

    def closed(self) -> Iterator[dict[str, Any]]:
        """The budget that replaces nothing in the other hours: budgets can only forbid."""
        if self.hours < HOURS_OF_A_DAY:
            end = (self.start_hour + self.hours) % HOURS_OF_A_DAY
            duration = f"{HOURS_OF_A_DAY - self.hours}h"
            yield {"nodes": "0", "reasons": ["Drifted"], "schedule": f"0 {end} * * *", "duration": duration}


EVERY_NIGHT = ReplacementWindow()


def node_pool_spec(
    *,
    node_class: Input[str],
    instance_types: Sequence[str],
    capacity: Capacity,
    zones: Sequence[str] | None,
    limits: Mapping[str, str],
    labels: Mapping[str, str],
    taints: Sequence[Mapping[str, str]],
    disruption: Mapping[str, Any],
    expire_after: str,
    termination_grace_hours: int | None,
) -> dict[str, Any]:
    template: dict[str, Any] = {
        "nodeClassRef": {"group": NODE_CLASS_GROUP, "kind": NODE_CLASS_KIND, "name": node_class},
        "requirements": _requirements(instance_types, capacity, zones),
        "expireAfter": expire_after,
    }
    if taints:
        template["taints"] = [dict(taint) for taint in taints]
    if termination_grace_hours is not None:
        template["terminationGracePeriod"] = f"{termination_grace_hours}h"
    return {
        "template": {"metadata": {"labels": dict(labels)}, "spec": template},
        "disruption": dict(disruption),
        "limits": dict(limits),
        "weight": WEIGHTS[capacity],
    }


def cpu_labels() -> dict[str, str]:
    return {POOL_LABEL: PoolRole.CPU.value}


def cpu_limits(max_nodes: int) -> dict[str, str]:
    return {"nodes": str(max_nodes), WHOLE_GPU: "0"}


def cpu_disruption(idle_minutes: int, window: ReplacementWindow) -> dict[str, Any]:
    """Nodes that are empty or hardly used go, a tenth of them at once; pods that say do-not-disrupt keep theirs."""
    return {
        "consolidationPolicy": "WhenEmptyOrUnderutilized",
        "consolidateAfter": f"{idle_minutes}m",
        "budgets": [
            {"nodes": "100%", "reasons": ["Empty"]},
            {"nodes": "10%", "reasons": ["Drifted", "Underutilized"]},
            *window.closed(),
        ],
    }


def gpu_labels(sharing: GpuSharing) -> dict[str, str]:
    return {
        POOL_LABEL: PoolRole.GPU.value,
        # Set before a node is there, so that the device plugin runs on it at once, with the pool's way to share.
        GPU_PRESENT_LABEL: "true",
        CONFIG_LABEL: sharing.config_name,
    }


def gpu_taints() -> list[dict[str, str]]:
    """Pods that ask for no GPU stay away."""
    return [{"key": GPU_TAINT, "value": "true", "effect": "NoSchedule"}]


def gpu_limits(max_nodes: int, max_gpus: int, sharing: GpuSharing, shares: int) -> dict[str, str]:
    """`shares` of one GPU: a node whose GPUs are shared counts its shares, and no whole GPUs."""
    shared = {sharing.resource_name: str(max_gpus * shares)} if sharing.needs_overlay else {}
    return {"nodes": str(max_nodes), WHOLE_GPU: str(max_gpus), **shared}


def gpu_disruption(idle_minutes: int, window: ReplacementWindow) -> dict[str, Any]:
    """Nodes go when they are empty, and only then: no job is stopped to save money."""
    return {
        "consolidationPolicy": "WhenEmpty",
        "consolidateAfter": f"{idle_minutes}m",
        "budgets": [
            {"nodes": "100%", "reasons": ["Empty"]},
            # Holds even where somebody changes the policy by hand.
            {"nodes": "0", "reasons": ["Underutilized"]},
            {"nodes": "1", "reasons": ["Drifted"]},
            *window.closed(),
        ],
    }


def overlay_specs(
    pool_name: str, instance_types: Sequence[str], sharing: GpuSharing, shares: int
) -> dict[int, dict[str, Any]]:
    """Specs of NodeOverlays (karpenter.sh/v1alpha1), by number of GPUs: what Karpenter cannot know of a shared GPU.

    It counts whole GPUs, of which a shared node has none once the device plugin runs. Without an overlay a pool starts
    no node for a share, and starts nodes for whole GPUs that then never fit.
    Source: kubernetes-sigs/karpenter issue 729; the overlay's amounts replace the type's, pkg/cloudprovider/types.go.
    """
    counts = sorted({GPU_TYPES[kind].count for kind in instance_types})
    return {
        count: {
            "requirements": [
                _in(POOL_NAME_LABEL, [pool_name]),
                _in(INSTANCE_TYPE_LABEL, [kind for kind in instance_types if GPU_TYPES[kind].count == count]),
            ],
            "capacity": {sharing.resource_name: str(count * shares), WHOLE_GPU: "0"},
        }
        for count in counts
    }


def _requirements(
    instance_types: Sequence[str], capacity: Capacity, zones: Sequence[str] | None
) -> list[dict[str, Any]]:
    found = [
        _in("kubernetes.io/arch", architectures(instance_types)),
        _in("kubernetes.io/os", ["linux"]),
        _in("karpenter.sh/capacity-type", CAPACITY_TYPES[capacity]),
        _in(INSTANCE_TYPE_LABEL, instance_types),
    ]
    return [*found, _in(ZONE_LABEL, zones)] if zones else found


def _in(key: str, values: Sequence[str]) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": sorted(values)}
