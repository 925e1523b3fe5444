"""Definitions of Argo's kinds without their schema, as its chart installs them with `crds.full: false`.

What the admission policies and RBAC judge is the request; what stands in a Workflow, hera's models judge.
"""

from typing import Any

GROUP, VERSION = "argoproj.io", "v1alpha1"
KINDS = ("CronWorkflow", "Workflow", "WorkflowEventBinding", "WorkflowTaskResult", "WorkflowTemplate")


def argo_definitions() -> list[dict[str, Any]]:
    return [_definition(kind, "Namespaced") for kind in KINDS] + [_definition("ClusterWorkflowTemplate", "Cluster")]


def _definition(kind: str, scope: str) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "required": ["metadata"], "x-kubernetes-preserve-unknown-fields": True}
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": anything,
        "status": anything,
    }
    version = {"name": VERSION, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    schema["properties"] = properties
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "scope": scope,
            "versions": [version],
        },
    }
