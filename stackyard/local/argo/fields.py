"""Every field of a WorkflowTemplate that the runner knows; any other is refused before the first process starts.

IMPLEMENTED fields have Argo's meaning here. NO_EFFECT fields are accepted knowingly: each has the reason why leaving it
out changes nothing about what the commands compute. An empty value says nothing and is always accepted.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from stackyard.errors import InvalidInput

_PLACEMENT = "there is one machine"
_DESCRIPTIVE = "it describes, nothing reads it"
_RIGHTS = "processes have the rights of whoever runs them"
_ACCOUNT = "credentials are the local environment's"
_CLEANUP = "no objects are left in a cluster"

IMPLEMENTED: dict[str, tuple[str, ...]] = {
    "spec": ("entrypoint", "arguments", "templates", "parallelism", "onExit", "activeDeadlineSeconds", "volumes"),
    "arguments": ("parameters",),
    "parameter": ("name", "value", "default"),
    "template": (
        *("name", "container", "dag", "inputs", "outputs", "retryStrategy"),
        *("activeDeadlineSeconds", "volumes", "serviceAccountName"),
    ),
    "inputs": ("parameters",),
    "outputs": ("parameters",),
    "output parameter": ("name", "valueFrom", "value"),
    "output valueFrom": ("path", "parameter", "default"),
    "dag": ("tasks", "failFast"),
    "task": ("name", "template", "arguments", "depends", "dependencies", "when", "withItems", "withParam"),
    "retryStrategy": ("limit", "retryPolicy", "backoff"),
    "backoff": ("duration", "factor", "cap", "maxDuration"),
    "container": ("command", "args", "env", "volumeMounts", "workingDir"),
    "env": ("name", "value", "valueFrom"),
    "env valueFrom": ("fieldRef",),
    "fieldRef": ("fieldPath",),
    "volumeMount": ("name", "mountPath"),
    "volume": ("name", "emptyDir"),
    "emptyDir": (),
}

NO_EFFECT: dict[str, dict[str, str]] = {
    "spec": {
        "affinity": _PLACEMENT,
        "archiveLogs": "every attempt's log is a file already",
        "automountServiceAccountToken": _ACCOUNT,
        "executor": _ACCOUNT,
        "imagePullSecrets": "no image is pulled",
        "metrics": "there is no controller to export them",
        "nodeSelector": _PLACEMENT,
        "podDisruptionBudget": _PLACEMENT,
        "podGC": _CLEANUP,
        "podMetadata": _DESCRIPTIVE,
        "podPriorityClassName": _PLACEMENT,
        "priority": _PLACEMENT,
        "schedulerName": _PLACEMENT,
        "securityContext": _RIGHTS,
        "serviceAccountName": _ACCOUNT,
        "tolerations": _PLACEMENT,
        "ttlStrategy": _CLEANUP,
        "workflowMetadata": _DESCRIPTIVE,
    },
    "parameter": {"description": _DESCRIPTIVE},
    "template": {
        "affinity": _PLACEMENT,
        "automountServiceAccountToken": _ACCOUNT,
        "failFast": "it concerns templates that limit their own parallelism, which are refused",
        "metadata": _DESCRIPTIVE,
        "nodeSelector": _PLACEMENT,
        "priorityClassName": _PLACEMENT,
        "schedulerName": _PLACEMENT,
        "securityContext": _RIGHTS,
        "tolerations": _PLACEMENT,
    },
    "output parameter": {"description": _DESCRIPTIVE},
    "retryStrategy": {"affinity": _PLACEMENT},
    "container": {
        "image": "commands run in the project's own Python environment",
        "imagePullPolicy": "no image is pulled",
        "name": _DESCRIPTIVE,
        "ports": "processes share the machine's network",
        "resources": "processes share the machine; sizes are for the cluster's scheduler",
        "securityContext": _RIGHTS,
        "terminationMessagePath": "the log's tail stands in the result",
        "terminationMessagePolicy": "the log's tail stands in the result",
    },
    "fieldRef": {"apiVersion": "there is one"},
    "volumeMount": {"readOnly": _RIGHTS},
    "emptyDir": {"medium": "memory is not set aside", "sizeLimit": "the disk's free space is the limit"},
}

# What stands under a field, where that is checked as well. A list's entries are checked one by one.
_INSIDE = {
    "spec": {"arguments": "arguments", "templates": "template", "volumes": "volume"},
    "arguments": {"parameters": "parameter"},
    "template": {
        **{"container": "container", "dag": "dag", "inputs": "inputs", "outputs": "outputs"},
        **{"retryStrategy": "retryStrategy", "volumes": "volume"},
    },
    "inputs": {"parameters": "parameter"},
    "outputs": {"parameters": "output parameter"},
    "output parameter": {"valueFrom": "output valueFrom"},
    "dag": {"tasks": "task"},
    "task": {"arguments": "arguments"},
    "retryStrategy": {"backoff": "backoff"},
    "container": {"env": "env", "volumeMounts": "volumeMount"},
    "env": {"valueFrom": "env valueFrom"},
    "env valueFrom": {"fieldRef": "fieldRef"},
    "volume": {"emptyDir": "emptyDir"},
}


def check_fields(spec: Mapping[str, Any], workflow: str) -> None:
    """Raises InvalidInput with every field of a WorkflowTemplate's spec that the runner does not implement."""
    problems = list(_walk(spec, "spec", "spec", ""))
    if problems:
        lines = "".join(f"\n  - {problem}" for problem in problems)
        raise InvalidInput(
            f"WorkflowTemplate {workflow} cannot be run on this machine; the local runner does not implement:{lines}"
        )


def _walk(value: Any, kind: str, path: str, template: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, entry in enumerate(value):
            name = f"{index}" if not isinstance(entry, Mapping) else entry.get("name", index)
            yield from _walk(entry, kind, f"{path}[{name}]", template)
    elif not isinstance(value, Mapping):
        yield f"{_where(template)}{path} is {value!r}: a map is expected there"
    else:
        if kind == "template":
            template, path = str(value.get("name", path)), ""
        for field, inner in value.items():
            here = f"{path}.{field}" if path else field
            if inner in (None, False, "", [], {}) or field in NO_EFFECT.get(kind, {}):
                continue
            if field == "podSpecPatch" and _patches_executor_only(inner):
                continue
            if field not in IMPLEMENTED[kind]:
                yield f"{_where(template)}field {here}"
            elif below := _INSIDE.get(kind, {}).get(field):
                yield from _walk(inner, below, here, template)


def _patches_executor_only(patch: Any) -> bool:
    """Whether a podSpecPatch leaves the main container alone: Argo's executor (init, wait) does not run here."""
    try:
        spec = json.loads(patch)
    except (TypeError, ValueError):
        return False
    allowed = {"automountServiceAccountToken", "volumes", "containers", "initContainers"}
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return set(spec) <= allowed and {each.get("name") for each in containers} <= {"init", "wait"}


def _where(template: str) -> str:
    return f"template {template}: " if template else ""
