"""Turns the template that Metaflow writes into ours: restricted pods, deadlines, resources, nothing of the machine.

All functions are pure. What they add is committed with the compiled form, so that a reviewer sees it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.contract import ENVIRONMENT_VARIABLE
from pipelines.declaration import PipelineDeclaration, Resources
from pipelines.schedule import PIPELINE_LABEL
from pipelines.tokens import PATTERN, SHELL_SAFE, token
from stackyard.errors import InvalidInput

USER_ID = 10001
"""User and group of every container. Images run as any user: only the scratch folders are writable."""
SCRATCH = "/scratch"
"""Working directory and home of every container."""
DEADLINE_SECONDS = 3600
"""Of a step whose flow names none."""
UNNAMED_DEADLINE = 999_999_937
"""What Metaflow is told to write where the flow names no deadline (METAFLOW_DEFAULT_RUNTIME_LIMIT)."""
POOL_LABEL = "stackyard.dev/pool"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
PACKAGE_ANNOTATION = "stackyard.dev/package"
GPU_RESOURCE = "nvidia.com/gpu"
TOKEN_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607
"""As the kubelet's own projected tokens; it renews them."""

_EVENTS = "METAFLOW_ARGO_EVENTS_"
_VOLATILE = {"metaflow/deployment_timestamp", "metaflow/cron", "metaflow/owner"}
_PARAMETER_FILE = re.compile(r"(metaflow\.plugins\.argo\.set_parameters )[a-z]{10}\b(.*?`pwd`/)[a-z]{10}\b")
_INPUT_PATHS = "/tmp/mf-input-paths"


def shape(raw: Mapping[str, Any], declaration: PipelineDeclaration) -> dict[str, Any]:
    """The WorkflowTemplate of a pipeline, from Metaflow's. Raises InvalidInput for what we do not deploy."""
    template = _without_nulls(raw)
    metadata, spec = template["metadata"], template["spec"]
    _check_parameters(spec, declaration)
    labels = {"app.kubernetes.io/managed-by": "stackyard", PIPELINE_LABEL: declaration.name}
    metadata["labels"] = metadata.get("labels", {}) | labels
    metadata["annotations"] = _steady(metadata["annotations"])
    for part in ("workflowMetadata", "podMetadata"):
        spec[part]["annotations"] = _steady(spec[part]["annotations"])
        spec[part]["labels"] = spec[part].get("labels", {}) | labels
    spec["podMetadata"]["labels"][QUEUE_LABEL] = token("queue")
    spec["serviceAccountName"] = token("service_account")
    spec["securityContext"] = pod_security_context()
    spec.pop("hooks", None)
    spec["podSpecPatch"] = json.dumps(executor_token_patch(declaration), sort_keys=True, separators=(",", ":"))
    spec["templates"] = [
        _step(entry, declaration) if "container" in entry else _dag(entry) for entry in spec["templates"]
    ]
    return template


