"""The permissions boundary of CI: what its roles, and every role that they create, can never do.

A boundary grants nothing. It allows whole services, since what is allowed stands in each role's own policies, and
denies what nobody may do from CI. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
"""

from collections.abc import Sequence

from pulumi import Output

from components.ci_stacks import CiNames, CiStack, by_alias
from components.iam_policies import Effect, Statement, render

# Services of the base and the platform layer, and of what runs in them. Those that watch the account (CloudTrail,
# GuardDuty, Config, Access Analyzer, Organizations) are not among them: CI cannot switch them off.
SERVICES = (
    "aps", "autoscaling", "budgets", "cloudwatch", "codebuild", "codeconnections", "codestar-connections", "ec2",
    "ecr", "eks", "eks-auth", "elasticloadbalancing", "events", "kms", "logs", "pricing", "rds", "rds-db", "s3",
    "secretsmanager", "sns", "sqs", "ssm", "ssmmessages", "sts",
)  # fmt: skip

# Beyond those services: what an interface endpoint with private DNS asks of whoever makes it.
SINGLE_ACTIONS = ("iam:Get*", "iam:List*", "route53:AssociateVPCWithHostedZone")

# Karpenter makes instance profiles for the nodes that it starts.
PROFILE_ACTIONS = (
    "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile",
    "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:UntagInstanceProfile",
)  # fmt: skip
ROLE_ACTIONS = (
    "iam:DeleteRole", "iam:PassRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)  # fmt: skip

# Those for which IAM knows the boundary of the role in question:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#available-keys-for-iam
BOUNDED_ACTIONS = (
    "iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy",
)  # fmt: skip

CHANGES_OF_CI = (
    "iam:Add*", "iam:Attach*", "iam:Create*", "iam:Delete*", "iam:Detach*", "iam:PassRole", "iam:Put*", "iam:Remove*",
    "iam:Set*", "iam:Tag*", "iam:Untag*", "iam:Update*",
)  # fmt: skip

CHANGES_OF_STATE_BUCKETS = (
    "s3:BypassGovernanceRetention", "s3:DeleteBucket*", "s3:DeleteObjectVersion", "s3:PutBucket*",
    "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:PutObjectRetention",
    "s3:PutReplicationConfiguration",
)  # fmt: skip

CHANGES_OF_STATE_KEYS = (
    "kms:CreateGrant", "kms:DeleteImportedKeyMaterial", "kms:DisableKey", "kms:DisableKeyRotation", "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource",
)  # fmt: skip
CHANGES_OF_ALIASES = ("kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias")


def boundary_policy(names: CiNames, stacks: Sequence[CiStack]) -> Output[str]:
    """The boundary's document (control 26), for all stacks that CI deploys."""
    return render(boundary_statements(names, stacks))


def boundary_statements(names: CiNames, stacks: Sequence[CiStack]) -> list[Statement]:
    location = names.location
    state_buckets = sorted({stack.state_bucket for stack in stacks})
    # The log of who read the states is as worthy of protection as they are.
    stores = [*state_buckets, *sorted({stack.state_log_bucket for stack in stacks})]
    roles = [names.role_arns(environment) for environment in sorted({stack.environment for stack in stacks})]
    arns = [arn for name in stores for arn in (location.bucket_arn(name), f"{location.bucket_arn(name)}/*")]
    return [
        Statement(
            sid="Services",
            actions=[*(f"{service}:*" for service in SERVICES), *SINGLE_ACTIONS],
            resources=["*"],
        ),
        Statement(sid="LinkedRoles", actions=["iam:CreateServiceLinkedRole"], resources=["*"]),
        Statement(sid="Profiles", actions=PROFILE_ACTIONS, resources=[names.any_profile_arn]),
        # The environments' own roles alone: the trust of nobody else's can be changed, and nobody else's is passed.
        Statement(sid="Roles", actions=ROLE_ACTIONS, resources=roles),
        Statement(
            sid="BoundedRoles",
            actions=BOUNDED_ACTIONS,
            resources=roles,
            conditions={"StringEquals": {"iam:PermissionsBoundary": names.boundary_arn}},
        ),
        _denied("CiItself", CHANGES_OF_CI, names.protected_arns),
        _denied("Boundaries", ["iam:DeleteRolePermissionsBoundary"], ["*"]),
        _denied("StateBuckets", CHANGES_OF_STATE_BUCKETS, arns),
        Statement(
            sid="StateKeys",
            effect=Effect.DENY,
            actions=CHANGES_OF_STATE_KEYS,
            resources=["*"],
            conditions=by_alias(*state_buckets),
        ),
        _denied(
            "StateAliases",
            CHANGES_OF_ALIASES,
            [location.arn("kms", f"alias/{bucket}") for bucket in state_buckets],
        ),
        _denied("AccountDefaults", ["ec2:DisableEbsEncryptionByDefault", "s3:PutAccountPublicAccessBlock"], ["*"]),
    ]


def _denied(sid: str, actions: Sequence[str], resources: Sequence[str]) -> Statement:
    return Statement(sid=sid, effect=Effect.DENY, actions=actions, resources=resources)
