"""GitHub runners on CodeBuild inside the VPC: what deploys to a private cluster, and what builds images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.encryption_keys import encryption_key, key_policy, used_by_log_group
from components.iam_policies import Statement, identity_policy, service_trust_policy
from components.invalid_argument import InvalidArgument
from components.log_groups import check_retention_days
from components.retention import PROTECTED, Retention
from components.role_names import KEEPS_ITS_NAME, role_name
from components.tagging import child_tags

SERVICE = "codebuild.amazonaws.com"
ANYWHERE, HTTPS = "0.0.0.0/0", 443
ROLE_SESSION_SECONDS = 3600

# https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-available.html
BUILD_IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
# https://docs.aws.amazon.com/codebuild/latest/userguide/limits.html
SHORTEST_BUILD_MINUTES, LONGEST_BUILD_MINUTES = 5, 2160
PRIVILEGED_TAG = "stackyard:privileged"

# https://docs.aws.amazon.com/codebuild/latest/userguide/auth-and-access-control-iam-identity-based-access-control.html
INTERFACE_ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)
CONNECTION_ACTIONS = (
    "codeconnections:GetConnection",
    "codeconnections:GetConnectionToken",
    "codeconnections:UseConnection",
)
PUSH_ACTIONS = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:DescribeImages",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)


class Runner(StrEnum):
    DEPLOY = "deploy"
    """Runs Pulumi for the platform layer. Not privileged."""
    IMAGES = "images"
    """Builds and pushes images. Privileged, since a Docker daemon needs it."""


@dataclass(frozen=True, kw_only=True)
class BuildRunnerArgs:
    location: AwsLocation
    """Account and region of the projects."""

    stem: str
    """Stem of fixed names, `<prefix>-<environment>`: the projects are `<stem>-deploy` and `<stem>-images`."""

    repository: str
    """GitHub repository, `OWNER/NAME`, whose workflow jobs run here."""

    connected: bool = False
    """Whether a person has confirmed the connection to GitHub. Before that AWS refuses webhooks, so there are none, and
    no job runs. Default: no."""

    vpc_id: Input[str]
    """VPC of the runners."""

    private_subnet_ids: Input[Sequence[str]]
    """Private subnets: runners have no public addresses."""

    repository_arns: Mapping[str, Input[str]]
    """Image repositories that the image runner may push to, by name; at least one."""

    build_minutes: int = 60
    """Minutes after which a job is stopped, 5 to 2160. Default: an hour, as long as CI's roles last."""

    log_retention_days: int = 365
    """Days that jobs' logs are kept; one of those that CloudWatch Logs knows. Default: a year."""

    permissions_boundary: Input[str] | None = None
    """ARN of the policy that bounds the runners' roles. Default: unbounded."""

    retention: Retention = PROTECTED
    """What a destroy does to the logs and their key. Default: protected."""


