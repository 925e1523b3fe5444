"""Many GPU pods at once over prod's pools: how soon all run, and what their nodes cost beside the cheapest ones."""

import copy
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path

from components.gpu_sharing import GPU_TAINT, WHOLE_GPU
from components.node_pool_spec import INSTANCE_TYPE_LABEL, POOL_NAME_LABEL
from pipelines.compile.shape import POOL_LABEL
from stacks.prices import INSTANCES
from stackyard.errors import UserError
from stackyard.local.kubernetes.api_server import CONNECTIONS
from tests.bench.measure import MeasureFailed, Result, Say
from tests.bench.packing import SAME_USD, Ceiling, NoPacking, Offer, Packing, cheapest_packing, usd_per_hour
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fleet import CAPACITY_LABEL, GATES, SPACE, ZONES, Fleet, label, values
from tests.cluster.instance_types import CAPACITIES, gpu_count, instance_types, price
from tests.cluster.objects import Object, kubernetes_objects, of_kind
from tests.stack_captures import stack_capture
from tests.waiting import eventually

STACK = "prod-platform"
PODS = 1000
BLOCK = (1, 1, 1, 1, 1, 4) * 3 + (1, 8)
"""GPUs of twenty pods in the order in which they come; then the same again."""
POOL_OF = {1: "gpu", 4: "gpu", 8: "gpu-reserved"}
"""Kueue gives an admitted pod the pool of its flavor; here those that fit nowhere else have the reservation. If pods
could choose, small ones would take parts of nodes with eight GPUs, and one that needs all eight would wait.
"""
# Of each GPU. What is left is for the node itself: the smallest types here have 4 CPUs and 16 GiB.
CPUS, MEMORY_GB = 3, 12
# Karpenter's own defaults, which the kit's release keeps. The tests of the tier are in more of a hurry.
BATCH = ("1s", "10s")
RESERVED = "reserved"
HOSTNAME = "kubernetes.io/hostname"
WITHIN_S = 900.0
LOOK_S, SAY_S = 2.0, 15.0
AIM_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds since the first pod was created."""

    placed: float
    """Until the last pod had a node, or a NodeClaim. Kubernetes tells whole seconds: to the end of that one."""
    running: float
    """Until the last pod ran."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    pods: int
    times: Times
    floor: Times
    """Of the same pods on the same nodes, which are there already."""
    nodes: Mapping[Offer, int]
    """That Karpenter chose."""
    cheapest: Packing


def run(say: Say) -> list[Result]:
    """A control plane of its own, measured once. Raises MeasureFailed."""
    with tempfile.TemporaryDirectory(prefix="stackyard-bench-") as folder:
        plane = ControlPlane(Path(folder))
        try:
            plane.start()
            return results(scale(plane, Fleet(plane), PODS, say))
        except (AssertionError, UserError) as error:
            raise MeasureFailed(f"the control plane failed: {error}") from error
        except NoPacking as error:
            raise MeasureFailed(str(error)) from error
        finally:
            plane.stop()


def scale(plane: ControlPlane, fleet: Fleet, count: int, say: Say, within_s: float = WITHIN_S) -> Scale:
    """Leaves the pods of the floor and their nodes behind, and no Karpenter. Raises MeasureFailed."""
    sizes = pod_sizes(count)
    pools = raised_pools(sizes)
    _start(plane, fleet, pools)
    for line in raised_lines(pools):
        say(f"  {line}")
    pods = {f"pod-{number:04}": size for number, size in enumerate(sizes)}
    specs = [training_pod(name, size) for name, size in pods.items()]
    started = time.time()
    _side_by_side(fleet.api.create, specs)
    running = _until_all_run(plane, fleet, count, started, within_s, say)
    times = Times(placed=_last_claim(fleet) - started, running=running - started)
    nodes = _settled_nodes(fleet)
    chosen = Counter(offer_of(node) for node in nodes)
    hosts = {node["metadata"]["name"]: label(node, HOSTNAME) for node in nodes}
    placed = {pod["metadata"]["name"]: hosts[pod["spec"]["nodeName"]] for pod in fleet.api.list("v1", "Pod", SPACE)}
    say(f"  {count:,} pods: nominated after {times.placed:.0f} s, running after {times.running:.0f} s; the floor:")
    # Names of their own: kwok, which asks by name, may still be busy with the first ones.
    twins = [training_pod(f"twin-{name}", size, host=placed[name]) for name, size in pods.items()]
    floor = _floor(plane, fleet, twins, say)
    cheapest = cheapest_packing(Counter(sizes), offers(pools), ceilings(pools))
    checked(chosen, cheapest)
    say(f"  Karpenter's nodes: {listed(chosen)}")
    say(f"  cheapest nodes: {listed(cheapest.nodes)}{'' if cheapest.proven else ' (not proven)'}")
    return Scale(pods=count, times=times, floor=floor, nodes=chosen, cheapest=cheapest)


def pod_sizes(count: int) -> list[int]:
    return [BLOCK[number % len(BLOCK)] for number in range(count)]


