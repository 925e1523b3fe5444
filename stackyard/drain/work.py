"""What a drain would end: runs of pipelines, and pods that nobody may evict now."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from stackyard.drain.protection import ENDED_PHASES, asks_to_stay, budget_of, holds_its_node
from stackyard.drain.snapshot import Snapshot, full_name, is_going, labels, phase_of
from stackyard.local.kubernetes.store import Object

# Argo gives it to every pod of a Workflow, with the Workflow's name.
RUN_LABEL = "workflows.argoproj.io/workflow"
ENDED_RUNS = (*ENDED_PHASES, "Error")


@dataclass(frozen=True, kw_only=True)
class Work:
    """One running job."""

    name: str
    """For example `Workflow pipelines/training-x7k2p`."""
    why: str
    """Why it counts, for example `runs`."""
    since: str
    """ISO 8601; empty where it has not begun."""
    pools: tuple[str, ...]
    """Pools whose nodes it runs on."""
    pods: tuple[Object, ...]
    run: Object | None = None
    """Its Workflow, if it is one."""

    @property
    def uids(self) -> frozenset[str]:
        """Of its pods."""
        return frozenset(pod["metadata"]["uid"] for pod in self.pods)


def running_work(seen: Snapshot, now: datetime) -> list[Work]:
    """Runs that have not ended, wherever their pods are, and protected pods on Karpenter's nodes."""
    runs = [_run(seen, run) for run in seen.runs if _is_running(run)]
    known = {uid for work in runs for uid in work.uids}
    return [*runs, *_pods(seen, now, known)]


def still_running(seen: Snapshot, work: Work) -> bool:
    """Whether a run of the list has not ended yet."""
    uid = work.run["metadata"]["uid"] if work.run else ""
    return any(run["metadata"]["uid"] == uid and _is_running(run) for run in seen.runs)


def _is_running(run: Object) -> bool:
    return phase_of(run) not in ENDED_RUNS


def _run(seen: Snapshot, run: Object) -> Work:
    metadata, status = run["metadata"], run.get("status", {})
    pods = [
        pod
        for pod in seen.pods
        if pod["metadata"]["namespace"] == metadata["namespace"] and labels(pod).get(RUN_LABEL) == metadata["name"]
    ]
    return Work(
        name=f"Workflow {full_name(run)}",
        # Argo's controller has not looked at it yet, or it waits in a queue.
        why="runs" if phase_of(run) == "Running" else "waits to run",
        since=status.get("startedAt") or metadata.get("creationTimestamp", ""),
        pools=_pools(seen, pods),
        pods=tuple(pod for pod in pods if holds_its_node(pod)),
        run=run,
    )


def _pods(seen: Snapshot, now: datetime, known: set[str]) -> Iterator[Work]:
    for pod in seen.pods:
        here = pod["spec"].get("nodeName", "") in seen.started
        if not here or is_going(pod) or not holds_its_node(pod) or pod["metadata"]["uid"] in known:
            continue
        if asks_to_stay(pod, now):
            why = "asks not to be disrupted"
        elif budget := budget_of(pod, seen.budgets):
            why = f"its budget {budget} allows no disruption now"
        else:
            continue
        since = pod.get("status", {}).get("startTime", "")
        yield Work(name=f"Pod {full_name(pod)}", why=why, since=since, pools=_pools(seen, [pod]), pods=(pod,))


def _pools(seen: Snapshot, pods: list[Object]) -> tuple[str, ...]:
    return tuple(sorted({pool for pod in pods if (pool := seen.pool_of(pod))}))
