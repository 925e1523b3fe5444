"""Is an object what the API server of one Kubernetes version would accept? Strict: no unknown field, no removed API.

Built-in kinds are checked against the schemas that kubernetes-validate carries (made from each release's OpenAPI),
Argo's against hera's models (made from Argo's), Karpenter's and Kueue's against our own. Others need one in `CUSTOM`.
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stackyard.errors import InvalidInput
from stackyard.local.kubernetes.argo_models import ARGO_API_VERSION, argo_problems
from stackyard.local.kubernetes.karpenter_models import KARPENTER_API_VERSIONS, KARPENTER_KINDS, karpenter_problems
from stackyard.local.kubernetes.kueue_models import KUEUE_API_VERSION, KUEUE_CLUSTER_KINDS, kueue_problems
from stackyard.local.kubernetes.names import name_problems
from stackyard.local.kubernetes.problems import dotted, shown, unknown_field

# When an API left, for the sentence that says so. The replacement is looked up in the schemas.
# https://kubernetes.io/docs/reference/using-api/deprecation-guide/
REMOVED_IN = {
    ("policy/v1beta1", "PodDisruptionBudget"): "1.25",
    ("policy/v1beta1", "PodSecurityPolicy"): "1.25",
    ("batch/v1beta1", "CronJob"): "1.25",
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): "1.25",
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): "1.26",
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): "1.25",
    ("events.k8s.io/v1beta1", "Event"): "1.25",
    ("node.k8s.io/v1beta1", "RuntimeClass"): "1.25",
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity"): "1.27",
    ("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema"): "1.32",
    ("flowcontrol.apiserver.k8s.io/v1beta3", "PriorityLevelConfiguration"): "1.32",
    ("networking.k8s.io/v1beta1", "Ingress"): "1.22",
    ("extensions/v1beta1", "Ingress"): "1.22",
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRole"): "1.22",
    ("rbac.authorization.k8s.io/v1beta1", "Role"): "1.22",
    ("extensions/v1beta1", "Deployment"): "1.16",
}
REPLACED_BY_SOMETHING_ELSE = {
    "PodSecurityPolicy": "Pod Security Admission: labels pod-security.kubernetes.io/enforce on the Namespace",
}

# Kinds that live in no namespace (`kubectl api-resources --namespaced=false`).
_CLUSTER_SCOPED = """APIService CSIDriver CSINode CertificateSigningRequest ClusterRole ClusterRoleBinding
ClusterWorkflowTemplate CustomResourceDefinition DeviceClass FlowSchema IPAddress IngressClass MutatingAdmissionPolicy
MutatingAdmissionPolicyBinding MutatingWebhookConfiguration Namespace Node PersistentVolume PriorityClass
PriorityLevelConfiguration RuntimeClass ServiceCIDR StorageClass ValidatingAdmissionPolicy
ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration VolumeAttachment VolumeAttributesClass"""
CLUSTER_SCOPED = frozenset(_CLUSTER_SCOPED.split()) | KARPENTER_KINDS | KUEUE_CLUSTER_KINDS

CUSTOM: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    ARGO_API_VERSION: argo_problems,
    **dict.fromkeys(KARPENTER_API_VERSIONS, karpenter_problems),
    KUEUE_API_VERSION: kueue_problems,
}
"""Validators of custom kinds by apiVersion: each takes an object and answers with sentences about what is wrong."""

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(m|k|Ki|[MGTPE]i?|[eE][+-]?\d+|n|u)?")


@dataclass(frozen=True, kw_only=True)
class Validated:
    version: str
    """Kubernetes version whose schema was used, for example `1.35`."""
    note: str = ""
    """Says so when that is not the version asked for."""


def validate(obj: Mapping[str, Any], kubernetes_version: str) -> Validated:
    """Raises InvalidInput with everything that is wrong with `obj` on a cluster of `kubernetes_version`."""
    kind, api_version = obj.get("kind"), obj.get("apiVersion")
    if not kind or not api_version:
        raise InvalidInput(f"An object has kind {shown(kind)} and apiVersion {shown(api_version)}: both are needed.")
    version = schema_version(kubernetes_version)
    metadata = obj.get("metadata") or {}
    problems = name_problems(kind, metadata) + _scope(kind, metadata)
    if api_version in CUSTOM:
        problems += CUSTOM[api_version](obj)
    else:
        problems += _builtin(obj, version)
    problems += _quantities(obj)
    if problems:
        lines = "".join(f"\n  - {problem}" for problem in dict.fromkeys(problems))
        raise InvalidInput(
            f"{kind} {metadata.get('name', '(unnamed)')} would be refused by Kubernetes {kubernetes_version}:{lines}"
        )
    asked = _major_minor(kubernetes_version)
    note = "" if version == asked else f"checked against the schemas of Kubernetes {version}, the nearest to {asked}"
    return Validated(version=version, note=note)


def schema_version(kubernetes_version: str) -> str:
    """The newest version with schemas that is not newer than the cluster's, else the oldest there is."""
    asked = _parsed(kubernetes_version)
    known = sorted(_parsed(version) for version in _versions())
    older = [version for version in known if version <= asked]
    return "{}.{}".format(*(older[-1] if older else known[0]))


def _major_minor(version: str) -> str:
    return "{}.{}".format(*_parsed(version))


def _parsed(version: str) -> tuple[int, int]:
    found = re.match(r"v?(\d+)\.(\d+)", str(version))
    if not found:
        raise InvalidInput(f"{version!r} is not a Kubernetes version. Give major and minor, for example '1.35'.")
    return int(found[1]), int(found[2])


