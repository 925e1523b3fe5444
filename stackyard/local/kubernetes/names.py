"""Kubernetes' rules for names, labels and annotations.

https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and …/labels/.
"""

import re
from collections.abc import Mapping
from typing import Any

from stackyard.local.kubernetes.problems import shown

LABEL_LENGTH = 63
SUBDOMAIN_LENGTH = 253
# The controller appends 11 characters to the name of each Workflow that it starts, and pod labels hold 63.
# https://argo-workflows.readthedocs.io/en/latest/cron-workflows/
CRON_NAME_LENGTH = 52

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PATH_SEGMENT = re.compile(r"(?!\.\.?$)[^/%]+")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")

# Kinds whose names become DNS labels: of a namespace, a service, a pod's host name.
_LABEL_KINDS = frozenset({"Namespace", "Service", "StatefulSet"})
# RBAC names may hold colons (`system:node`): https://kubernetes.io/docs/reference/access-authn-authz/rbac/
_SEGMENT_KINDS = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})


def name_problems(kind: str, metadata: Mapping[str, Any]) -> list[str]:
    """What is wrong with an object's name, namespace, label and annotation keys; empty when nothing is."""
    problems = _name(kind, metadata.get("name"))
    if "namespace" in metadata:
        problems += _dns("metadata.namespace", metadata["namespace"], _LABEL, LABEL_LENGTH, "RFC 1123 label")
    for key, value in (metadata.get("labels") or {}).items():
        problems += _qualified("metadata.labels", key)
        if isinstance(value, str) and value and not (len(value) <= LABEL_LENGTH and _QUALIFIED.fullmatch(value)):
            problems.append(
                f"metadata.labels[{key}] is {shown(value)}: a label's value has at most {LABEL_LENGTH} letters, "
                "digits, '-', '_' or '.', starting and ending with a letter or digit. Long text is for annotations"
            )
    for key in metadata.get("annotations") or {}:
        problems += _qualified("metadata.annotations", key)
    return problems


def _name(kind: str, name: Any) -> list[str]:
    if not name:
        return ["metadata.name is missing: every object of the local cluster has a name"]
    if kind in _SEGMENT_KINDS:
        return [] if _PATH_SEGMENT.fullmatch(str(name)) else [f"metadata.name is {shown(name)}: no '/' and no '%'"]
    if kind in _LABEL_KINDS:
        return _dns("metadata.name", name, _LABEL, LABEL_LENGTH, "RFC 1123 label")
    if kind == "CronWorkflow":
        return _dns("metadata.name", name, _SUBDOMAIN, CRON_NAME_LENGTH, "name of a CronWorkflow")
    return _dns("metadata.name", name, _SUBDOMAIN, SUBDOMAIN_LENGTH, "RFC 1123 subdomain")


def _dns(path: str, value: Any, form: re.Pattern[str], longest: int, rule: str) -> list[str]:
    if isinstance(value, str) and len(value) <= longest and form.fullmatch(value):
        return []
    return [
        f"{path} is {shown(value)}: a {rule} has at most {longest} lower-case letters, digits or '-'"
        f"{'' if form is _LABEL else ' or dots'}, and starts and ends with a letter or digit, for example 'training-2'"
    ]


def _qualified(path: str, key: str) -> list[str]:
    prefix, slash, name = key.rpartition("/")
    good = _QUALIFIED.fullmatch(name) and len(name) <= LABEL_LENGTH
    if slash:
        good = good and len(prefix) <= SUBDOMAIN_LENGTH and _SUBDOMAIN.fullmatch(prefix)
    if good:
        return []
    return [f"{path} has the key {shown(key)}: a key is 'name' or 'domain/name', the name at most {LABEL_LENGTH} long"]
