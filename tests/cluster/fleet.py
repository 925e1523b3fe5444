"""Karpenter over simulated nodes, the kit's own pools on it, and pods that ask for GPUs."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from components.gpu_sharing import GPU_TAINT, WHOLE_GPU
from components.node_pool_spec import INSTANCE_TYPE_LABEL, POOL_NAME_LABEL
from pipelines.compile.shape import POOL_LABEL
from tests.cluster.control_plane import ControlPlane
from tests.cluster.instance_types import CAPACITIES, instance_types
from tests.cluster.objects import Object
from tests.cluster.site import Site
from tests.cluster.tools import build
from tests.waiting import eventually

SPACE = "fleet"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
CAPACITY_LABEL = "karpenter.sh/capacity-type"
SIMULATED_CLASS = {"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass"}
# Instead of the pools' own ten minutes.
IDLE = "5s"
# The simulated cloud cannot count what a reservation holds (kwok sets no label for its id); it offers it as it offers
# anything else.
GATES = "ReservedCapacity=false"


class Fleet:
    """One Karpenter; between tests it is emptied."""

    def __init__(self, plane: ControlPlane):
        self._plane, self.api = plane, plane.api
        site = Site(plane.api)
        files = build.taken_files("karpenter-aws", "crds") + build.taken_files("karpenter", "kwok-crds")
        site.define([yaml.safe_load(file.read_text()) for file in files])
        site.make([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}])
        plane.start_kwok()

    def offer(self, pools: Sequence[Object], capacities: Sequence[str] = CAPACITIES) -> None:
        """The simulated cloud has the types of these pools, in every zone, for these capacities."""
        names = [name for pool in pools for name in values(pool, INSTANCE_TYPE_LABEL)]
        self._plane.start_karpenter(instance_types(names, ZONES, capacities), GATES)

    def use(self, pools: Sequence[Object]) -> None:
        """Pools of the kit as they are, but for the class of nodes, which is the simulation's, and their idle time."""
        for pool in pools:
            name = pool["metadata"]["name"]
            version = f"{SIMULATED_CLASS['group']}/v1alpha1"
            self.api.apply({"apiVersion": version, "kind": SIMULATED_CLASS["kind"], "metadata": {"name": name}})
            self.api.apply(simulated(pool))
        for pool in pools:
            name = pool["metadata"]["name"]
            eventually(lambda name=name: self._is_ready(name), f"pool {name} is ready")

    def run(
        self,
        name: str,
        *,
        gpus: int = 0,
        pool: str = "",
        keep: bool = False,
        tolerant: bool = True,
        cpu: str = "1",
        role: str | None = None,
    ) -> None:
        """A pod as a step of a pipeline is: `role` selects pools of that role, `pool` one alone.

        `keep`: it says, as training does, that it must not be disrupted. `tolerant`: it tolerates the GPU taint.
        """
        selector = {**({POOL_NAME_LABEL: pool} if pool else {}), **({POOL_LABEL: role} if role else {})}
        amounts = {"cpu": cpu, "memory": "1Gi", **({WHOLE_GPU: str(gpus)} if gpus else {})}
        toleration = {"key": GPU_TAINT, "operator": "Exists", "effect": "NoSchedule"}
        # Kubernetes wants a request of GPUs to be their limit.
        limits = {name: amount for name, amount in amounts.items() if name == WHOLE_GPU}
        resources = {"requests": amounts, "limits": limits}
        container = {"name": "main", "image": "example.com/step:1", "resources": resources}
        annotations = {"karpenter.sh/do-not-disrupt": "true"} if keep else {}
        self.api.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": SPACE, "annotations": annotations},
                "spec": {
                    "containers": [container],
                    "nodeSelector": selector,
                    "restartPolicy": "Never",
                    "tolerations": [toleration] if gpus and tolerant else [],
                },
            }
        )

    def pod(self, name: str) -> Object | None:
        return self.api.find("v1", "Pod", name, SPACE)

    def is_running(self, name: str) -> bool:
        """Runs, and nobody has asked it to go."""
        pod = self.pod(name)
        return bool(pod) and pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]

    def node_of(self, name: str) -> Object:
        """The node that a pod runs on, once it does."""

        def running() -> bool:
            taints = {node["metadata"]["name"]: node["spec"].get("taints") for node in self.nodes()}
            assert self.is_running(name), (self.said_of(name), taints)
            return True

        eventually(running, f"pod {name} runs")
        pod = self.pod(name)
        assert pod, "it runs"
        node = self.api.find("v1", "Node", pod["spec"]["nodeName"])
        assert node, "it has a running pod"
        return node

    def is_pending(self, name: str) -> bool:
        pod = self.pod(name)
        return bool(pod) and pod["status"].get("phase") == "Pending" and "nodeName" not in pod["spec"]

    def finish(self, name: str) -> None:
        """The pod's work is done."""
        pod = self.pod(name)
        assert pod, f"there is a pod {name}"
        self.api.ask_to_delete(pod)

    def nodes(self) -> list[Object]:
        return self.api.list("v1", "Node")

    def claims(self) -> list[Object]:
        """Karpenter's own objects, one a node that it started or is about to."""
        return self.api.list("karpenter.sh/v1", "NodeClaim")

    def said_of(self, name: str) -> list[str]:
        """What events say about an object of that name, whatever its kind."""
        events = self.api.list("v1", "Event")
        return [event["message"] for event in events if event["involvedObject"].get("name") == name]

    def says(self, name: str, part: str) -> None:
        """Waits until an event about an object says so."""

        def heard() -> bool:
            said = self.said_of(name)
            assert any(part in text for text in said), said
            return True

        eventually(heard, f"an event about {name} says «{part}»")

    def clear(self) -> None:
        """No pods, no pools, no nodes."""
        for pod in self.api.list("v1", "Pod", SPACE):
            self.api.ask_to_delete(pod)
        for pool in self.api.list("karpenter.sh/v1", "NodePool"):
            self.api.ask_to_delete(pool)
        eventually(lambda: not self.api.list("v1", "Pod", SPACE), "all pods are gone")
        eventually(lambda: not (self.claims() or self.nodes()), "all nodes are gone")

    def _is_ready(self, pool: str) -> bool:
        found = self.api.find("karpenter.sh/v1", "NodePool", pool) or {}
        conditions = found.get("status", {}).get("conditions", [])
        return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def simulated(pool: Mapping[str, Any]) -> Object:
    """The same pool over simulated nodes, which it gives back after seconds."""
    copied = copy.deepcopy(dict(pool))
    reference = copied["spec"]["template"]["spec"]["nodeClassRef"]
    copied["spec"]["template"]["spec"]["nodeClassRef"] = {**SIMULATED_CLASS, "name": reference["name"]}
    copied["spec"]["disruption"]["consolidateAfter"] = IDLE
    return copied


def values(pool: Mapping[str, Any], label: str) -> list[str]:
    """What a pool requires of a label; nothing without a requirement."""
    requirements = pool["spec"]["template"]["spec"]["requirements"]
    return [value for entry in requirements if entry["key"] == label for value in entry["values"]]


def label(obj: Mapping[str, Any], key: str) -> str:
    return obj["metadata"]["labels"][key]
