"""Cases of CodeBuild and of connections to GitHub."""

from tests.local.aws.cases import Case, of

CONNECTION = "arn:aws:codeconnections:eu-central-1:123456789012:connection/c"

BUILDS = {
    "aws:codebuild/project:Project": Case(
        lambda w: {
            "name": "table",
            "description": "runner",
            "serviceRole": w["role_arns"][0],
            "source": {
                "type": "GITHUB",
                "location": "https://github.com/example-org/stackyard.git",
                "gitCloneDepth": 1,
                "auth": {"type": "CODECONNECTIONS", "resource": CONNECTION},
            },
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": {
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
                "computeType": "BUILD_GENERAL1_SMALL",
                "imagePullCredentialsType": "CODEBUILD",
                "privilegedMode": False,
            },
            "encryptionKey": w["keys"][0],
            "buildTimeout": 60,
            "logsConfig": {"cloudwatchLogs": {"status": "ENABLED", "groupName": "/base/flow"}},
            "vpcConfig": {"vpcId": w["vpc"], "subnets": w["subnets"], "securityGroupIds": [w["groups"][0]]},
        }
    ),
    "aws:codebuild/webhook:Webhook": Case(
        of(
            projectName="table",
            buildType="BUILD",
            filterGroups=[{"filters": [{"type": "EVENT", "pattern": "WORKFLOW_JOB_QUEUED"}]}],
        ),
        of(buildType="RUNNER_BUILDKITE_BUILD"),
        tags=False,
        recorded=True,
    ),
    "aws:codeconnections/connection:Connection": Case(of(name="table", providerType="GitHub"), recorded=True),
}
