"""The record of all traffic of a VPC: a flow log, its encrypted log group and the role that writes it."""

from collections.abc import Callable

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.encryption_keys import encryption_key, key_policy, used_by_log_group
from components.iam_policies import Statement, identity_policy, service_trust_policy
from components.retention import Retention
from components.role_names import KEEPS_ITS_NAME, role_name

FLOW_LOG_SERVICE = "vpc-flow-logs.amazonaws.com"
# https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html, without CreateLogGroup: the group is ours.
FLOW_LOG_ACTIONS = ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
# Also asked for there. It lists names, and CloudWatch Logs knows no resource for it: on a group it would be void.
FIND_GROUP_ACTIONS = ("logs:DescribeLogGroups",)
ROLE_SESSION_SECONDS = 3600

Tags = Callable[[str], dict[str, str]]
"""Tags of a child, by its name."""


def record_all_traffic(
    name: str,
    vpc_id: Input[str],
    group: aws.cloudwatch.LogGroup,
    role: aws.iam.Role,
    *,
    tags: Tags,
    opts: ResourceOptions,
) -> aws.ec2.FlowLog:
    """The flow log itself. `name` is the component's."""
    flow_log = f"{name}-flow-log"
    return aws.ec2.FlowLog(
        flow_log,
        vpc_id=vpc_id,
        traffic_type="ALL",
        log_destination_type="cloud-watch-logs",
        log_destination=group.arn,
        iam_role_arn=role.arn,
        tags=tags(flow_log),
        opts=opts,
    )


def flow_log_group(
    name: str,
    stem: str,
    location: AwsLocation,
    *,
    retention_days: int,
    retention: Retention,
    tags: Tags,
    parent: pulumi.Resource,
) -> aws.cloudwatch.LogGroup:
    """The log group `/stackyard/<stem>/flow-logs`, with a key of its own."""
    group, key_name = f"{name}-flow-log-group", f"{name}-flow-log-key"
    group_name = f"/stackyard/{stem}/flow-logs"
    # The record of an incident must outlive a destroy by mistake, and so must the key that reads it.
    kept, loosened = retention.options(parent), retention.tags()
    key = encryption_key(
        key_name,
        description=f"Flow logs of {stem}",
        policy=key_policy(location, [used_by_log_group(location, group_name)]),
        tags=tags(key_name) | loosened,
        opts=kept,
    )
    return aws.cloudwatch.LogGroup(
        group,
        name=group_name,
        kms_key_id=key.arn,
        retention_in_days=retention_days,
        tags=tags(group) | loosened,
        opts=kept,
    )


def flow_log_role(
    name: str,
    stem: str,
    location: AwsLocation,
    group: aws.cloudwatch.LogGroup,
    *,
    permissions_boundary: Input[str] | None,
    tags: Tags,
    opts: ResourceOptions,
) -> aws.iam.Role:
    """A role for flow logs of this account, which writes to `group` alone."""
    child = f"{name}-flow-log-role"
    role = aws.iam.Role(
        child,
        name=role_name(stem, child),
        description=f"Writes the flow logs of {stem}",
        assume_role_policy=service_trust_policy(FLOW_LOG_SERVICE, location, location.arn("ec2", "vpc-flow-log/*")),
        max_session_duration=ROLE_SESSION_SECONDS,
        permissions_boundary=permissions_boundary,
        tags=tags(child),
        opts=ResourceOptions.merge(opts, KEEPS_ITS_NAME),
    )
    aws.iam.RolePolicy(
        f"{child}-policy",
        role=role.name,
        policy=identity_policy(
            [
                Statement(actions=FLOW_LOG_ACTIONS, resources=[group.arn, Output.format("{0}:*", group.arn)]),
                Statement(actions=FIND_GROUP_ACTIONS, resources=["*"]),
            ]
        ),
        opts=opts,
    )
    return role
