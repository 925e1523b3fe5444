"""What a deployment creates, changes and deletes, by layer and policy."""

from collections.abc import Mapping, Sequence

from components.ci_permissions import Groups, environment_buckets, reading_groups, tagged, tagging, unclaimed
from components.ci_stacks import CiLayer, CiNames, CiPurpose, CiStack, by_alias
from components.iam_policies import Conditions, Statement

# Services that components hand a role to. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
PASSED_TO: Mapping[CiLayer, Sequence[str]] = {
    CiLayer.BASE: ("codebuild.amazonaws.com", "ecr.amazonaws.com", "monitoring.rds.amazonaws.com", "s3.amazonaws.com",
                   "vpc-flow-logs.amazonaws.com"),
    CiLayer.PLATFORM: ("ec2.amazonaws.com", "eks.amazonaws.com", "pods.eks.amazonaws.com"),
}  # fmt: skip
# Roles that AWS's services bring themselves, where a deployment is the first to use one.
LINKED: Mapping[CiLayer, Sequence[str]] = {
    CiLayer.BASE: ("pullthroughcache.ecr.amazonaws.com", "rds.amazonaws.com", "replication.ecr.amazonaws.com"),
    CiLayer.PLATFORM: ("autoscaling.amazonaws.com", "eks-nodegroup.amazonaws.com", "eks.amazonaws.com",
                       "spot.amazonaws.com"),
}  # fmt: skip

