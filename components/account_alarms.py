"""The alarms of the CIS benchmark as one table: each row is a filter over CloudTrail's events, a metric, an alarm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import Input, ResourceOptions

from components.notifications import Severity
from components.tagging import child_tags

NAMESPACE = "Stackyard/Account"
PERIOD_SECONDS = 300


@dataclass(frozen=True)
class Alarm:
    noun: str
    """Last part of the names of filter, metric and alarm."""
    cis: str
    """Number in the CIS AWS Foundations Benchmark 5.0."""
    meaning: str
    severity: Severity
    pattern: str
    """CloudWatch Logs filter over CloudTrail's events."""


def _any_of(*names: str, source: str = "") -> str:
    events = " || ".join(f"($.eventName = {name})" for name in names)
    return f"{{ ($.eventSource = {source}.amazonaws.com) && ({events}) }}" if source else f"{{ {events} }}"


# https://docs.aws.amazon.com/securityhub/latest/userguide/cloudwatch-controls.html
ALARMS: Sequence[Alarm] = (
    Alarm(
        "unauthorized-calls", "4.1", "Calls that AWS refused: somebody tries what is not allowed", Severity.TICKET,
        '{ (($.errorCode = "*UnauthorizedOperation") || ($.errorCode = "AccessDenied*")) '
        '&& ($.sourceIPAddress != "delivery.logs.amazonaws.com") && ($.eventName != "HeadBucket") }',
    ),
    Alarm(
        "console-without-mfa", "4.2", "A user signed in to the console without a second factor", Severity.TICKET,
        '{ ($.eventName = "ConsoleLogin") && ($.additionalEventData.MFAUsed != "Yes") '
        '&& ($.userIdentity.type = "IAMUser") && ($.responseElements.ConsoleLogin = "Success") }',
    ),
    Alarm(
        "root-use", "4.3", "Somebody works as the account's root user", Severity.PAGE,
        '{ ($.userIdentity.type = "Root") && ($.userIdentity.invokedBy NOT EXISTS) '
        '&& ($.eventType != "AwsServiceEvent") }',
    ),
    Alarm(
        "iam-changes", "4.4", "A policy was changed, attached or detached", Severity.TICKET,
        _any_of(
            "AttachGroupPolicy", "AttachRolePolicy", "AttachUserPolicy", "CreatePolicy", "CreatePolicyVersion",
            "DeleteGroupPolicy", "DeletePolicy", "DeletePolicyVersion", "DeleteRolePolicy", "DeleteUserPolicy",
            "DetachGroupPolicy", "DetachRolePolicy", "DetachUserPolicy", "PutGroupPolicy", "PutRolePolicy",
            "PutUserPolicy", source="iam",
        ),
    ),
    Alarm(
        "trail-changes", "4.5", "The record of all calls was changed or stopped", Severity.PAGE,
        _any_of("CreateTrail", "DeleteTrail", "StartLogging", "StopLogging", "UpdateTrail"),
    ),
    Alarm(
        "console-failures", "4.6", "A sign-in to the console failed", Severity.TICKET,
        '{ ($.eventName = ConsoleLogin) && ($.errorMessage = "Failed authentication") }',
    ),
    Alarm(
        "key-deletion", "4.7", "A key was disabled or is going to be deleted: what it encrypts is lost with it",
        Severity.PAGE, _any_of("DisableKey", "ScheduleKeyDeletion", source="kms"),
    ),
    Alarm(
        "bucket-policy-changes", "4.8", "The access to a bucket was changed", Severity.TICKET,
        _any_of(
            "DeleteBucketCors", "DeleteBucketLifecycle", "DeleteBucketPolicy", "DeleteBucketReplication",
            "PutBucketAcl", "PutBucketCors", "PutBucketLifecycle", "PutBucketPolicy", "PutBucketReplication",
            source="s3",
        ),
    ),
    Alarm(
        "config-changes", "4.9", "The record of all resources was changed or stopped", Severity.PAGE,
        _any_of(
            "DeleteDeliveryChannel", "PutConfigurationRecorder", "PutDeliveryChannel", "StopConfigurationRecorder",
            source="config",
        ),
    ),
    Alarm(
        "security-group-changes", "4.10", "A security group was changed", Severity.TICKET,
        _any_of(
            "AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "CreateSecurityGroup",
            "DeleteSecurityGroup", "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress",
        ),
    ),
    Alarm(
        "network-acl-changes", "4.11", "A network ACL was changed", Severity.TICKET,
        _any_of(
            "CreateNetworkAcl", "CreateNetworkAclEntry", "DeleteNetworkAcl", "DeleteNetworkAclEntry",
            "ReplaceNetworkAclAssociation", "ReplaceNetworkAclEntry",
        ),
    ),
    Alarm(
        "gateway-changes", "4.12", "A way out of the network was changed", Severity.TICKET,
        _any_of(
            "AttachInternetGateway", "CreateCustomerGateway", "CreateInternetGateway", "DeleteCustomerGateway",
            "DeleteInternetGateway", "DetachInternetGateway",
        ),
    ),
    Alarm(
        "route-changes", "4.13", "A route table was changed", Severity.TICKET,
        _any_of(
            "CreateRoute", "CreateRouteTable", "DeleteRoute", "DeleteRouteTable", "DisassociateRouteTable",
            "ReplaceRoute", "ReplaceRouteTableAssociation", source="ec2",
        ),
    ),
    Alarm(
        "vpc-changes", "4.14", "A VPC or its peering was changed", Severity.TICKET,
        _any_of(
            "AcceptVpcPeeringConnection", "AttachClassicLinkVpc", "CreateVpc", "CreateVpcPeeringConnection",
            "DeleteVpc", "DeleteVpcPeeringConnection", "DetachClassicLinkVpc", "DisableVpcClassicLink",
            "EnableVpcClassicLink", "ModifyVpcAttribute", "RejectVpcPeeringConnection",
        ),
    ),
    Alarm(
        "organization-changes", "4.15", "The organisation or its policies were changed", Severity.PAGE,
        _any_of(
            "AcceptHandshake", "AttachPolicy", "CreateAccount", "CreateOrganizationalUnit", "CreatePolicy",
            "DeclineHandshake", "DeleteOrganization", "DeleteOrganizationalUnit", "DeletePolicy", "DetachPolicy",
            "DisablePolicyType", "EnablePolicyType", "InviteAccountToOrganization", "LeaveOrganization",
            "MoveAccount", "RemoveAccountFromOrganization", "UpdateOrganizationalUnit", "UpdatePolicy",
            source="organizations",
        ),
    ),
)  # fmt: skip
"""4.16 is Security Hub, which Stackyard leaves to the organisation."""


def create_alarms(
    name: str,
    log_group_name: Input[str],
    topic_arns: Mapping[Severity, Input[str]],
    opts: ResourceOptions,
) -> None:
    """A metric filter and an alarm for each row; one event within five minutes is enough."""
    for row in ALARMS:
        metric = f"{name}-{row.noun}"
        created = aws.cloudwatch.LogMetricFilter(
            f"{metric}-filter",
            name=metric,
            log_group_name=log_group_name,
            pattern=row.pattern,
            metric_transformation=aws.cloudwatch.LogMetricFilterMetricTransformationArgs(
                name=metric, namespace=NAMESPACE, value="1"
            ),
            opts=opts,
        )
        aws.cloudwatch.MetricAlarm(
            f"{metric}-alarm",
            alarm_description=f"{row.meaning} (CIS {row.cis})",
            namespace=NAMESPACE,
            # By way of the filter: an alarm on a metric that nobody writes stays silent.
            metric_name=created.metric_transformation.name,
            statistic="Sum",
            period=PERIOD_SECONDS,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[topic_arns[row.severity]],
            tags=child_tags(name, f"{metric}-alarm"),
            opts=opts,
        )
