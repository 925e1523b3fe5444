"""What keeps a pod from being evicted: a word of its own, or a budget that allows no disruption now."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from stackyard.drain.snapshot import GOING_TAINT, annotations, is_going, labels, phase_of
from stackyard.local.kubernetes.store import Object

KEEP_ANNOTATION = "karpenter.sh/do-not-disrupt"
ENDED_PHASES = ("Succeeded", "Failed")
# Durations as Go writes them, for example `1h30m`.
_PARTS = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def holds_its_node(pod: Object) -> bool:
    """Whether Karpenter waits for the pod before it ends the pod's node.

    Source: sigs.k8s.io/karpenter at v1.14.1, pkg/utils/pod/scheduling.go (IsWaitingEviction).
    """
    if phase_of(pod) in ENDED_PHASES:
        return False
    owners: Sequence[Object] = pod["metadata"].get("ownerReferences") or ()
    tolerations: Sequence[Object] = pod["spec"].get("tolerations") or ()
    static = any(owner["kind"] == "Node" for owner in owners)
    return not static and not any(map(_tolerates_going, tolerations))


def asks_to_stay(pod: Object, now: datetime) -> bool:
    """Whether `karpenter.sh/do-not-disrupt` counts: `true`, or a duration since the pod's start that is not over.

    https://karpenter.sh/v1.14/concepts/disruption/#pod-level-controls
    """
    value = annotations(pod).get(KEEP_ANNOTATION, "")
    if value == "true":
        return True
    if not value or _PARTS.sub("", value):
        # Karpenter ignores what it cannot read.
        return False
    lasts = timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in _PARTS.findall(value)))
    started = pod.get("status", {}).get("startTime")
    return lasts > timedelta() and (not started or now - datetime.fromisoformat(started) < lasts)


def budget_of(pod: Object, budgets: Sequence[Object]) -> str:
    """Name of a budget that allows no eviction of the pod now; empty without one.

    https://kubernetes.io/docs/tasks/run-application/configure-pdb/
    """
    if is_going(pod) or phase_of(pod) != "Running":
        return ""
    for budget in budgets:
        metadata, status = budget["metadata"], budget.get("status", {})
        here = metadata["namespace"] == pod["metadata"]["namespace"]
        if here and not status.get("disruptionsAllowed", 0) and _selects(budget["spec"].get("selector"), labels(pod)):
            return f"{metadata['namespace']}/{metadata['name']}"
    return ""


def _selects(selector: Mapping[str, Any] | None, found: Mapping[str, str]) -> bool:
    """https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"""
    if selector is None:
        return False
    exactly: Mapping[str, str] = selector.get("matchLabels") or {}
    if any(found.get(key) != value for key, value in exactly.items()):
        return False
    expressions: Sequence[Mapping[str, Any]] = selector.get("matchExpressions") or ()
    return all(_meets(entry, found) for entry in expressions)


def _meets(entry: Mapping[str, Any], found: Mapping[str, str]) -> bool:
    key: str = entry["key"]
    values: Sequence[str] = entry.get("values") or ()
    match entry["operator"]:
        case "In":
            return found.get(key) in values
        case "NotIn":
            return found.get(key) not in values
        case "Exists":
            return key in found
        case _:
            return key not in found


def _tolerates_going(toleration: Mapping[str, Any]) -> bool:
    if toleration.get("effect", "") not in ("", "NoSchedule"):
        return False
    key: str = toleration.get("key", "")
    if toleration.get("operator") == "Exists":
        return key in ("", GOING_TAINT)
    return key == GOING_TAINT and not toleration.get("value")
