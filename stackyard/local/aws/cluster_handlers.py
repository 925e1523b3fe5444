"""Calls for changes of EKS clusters and node groups that a table row cannot say; pure, as in handlers.py."""

import re
from typing import Any

from stackyard.errors import InvalidInput
from stackyard.local.aws.handlers import Inputs
from stackyard.local.aws.rows import Op

# https://docs.aws.amazon.com/eks/latest/APIReference/API_LogSetup.html
CLUSTER_LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
_VERSION = re.compile(r"1\.\d+")


def cluster_changes(old: Inputs, new: Inputs) -> list[Op]:
    """One UpdateClusterConfig that names the log types that are on and those that are off.

    Raises InvalidInput for a version that AWS does not go to: the emulator would take any.
    """
    if not old:
        return []
    _refuse_version(str(old.get("version") or ""), str(new.get("version") or ""))
    if old.get("enabledClusterLogTypes") == new.get("enabledClusterLogTypes"):
        return []
    on = list(new.get("enabledClusterLogTypes") or ())
    setups = [
        {"types": on, "enabled": True},
        {"types": [kind for kind in CLUSTER_LOG_TYPES if kind not in on], "enabled": False},
    ]
    setups = [setup for setup in setups if setup["types"]]
    return [Op(name="UpdateClusterConfig", params={"name": "=id", "logging": {"clusterLogging": setups}})]


# https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html
def _refuse_version(before: str, now: str) -> None:
    if before == now or not (_VERSION.fullmatch(before) and _VERSION.fullmatch(now)):
        return
    (major, old_minor), (_, minor) = (map(int, version.split(".")) for version in (before, now))
    if minor < old_minor:
        raise InvalidInput(
            f"version is {now}, but the control plane runs {before}, and EKS never goes back: give {before} or newer."
        )
    if minor > old_minor + 1:
        following = f"{major}.{old_minor + 1}"
        raise InvalidInput(
            f"version is {now}, but the control plane runs {before}, and EKS goes one minor version at a time, nodes "
            f"and add-ons with it: the next allowed version is {following}; apply that first."
        )


def node_group_changes(old: Inputs, new: Inputs) -> list[Op]:
    """One UpdateNodegroupConfig with the labels and taints that were set and removed."""
    if not old:
        return []
    params: dict[str, Any] = {"clusterName": "=clusterName", "nodegroupName": "=nodeGroupName"}
    if old.get("labels") != new.get("labels"):
        before, now = dict(old.get("labels") or {}), dict(new.get("labels") or {})
        params["labels"] = _changes(
            "Labels",
            {key: value for key, value in now.items() if before.get(key) != value},
            sorted(set(before) - set(now)),
        )
    if old.get("taints") != new.get("taints"):
        before, now = list(old.get("taints") or []), list(new.get("taints") or [])
        params["taints"] = _changes("Taints", [t for t in now if t not in before], [t for t in before if t not in now])
    params |= {
        name: new[name]
        for name in ("scalingConfig", "updateConfig", "nodeRepairConfig")
        if new.get(name) and old.get(name) != new[name]
    }
    return [Op(name="UpdateNodegroupConfig", params=params)]


def _changes(noun: str, changed: Any, removed: Any) -> dict[str, Any]:
    verbs = ((f"addOrUpdate{noun}", changed), (f"remove{noun}", removed))
    return {name: entries for name, entries in verbs if entries}
