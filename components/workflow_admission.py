"""Admission policies for Workflows: what accounts of pipelines may create. CEL expressions as plain functions."""

import json
from collections.abc import Sequence

import pulumi_kubernetes as k8s
from pulumi import ResourceOptions

ADMISSION = k8s.admissionregistration.v1

# What a Workflow may say besides the template it starts. Everything else could change what runs, and as whom.
ALLOWED_SPEC_FIELDS = ("arguments", "workflowTemplateRef")

WORKFLOW_KINDS = (
    "clusterworkflowtemplates",
    "cronworkflows",
    "workfloweventbindings",
    "workflows",
    "workflowtemplates",
)


def from_namespaces(namespaces: Sequence[str]) -> str:
    """CEL: the request comes from a service account of one of these namespaces."""
    tests = [f"request.userInfo.username.startsWith('system:serviceaccount:{name}:')" for name in sorted(namespaces)]
    return " || ".join(tests)


def from_account(namespace: str, account: str) -> str:
    """CEL: the request comes from this service account."""
    return f"request.userInfo.username == 'system:serviceaccount:{namespace}:{account}'"


def is_workflow() -> str:
    """CEL: the object is a Workflow, not a template or a schedule."""
    return "request.resource.resource == 'workflows'"


def only_a_reference() -> str:
    """CEL: the Workflow starts a template as it is, with arguments at most."""
    return f"object.spec.all(field, field in {_list(ALLOWED_SPEC_FIELDS)}) && has(object.spec.workflowTemplateRef)"


def namespaced_template() -> str:
    """CEL: the template is one of the namespace, not a cluster-wide one of the same name."""
    return "!has(object.spec.workflowTemplateRef.clusterScope) || object.spec.workflowTemplateRef.clusterScope == false"


def starts_one_of(templates: Sequence[str]) -> str:
    """CEL: the Workflow starts one of these templates; none if the list is empty."""
    return f"has(object.spec.workflowTemplateRef) && object.spec.workflowTemplateRef.name in {_list(templates)}"


def _list(names: Sequence[str]) -> str:
    return json.dumps(sorted(names)).replace('"', "'")


def admission_policy(
    name: str,
    *,
    object_name: str,
    applies_to: str,
    rules: Sequence[tuple[str, str]],
    opts: ResourceOptions,
) -> None:
    """A policy over creates and updates of Argo's objects, and the binding that makes it deny.

    `applies_to`: CEL over the request. `rules`: CEL that must hold, with the message for when it does not.
    """
    policy = ADMISSION.ValidatingAdmissionPolicy(
        f"{name}-policy",
        metadata=k8s.meta.v1.ObjectMetaArgs(name=object_name),
        spec=ADMISSION.ValidatingAdmissionPolicySpecArgs(
            # A policy that cannot be evaluated must not let anything through.
            failure_policy="Fail",
            match_constraints=ADMISSION.MatchResourcesArgs(
                resource_rules=[
                    ADMISSION.NamedRuleWithOperationsArgs(
                        api_groups=["argoproj.io"],
                        api_versions=["*"],
                        operations=["CREATE", "UPDATE"],
                        resources=list(WORKFLOW_KINDS),
                    )
                ]
            ),
            match_conditions=[ADMISSION.MatchConditionArgs(name="caller", expression=applies_to)],
            validations=[
                ADMISSION.ValidationArgs(expression=expression, message=message, reason="Forbidden")
                for expression, message in rules
            ],
        ),
        opts=opts,
    )
    ADMISSION.ValidatingAdmissionPolicyBinding(
        f"{name}-binding",
        metadata=k8s.meta.v1.ObjectMetaArgs(name=object_name),
        spec=ADMISSION.ValidatingAdmissionPolicyBindingSpecArgs(
            policy_name=policy.metadata.name, validation_actions=["Deny"]
        ),
        opts=opts,
    )
