"""Runners inside the VPC: what they may do, what gets in and out, and that nothing runs before a person agreed."""

import json

import pytest

from components.aws_location import AwsLocation
from components.build_runner import BuildRunner, BuildRunnerArgs
from components.retention import Retention, RetentionMode

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
REPOSITORIES = {"pipelines": "arn:aws:ecr:eu-central-1:123456789012:repository/acme-prod/pipelines"}
SUBNETS = ("subnet-0a", "subnet-0b")


def runner(**args):
    defaults = {
        "location": LOCATION,
        "stem": "acme-prod",
        "repository": "example-org/stackyard",
        "vpc_id": "vpc-0",
        "private_subnet_ids": list(SUBNETS),
        "repository_arns": REPOSITORIES,
    }
    return BuildRunner("runner", BuildRunnerArgs(**(defaults | args)))


def statements(deployment, project):
    return json.loads(deployment.named(f"runner-{project}-role-policy").inputs["policy"])["Statement"]


def actions(deployment, project):
    found = [s["Action"] for s in statements(deployment, project)]
    return {action for entry in found for action in ([entry] if isinstance(entry, str) else entry)}


# Control 86


def test_what_deploys_is_not_privileged_and_what_builds_images_is_and_says_why(capture):
    deployment = capture(runner)
    deploy, images = deployment.named("runner-deploy").inputs, deployment.named("runner-images").inputs
    assert deploy["environment"]["privilegedMode"] is False
    assert images["environment"]["privilegedMode"] is True
    assert images["tags"]["stackyard:privileged"] == "a Docker daemon builds the images"
    assert "stackyard:privileged" not in deploy["tags"]


def test_projects_hold_no_variables_and_so_no_keys(capture):
    for project in capture(runner).of_type("aws:codebuild/project:Project"):
        assert "environmentVariables" not in project.inputs["environment"]
        auth = project.inputs["source"]["auth"]
        assert auth["type"] == "CODECONNECTIONS", "a connection, not a token"


def test_jobs_run_in_the_private_subnets_with_a_group_of_their_own(capture):
    deployment = capture(runner)
    group = deployment.only("aws:ec2/securityGroup:SecurityGroup")
    for project in deployment.of_type("aws:codebuild/project:Project"):
        assert project.inputs["vpcConfig"] == {
            "vpcId": "vpc-0",
            "subnets": list(SUBNETS),
            "securityGroupIds": [group.id],
        }


def test_nothing_gets_in_and_only_tls_gets_out(capture):
    deployment = capture(runner)
    assert not deployment.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    rule = deployment.only("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule").inputs
    assert (rule["ipProtocol"], rule["fromPort"], rule["toPort"]) == ("tcp", 443, 443)
    group = deployment.only("aws:ec2/securityGroup:SecurityGroup").inputs
    assert not group.get("egress") and not group.get("ingress"), "no rules beside those that are listed"


# Least privilege: controls 22, 25, 26


def test_the_deploying_runner_has_no_rights_of_a_deployment_itself(capture):
    assert {action.split(":")[0] for action in actions(capture(runner), "deploy")} == {"logs", "codeconnections", "ec2"}


def test_the_image_runner_pushes_to_the_named_repositories_alone(capture):
    push = next(s for s in statements(capture(runner), "images") if s.get("Sid") == "Push")
    assert push["Resource"] == REPOSITORIES["pipelines"]
    assert "ecr:PutImage" in push["Action"]
    assert not any(action.startswith("ecr:Delete") for action in actions(capture(runner), "images"))


@pytest.mark.parametrize("project", ["deploy", "images"])
def test_a_role_writes_its_own_logs_and_hands_interfaces_to_codebuild_alone(capture, project):
    found = {s["Sid"]: s for s in statements(capture(runner), project)}
    group = capture(runner).named(f"runner-{project}-log-group")
    assert found["WriteLogs"]["Resource"] == f"{group.outputs['arn']}:*"
    condition = found["HandInterfaces"]["Condition"]["StringEquals"]
    assert condition["ec2:AuthorizedService"] == "codebuild.amazonaws.com"
    assert condition["ec2:Subnet"] == [f"arn:aws:ec2:eu-central-1:123456789012:subnet/{id}" for id in SUBNETS]


@pytest.mark.parametrize("project", ["deploy", "images"])
def test_a_role_is_assumed_by_codebuild_for_its_own_project(capture, project):
    role = capture(runner, permissions_boundary="arn:aws:iam::123456789012:policy/b").named(f"runner-{project}-role")
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": f"arn:aws:codebuild:eu-central-1:123456789012:project/acme-prod-{project}"},
    }
    assert role.inputs["maxSessionDuration"] == 3600
    assert role.inputs["permissionsBoundary"] == "arn:aws:iam::123456789012:policy/b"


# The connection


def test_no_job_runs_before_a_person_confirmed_the_connection(capture):
    deployment = capture(runner)
    assert deployment.only("aws:codeconnections/connection:Connection").inputs["providerType"] == "GitHub"
    assert not deployment.of_type("aws:codebuild/webhook:Webhook"), "AWS refuses a webhook on a pending connection"


def test_a_confirmed_connection_starts_jobs_that_are_queued(capture):
    webhooks = capture(runner, connected=True).of_type("aws:codebuild/webhook:Webhook")
    assert {webhook.inputs["projectName"] for webhook in webhooks} == {"acme-prod-deploy", "acme-prod-images"}
    for webhook in webhooks:
        assert webhook.inputs["filterGroups"] == [{"filters": [{"type": "EVENT", "pattern": "WORKFLOW_JOB_QUEUED"}]}]


def test_the_name_of_the_connection_fits(capture):
    long = capture(runner, stem="stackyard-an-environment-with-a-long-name")
    assert len(long.only("aws:codeconnections/connection:Connection").inputs["name"]) <= 32


# Logs


def test_logs_are_encrypted_with_one_key_that_serves_these_groups_alone(capture):
    deployment = capture(runner)
    key = deployment.only("aws:kms/key:Key")
    for project in ("deploy", "images"):
        group = deployment.named(f"runner-{project}-log-group")
        assert group.inputs["kmsKeyId"] == key.outputs["arn"]
        assert group.inputs["retentionInDays"] == 365
        assert deployment.named(f"runner-{project}").inputs["logsConfig"] == {
            "cloudwatchLogs": {"status": "ENABLED", "groupName": group.inputs["name"]}
        }
    contexts = [
        s["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"].rpartition("log-group:")[2]
        for s in json.loads(key.inputs["policy"])["Statement"]
        if "Condition" in s
    ]
    assert sorted(contexts) == ["/aws/codebuild/acme-prod-deploy", "/aws/codebuild/acme-prod-images"]


def test_logs_outlive_a_destroy_unless_a_reason_says_otherwise(capture):
    assert capture(runner).named("runner-deploy-log-group").protect
    loosened = capture(runner, retention=Retention(mode=RetentionMode.DISPOSABLE, reason="trial"))
    assert loosened.named("runner-key").inputs["tags"]["stackyard:loosened"] == "disposable: trial"


# Bad input


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ({"build_minutes": 4}, "CodeBuild knows 5 to 2160"),
        ({"build_minutes": 2161}, "CodeBuild knows 5 to 2160"),
        ({"log_retention_days": 17}, "17 days is unknown"),
        ({"repository_arns": {}}, "pushes nowhere"),
    ],
)
def test_what_codebuild_cannot_do_is_refused(capture, args, reason):
    with pytest.raises(Exception, match=reason):
        capture(lambda: runner(**args))
