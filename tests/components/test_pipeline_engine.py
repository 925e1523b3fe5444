"""PipelineEngine: Argo Workflows in restricted namespaces, and what pipelines' accounts may create."""

import re

import pytest

from components.chart_pin import ChartPin
from components.namespaces import RESTRICTED_LABELS, NamespaceQuota
from components.pipeline_engine import CONTROLLER_ACCOUNT, PipelineEngine, PipelineEngineArgs
from components.workflow_admission import WORKFLOW_KINDS

PIN = ChartPin(chart="argo-workflows", version="1.0.18", repository="https://charts.example/argo")
POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
BINDING = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding"
NAMESPACE = "kubernetes:core/v1:Namespace"
QUOTA = "kubernetes:core/v1:ResourceQuota"
RELEASE = "kubernetes:helm.sh/v3:Release"


def engine(**args):
    return PipelineEngine("pipelines", PipelineEngineArgs(chart=PIN, app_version="v4.0.6", **args))


@pytest.fixture
def deployment(capture):
    return capture(engine)


def test_every_namespace_enforces_the_restricted_profile(capture):
    namespaces = capture(engine, namespaces=("flights", "drift")).of_type(NAMESPACE)
    assert {space.inputs["metadata"]["name"] for space in namespaces} == {"argo", "flights", "drift"}
    assert all(space.inputs["metadata"]["labels"] == RESTRICTED_LABELS for space in namespaces)


def test_runs_reach_dns_tls_their_credentials_and_the_model_registry_and_nothing_reaches_them(capture):
    deployment = capture(engine, tracking=("mlflow", 8080))
    policies = {
        (r.inputs["metadata"]["namespace"], r.inputs["metadata"]["name"]): r.inputs["spec"]
        for r in deployment.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    }
    assert set(policies) == {(space, name) for space in ("argo", "pipelines") for name in ("default-deny", "egress")}
    ports = [[port["port"] for port in rule["ports"]] for rule in policies["pipelines", "egress"]["egress"]]
    assert ports == [[53, 53], [443], [80], [8080]]
    assert not [spec for spec in policies.values() if "ingress" in spec]


def test_the_runs_of_a_namespace_have_their_quota(capture):
    deployment = capture(engine, quota=NamespaceQuota(cpus=32, memory_gb=128, gpus=2))
    hard = {r.inputs["metadata"]["namespace"]: r.inputs["spec"]["hard"] for r in deployment.of_type(QUOTA)}
    assert hard["pipelines"]["requests.nvidia.com/gpu"] == "2"
    assert hard["argo"]["requests.nvidia.com/gpu"] == "0", "a controller needs none"


def test_the_chart_is_pinned_and_its_release_and_account_have_fixed_names(deployment):
    release = deployment.only(RELEASE).inputs
    assert (release["name"], release["chart"], release["version"]) == ("argo-workflows", PIN.chart, PIN.version)
    assert release["repositoryOpts"] == {"repo": PIN.repository}
    assert release["namespace"] == "argo"
    assert release["values"]["controller"]["serviceAccount"] == {"create": True, "name": CONTROLLER_ACCOUNT}
    assert release["values"]["images"]["tag"] == "v4.0.6"


def test_an_oci_chart_has_no_repository(capture):
    pin = ChartPin(chart="oci://charts.example/argo-workflows", version="1.0.18")
    args = PipelineEngineArgs(chart=pin, app_version="v4.0.6")
    assert "repositoryOpts" not in capture(lambda: PipelineEngine("pipelines", args)).only(RELEASE).inputs


def test_nothing_is_downloaded_while_installing_and_no_credentials_are_kept(deployment):
    values = deployment.only(RELEASE).inputs["values"]
    assert values["crds"] == {"install": True, "full": False, "keep": True}, "full ones come from the internet by a job"
    assert values["useStaticCredentials"] is False
    assert values["artifactRepository"]["archiveLogs"] is False
    assert "persistence" not in values["controller"], "no archive"
    assert values["server"] == {"enabled": False}


def test_workflows_come_from_templates_only_and_in_the_given_namespaces(capture):
    controller = capture(engine, namespaces=("flights", "drift")).only(RELEASE).inputs["values"]["controller"]
    assert controller["workflowRestrictions"] == {"templateReferencing": "Strict"}
    assert controller["workflowNamespaces"] == ["drift", "flights"]
    assert controller["workflowDefaults"]["spec"]["activeDeadlineSeconds"] == 24 * 3600


def test_a_single_controller_has_no_disruption_budget_that_would_block_its_node(capture):
    controller = capture(engine, replicas=1).only(RELEASE).inputs["values"]["controller"]
    assert controller["pdb"] == {"enabled": False}


def test_the_service_monitor_waits_for_its_definition(capture):
    def controller(**args):
        return capture(engine, **args).only(RELEASE).inputs["values"]["controller"]

    assert controller()["serviceMonitor"] == {"enabled": False}
    assert controller(metrics=True)["serviceMonitor"] == {"enabled": True}


def test_the_release_waits_for_the_namespaces_that_it_puts_roles_into(deployment):
    dependencies = deployment.only(RELEASE).dependencies
    assert any(urn.endswith("pipelines-pipelines-namespace") for urn in dependencies)


def test_the_admission_policy_denies_and_covers_every_kind_that_can_run_something(deployment):
    policy, binding = deployment.only(POLICY).inputs["spec"], deployment.only(BINDING).inputs["spec"]
    (rule,) = policy["matchConstraints"]["resourceRules"]
    assert policy["failurePolicy"] == "Fail"
    assert set(rule["resources"]) == set(WORKFLOW_KINDS)
    assert set(rule["operations"]) == {"CREATE", "UPDATE"}
    assert binding == {"policyName": "stackyard-pipelines", "validationActions": ["Deny"]}


def test_it_concerns_accounts_of_the_pipelines_namespaces_and_not_the_engines(capture):
    (condition,) = capture(engine, namespaces=("flights",)).only(POLICY).inputs["spec"]["matchConditions"]
    assert condition["expression"] == "request.userInfo.username.startsWith('system:serviceaccount:flights:')"
    assert "argo" not in condition["expression"], "schedules start runs as the engine's own account"


def test_a_workflow_may_name_a_template_and_arguments_and_nothing_else(deployment):
    expressions = [rule["expression"] for rule in deployment.only(POLICY).inputs["spec"]["validations"]]
    (lists,) = [found for text in expressions if (found := re.findall(r"field in (\[.*?\])", text))]
    assert lists == ["['arguments', 'workflowTemplateRef']"]
    assert any("clusterScope == false" in text for text in expressions)


def test_the_engine_has_no_aws_rights(deployment):
    assert [entry.type for entry in deployment if entry.type.startswith("aws:")] == []


def test_outputs_are_registered(deployment):
    component = deployment.only("stackyard:index:PipelineEngine")
    assert component.outputs == {"namespaces": ["pipelines"], "releaseName": "argo-workflows"}
