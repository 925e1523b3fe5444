"""A cluster in memory whose Karpenter and Argo do a step of their work whenever the drain waits."""

from datetime import UTC, datetime
from typing import Any

from components.node_pool_spec import POOL_NAME_LABEL
from stackyard.drain.nodes import Clock
from stackyard.drain.snapshot import GOING_TAINT
from stackyard.local.kubernetes.api_server import NoAnswer

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
STEP_S = 3.0
Objects = list[dict[str, Any]]
KEEP = {"karpenter.sh/do-not-disrupt": "true"}


class Cluster:
    """What `Api` is to a drain. Its clock moves only when somebody waits."""

    def __init__(self):
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.done: list[str] = []
        """Changes and deletes that were asked for, in order."""
        self.elapsed = 0.0
        self.argo_works = self.karpenter_works = True
        self.silent = 0
        """Requests that get no answer from now on."""

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: NOW, monotonic=lambda: self.elapsed, wait=self.step)

    def put(self, api_version: str, kind: str, name: str, **parts: Any) -> dict[str, Any]:
        metadata = {"name": name.rpartition("/")[2], "uid": f"uid-{kind}-{name}", **parts.pop("metadata", {})}
        if "/" in name:
            metadata["namespace"] = name.partition("/")[0]
        obj = {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": {}, **parts}
        self.objects[kind, name] = obj
        return obj

    def pool(self, name: str, nodes: str = "4") -> dict[str, Any]:
        limits = {"nodes": nodes, "nvidia.com/gpu": "0"}
        return self.put("karpenter.sh/v1", "NodePool", name, spec={"limits": limits})

    def node(self, name: str, pool: str = "gpu") -> dict[str, Any]:
        """A node of Karpenter, with its claim."""
        labels = {POOL_NAME_LABEL: pool}
        self.put("v1", "Node", name, metadata={"labels": labels}, spec={"taints": []})
        status = {"nodeName": name, "providerID": f"aws:///us-east-1a/i-of-{name}"}
        return self.put("karpenter.sh/v1", "NodeClaim", f"{name}-claim", metadata={"labels": labels}, status=status)

    def pod(self, name: str, node: str, *, keep: bool = False, run: str = "", **metadata: Any) -> dict[str, Any]:
        labels = {"app": name.rpartition("/")[2].rpartition("-")[0]}
        labels |= {"workflows.argoproj.io/workflow": run} if run else {}
        return self.put(
            "v1",
            "Pod",
            name,
            metadata={"labels": labels, "annotations": KEEP if keep else {}, **metadata},
            spec={"nodeName": node},
            status={"phase": "Running", "startTime": "2026-11-28T11:00:00Z"},
        )

    def run(self, name: str, phase: str = "Running") -> dict[str, Any]:
        status = {"phase": phase, "startedAt": "2026-11-28T10:30:00Z"}
        return self.put("argoproj.io/v1alpha1", "Workflow", name, status=status)

    def schedule(self, name: str, *, suspend: bool = False) -> dict[str, Any]:
        return self.put("argoproj.io/v1alpha1", "CronWorkflow", name, spec={"suspend": suspend})

    def budget(self, name: str, app: str, least: int) -> dict[str, Any]:
        spec = {"selector": {"matchLabels": {"app": app}}, "minAvailable": least}
        made = self.put("policy/v1", "PodDisruptionBudget", name, spec=spec, status={})
        self._count_budgets()
        return made

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        return self.objects.get((kind, name))

    def names(self, kind: str) -> "list[str]":
        return sorted(name for found, name in self.objects if found == kind)

    def list(self, api_version: str, kind: str) -> Objects:
        if self.silent:
            self.silent -= 1
            raise NoAnswer("https://cluster does not answer (timed out)")
        return [obj for (found, _), obj in self.objects.items() if found == kind]

    def change(self, obj: Any, change: Any) -> None:
        self.done.append(f"change {obj['kind']} {_name(obj)} {change['spec']}")
        self._merge(self.objects[obj["kind"], _name(obj)], change)

    def ask_to_delete(self, obj: Any) -> None:
        self.done.append(f"delete {obj['kind']} {_name(obj)}")
        self.objects[obj["kind"], _name(obj)]["metadata"]["deletionTimestamp"] = "2026-11-28T12:00:00Z"

    def step(self) -> None:
        self.elapsed += STEP_S
        self._end_pods()
        if self.argo_works:
            self._end_runs()
        if self.karpenter_works:
            for claim in self.list_now("NodeClaim"):
                if "deletionTimestamp" in claim["metadata"]:
                    self._empty(claim)
        self._count_budgets()

    def list_now(self, kind: str) -> Objects:
        return [obj for (found, _), obj in self.objects.items() if found == kind]

    def _end_pods(self) -> None:
        for pod in self.list_now("Pod"):
            if "deletionTimestamp" in pod["metadata"] and not pod["metadata"].get("finalizers"):
                del self.objects["Pod", _name(pod)]

    def _end_runs(self) -> None:
        for run in self.list_now("Workflow"):
            if run["spec"].get("shutdown") == "Stop" and run["status"]["phase"] == "Running":
                run["status"]["phase"] = "Failed"
                for pod in self.list_now("Pod"):
                    if pod["metadata"]["labels"].get("workflows.argoproj.io/workflow") == run["metadata"]["name"]:
                        pod["status"]["phase"] = "Failed"

    def _empty(self, claim: dict[str, Any]) -> None:
        node = self.objects["Node", claim["status"]["nodeName"]]
        if not node["spec"]["taints"]:
            node["spec"]["taints"] = [{"key": GOING_TAINT, "effect": "NoSchedule"}]
            return
        waiting = [
            pod
            for pod in self.list_now("Pod")
            if pod["spec"]["nodeName"] == node["metadata"]["name"] and pod["status"]["phase"] == "Running"
        ]
        for pod in waiting:
            if pod["metadata"]["annotations"] != KEEP and self._may_go(pod):
                pod["metadata"]["deletionTimestamp"] = "2026-11-28T12:00:00Z"
                self._count_budgets()
        if not waiting:
            del self.objects["Node", node["metadata"]["name"]]
            del self.objects["NodeClaim", claim["metadata"]["name"]]

    def _may_go(self, pod: dict[str, Any]) -> bool:
        guards = [b for b in self.list_now("PodDisruptionBudget") if self._guards(b, pod)]
        return all(guard["status"]["disruptionsAllowed"] for guard in guards)

    def _count_budgets(self) -> None:
        for budget in self.list_now("PodDisruptionBudget"):
            up = [
                p for p in self.list_now("Pod") if self._guards(budget, p) and "deletionTimestamp" not in p["metadata"]
            ]
            budget["status"]["disruptionsAllowed"] = max(0, len(up) - budget["spec"]["minAvailable"])

    @staticmethod
    def _guards(budget: dict[str, Any], pod: dict[str, Any]) -> bool:
        labels = budget["spec"]["selector"]["matchLabels"]
        same = budget["metadata"]["namespace"] == pod["metadata"]["namespace"]
        return same and labels.items() <= pod["metadata"]["labels"].items()

    def _merge(self, into: dict[str, Any], change: dict[str, Any]) -> None:
        for key, value in change.items():
            if isinstance(value, dict):
                self._merge(into.setdefault(key, {}), value)
            else:
                into[key] = value


def _name(obj: Any) -> str:
    return "/".join(filter(None, (obj["metadata"].get("namespace"), obj["metadata"]["name"])))