class BuildRunner(pulumi.ComponentResource):
    """Creates, always:

    - a connection to GitHub, pending until a person confirms it (docs/components/build_runner.md);
    - a CodeBuild project `deploy`, not privileged, and a project `images`, **privileged**: a tag carries the reason;
    - for each project a role (its logs, its network interfaces, the connection; `images` also pushes to the named
      repositories), and an encrypted log group with a retention;
    - a security group that lets nothing in, and TLS out;
    - one key for both log groups (**1 $ a month**). Jobs cost **0.005 $ a minute**, nothing while idle.

    With `connected`: a webhook for each project, so that workflow jobs that name it run there.

    Projects hold no credentials: a job becomes CI's role by GitHub's token, as anywhere else (`CiAccess`).
    """

    project_names: dict[Runner, Output[str]]
    """A job runs here with `runs-on: codebuild-<name>-${{ github.run_id }}-${{ github.run_attempt }}`."""
    security_group_id: Output[str]
    """The cluster's private endpoint must let it in."""
    connection_arn: Output[str]

    def __init__(self, name: str, args: BuildRunnerArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:BuildRunner", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        self._kept = args.retention.options(self)
        _check(args)

        connection = self._create_connection()
        group = self._create_security_group()
        key = self._create_key()
        projects = {
            runner: self._create_project(runner, connection, group, self._create_log_group(runner, key), key)
            for runner in Runner
        }
        if args.connected:
            self._create_webhooks(projects)

        self.project_names = {runner: project.name for runner, project in projects.items()}
        self.security_group_id, self.connection_arn = group.id, connection.arn
        self.register_outputs(
            {
                "projectNames": {str(runner): found for runner, found in self.project_names.items()},
                "securityGroupId": self.security_group_id,
                "connectionArn": self.connection_arn,
            }
        )

    def _tags(self, child: str) -> dict[str, str]:
        return child_tags(self._name, child)

    def _project_name(self, runner: Runner) -> str:
        return f"{self._args.stem}-{runner}"

    def _group_name(self, runner: Runner) -> str:
        return f"/aws/codebuild/{self._project_name(runner)}"

    def _create_connection(self) -> aws.codeconnections.Connection:
        name = f"{self._name}-github"
        # At most 32 characters, so not the stem: https://docs.aws.amazon.com/codeconnections/latest/APIReference/
        return aws.codeconnections.Connection(
            name, name=self._args.stem[:32], provider_type="GitHub", tags=self._tags(name), opts=self._child
        )

    def _create_security_group(self) -> aws.ec2.SecurityGroup:
        name = f"{self._name}-security-group"
        group = aws.ec2.SecurityGroup(
            name,
            description="Build runners: TLS out, nothing in",
            vpc_id=self._args.vpc_id,
            tags=self._tags(name),
            opts=self._child,
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{name}-tls",
            security_group_id=group.id,
            description="GitHub, registries, AWS and the cluster",
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            cidr_ipv4=ANYWHERE,
            tags=self._tags(f"{name}-tls"),
            opts=self._child,
        )
        return group

    def _create_key(self) -> aws.kms.Key:
        name, location = f"{self._name}-key", self._args.location
        logs = [
            replace(used_by_log_group(location, self._group_name(runner)), sid=f"Encrypt{str(runner).capitalize()}Logs")
            for runner in Runner
        ]
        return encryption_key(
            name,
            description=f"Logs of the build runners of {self._args.stem}",
            policy=key_policy(location, logs),
            tags=self._tags(name) | self._args.retention.tags(),
            opts=self._kept,
        )

    def _create_log_group(self, runner: Runner, key: aws.kms.Key) -> aws.cloudwatch.LogGroup:
        name = f"{self._name}-{runner}-log-group"
        return aws.cloudwatch.LogGroup(
            name,
            name=self._group_name(runner),
            retention_in_days=self._args.log_retention_days,
            kms_key_id=key.arn,
            tags=self._tags(name) | self._args.retention.tags(),
            opts=self._kept,
        )

    def _create_role(
        self, runner: Runner, connection: aws.codeconnections.Connection, logs: aws.cloudwatch.LogGroup
    ) -> Output[str]:
        """ARN of the project's role, known once it may do what it is for."""
        name, location = f"{self._name}-{runner}-role", self._args.location
        role = aws.iam.Role(
            name,
            name=role_name(self._args.stem, name),
            assume_role_policy=service_trust_policy(
                SERVICE, location, location.arn("codebuild", f"project/{self._project_name(runner)}")
            ),
            permissions_boundary=self._args.permissions_boundary,
            max_session_duration=ROLE_SESSION_SECONDS,
            tags=self._tags(name),
            opts=ResourceOptions.merge(self._child, KEEPS_ITS_NAME),
        )
        policy = aws.iam.RolePolicy(
            f"{name}-policy",
            role=role.name,
            policy=identity_policy(self._statements(runner, connection, logs)),
            opts=self._child,
        )
        return Output.all(role.arn, policy.id).apply(lambda known: known[0])

    def _statements(
        self, runner: Runner, connection: aws.codeconnections.Connection, logs: aws.cloudwatch.LogGroup
    ) -> list[Statement]:
        location = self._args.location
        subnets: Output[Any] = Output.from_input(self._args.private_subnet_ids).apply(
            lambda ids: [location.arn("ec2", f"subnet/{id}") for id in ids]
        )
        shared = [
            Statement(
                sid="WriteLogs",
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[Output.concat(logs.arn, ":*")],
            ),
            Statement(sid="Connect", actions=CONNECTION_ACTIONS, resources=[connection.arn]),
            # Describing calls and new interfaces know no resources by which to name them.
            Statement(
                sid="Interfaces",
                actions=INTERFACE_ACTIONS,
                resources=["*"],
                conditions={"StringEquals": {"aws:RequestedRegion": location.region}},
            ),
            Statement(
                sid="HandInterfaces",
                actions=["ec2:CreateNetworkInterfacePermission"],
                resources=[location.arn("ec2", "network-interface/*")],
                conditions={"StringEquals": {"ec2:AuthorizedService": SERVICE, "ec2:Subnet": subnets}},
            ),
        ]
        if runner is Runner.DEPLOY:
            return shared
        repositories = [arn for _, arn in sorted(self._args.repository_arns.items())]
        return [
            *shared,
            Statement(sid="Push", actions=PUSH_ACTIONS, resources=repositories),
            Statement(
                sid="LogIn",
                # The token knows no repository: https://docs.aws.amazon.com/AmazonECR/latest/userguide/security_iam_id-based-policy-examples.html
                actions=["ecr:GetAuthorizationToken"],
                resources=["*"],
            ),
        ]

    def _create_project(
        self,
        runner: Runner,
        connection: aws.codeconnections.Connection,
        group: aws.ec2.SecurityGroup,
        logs: aws.cloudwatch.LogGroup,
        key: aws.kms.Key,
    ) -> aws.codebuild.Project:
        name, privileged = f"{self._name}-{runner}", runner is Runner.IMAGES
        reason = {PRIVILEGED_TAG: "a Docker daemon builds the images"} if privileged else {}
        return aws.codebuild.Project(
            name,
            name=self._project_name(runner),
            description=f"GitHub runner of {self._args.repository}: {runner}",
            service_role=self._create_role(runner, connection, logs),
            source=aws.codebuild.ProjectSourceArgs(
                type="GITHUB",
                location=f"https://github.com/{self._args.repository}.git",
                git_clone_depth=1,
                auth=aws.codebuild.ProjectSourceAuthArgs(type="CODECONNECTIONS", resource=connection.arn),
            ),
            artifacts=aws.codebuild.ProjectArtifactsArgs(type="NO_ARTIFACTS"),
            # No variables: what a job needs it gets from its workflow, and credentials from GitHub's token.
            environment=aws.codebuild.ProjectEnvironmentArgs(
                type="LINUX_CONTAINER",
                image=BUILD_IMAGE,
                compute_type="BUILD_GENERAL1_SMALL",
                image_pull_credentials_type="CODEBUILD",
                privileged_mode=privileged,
            ),
            encryption_key=key.arn,
            build_timeout=self._args.build_minutes,
            logs_config=aws.codebuild.ProjectLogsConfigArgs(
                cloudwatch_logs=aws.codebuild.ProjectLogsConfigCloudwatchLogsArgs(
                    status="ENABLED", group_name=logs.name
                )
            ),
            vpc_config=aws.codebuild.ProjectVpcConfigArgs(
                vpc_id=self._args.vpc_id, subnets=self._args.private_subnet_ids, security_group_ids=[group.id]
            ),
            tags=self._tags(name) | reason,
            opts=self._child,
        )

    def _create_webhooks(self, projects: Mapping[Runner, aws.codebuild.Project]) -> None:
        queued = aws.codebuild.WebhookFilterGroupFilterArgs(type="EVENT", pattern="WORKFLOW_JOB_QUEUED")
        for runner, project in projects.items():
            aws.codebuild.Webhook(
                f"{self._name}-{runner}-webhook",
                project_name=project.name,
                build_type="BUILD",
                filter_groups=[aws.codebuild.WebhookFilterGroupArgs(filters=[queued])],
                opts=self._child,
            )


def _check(args: BuildRunnerArgs) -> None:
    check_retention_days(args.log_retention_days)
    if not args.repository_arns:
        raise InvalidArgument("an image runner without a repository pushes nowhere: give at least one, by its name")
    if not SHORTEST_BUILD_MINUTES <= args.build_minutes <= LONGEST_BUILD_MINUTES:
        raise InvalidArgument(
            f"a job cannot be stopped after {args.build_minutes} minutes: CodeBuild knows {SHORTEST_BUILD_MINUTES} "
            f"to {LONGEST_BUILD_MINUTES}, for example 60"
        )
