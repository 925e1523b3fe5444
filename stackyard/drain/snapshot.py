"""What is in the cluster at one moment, as far as a drain is concerned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.node_pool_spec import POOL_NAME_LABEL
from stackyard.drain.api import Api
from stackyard.local.kubernetes.store import Object

KARPENTER = "karpenter.sh/v1"
ARGO = "argoproj.io/v1alpha1"
# Karpenter puts it on a node whose pods it begins to evict: from then on nothing new lands there.
GOING_TAINT = "karpenter.sh/disrupted"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    pools: tuple[Object, ...]
    """NodePools."""
    claims: tuple[Object, ...]
    """NodeClaims: one for each node that Karpenter has started or is about to."""
    nodes: Mapping[str, Object]
    """All nodes of the cluster, by name."""
    pods: tuple[Object, ...]
    budgets: tuple[Object, ...]
    """PodDisruptionBudgets."""
    runs: tuple[Object, ...]
    """Workflows."""
    schedules: tuple[Object, ...]
    """CronWorkflows."""

    def pods_on(self, node: str) -> list[Object]:
        return [pod for pod in self.pods if node and pod["spec"].get("nodeName") == node]

    @property
    def started(self) -> frozenset[str]:
        """Names of the nodes that Karpenter has started."""
        return frozenset(filter(None, map(node_of, self.claims)))

    def pool_of(self, pod: Object) -> str:
        """The pool of the node that a pod runs on; empty without one."""
        node = self.nodes.get(pod["spec"].get("nodeName", ""), {})
        return labels(node).get(POOL_NAME_LABEL, "") if node else ""


def look(api: Api) -> Snapshot:
    """Asks once for everything. Raises UserError."""
    return Snapshot(
        pools=_sorted(api.list(KARPENTER, "NodePool")),
        claims=_sorted(api.list(KARPENTER, "NodeClaim")),
        nodes={node["metadata"]["name"]: node for node in _sorted(api.list("v1", "Node"))},
        pods=_sorted(api.list("v1", "Pod")),
        budgets=_sorted(api.list("policy/v1", "PodDisruptionBudget")),
        runs=_sorted(api.list(ARGO, "Workflow")),
        schedules=_sorted(api.list(ARGO, "CronWorkflow")),
    )


def full_name(obj: Mapping[str, Any]) -> str:
    """`pipelines/training-x7k2p`; the name alone for what lies in no namespace."""
    metadata = obj["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def labels(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def annotations(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return obj["metadata"].get("annotations") or {}


def phase_of(obj: Mapping[str, Any]) -> str:
    """Of a pod or a Workflow; empty before anybody has looked at it."""
    return str(obj.get("status", {}).get("phase", ""))


def is_going(obj: Mapping[str, Any]) -> bool:
    """Whether its deletion has begun."""
    return "deletionTimestamp" in obj["metadata"]


def node_of(claim: Mapping[str, Any]) -> str:
    """The claim's node; empty while there is none."""
    return str(claim.get("status", {}).get("nodeName", ""))


def instance_of(claim: Mapping[str, Any]) -> str:
    """The claim's instance, for example `i-0123456789abcdef0`; empty while there is none."""
    return str(claim.get("status", {}).get("providerID", "")).rpartition("/")[2]


def is_emptied(node: Mapping[str, Any] | None) -> bool:
    """Whether Karpenter has begun to take the node's pods away."""
    taints = (node or {}).get("spec", {}).get("taints") or ()
    return any(taint.get("key") == GOING_TAINT for taint in taints)


def _sorted(objects: list[Object]) -> tuple[Object, ...]:
    return tuple(sorted(objects, key=full_name))
