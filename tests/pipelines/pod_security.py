"""A checker for the Pod Security profile *restricted*, and the pod that Argo makes of a step.

The profile: https://kubernetes.io/docs/concepts/security/pod-security-standards/ (baseline, restricted), 2026-11.
The pod: createWorkflowPod in argoproj/argo-workflows at tag v4.0.6, workflow/controller/workflowpod.go.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

VOLUME_KINDS = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"),
}
SECCOMP_KINDS = {"RuntimeDefault", "Localhost"}
SAFE_SYSCTLS = {
    *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"),
    *("net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports"),
    *("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl"),
    "net.ipv4.tcp_keepalive_probes",
}


def violations(pod: Mapping[str, Any]) -> list[str]:
    """What the profile forbids in a pod's spec."""
    spec, context = pod["spec"], pod["spec"].get("securityContext", {})
    found = [f"{field} of the host" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    for volume in spec.get("volumes", []):
        found += [f"volume {volume['name']} is a {kind}" for kind in set(volume) - {"name"} - VOLUME_KINDS]
    found += [f"sysctl {entry['name']}" for entry in context.get("sysctls", []) if entry["name"] not in SAFE_SYSCTLS]
    if context.get("runAsUser") == 0:
        found.append("the pod runs as root")
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        found += [f"{container['name']}: {text}" for text in _container_violations(container, context)]
    return found


def _container_violations(container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    capabilities = own.get("capabilities", {})
    if own.get("privileged"):
        yield "is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may escalate privileges"
    if "ALL" not in capabilities.get("drop", []):
        yield "keeps capabilities"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "adds capabilities"
    if (own | {"runAsNonRoot": own.get("runAsNonRoot", pod.get("runAsNonRoot"))})["runAsNonRoot"] is not True:
        yield "may run as root"
    if own.get("runAsUser") == 0:
        yield "runs as root"
    seccomp = own.get("seccompProfile", pod.get("seccompProfile", {}))
    if seccomp.get("type") not in SECCOMP_KINDS:
        yield "has no seccomp profile"
    if own.get("procMount", "Default") != "Default":
        yield "unmasks /proc"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "takes a port of the host"


def pods(workflow_template: Mapping[str, Any], executor: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The pod of each step. `executor`: the executor's part of the engine's values."""
    spec = workflow_template["spec"]
    for template in spec["templates"]:
        if "container" in template:
            yield _pod(spec, template, executor)


def _pod(spec: Mapping[str, Any], template: Mapping[str, Any], executor: Mapping[str, Any]) -> dict[str, Any]:
    # Argo shares these two volumes between its containers and the main one.
    shared = [{"name": name, "emptyDir": {}} for name in ("var-run-argo", "tmp-dir-argo")]
    mounts = [{"name": "var-run-argo", "mountPath": "/var/run/argo"}]
    helper = {"image": "argoexec", "securityContext": executor["securityContext"], "volumeMounts": mounts}
    main = copy.deepcopy(dict(template["container"])) | {"name": "main"}
    main["volumeMounts"] = [*main.get("volumeMounts", []), *mounts]
    pod_spec = {
        "serviceAccountName": template.get("serviceAccountName", spec.get("serviceAccountName")),
        "securityContext": template.get("securityContext", spec.get("securityContext", {})),
        "restartPolicy": "Never",
        "activeDeadlineSeconds": template.get("activeDeadlineSeconds"),
        "nodeSelector": template.get("nodeSelector", {}),
        "tolerations": template.get("tolerations", []),
        "initContainers": [{"name": "init", **copy.deepcopy(helper)}],
        "containers": [{"name": "wait", **copy.deepcopy(helper)}, main],
        "volumes": [*spec.get("volumes", []), *template.get("volumes", []), *shared],
    }
    if "podSpecPatch" in spec:
        pod_spec = _strategic_merge(pod_spec, json.loads(spec["podSpecPatch"]))
    return {"metadata": spec.get("podMetadata", {}), "spec": pod_spec}


# Merge keys of a pod's lists: the patchMergeKey tags of k8s.io/api/core/v1.
_MERGE_KEYS = {"containers": "name", "initContainers": "name", "volumes": "name", "volumeMounts": "mountPath"}


def _strategic_merge(value: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(value)
    for key, entry in patch.items():
        if key in _MERGE_KEYS:
            by = _MERGE_KEYS[key]
            there = {item[by]: item for item in merged.get(key, [])}
            for item in entry:
                there[item[by]] = _strategic_merge(there.get(item[by], {}), item)
            merged[key] = list(there.values())
        elif isinstance(entry, Mapping):
            merged[key] = _strategic_merge(merged.get(key, {}), entry)
        else:
            merged[key] = entry
    return merged
