"""PipelineDeployment: one compiled pipeline in a stack, with the rights that it declared."""

import json
from dataclasses import replace

import pytest

from components.aws_location import AwsLocation
from components.bucket_access import BucketAccess
from components.chart_pin import ChartPin
from components.pipeline_deployment import PipelineDeployment, PipelineDeploymentArgs
from components.pipeline_engine import PipelineEngine, PipelineEngineArgs
from pipelines.compile.compiled import CompiledPipeline, Package
from pipelines.declaration import PipelineDeclaration, artifacts, data
from stackyard.errors import UserError
from tests.components.statements import resources_allowed
from tests.pipelines.contracts import contract

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
SHA = "b" * 64
DRIFT = PipelineDeclaration(
    name="drift", description="Watches.", inputs=(data("flights/"),), outputs=(artifacts("reports/drift/"),)
)
POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
TEMPLATE = "kubernetes:argoproj.io/v1alpha1:WorkflowTemplate"
CRON = "kubernetes:argoproj.io/v1alpha1:CronWorkflow"


def compiled(declaration):
    template = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {"name": declaration.name, "namespace": "@{contract.namespace}"},
        "spec": {"entrypoint": "x", "serviceAccountName": "@{contract.service_account}", "x": "@{contract.bucket}"},
    }
    return CompiledPipeline(
        name=declaration.name,
        declaration_digest=declaration.digest(),
        package=Package(sha256=SHA, key=f"{declaration.packages_prefix}{SHA}.tgz"),
        template=template,
        cron=None,
    )


def deploy(declaration=DRIFT, **changes):
    pin = ChartPin(chart="argo-workflows", version="1.0.18")
    engine = PipelineEngine("engine", PipelineEngineArgs(chart=pin, app_version="v4.0.6"))

    def access(name):
        return BucketAccess(bucket_arn=f"arn:aws:s3:::{name}", key_arn=f"arn:aws:kms:::key/{name}")

    args = {
        "declaration": declaration,
        "compiled": compiled(declaration),
        "contract": contract(),
        "location": LOCATION,
        "cluster_name": "acme-dev",
        "engine": engine,
        "data": access("acme-dev-data"),
        "artifacts": access("acme-dev-artifacts"),
        "artifacts_bucket": "acme-dev-artifacts",
        "package_path": f"../.stackyard/packages/{SHA}.tgz",
    }
    return PipelineDeployment("drift", PipelineDeploymentArgs(**(args | changes)))


@pytest.fixture
def deployment(capture):
    return capture(deploy)


def statements(deployment):
    return json.loads(deployment.only("aws:iam/rolePolicy:RolePolicy").inputs["policy"])["Statement"]


def allowed(deployment, action):
    return resources_allowed(statements(deployment), action)


