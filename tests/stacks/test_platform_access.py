"""Who reaches the cluster of a platform stack: the runner in its VPC, CI's deploy role, the listed people."""

import pytest

from stackyard.program.capture import Format, capture, render
from stackyard.program.process import Refused
from tests.stack_captures import ROOT, stack_capture, with_outputs, with_sections

# A child process imports the SDK anew, about two seconds: too long for the default tier.
in_a_child = pytest.mark.local

ENTRY = "aws:eks/accessEntry:AccessEntry"
DEPLOY = "arn:aws:iam::777788889999:role/stackyard-ci-prod-platform-deploy"
PERSON = "arn:aws:iam::777788889999:role/ml-platform-admin"


def platform(**sections):
    """prod-platform with other sections, None for none."""
    return with_sections("prod-platform", **sections)


def admins(deployment):
    return {entry.inputs["principalArn"] for entry in deployment.of_type(ENTRY) if "node" not in entry.name}


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_the_runner_of_the_base_stack_reaches_the_private_endpoint(environment):
    base, deployment = stack_capture(f"{environment}-base"), stack_capture(f"{environment}-platform")
    assert deployment.only("aws:eks/cluster:Cluster").inputs["vpcConfig"]["endpointPublicAccess"] is False
    rule = deployment.named("cluster-from-runner").inputs
    assert rule["referencedSecurityGroupId"] == base.named("build-runner-security-group").id


def test_without_a_runner_nobody_else_is_let_in():
    names = {resource.name for resource in platform(buildRunner=None)}
    assert "cluster-from-runner" not in names and "cluster-cluster" in names


@in_a_child
def test_a_base_without_the_runner_that_the_platform_counts_on_is_named(tmp_path):
    file = tmp_path / "base.json"
    base = with_outputs(stack_capture("prod-base"), runnerSecurityGroupId={})
    file.write_text(render(base, Format.JSON), encoding="utf-8")
    with pytest.raises(Refused, match=r"prod-base has no build runner, and buildRunner\.connection here says"):
        capture(ROOT, "prod-platform", base_from=file)


def test_cis_deploy_role_is_the_one_that_the_account_stack_makes():
    role = stack_capture("account").named("ci-prod-platform-deploy-role")
    assert role.outputs["arn"] == DEPLOY
    assert stack_capture("prod-platform").named("cluster-ci-access").inputs["principalArn"] == DEPLOY


def test_a_stack_that_people_deploy_lets_no_role_of_ci_in():
    assert DEPLOY not in admins(platform(ci={"repository": "example-org/stackyard"}))


@pytest.mark.parametrize("arns", [[DEPLOY], [PERSON, DEPLOY], [DEPLOY, PERSON]], ids=["alone", "second", "first"])
def test_a_deploy_role_that_is_listed_as_administrator_has_one_entry(arns):
    deployment = platform(cluster={"kubernetesVersion": "1.35", "adminRoleArns": arns})
    entries = [entry.inputs["principalArn"] for entry in deployment.of_type(ENTRY)]
    assert len(entries) == len(set(entries)) and entries.count(DEPLOY) == 1
    assert admins(deployment) == {*arns, DEPLOY}