def training_pod(name: str, gpus: int, host: str = "") -> Object:
    """A pod as a pipeline's GPU step is once Kueue has admitted it (pipelines/compile/shape.py). `host`: its node."""
    selector = {POOL_LABEL: "gpu", POOL_NAME_LABEL: POOL_OF[gpus], **({HOSTNAME: host} if host else {})}
    amounts = {"cpu": str(CPUS * gpus), "memory": f"{MEMORY_GB * gpus}Gi", WHOLE_GPU: str(gpus)}
    resources = {"requests": amounts, "limits": amounts}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": SPACE, "annotations": {"karpenter.sh/do-not-disrupt": "true"}},
        "spec": {
            "containers": [{"name": "main", "image": "example.com/step:1", "resources": resources}],
            "nodeSelector": selector,
            "restartPolicy": "Never",
            "tolerations": [{"key": GPU_TAINT, "operator": "Exists", "effect": "NoSchedule"}],
        },
    }


def raised_pools(sizes: Sequence[int]) -> list[Object]:
    """The pools of prod; both ceilings of a pool times the same number, as far as its pods need it."""
    return [_raised(pool, sizes) for pool in of_kind(kubernetes_objects(stack_capture(STACK)), "NodePool")]


def _raised(pool: Object, sizes: Sequence[int]) -> Object:
    copied = copy.deepcopy(pool)
    own = [size for size in sizes if POOL_OF[size] == pool["metadata"]["name"]]
    if not own:
        return copied
    # The scheduler may put smaller pods on a node that Karpenter started for a larger one, which then needs another.
    needed = sum(own) + sum(size for size in own if size > min(own))
    ceiling = ceilings([pool])[pool["metadata"]["name"]]
    factor = max(1, ceil(needed / ceiling.gpus))
    copied["spec"]["limits"] |= {"nodes": str(factor * ceiling.nodes), WHOLE_GPU: str(factor * ceiling.gpus)}
    return copied


def raised_lines(pools: Sequence[Object]) -> list[str]:
    """What was raised, and from what."""
    before = ceilings(of_kind(kubernetes_objects(stack_capture(STACK)), "NodePool"))
    return [
        f"pool {name}: maxNodes {before[name].nodes} raised to {now.nodes}, maxGpus {before[name].gpus} to {now.gpus}"
        for name, now in ceilings(pools).items()
        if now != before[name]
    ]


def ceilings(pools: Sequence[Object]) -> dict[str, Ceiling]:
    return {
        pool["metadata"]["name"]: Ceiling(
            nodes=int(pool["spec"]["limits"]["nodes"]), gpus=int(pool["spec"]["limits"][WHOLE_GPU])
        )
        for pool in pools
    }


def offers(pools: Sequence[Object]) -> list[Offer]:
    """Everything with GPUs that Karpenter may start, at the prices that it is told."""
    return [
        _offer(pool["metadata"]["name"], kind, capacity)
        for pool in pools
        for kind in values(pool, INSTANCE_TYPE_LABEL)
        for capacity in values(pool, CAPACITY_LABEL)
        if gpu_count(kind)
    ]


def offer_of(node: Object) -> Offer:
    return _offer(label(node, POOL_NAME_LABEL), label(node, INSTANCE_TYPE_LABEL), label(node, CAPACITY_LABEL))


def _offer(pool: str, kind: str, capacity: str) -> Offer:
    return Offer(pool, kind, capacity, gpu_count(kind), round(price(kind, capacity), 6))


def checked(nodes: Mapping[Offer, int], cheapest: Packing) -> None:
    """Raises MeasureFailed for nodes below the bound: one of the two is wrong."""
    if usd_per_hour(nodes) < cheapest.bound - SAME_USD:
        raise MeasureFailed(
            f"nodes for {usd_per_hour(nodes):.2f} dollars an hour hold what cannot be held for less than "
            f"{cheapest.bound:.2f}: {listed(nodes)}"
        )


def listed(nodes: Mapping[Offer, int]) -> str:
    """`350 × g5.12xlarge spot (694.82 $/h), 50 × p5.48xlarge reserved (paid for anyway; on demand 2752.00 $/h)`."""
    return ", ".join(
        f"{number} × {offer.kind} {offer.capacity} ({_costs(offer, number)})" for offer, number in sorted(nodes.items())
    )


def _costs(offer: Offer, number: int) -> str:
    if offer.capacity == RESERVED:
        return f"paid for anyway; on demand {INSTANCES[offer.kind].usd * number:.2f} $/h"
    return f"{offer.usd * number:.2f} $/h"