def test_only_pods_of_this_cluster_can_take_the_role(deployment):
    (trust,) = json.loads(deployment.only("aws:iam/role:Role").inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert trust["Condition"] == {
        "ArnEquals": {"aws:SourceArn": "arn:aws:eks:eu-central-1:123456789012:cluster/acme-dev"},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    }, "another account's cluster must not get it (confused deputy)"


def test_the_role_reads_its_inputs_packages_and_own_state(deployment):
    assert allowed(deployment, "s3:GetObject") == {
        "arn:aws:s3:::acme-dev-data/flights/*",
        "arn:aws:s3:::acme-dev-artifacts/reports/drift/*",
        "arn:aws:s3:::acme-dev-artifacts/packages/drift/*",
        "arn:aws:s3:::acme-dev-artifacts/metaflow/DriftFlow/*",
    }


def test_the_role_writes_its_outputs_and_own_state_and_never_deletes(deployment):
    assert allowed(deployment, "s3:PutObject") == {
        "arn:aws:s3:::acme-dev-artifacts/reports/drift/*",
        "arn:aws:s3:::acme-dev-artifacts/metaflow/DriftFlow/*",
    }, "not its inputs, and not its own code"
    assert not allowed(deployment, "s3:DeleteObject")


def test_no_statement_is_there_twice(deployment):
    texts = [json.dumps(statement, sort_keys=True) for statement in statements(deployment)]
    assert len(texts) == len(set(texts))


def test_the_role_belongs_to_the_account_that_the_pods_run_as(deployment):
    association = deployment.only("aws:eks/podIdentityAssociation:PodIdentityAssociation").inputs
    account = deployment.only("kubernetes:core/v1:ServiceAccount").inputs
    assert association["clusterName"] == "acme-dev"
    assert (association["namespace"], association["serviceAccount"]) == ("pipelines", "pipeline-drift")
    assert association["roleArn"] == deployment.only("aws:iam/role:Role").outputs["arn"]
    assert account["metadata"]["name"] == "pipeline-drift"
    assert deployment.only(TEMPLATE).inputs["spec"]["serviceAccountName"] == "pipeline-drift"


def test_the_account_mounts_no_token_and_may_only_report_results(deployment):
    assert deployment.only("kubernetes:core/v1:ServiceAccount").inputs["automountServiceAccountToken"] is False
    (rule,) = deployment.only("kubernetes:rbac.authorization.k8s.io/v1:Role").inputs["rules"]
    assert rule == {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    binding = deployment.only("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding").inputs
    assert binding["roleRef"]["name"] == "pipeline-drift"
    assert [subject["name"] for subject in binding["subjects"]] == ["pipeline-drift"]


def test_a_pipeline_that_declares_no_other_can_start_none(deployment):
    policy = deployment.named("drift-starts-policy").inputs["spec"]
    assert policy["matchConditions"][0]["expression"] == (
        "request.userInfo.username == 'system:serviceaccount:pipelines:pipeline-drift'"
    )
    assert policy["validations"][0]["expression"].endswith("workflowTemplateRef.name in []")
    assert "may start no pipeline" in policy["validations"][0]["message"]


def test_a_pipeline_may_start_what_it_declares_and_nothing_else(capture):
    deployment = capture(deploy, declaration=replace(DRIFT, may_start=("training",)))
    policy = deployment.named("drift-starts-policy").inputs["spec"]
    assert policy["validations"][0]["expression"].endswith("workflowTemplateRef.name in ['training']")
    rules = deployment.only("kubernetes:rbac.authorization.k8s.io/v1:Role").inputs["rules"]
    assert rules[1] == {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["create", "get"]}


def test_the_code_package_is_named_by_its_content_and_outlives_the_stack(deployment):
    package = deployment.only("aws:s3/bucketObjectv2:BucketObjectv2")
    assert package.inputs["key"] == f"packages/drift/{SHA}.tgz"
    assert package.inputs["bucket"] == "acme-dev-artifacts"
    assert package.inputs["source"].path == f"../.stackyard/packages/{SHA}.tgz", "the file itself need not be there"
    assert package.retain_on_delete is True


def test_the_template_is_bound_and_waits_for_code_role_and_rights(deployment):
    template = deployment.only(TEMPLATE)
    assert template.inputs["spec"]["x"] == "acme-dev-artifacts"
    assert template.inputs["metadata"]["namespace"] == "pipelines"
    waited_for = {urn.rsplit("::", 1)[-1] for urn in template.dependencies}
    assert {"drift-package", "drift-permissions", "drift-identity", "drift-binding"} <= waited_for
    assert "engine-release" in waited_for, "the kinds of Argo come with it"


def test_without_a_schedule_nothing_starts_by_itself(deployment):
    assert not deployment.of_type(CRON)


def test_a_stacks_schedule_takes_the_place_of_the_declared_one(capture):
    declaration = replace(DRIFT, schedule="0 4 1 * *")
    declared = capture(deploy, declaration=declaration).only(CRON)
    assert declared.inputs["spec"]["schedules"] == ["0 4 1 * *"]
    assert declared.inputs["spec"]["suspend"] is False
    stack = capture(deploy, declaration=declaration, schedule="0 6 2 * *", suspended=True).only(CRON)
    assert stack.inputs["spec"]["schedules"] == ["0 6 2 * *"]
    assert stack.inputs["spec"]["suspend"] is True
    assert stack.inputs["metadata"]["namespace"] == "pipelines"
    assert any(urn.endswith("::drift-template") for urn in stack.dependencies)


def test_a_compiled_form_of_another_declaration_is_refused(capture):
    other = compiled(replace(DRIFT, outputs=(artifacts("elsewhere/"),)))
    with pytest.raises(UserError) as error:
        capture(deploy, compiled=other)
    assert "stackyard pipelines compile drift" in str(error.value)


def test_a_contract_without_an_account_for_the_pipeline_is_refused(capture):
    with pytest.raises(UserError) as error:
        capture(deploy, contract=contract(service_accounts={}))
    assert "names no service account for pipeline drift" in str(error.value)


def test_a_template_with_an_unknown_token_is_refused(capture):
    odd = replace(compiled(DRIFT), template={**compiled(DRIFT).template, "spec": {"x": "@{contract.colour}"}})
    with pytest.raises(UserError) as error:
        capture(deploy, compiled=odd)
    assert "@{contract.colour}" in str(error.value)
    assert "$.spec.x" in str(error.value)


def test_outputs_are_registered(deployment):
    outputs = deployment.only("stackyard:index:PipelineDeployment").outputs
    assert outputs["templateName"] == "drift"
    assert outputs["packageKey"] == f"packages/drift/{SHA}.tgz"
    assert outputs["roleArn"] == deployment.only("aws:iam/role:Role").outputs["arn"]
