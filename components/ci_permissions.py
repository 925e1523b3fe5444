"""What CI's roles may do, as statements grouped into policies: the reading of a preview, the changing of a deployment.

A test holds them against the calls that the local stack's table makes for the resources of each layer.
`Resource: "*"` stands only where a service knows no resources for an action, or where a tag or the region narrows it.
"""

from collections.abc import Mapping, Sequence

from components.ci_stacks import CiNames, CiPurpose, CiStack, by_alias
from components.iam_policies import Conditions, Statement

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html, without white space.
LONGEST_MANAGED_POLICY = 6144

# Settings of resources, never what they hold: no object, no secret's value, no image, no log line.
READS: Mapping[str, Sequence[str]] = {
    "budgets": ("budgets:ListTagsForResource", "budgets:ViewBudget"),
    "cloudwatch": ("cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"),
    "codebuild": ("codebuild:BatchGetProjects",),
    "codeconnections": ("codeconnections:GetConnection", "codeconnections:ListTagsForResource"),
    "ec2": ("ec2:Describe*",),
    "ecr": (
        "ecr:DescribePullThroughCacheRules", "ecr:DescribeRepositories", "ecr:DescribeRepositoryCreationTemplates",
        "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource",
    ),
    "eks": ("eks:Describe*", "eks:List*"),
    "events": ("events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"),
    "iam": (
        "iam:GetInstanceProfile", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListPolicyVersions",
        "iam:ListRolePolicies", "iam:ListRoleTags",
    ),
    "logs": ("logs:DescribeLogGroups", "logs:ListTagsForResource", "logs:ListTagsLogGroup"),
    "rds": ("rds:Describe*", "rds:ListTagsForResource"),
    "secretsmanager": ("secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy"),
    "sns": (
        "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic",
        "sns:ListTagsForResource",
    ),
    "sqs": ("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"),
}  # fmt: skip
BUCKET_READS = (
    "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration",
    "s3:GetIntelligentTieringConfiguration", "s3:GetInventoryConfiguration", "s3:GetLifecycleConfiguration",
    "s3:GetReplicationConfiguration", "s3:ListBucket",
)  # fmt: skip
KEY_READS = ("kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags")

Groups = Mapping[str, Sequence[Statement]]
"""Statements by the noun of the policy that holds them."""


def reading_groups(names: CiNames, stack: CiStack, purpose: CiPurpose) -> Groups:
    """What every role of a stack may: read, and use its state."""
    return {"read": [*state_access(names, stack, purpose), *reads(names, stack)]}


def state_access(names: CiNames, stack: CiStack, purpose: CiPurpose) -> list[Statement]:
    """Its own state, and of its base the state alone; nobody else's, and no other object."""
    bucket, location = stack.state_bucket, names.location
    own = names.state_key_arns(bucket, stack.name)
    base = names.state_key_arns(bucket, stack.base_stack) if stack.base_stack else []
    deploys = purpose is CiPurpose.DEPLOY
    history = names.history_arns(bucket, stack.name) if deploys else []
    key_actions = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey") if deploys else ("kms:Decrypt",)
    statements = [
        # Names of states are no secret, and Pulumi lists before it reads.
        Statement(sid="ListStates", actions=["s3:ListBucket"], resources=[location.bucket_arn(bucket)]),
        Statement(sid="ReadState", actions=["s3:GetObject"], resources=[names.meta_arn(bucket), *own, *base, *history]),
        # The key of the states and of Pulumi's secrets in them, by its alias; no key of data has that.
        Statement(
            sid="StateKey",
            actions=key_actions,
            resources=[location.arn("kms", "key/*")],
            conditions=by_alias(bucket),
        ),
    ]
    if deploys:
        writes = ["s3:DeleteObject", "s3:PutObject"]
        statements.append(Statement(sid="WriteState", actions=writes, resources=[*own, *history]))
    return statements


def reads(names: CiNames, stack: CiStack) -> list[Statement]:
    """Settings of what the layers create. Describing calls know no resources, so `*` stands for them."""
    anything = sorted(action for actions in READS.values() for action in actions)
    return [
        Statement(sid="Read", actions=[*anything, "kms:ListAliases"], resources=["*"]),
        Statement(sid="ReadBuckets", actions=BUCKET_READS, resources=[environment_buckets(names, stack)]),
        Statement(sid="ReadKeys", actions=KEY_READS, resources=[names.in_any_region("kms", "key/*")]),
    ]


def environment_buckets(names: CiNames, stack: CiStack) -> str:
    """Pattern of the ARNs of the environment's buckets, copies in other regions among them."""
    location = names.location
    return location.bucket_arn(f"{names.prefix}-{stack.environment}-*-{location.account_id}-*")


def tagged(stack: CiStack) -> Conditions:
    """Only what carries the environment's tag, which the provider puts on everything."""
    return {"StringEquals": {"aws:ResourceTag/environment": stack.environment}}


def tagging(stack: CiStack) -> Conditions:
    """Only what has no environment yet and gets this one: a tag takes over nothing of another environment."""
    return {
        "StringEquals": {"aws:RequestTag/environment": stack.environment},
        "Null": {"aws:ResourceTag/environment": "true"},
    }


def unclaimed(names: CiNames, stack: CiStack) -> Conditions:
    """Only what is the environment's or nobody's, in its region: calls that also name things without tags.

    Those are new, or AWS made them: the default security group, the one of a cluster.
    """
    return {
        "StringEquals": {"aws:RequestedRegion": names.location.region},
        "StringEqualsIfExists": {"aws:ResourceTag/environment": stack.environment},
    }
