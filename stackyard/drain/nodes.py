"""Makes nodes go: nothing new starts, jobs end, Karpenter empties the nodes and ends their instances."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from components.job_queue import QUEUE_NAMESPACE
from components.node_pool_spec import POOL_NAME_LABEL
from stackyard.drain.api import Api
from stackyard.drain.protection import asks_to_stay, budget_of, holds_its_node
from stackyard.drain.snapshot import Snapshot, instance_of, is_emptied, is_going, labels, look, node_of
from stackyard.drain.work import Work, still_running
from stackyard.local.kubernetes.api_server import NoAnswer
from stackyard.local.kubernetes.store import Object

KEPT_NAMESPACES: Mapping[str, str] = {
    QUEUE_NAMESPACE: "Kueue, without which queues and waiting pods would keep their finalizers for ever",
}
"""Controllers that a destroy needs to the end, by namespace. Their nodes stay: the destroy takes them with the pool,
after what they run."""

POLL_S = 3.0
# Argo ends a run's pods in seconds; an exit handler may take a while. After this the pods are ended one by one.
RUNS_END_S = 180.0
# A server that does not answer so often in a row has not just been busy.
SILENCES = 5


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Time, as a drain needs it. Tests have another one."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    wait: Callable[[], None] = lambda: time.sleep(POLL_S)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a drain will do, and for how long it will wait."""

    work: Sequence[Work]
    """Jobs that end. Empty without --force."""
    deadline: float
    """By the clock's `monotonic`."""
    tell: Callable[[str], None]
    """Hears of progress, a sentence at a time."""
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class Drained:
    """How it ended."""

    left: Sequence[Object]
    """Claims of nodes that should have gone and have not."""
    kept: Sequence[Object]
    """Claims of nodes that stay for the destroy."""
    seen: Snapshot
    """The cluster at the end."""

    @property
    def kept_instances(self) -> frozenset[str]:
        return frozenset(filter(None, map(instance_of, self.kept)))


def drain_nodes(api: Api, plan: Plan) -> Drained:
    """Everything in its order. What was done stays done when it fails; a second call goes on from there."""
    seen = look(api)
    stop_schedules(api, seen, plan)
    stop_runs(api, plan)
    seen = look(api)
    kept = kept_nodes(seen)
    close_pools(api, seen, kept, plan)
    return _emptied(api, kept, plan)


def kept_nodes(seen: Snapshot) -> frozenset[str]:
    """Nodes that stay for the destroy."""
    pods = [pod for pod in seen.pods if pod["metadata"]["namespace"] in KEPT_NAMESPACES and holds_its_node(pod)]
    staying = {node_of(claim) for claim in seen.claims if not is_going(claim)}
    return frozenset(staying & {pod["spec"].get("nodeName", "") for pod in pods} - {""})


def stop_schedules(api: Api, seen: Snapshot, plan: Plan) -> None:
    awake = [schedule for schedule in seen.schedules if not schedule["spec"].get("suspend")]
    for schedule in awake:
        api.change(schedule, {"spec": {"suspend": True}})
    if awake:
        plan.tell(f"{counted(awake, 'schedule')} suspended")


def stop_runs(api: Api, plan: Plan) -> None:
    """Ends runs as `argo stop` does, so that their exit handlers run, and waits for that as long as it is worth."""
    runs = [work for work in plan.work if work.run]
    for work in runs:
        assert work.run
        api.change(work.run, {"spec": {"shutdown": "Stop"}})
    if not runs:
        return
    plan.tell(f"{counted(runs, 'run')} told to stop")
    end = min(plan.clock.monotonic() + RUNS_END_S, plan.deadline)
    while running := [work for work in runs if still_running(_patiently(api, plan), work)]:
        if plan.clock.monotonic() > end:
            names = ", ".join(work.name for work in running)
            plan.tell(f"{names}: told to stop {RUNS_END_S / 60:.0f} minutes ago and still there, its pods are ended")
            return
        plan.clock.wait()
    plan.tell(f"{counted(runs, 'run')} ended")


def close_pools(api: Api, seen: Snapshot, kept: Collection[str], plan: Plan) -> None:
    """No pool gets more nodes than stay in it.

    A ceiling and not a deleted pool: the nodes that stay would go with it, and a ceiling is set back by the next `up`
    that refreshes.
    """
    closed = 0
    for pool in seen.pools:
        name = pool["metadata"]["name"]
        ceiling = str(
            sum(node_of(claim) in kept and labels(claim).get(POOL_NAME_LABEL) == name for claim in seen.claims)
        )
        limits: Mapping[str, object] = pool["spec"].get("limits") or {}
        if str(limits.get("nodes")) != ceiling:
            api.change(pool, {"spec": {"limits": {"nodes": ceiling}}})
            closed += 1
    if closed:
        plan.tell(f"{closed} of {counted(seen.pools, 'pool')} closed: no new node starts")


def _emptied(api: Api, kept: Collection[str], plan: Plan) -> Drained:
    doomed = frozenset(uid for work in plan.work for uid in work.uids)
    known, told = set[str](), ""
    while True:
        seen = _patiently(api, plan)
        going = [claim for claim in seen.claims if node_of(claim) not in kept]
        for claim in going:
            if not is_going(claim):
                api.ask_to_delete(claim)
        for pod in _to_end(seen, kept, doomed, plan.clock.now()):
            api.ask_to_delete(pod)
        known |= {claim["metadata"]["uid"] for claim in going}
        now = f"nodes gone: {len(known) - len(going)} of {len(known)}" if known else "no node to drain"
        if now != told:
            plan.tell(told := now)
        if not going or plan.clock.monotonic() > plan.deadline:
            stay = [claim for claim in seen.claims if claim not in going]
            return Drained(left=going, kept=stay, seen=seen)
        plan.clock.wait()


def _to_end(seen: Snapshot, kept: Collection[str], doomed: Collection[str], now: datetime) -> list[Object]:
    """Pods that Karpenter would wait for, and that may end: those of the list, and those of a budget that is used up.

    Where a node is about to go they end once nothing new lands on it.
    """
    found: list[Object] = []
    for pod in seen.pods:
        node = pod["spec"].get("nodeName", "")
        if node not in seen.started or is_going(pod) or not holds_its_node(pod):
            continue
        emptied, listed = is_emptied(seen.nodes.get(node)), pod["metadata"]["uid"] in doomed
        # A budget is there to keep a service up, and this one goes: no node is left for another pod of it.
        spent = emptied and not asks_to_stay(pod, now) and budget_of(pod, seen.budgets)
        if spent or (listed and (emptied or node in kept)):
            found.append(pod)
    return found


def _patiently(api: Api, plan: Plan) -> Snapshot:
    """What is there now, though the server may be silent for a moment."""
    for _ in range(SILENCES - 1):
        try:
            return look(api)
        except NoAnswer:
            plan.clock.wait()
    return look(api)


def counted(things: Sequence[object], noun: str) -> str:
    """For example `1 node`, `3 nodes`."""
    return f"1 {noun}" if len(things) == 1 else f"{len(things)} {noun}s"
