"""Everything that a judge finds and that stays: one row each, with its reason and the control that it touches.

A row that no longer excuses anything is itself a failure, so the table never outlives its reasons.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

CHEAP = ("local", "dev")
"""Stacks of protection `none`."""
NOT_STRICT = (*CHEAP, "staging-base", "staging-platform")


@dataclass(frozen=True, kw_only=True)
class Accepted:
    check: str
    resource: str
    """Address in the plan or name of the policy; `*` stands for any characters."""
    reason: str
    control: int
    """Row of docs/controls.md."""
    stacks: tuple[str, ...] = ("*",)

    def covers(self, check: str, resource: str, stack: str) -> bool:
        return (
            check == self.check
            and fnmatchcase(resource, self.resource)
            and any(fnmatchcase(stack, pattern) for pattern in self.stacks)
        )


CHECKOV = (
    Accepted(
        check="CKV_AWS_144",
        resource="aws_s3_bucket.*",
        control=12,
        reason="replication to another region doubles the price of storage: opt-in",
    ),
    Accepted(
        check="CKV2_AWS_62",
        resource="aws_s3_bucket.access-logs-bucket",
        control=10,
        reason="nothing reacts to the arrival of an access log",
    ),
    Accepted(
        check="CKV_AWS_145",
        resource="aws_s3_bucket.access-logs-bucket",
        control=5,
        reason="S3 delivers access logs into buckets with SSE-S3 only: "
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html",
    ),
    Accepted(
        check="CKV_AWS_157",
        resource="aws_db_instance.tracking-instance",
        control=71,
        stacks=NOT_STRICT,
        reason="the standby doubles the price of the database: protection strict has it",
    ),
    Accepted(
        check="CKV_AWS_293",
        resource="aws_db_instance.tracking-instance",
        control=72,
        stacks=CHEAP,
        reason="protection none is there to be thrown away",
    ),
    Accepted(
        check="CKV_AWS_338",
        resource="aws_cloudwatch_log_group.*",
        control=94,
        stacks=NOT_STRICT,
        reason="logs are kept 30 days under protection none and 90 under standard; a year under strict",
    ),
    Accepted(
        check="CKV2_AWS_3",
        resource="aws_guardduty_detector.guard-detector",
        control=80,
        reason="the check asks for an organisation's administrator; the detector is on in the account's region",
    ),
    Accepted(
        check="CKV_AWS_252",
        resource="aws_cloudtrail.guard-trail",
        control=78,
        reason="a notice for every delivered file tells nobody anything: alarms come from the metric filters",
    ),
    Accepted(
        check="CKV_AWS_316",
        resource="aws_codebuild_project.build-runner-images",
        control=86,
        reason="building images needs privileged mode; the deploying project has none",
    ),
    *(
        Accepted(
            check=check,
            resource="aws_iam_policy.ci-boundary",
            control=26,
            reason="a boundary grants nothing: it says what a role may do at most",
        )
        for check in ("CKV_AWS_287", "CKV_AWS_288", "CKV_AWS_289", "CKV_AWS_290", "CKV_AWS_355")
    ),
    Accepted(
        check="CKV_AWS_355",
        resource="aws_iam_policy.ci-*-read",
        control=22,
        reason="reads of configuration, for which most services know no resource; never what is stored",
    ),
    Accepted(
        check="CKV_AWS_37",
        resource="aws_eks_cluster.cluster-cluster",
        control=49,
        stacks=CHEAP,
        reason="two of five log types under protection none: who did what is kept, the rest costs more than it tells",
    ),
    Accepted(
        check="CKV_AWS_39",
        resource="aws_eks_cluster.cluster-cluster",
        control=46,
        stacks=CHEAP,
        reason="people reach the API of dev from listed addresses; staging and prod are private",
    ),
)

# What Checkov has no check for: the converter cannot have spoiled one. Anything else must be a name that it knows.
UNJUDGED_TYPES = frozenset(
    {
        "aws_accessanalyzer_analyzer",
        "aws_budgets_budget",
        "aws_ce_anomaly_monitor",
        "aws_ce_anomaly_subscription",
        "aws_cloudwatch_event_rule",
        "aws_cloudwatch_event_target",
        "aws_cloudwatch_log_metric_filter",
        "aws_cloudwatch_metric_alarm",
        "aws_codebuild_webhook",
        "aws_codeconnections_connection",
        "aws_config_delivery_channel",
        "aws_db_event_subscription",
        "aws_db_parameter_group",
        "aws_db_subnet_group",
        "aws_ebs_default_kms_key",
        "aws_ecr_lifecycle_policy",
        "aws_ecr_pull_through_cache_rule",
        "aws_ecr_repository_creation_template",
        "aws_eks_access_entry",
        "aws_eks_access_policy_association",
        "aws_eks_addon",
        "aws_eks_pod_identity_association",
        "aws_guardduty_detector_feature",
        "aws_iam_openid_connect_provider",
        "aws_iam_service_linked_role",
        "aws_internet_gateway",
        "aws_kms_alias",
        "aws_route_table",
        "aws_route_table_association",
        "aws_s3_account_public_access_block",
        "aws_s3_bucket_notification",
        "aws_s3_bucket_object_lock_configuration",
        "aws_s3_object",
        "aws_sns_topic_subscription",
    }
)

# What its checks look at only beside something else, so that no finding carries their address.
SEEN_BESIDE_OTHERS = frozenset(
    {
        "aws_default_security_group",
        "aws_eip",
        "aws_flow_log",
        "aws_nat_gateway",
        "aws_route",
        "aws_s3_bucket_logging",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
        "aws_vpc_endpoint",
    }
)

PARLIAMENT = (
    Accepted(
        check="RESOURCE_STAR",
        resource="resource *-key",
        control=18,
        reason="in a key's policy `*` means this key",
    ),
    Accepted(
        check="RESOURCE_STAR",
        resource="endpoint *",
        control=40,
        reason="an endpoint's policy grants nothing: it lets only this account's requests and resources through",
    ),
    Accepted(
        check="RESOURCE_MISMATCH",
        resource="endpoint *",
        control=40,
        reason="an endpoint's policy is about a whole service, whatever resources its actions know",
    ),
    Accepted(
        check="RESOURCE_STAR",
        resource="boundary *",
        control=26,
        reason="a boundary grants nothing: it says what a role may do at most",
    ),
    Accepted(
        check="UNKNOWN_CONDITION_FOR_ACTION",
        resource="boundary ci-boundary",
        control=18,
        reason="kms:ResourceAliases: AWS's reference lists it for these actions, parliament's copy is older",
    ),
    *(
        Accepted(
            check="UNKNOWN_CONDITION_FOR_ACTION",
            resource=resource,
            control=18,
            reason="kms:ResourceAliases: AWS's reference lists it, parliament's copy is older",
        )
        for resource in ("identity ci-*", "identity node-autoscaler-controller-nodes")
    ),
    Accepted(
        check="RESOURCE_MISMATCH",
        resource="identity ci-*-keys",
        control=18,
        reason="an action on an alias is asked about the alias and about its key: a statement each",
    ),
    Accepted(
        check="RESOURCE_STAR",
        resource="identity ci-*",
        control=22,
        reason="what is made has no ARN yet and what is changed is bound by its tag; reads know no resource",
    ),
    Accepted(
        check="RESOURCE_STAR",
        resource="identity build-runner-*",
        control=86,
        reason="CodeBuild makes network interfaces in the VPC, which have no ARN before: "
        "https://docs.aws.amazon.com/codebuild/latest/userguide/auth-and-access-control-iam-identity-based-access-control.html",
    ),
    Accepted(
        check="RESOURCE_MISMATCH",
        resource="identity node-autoscaler-controller-nodes",
        control=22,
        reason="starting an instance is asked about each thing that it takes: a statement for each kind, as Karpenter "
        "documents it",
    ),
    Accepted(
        check="RESOURCE_MISMATCH",
        resource="identity node-autoscaler-controller-discovery",
        control=22,
        reason="AWS's own parameters belong to no account, and parliament's pattern wants one",
    ),
    Accepted(
        check="RESOURCE_POLICY_PRIVILEGE_ESCALATION",
        resource="identity ci-*-deploy-base-data",
        control=27,
        reason="who makes the buckets can open them: the change is approved, recorded, and the state bucket excluded",
    ),
    *(
        Accepted(
            check="MISMATCHED_TYPE_BUT_USABLE",
            resource=resource,
            control=27,
            reason="an ARN without wildcards is compared as a text",
        )
        for resource in ("boundary ci-boundary", "identity ci-*-identity", "identity build-runner-*")
    ),
    Accepted(
        check="MISMATCHED_TYPE",
        resource="resource *-key",
        control=18,
        reason="the encryption context of CloudWatch Logs is an ARN in a string: "
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
    ),
    Accepted(
        check="MISMATCHED_TYPE_BUT_USABLE",
        resource="resource data-policy",
        control=5,
        reason="S3 hands the key over as an ARN in a string: it is compared as one",
    ),
    Accepted(
        check="UNKNOWN_CONDITION_FOR_ACTION",
        resource="resource *-key",
        control=18,
        reason="the statement is AWS's own; describing a key has no encryption context, so this grants less, not more",
    ),
)

CLOUDSPLAINING = (
    Accepted(
        check="credentials exposure",
        resource="identity build-runner-images-role-policy",
        control=86,
        reason="ecr:GetAuthorizationToken knows no resource; what the token may push to is named",
    ),
)