ROLE_CHANGES = (
    "iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)  # fmt: skip
BOUNDED_ROLE_CHANGES = (
    "iam:AttachRolePolicy", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)  # fmt: skip

# Networks: most calls name several resources, of which not all have tags yet.
NETWORK_CREATES = (
    "ec2:AllocateAddress", "ec2:AssociateRouteTable", "ec2:AttachInternetGateway", "ec2:CreateFlowLogs",
    "ec2:CreateInternetGateway", "ec2:CreateNatGateway", "ec2:CreateRoute", "ec2:CreateRouteTable",
    "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpc", "ec2:CreateVpcEndpoint",
    "ec2:AssociateVpcCidrBlock",
    # The default security group has no tags when its rules are taken away.
    "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:ModifySecurityGroupRules",
    "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress",
)  # fmt: skip
NETWORK_CHANGES = (
    "ec2:CreateTags", "ec2:DeleteFlowLogs", "ec2:DeleteInternetGateway", "ec2:DeleteNatGateway", "ec2:DeleteRoute",
    "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags", "ec2:DeleteVpc",
    "ec2:DeleteVpcEndpoints", "ec2:DetachInternetGateway", "ec2:DisassociateAddress", "ec2:DisassociateRouteTable",
    "ec2:DisassociateVpcCidrBlock", "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint",
    "ec2:ModifyVpcTenancy", "ec2:ReleaseAddress", "ec2:ReplaceRoute", "ec2:ReplaceRouteTableAssociation",
    "ec2:UpdateSecurityGroupRuleDescriptionsEgress", "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
)  # fmt: skip
# An interface endpoint with private DNS makes a hosted zone of its own, in the caller's name.
PRIVATE_DNS = ("route53:AssociateVPCWithHostedZone",)

BUCKET_CHANGES = (
    "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:PutBucketLogging", "s3:PutBucketNotification",
    "s3:PutBucketObjectLockConfiguration", "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration", "s3:PutIntelligentTieringConfiguration", "s3:PutInventoryConfiguration",
    "s3:PutLifecycleConfiguration", "s3:PutReplicationConfiguration",
)  # fmt: skip
KEY_CHANGES = (
    "kms:CreateGrant", "kms:DisableKey", "kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation",
    "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource",
    "kms:UpdateKeyDescription",
)  # fmt: skip
ALIAS_CHANGES = ("kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias")
LOG_GROUP_CHANGES = (
    "logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteRetentionPolicy",
    "logs:DisassociateKmsKey", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
)  # fmt: skip
# What EC2 asks of whoever gives flow logs a destination.
LOG_DELIVERY = ("logs:CreateLogDelivery", "logs:DeleteLogDelivery")

REPOSITORY_CHANGES = (
    "ecr:CreateRepository", "ecr:DeleteLifecyclePolicy", "ecr:DeleteRepository", "ecr:PutImageScanningConfiguration",
    "ecr:PutImageTagMutability", "ecr:PutLifecyclePolicy", "ecr:TagResource", "ecr:UntagResource",
)  # fmt: skip
# Of the account's registry as a whole: ECR knows no resources for them.
CACHE_CHANGES = (
    "ecr:CreatePullThroughCacheRule", "ecr:CreateRepositoryCreationTemplate", "ecr:DeletePullThroughCacheRule",
    "ecr:DeleteRepositoryCreationTemplate", "ecr:UpdatePullThroughCacheRule", "ecr:UpdateRepositoryCreationTemplate",
)  # fmt: skip
DATABASE_CREATES = (
    "rds:CreateDBInstance", "rds:CreateDBParameterGroup", "rds:CreateDBSubnetGroup", "rds:CreateEventSubscription",
)  # fmt: skip
DATABASE_CHANGES = (
    "rds:AddSourceIdentifierToSubscription", "rds:AddTagsToResource", "rds:CreateDBSnapshot", "rds:DeleteDBInstance",
    "rds:DeleteDBParameterGroup", "rds:DeleteDBSubnetGroup", "rds:DeleteEventSubscription", "rds:ModifyDBInstance",
    "rds:ModifyDBParameterGroup", "rds:ModifyDBSubnetGroup", "rds:ModifyEventSubscription", "rds:RebootDBInstance",
    "rds:RemoveSourceIdentifierFromSubscription", "rds:RemoveTagsFromResource", "rds:ResetDBParameterGroup",
)  # fmt: skip

TOPIC_CREATES = ("sns:CreateTopic", "sns:TagResource")
TOPIC_CHANGES = (
    "sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource",
    "sns:UntagResource",
)  # fmt: skip
# Subscriptions have no tags and no names of their own.
SUBSCRIPTION_CHANGES = ("sns:SetSubscriptionAttributes", "sns:Unsubscribe")
BUDGET_CHANGES = ("budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource")
BUILD_CHANGES = (
    "codebuild:CreateProject", "codebuild:CreateWebhook", "codebuild:DeleteProject", "codebuild:DeleteWebhook",
    "codebuild:UpdateProject", "codebuild:UpdateWebhook",
)  # fmt: skip
CONNECTION_CHANGES = (
    "codeconnections:DeleteConnection", "codeconnections:PassConnection", "codeconnections:TagResource",
    "codeconnections:UntagResource", "codeconnections:UseConnection",
)  # fmt: skip

CLUSTER_CREATES = (
    "eks:AssociateAccessPolicy", "eks:CreateAccessEntry", "eks:CreateAddon", "eks:CreateCluster",
    "eks:CreateNodegroup", "eks:CreatePodIdentityAssociation",
)  # fmt: skip
CLUSTER_CHANGES = (
    "eks:DeleteAccessEntry", "eks:DeleteAddon", "eks:DeleteCluster", "eks:DeleteNodegroup",
    "eks:DeletePodIdentityAssociation", "eks:DisassociateAccessPolicy", "eks:TagResource", "eks:UntagResource",
    "eks:UpdateAccessEntry",
    "eks:UpdateAddon", "eks:UpdateClusterConfig", "eks:UpdateClusterVersion", "eks:UpdateNodegroupConfig",
    "eks:UpdateNodegroupVersion", "eks:UpdatePodIdentityAssociation",
)  # fmt: skip
NODE_CREATES = (
    # The security group that EKS makes for a cluster has none of our tags.
    "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateLaunchTemplate",
    "ec2:CreateLaunchTemplateVersion", "ec2:CreatePlacementGroup", "ec2:CreateSecurityGroup",
    "ec2:ModifySecurityGroupRules", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress",
    "ec2:RunInstances",
)  # fmt: skip
NODE_CHANGES = (
    "ec2:CreateTags", "ec2:DeleteLaunchTemplate", "ec2:DeleteLaunchTemplateVersions", "ec2:DeletePlacementGroup",
    "ec2:DeleteSecurityGroup", "ec2:DeleteTags", "ec2:ModifyLaunchTemplate",
    "ec2:UpdateSecurityGroupRuleDescriptionsEgress", "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
)  # fmt: skip
QUEUE_CREATES = ("sqs:CreateQueue", "sqs:TagQueue")
QUEUE_CHANGES = (
    "sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue",
)  # fmt: skip
RULE_CREATES = ("events:PutRule", "events:TagResource")
RULE_CHANGES = (
    "events:DeleteRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource",
    "events:UntagResource",
)  # fmt: skip
PACKAGES = "packages/*"
PACKAGE_CHANGES = (
    "s3:DeleteObject", "s3:GetObject", "s3:GetObjectTagging", "s3:PutObject", "s3:PutObjectTagging",
)  # fmt: skip


def groups_of(names: CiNames, stack: CiStack, purpose: CiPurpose) -> Groups:
    """The policies of a role: what it reads, its state, and for a deployment what its layers create and change."""
    groups = dict(reading_groups(names, stack, purpose))
    if purpose is CiPurpose.DEPLOY:
        for layer in stack.layers:
            groups |= {f"{layer}-{noun}": found for noun, found in changes_of(names, stack, layer).items()}
    return groups


def changes_of(names: CiNames, stack: CiStack, layer: CiLayer) -> Groups:
    """Statements by policy. Existing things are changed by their environment's tag, new ones get it or are named so."""
    shared = {"identity": _identity(names, stack, layer), "keys": _keys(names, stack)}
    if layer is CiLayer.BASE:
        return shared | {
            "network": _network(names, stack),
            "data": _data(names, stack),
            "notice": _notice(names, stack),
        }
    return shared | {"cluster": _cluster(names, stack), "events": _events(names, stack)}


def _identity(names: CiNames, stack: CiStack, layer: CiLayer) -> list[Statement]:
    roles, boundary = [names.role_arns(stack.environment)], {"iam:PermissionsBoundary": names.boundary_arn}
    own, new = tagged(stack)["StringEquals"], tagging(stack)["StringEquals"]
    return [
        Statement(
            sid="NewRoles",
            actions=["iam:CreateRole"],
            resources=roles,
            conditions={"StringEquals": {**boundary, **new}},
        ),
        # A role is tagged while it is created, before it has tags.
        Statement(sid="TagNewRoles", actions=["iam:TagRole"], resources=roles, conditions=tagging(stack)),
        Statement(
            sid="BoundedRoles",
            actions=BOUNDED_ROLE_CHANGES,
            resources=roles,
            conditions={"StringEquals": {**boundary, **own}},
        ),
        Statement(sid="Roles", actions=ROLE_CHANGES, resources=roles, conditions=tagged(stack)),
        # By name: IAM does not reliably know the tags of a role that is passed.
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
        Statement(
            sid="PassRoles",
            actions=["iam:PassRole"],
            resources=roles,
            conditions={"StringEquals": {"iam:PassedToService": PASSED_TO[layer]}},
        ),
        Statement(
            sid="LinkedRoles",
            actions=["iam:CreateServiceLinkedRole"],
            resources=[names.service_role_arn],
            conditions={"StringEquals": {"iam:AWSServiceName": LINKED[layer]}},
        ),
    ]


def _keys(names: CiNames, stack: CiStack) -> list[Statement]:
    location, stem = names.location, f"{names.prefix}-{stack.environment}"
    keys = [names.in_any_region("kms", "key/*")]
    groups = [f"/stackyard/{stem}/*", f"/aws/eks/{stem}/*", f"/aws/codebuild/{stem}-*", f"/aws/rds/instance/{stem}-*"]
    return [
        Statement(sid="NewKeys", actions=["kms:CreateKey"], resources=["*"], conditions=tagging(stack)),
        Statement(sid="TagNewKeys", actions=["kms:TagResource"], resources=keys, conditions=tagging(stack)),
        Statement(sid="Keys", actions=[*KEY_CHANGES, *ALIAS_CHANGES], resources=keys, conditions=tagged(stack)),
        Statement(sid="Aliases", actions=ALIAS_CHANGES, resources=[names.in_any_region("kms", f"alias/{stem}-*")]),
        Statement(
            sid="LogGroups",
            actions=LOG_GROUP_CHANGES,
            resources=[location.arn("logs", f"log-group:{group}") for group in groups],
        ),
        Statement(sid="LogDelivery", actions=LOG_DELIVERY, resources=["*"], conditions=_region(names)),
    ]


def _network(names: CiNames, stack: CiStack) -> list[Statement]:
    return [
        Statement(sid="NewNetwork", actions=NETWORK_CREATES, resources=["*"], conditions=unclaimed(names, stack)),
        Statement(sid="TagNewNetwork", actions=["ec2:CreateTags"], resources=["*"], conditions=tagging(stack)),
        Statement(sid="Network", actions=NETWORK_CHANGES, resources=["*"], conditions=tagged(stack)),
        Statement(
            sid="PrivateDns",
            actions=PRIVATE_DNS,
            resources=[f"arn:{names.location.partition}:route53:::hostedzone/*"],
            conditions={"ForAllValues:StringLike": {"route53:VPCs": f"VPCId=*,VPCRegion={names.location.region}"}},
        ),
    ]


def _data(names: CiNames, stack: CiStack) -> list[Statement]:
    location, stem = names.location, f"{names.prefix}-{stack.environment}"
    return [
        Statement(sid="Buckets", actions=BUCKET_CHANGES, resources=[environment_buckets(names, stack)]),
        Statement(
            sid="Repositories", actions=REPOSITORY_CHANGES, resources=[location.arn("ecr", f"repository/{stem}/*")]
        ),
        Statement(sid="Caches", actions=CACHE_CHANGES, resources=["*"], conditions=_region(names)),
        Statement(sid="NewDatabase", actions=DATABASE_CREATES, resources=["*"], conditions=tagging(stack)),
        Statement(sid="TagNewDatabase", actions=["rds:AddTagsToResource"], resources=["*"], conditions=tagging(stack)),
        # An instance is created in groups that exist already.
        Statement(
            sid="Database",
            actions=[*DATABASE_CHANGES, "rds:CreateDBInstance"],
            resources=["*"],
            conditions=tagged(stack),
        ),
        # RDS makes the master password's secret with the caller's rights.
        Statement(
            sid="MasterPassword",
            actions=["secretsmanager:CreateSecret", "secretsmanager:RotateSecret", "secretsmanager:TagResource"],
            resources=[location.arn("secretsmanager", "secret:rds!*")],
        ),
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html: with a key of its own.
        Statement(
            sid="MasterPasswordKey",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=[location.arn("kms", "key/*")],
            conditions={
                "StringEquals": {
                    **tagged(stack)["StringEquals"],
                    "kms:ViaService": f"secretsmanager.{location.region}.{location.dns_suffix}",
                }
            },
        ),
    ]


def _notice(names: CiNames, stack: CiStack) -> list[Statement]:
    """Who is told, what it may cost, who builds."""
    location, stem = names.location, f"{names.prefix}-{stack.environment}"
    projects = [location.arn("codebuild", f"project/{stem}-*")]
    budgets = f"arn:{location.partition}:budgets::{location.account_id}:budget/{stem}-*"
    connections = [location.arn("codeconnections", "connection/*")]
    return [
        Statement(sid="NewTopics", actions=TOPIC_CREATES, resources=["*"], conditions=tagging(stack)),
        Statement(sid="Topics", actions=TOPIC_CHANGES, resources=["*"], conditions=tagged(stack)),
        Statement(sid="Subscriptions", actions=SUBSCRIPTION_CHANGES, resources=["*"], conditions=_region(names)),
        Statement(sid="Budgets", actions=BUDGET_CHANGES, resources=[budgets]),
        Statement(sid="Builds", actions=BUILD_CHANGES, resources=projects),
        # A connection has no ARN before it is created, and a person confirms it afterwards.
        Statement(
            sid="NewConnections",
            actions=["codeconnections:CreateConnection"],
            resources=["*"],
            conditions=_new_connection(names, stack),
        ),
        Statement(
            sid="TagNewConnections",
            actions=["codeconnections:TagResource"],
            resources=connections,
            conditions=tagging(stack),
        ),
        Statement(sid="Connections", actions=CONNECTION_CHANGES, resources=connections, conditions=tagged(stack)),
    ]


def _new_connection(names: CiNames, stack: CiStack) -> Conditions:
    tag, region = tagging(stack), _region(names)["StringEquals"]
    equals = {**tag["StringEquals"], **region, "codeconnections:ProviderType": "GitHub"}
    return {**tag, "StringEquals": equals}


def _cluster(names: CiNames, stack: CiStack) -> list[Statement]:
    return [
        Statement(sid="NewCluster", actions=CLUSTER_CREATES, resources=["*"], conditions=unclaimed(names, stack)),
        Statement(
            sid="TagNew", actions=["ec2:CreateTags", "eks:TagResource"], resources=["*"], conditions=tagging(stack)
        ),
        Statement(sid="Cluster", actions=CLUSTER_CHANGES, resources=["*"], conditions=tagged(stack)),
        Statement(sid="NewNodes", actions=NODE_CREATES, resources=["*"], conditions=unclaimed(names, stack)),
        Statement(sid="Nodes", actions=NODE_CHANGES, resources=["*"], conditions=tagged(stack)),
    ]


def _events(names: CiNames, stack: CiStack) -> list[Statement]:
    """Interruption notices, and the code of pipelines in the data bucket."""
    location = names.location
    stem = f"{names.prefix}-{stack.environment}"
    return [
        Statement(sid="NewQueues", actions=QUEUE_CREATES, resources=["*"], conditions=tagging(stack)),
        Statement(sid="Queues", actions=QUEUE_CHANGES, resources=["*"], conditions=tagged(stack)),
        Statement(sid="NewRules", actions=RULE_CREATES, resources=["*"], conditions=tagging(stack)),
        Statement(sid="Rules", actions=RULE_CHANGES, resources=["*"], conditions=tagged(stack)),
        Statement(
            sid="Packages",
            actions=PACKAGE_CHANGES,
            resources=[f"{location.bucket_arn(stack.data_bucket)}/{PACKAGES}"],
        ),
        # Uploads are encrypted with the data bucket's key, through S3 alone: the key's own policy says so too.
        Statement(
            sid="EncryptPackages",
            actions=["kms:GenerateDataKey"],
            resources=[location.arn("kms", "key/*")],
            conditions=by_alias(stack.data_bucket),
        ),
        Statement(
            sid="Registry",
            actions=["ecr:DescribeImages"],
            resources=[location.arn("ecr", f"repository/{stem}/*")],
        ),
    ]


def _region(names: CiNames) -> dict[str, dict[str, str]]:
    return {"StringEquals": {"aws:RequestedRegion": names.location.region}}