def pod_security_context() -> dict[str, Any]:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, the part of the pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "fsGroup": USER_ID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security_context() -> dict[str, Any]:
    """The same standard, the part of the container; and a root file system that nobody can change."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsGroup": USER_ID,
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def executor_token_patch(declaration: PipelineDeclaration) -> dict[str, Any]:
    """A patch of the pod that gives the API token to those containers alone that call the API.

    Argo's `init` and `wait` do (they report results, workflowtaskresults); a step does only if its pipeline starts
    others. Argo's own way, `executor.serviceAccountName`, needs a Secret with a token that never ends:
    setupServiceAccount in https://github.com/argoproj/argo-workflows/blob/v4.0.6/workflow/controller/workflowpod.go
    """
    mount = {"name": "api-token", "mountPath": TOKEN_MOUNT, "readOnly": True}
    holders = ["wait", "main"] if declaration.may_start else ["wait"]
    return {
        "automountServiceAccountToken": False,
        "initContainers": [{"name": "init", "volumeMounts": [mount]}],
        "containers": [{"name": name, "volumeMounts": [mount]} for name in holders],
        "volumes": [{"name": "api-token", "projected": {"defaultMode": 0o440, "sources": _token_sources()}}],
    }


def _token_sources() -> list[dict[str, Any]]:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]


def _step(entry: Mapping[str, Any], declaration: PipelineDeclaration) -> dict[str, Any]:
    """A step's template: one container."""
    name = entry["metadata"]["annotations"]["metaflow/step_name"]
    resources = declaration.resources_of(name)
    container = dict(entry["container"])
    container["command"] = _command(container["command"], name)
    container["env"] = _environment(container["env"])
    container["resources"] = _container_resources(resources)
    container["securityContext"] = container_security_context()
    container["workingDir"] = SCRATCH
    container["volumeMounts"] = [
        *container.get("volumeMounts", []),
        {"name": "scratch", "mountPath": SCRATCH},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    volumes = [*entry.get("volumes", []), {"name": "scratch", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    shaped = dict(entry) | {
        "container": container,
        "volumes": [volume for volume in volumes if volume["name"] in mounted],
        "serviceAccountName": token("service_account"),
        "activeDeadlineSeconds": _deadline(entry, name, resources),
    }
    return shaped | _placement(shaped, resources)


def _dag(entry: Mapping[str, Any]) -> dict[str, Any]:
    if "dag" not in entry:
        kind = next(iter(set(entry) - {"name", "inputs", "outputs", "metadata"}), "nothing")
        raise InvalidInput(
            f"Template {entry['name']!r} is a {kind}: only steps and the graph between them are deployed."
        )
    return dict(entry)


def _command(command: Iterable[str], step: str) -> list[str]:
    """The container's command, with fixed names for Metaflow's random and machine-wide files."""
    shaped = [
        _PARAMETER_FILE.sub(r"\1parameters\2parameters", part).replace(_INPUT_PATHS, "input-paths") for part in command
    ]
    if strange := {name for part in shaped for name in PATTERN.findall(part)} - SHELL_SAFE:
        raise InvalidInput(
            f"Step {step}: {sorted(strange)} stand in a shell command. Read them from the contract instead."
        )
    return shaped


def _environment(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    ours = {
        ENVIRONMENT_VARIABLE: token("json"),
        "AWS_DEFAULT_REGION": token("region"),
        "AWS_REGION": token("region"),
        # For every SDK call of a step; Metaflow itself reads METAFLOW_S3_ENDPOINT_URL. Absent on AWS.
        "AWS_ENDPOINT_URL_S3": token("s3_endpoint"),
        "METAFLOW_S3_ENDPOINT_URL": token("s3_endpoint"),
        # The image has all dependencies; a pod that calls pip runs what nobody has locked.
        "METAFLOW_SKIP_INSTALL_DEPENDENCIES": "1",
        "HOME": SCRATCH,
        "STACKYARD_IMAGE": token("image"),
        # Metaflow's runtime insists on an owner, and on a user's name.
        "METAFLOW_OWNER": "stackyard",
        "USER": "stackyard",
    }
    # Events are for Argo Events, which is not installed.
    kept = [dict(entry) for entry in entries if entry["name"] not in ours and not entry["name"].startswith(_EVENTS)]
    added = [{"name": name, "value": value} for name, value in ours.items()]
    return sorted(kept + added, key=lambda entry: entry["name"])


def _container_resources(resources: Resources) -> dict[str, Any]:
    amounts = {"cpu": f"{resources.cpu:g}", "memory": f"{resources.memory_mb}Mi"}
    gpus = {GPU_RESOURCE: str(resources.gpu)} if resources.gpu else {}
    return {"requests": amounts | gpus, "limits": amounts | gpus}


def _deadline(entry: Mapping[str, Any], step: str, resources: Resources) -> int:
    if entry["activeDeadlineSeconds"] != UNNAMED_DEADLINE:
        return entry["activeDeadlineSeconds"]
    if resources.gpu:
        raise InvalidInput(
            f"Step {step} asks for {resources.gpu} GPU(s) and names no deadline. A GPU that hangs costs by the hour: "
            "put @timeout(hours=…) on the step."
        )
    return DEADLINE_SECONDS


def _placement(entry: Mapping[str, Any], resources: Resources) -> dict[str, Any]:
    """Where the step's pod may run. Applies on a cluster alone: a local process has no pools."""
    role = "gpu" if resources.gpu else "cpu"
    metadata = dict(entry["metadata"])
    # Karpenter moves no pod that says so to save money; a step that is moved starts again from nothing.
    metadata["annotations"] = metadata["annotations"] | {"karpenter.sh/do-not-disrupt": "true"}
    placement: dict[str, Any] = {"metadata": metadata, "nodeSelector": {POOL_LABEL: token(f"pools.{role}")}}
    if resources.gpu:
        placement["tolerations"] = [{"key": GPU_RESOURCE, "operator": "Exists", "effect": "NoSchedule"}]
    return placement


def _check_parameters(spec: Mapping[str, Any], declaration: PipelineDeclaration) -> None:
    flow = {entry["name"]: json.loads(entry["value"]) for entry in spec["arguments"].get("parameters", [])}
    declared = {parameter.name: parameter.default for parameter in declaration.parameters}
    if flow != declared:
        raise InvalidInput(
            f"Pipeline {declaration.name}: the flow has the parameters {flow}, its declaration {declared}. "
            "Names and defaults must be equal, since the declaration is what people see."
        )


def _steady(annotations: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in annotations.items() if key not in _VOLATILE}


def _without_nulls(value: Any) -> Any:
    match value:
        case Mapping():
            return {key: _without_nulls(entry) for key, entry in value.items() if entry is not None}
        case list():
            return [_without_nulls(entry) for entry in value]
        case _:
            return value