def results(scale: Scale) -> list[Result]:
    """Until all are nominated, until all run, and the price. The price's floor is what the solver proved."""
    pods, there = f"{scale.pods:,} GPU pods", "the same pods on the same nodes, which are there"
    timed = [
        ("gpu-scale-nominated", f"{pods}, all nominated", f"{there}: bound", "placed", None),
        ("gpu-scale-running", f"{pods}, all running", f"{there}: running", "running", AIM_S),
    ]
    price_of = Result(
        name="gpu-scale-price",
        what=f"price of their {sum(scale.nodes.values())} nodes",
        floor_what="the cheapest nodes that hold them",
        measured=(usd_per_hour(scale.nodes),),
        floor=(scale.cheapest.bound,),
        unit="$/h",
        aim=None,
        judged="ratio",
        details={
            "nodes": details(scale.nodes),
            "cheapest": details(scale.cheapest.nodes),
            "proven": scale.cheapest.proven,
        },
    )
    return [
        *(
            Result(
                name=name,
                what=what,
                floor_what=floor_what,
                measured=(getattr(scale.times, moment),),
                floor=(getattr(scale.floor, moment),),
                aim=aim,
                judged="seconds",
            )
            for name, what, floor_what, moment, aim in timed
        ),
        price_of,
    ]


def details(nodes: Mapping[Offer, int]) -> list[dict[str, str | int | float]]:
    """For bench.json."""
    return [
        {
            "pool": offer.pool,
            "type": offer.kind,
            "capacity": offer.capacity,
            "nodes": number,
            "usd_per_hour": round(offer.usd * number, 6),
            "on_demand_usd_per_hour": round(INSTANCES[offer.kind].usd * number, 6),
        }
        for offer, number in sorted(nodes.items())
    ]


def _start(plane: ControlPlane, fleet: Fleet, pools: Sequence[Object]) -> None:
    names = [name for pool in pools for name in values(pool, INSTANCE_TYPE_LABEL)]
    plane.start_karpenter(instance_types(names, ZONES, (*CAPACITIES, RESERVED)), GATES, BATCH)
    fleet.use(pools)
    for pool in pools:
        # The tier's tests cannot wait ten minutes for an empty node to go; here none may go before its pods come.
        idle = pool["spec"]["disruption"]["consolidateAfter"]
        fleet.api.patch(pool, {"spec": {"disruption": {"consolidateAfter": idle}}})


def _floor(plane: ControlPlane, fleet: Fleet, pods: Sequence[Object], say: Say) -> Times:
    """Without Karpenter: the nodes stay, and each pod may only go where its twin was."""
    plane.stop_server("karpenter")
    _side_by_side(fleet.api.ask_to_delete, fleet.api.list("v1", "Pod", SPACE))
    deadline = time.time() + WITHIN_S
    while fleet.api.list("v1", "Pod", SPACE):
        if time.time() > deadline:
            raise MeasureFailed(f"pods were still there {WITHIN_S:.0f} s after their deletion")
        time.sleep(LOOK_S)
    started = time.time()
    _side_by_side(fleet.api.create, pods)
    running = _until_all_run(plane, fleet, len(pods), started, WITHIN_S, say)
    bound = max(_bound(pod) for pod in fleet.api.list("v1", "Pod", SPACE))
    return Times(placed=bound - started, running=running - started)


def _side_by_side(call: Callable[[Object], object], objects: Sequence[Object]) -> None:
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        # Read, so that a refusal is raised.
        list(threads.map(call, objects))


def _until_all_run(plane: ControlPlane, fleet: Fleet, count: int, started: float, within_s: float, say: Say) -> float:
    """When all ran, in seconds since the epoch. Raises MeasureFailed with what is said of one that does not."""
    said = started
    while True:
        # The server filters: a list of all pods each time would itself be a load.
        waiting = fleet.api.list("v1", "Pod", SPACE, fields="status.phase!=Running")
        now = time.time()
        if not waiting:
            break
        plane.check_running()
        if now - started > within_s:
            name = waiting[0]["metadata"]["name"]
            reasons = "; ".join(sorted(set(fleet.said_of(name))))
            raise MeasureFailed(f"{len(waiting)} of {count} pods do not run after {within_s:.0f} s. {name}: {reasons}")
        if now - said > SAY_S:
            said = now
            say(f"    after {now - started:.0f} s {count - len(waiting):,} of {count:,} run")
        time.sleep(LOOK_S)
    if (left := len(fleet.api.list("v1", "Pod", SPACE))) != count:
        raise MeasureFailed(f"of {count} pods only {left} are left")
    return now


def _settled_nodes(fleet: Fleet) -> list[Object]:
    """All that Karpenter started, also those that turned out to be one too many."""
    return eventually(
        lambda: nodes if len(nodes := fleet.nodes()) == len(fleet.claims()) else [], "every NodeClaim has its node"
    )


def _last_claim(fleet: Fleet) -> float:
    """From when on there was a NodeClaim for every pod. Karpenter's events leave pods out (five a second at most)."""
    return max(_end_of(claim["metadata"]["creationTimestamp"]) for claim in fleet.claims())


def _bound(pod: Object) -> float:
    (scheduled,) = (entry for entry in pod["status"]["conditions"] if entry["type"] == "PodScheduled")
    return _end_of(scheduled["lastTransitionTime"])


def _end_of(second: str) -> float:
    return datetime.fromisoformat(second).timestamp() + 1