def _scope(kind: str, metadata: Mapping[str, Any]) -> list[str]:
    if kind in CLUSTER_SCOPED and metadata.get("namespace"):
        return [f"metadata.namespace is {shown(metadata['namespace'])}: a {kind} lives in no namespace: remove it"]
    return []


def _builtin(obj: Mapping[str, Any], version: str) -> list[str]:
    schema = _schema(version, obj["apiVersion"], obj["kind"])
    if schema is None:
        return [_unserved(obj["apiVersion"], obj["kind"], version)]
    errors = sorted(_validator(version, obj["apiVersion"], obj["kind"]).iter_errors(obj), key=lambda e: str(e.path))
    return [sentence for error in errors for sentence in _sentences(error, obj["kind"])]


def _unserved(api_version: str, kind: str, version: str) -> str:
    served = [
        name for name in _served(version, kind) if name.rpartition("/")[0] == api_version.rpartition("/")[0]
    ] or _served(version, kind)
    instead = REPLACED_BY_SOMETHING_ELSE.get(kind) or (f"apiVersion {served[0]}" if served else "")
    if removed := REMOVED_IN.get((api_version, kind)):
        return f"apiVersion {api_version} of {kind} was removed in Kubernetes {removed}: use {instead}"
    if instead:
        return f"Kubernetes {version} does not serve {kind} as {api_version}: use {instead}"
    return (
        f"Kubernetes {version} has no kind {kind} in {api_version}, and the local cluster has no model of that custom "
        "kind, so it cannot say whether the object is right. Correct the kind, or add a validator for its apiVersion "
        "to CUSTOM in stackyard/local/kubernetes/schemas.py"
    )


def _sentences(error: Any, kind: str) -> Iterator[str]:
    path, value = dotted(error.absolute_path), error.instance
    match error.validator:
        case "additionalProperties":
            known = list(error.schema.get("properties", ()))
            for field in sorted(set(value) - set(known)):
                yield unknown_field("" if path == "the object" else path, field, known, kind)
        case "required":
            missing = [field for field in error.validator_value if field not in value]
            yield f"{path} lacks {', '.join(missing)}, which every one needs"
        case "type":
            wanted = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
            yield f"{path} is {shown(value)}: it must be of type {' or '.join(t for t in wanted if t != 'null')}"
        case "enum":
            yield f"{path} is {shown(value)}: it must be one of {', '.join(map(str, error.validator_value))}"
        case _:
            yield f"{path} is {shown(value)}: {error.message}"


def _quantities(obj: Mapping[str, Any]) -> list[str]:
    """The schemas let any text pass as a quantity; the API server does not."""
    problems: list[str] = []

    def look(value: Any, path: tuple[str | int, ...]) -> None:
        if isinstance(value, Mapping):
            for key, entry in value.items():
                if key in ("requests", "limits") and isinstance(entry, Mapping) and path and path[-1] == "resources":
                    problems.extend(_bad_quantities(entry, (*path, key)))
                look(entry, (*path, key))
        elif isinstance(value, list):
            for index, entry in enumerate(value):
                look(entry, (*path, index))

    look(obj.get("spec"), ("spec",))
    return problems


def _bad_quantities(amounts: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[str]:
    for name, amount in amounts.items():
        # Argo fills parameters in before the pod is made.
        if isinstance(amount, str) and "{{" not in amount and not _QUANTITY.fullmatch(amount):
            yield f"{dotted((*path, name))} is {shown(amount)}: a quantity is a number with a unit such as m, Mi or Gi"


@functools.cache
def _versions() -> tuple[str, ...]:
    from kubernetes_validate import utils

    return tuple(utils.all_versions())


def _folder(version: str) -> str:
    full = next(name for name in _versions() if _major_minor(name) == version)
    return f"kubernetes-json-schema/v{full}-local-strict"


def _load(path: str, version: str) -> Any:
    from kubernetes_validate import utils

    return utils.schema_contents(path, version)


@functools.cache
def _definitions(version: str) -> Any:
    return _load(f"{_folder(version)}/_definitions.json", version)


@functools.cache
def _schema(version: str, api_version: str, kind: str) -> Any:
    """The schema of a kind that a client can create, or None. Files of parts (Container, …) are no kinds."""
    group, _, number = api_version.rpartition("/")
    stem = "-".join(filter(None, (kind.lower(), group.split(".")[0], number)))
    try:
        schema = _load(f"{_folder(version)}/{stem}.json", version)
    except FileNotFoundError:
        return None
    named = {"group": group, "kind": kind, "version": number}
    return schema if named in schema.get("x-kubernetes-group-version-kind", ()) else None


@functools.cache
def _validator(version: str, api_version: str, kind: str) -> Any:
    import jsonschema
    from referencing import Registry, Resource

    schema = _schema(version, api_version, kind)
    resources = [Resource.from_contents(content) for content in (schema, _definitions(version))]
    registry: Any = resources @ Registry()
    return jsonschema.Draft202012Validator(schema, registry=registry)


def _served(version: str, kind: str) -> list[str]:
    """apiVersions that serve a kind, stable ones first."""
    found = {
        f"{gvk['group']}/{gvk['version']}".lstrip("/")
        for definition in _definitions(version)["$defs"].values()
        for gvk in definition.get("x-kubernetes-group-version-kind", ())
        if gvk["kind"] == kind
    }
    return sorted(found, key=lambda name: ("alpha" in name, "beta" in name, name))
