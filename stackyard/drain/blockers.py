"""Why a node that should go is still there."""

from datetime import datetime

from stackyard.drain.protection import KEEP_ANNOTATION, asks_to_stay, budget_of, holds_its_node
from stackyard.drain.snapshot import Snapshot, full_name, instance_of, is_going, node_of
from stackyard.local.kubernetes.store import Object

KARPENTER_PODS = "kubectl -n kube-system get pods -l app.kubernetes.io/name=karpenter"


def blockers(claim: Object, seen: Snapshot, now: datetime) -> list[str]:
    """What the claim's node waits for, a sentence each; never none."""
    waiting = [pod for pod in seen.pods_on(node_of(claim)) if holds_its_node(pod)]
    if waiting:
        return [_pod(pod, seen, now) for pod in waiting]
    if _is_ending(claim):
        return [f"EC2 is asked to end the instance {instance_of(claim)} and has not done so yet"]
    finalizers = ", ".join(claim["metadata"].get("finalizers") or ()) or "none"
    return [f"no pod holds it, it waits for Karpenter (finalizers: {finalizers}): see that it runs, {KARPENTER_PODS}"]


def _pod(pod: Object, seen: Snapshot, now: datetime) -> str:
    name = f"pod {full_name(pod)}"
    if is_going(pod):
        finalizers = ", ".join(pod["metadata"].get("finalizers") or ())
        if finalizers:
            return f"{name} is being deleted and waits for the finalizers {finalizers}"
        return f"{name} is being deleted: it has {pod['metadata'].get('deletionGracePeriodSeconds', 0)} s to end"
    if asks_to_stay(pod, now):
        return f"{name} asks not to be disrupted ({KEEP_ANNOTATION}) and was not among the jobs listed above"
    if budget := budget_of(pod, seen.budgets):
        return f"{name} is guarded by the budget {budget}, which allows no disruption now"
    return f"{name} has not been evicted yet"


def _is_ending(claim: Object) -> bool:
    conditions = claim.get("status", {}).get("conditions") or ()
    return any(entry["type"] == "InstanceTerminating" and entry["status"] == "True" for entry in conditions)
