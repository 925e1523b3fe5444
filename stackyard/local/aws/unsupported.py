"""API operations that the emulator lacks: validated against the model, then recorded instead of called.

A frozen list, not a reaction to errors: a 500 can be a defect and a 404 a missing resource. A test calls each operation
once and fails when the emulator has caught up.
"""

OPERATIONS = frozenset(
    {
        "accessanalyzer:CreateAnalyzer",
        "accessanalyzer:DeleteAnalyzer",
        "accessanalyzer:GetAnalyzer",
        "accessanalyzer:TagResource",
        "accessanalyzer:UntagResource",
        "ce:CreateAnomalyMonitor",
        "ce:CreateAnomalySubscription",
        "ce:DeleteAnomalyMonitor",
        "ce:DeleteAnomalySubscription",
        "ce:GetAnomalyMonitors",
        "ce:GetAnomalySubscriptions",
        "ce:UpdateAnomalyMonitor",
        "ce:UpdateAnomalySubscription",
        "codebuild:CreateWebhook",
        "codebuild:DeleteWebhook",
        "codebuild:UpdateProject",
        "codebuild:UpdateWebhook",
        "codeconnections:CreateConnection",
        "codeconnections:DeleteConnection",
        "codeconnections:GetConnection",
        "codeconnections:TagResource",
        "codeconnections:UntagResource",
        "ec2:CreatePlacementGroup",
        "ec2:DeletePlacementGroup",
        "ec2:DescribePlacementGroups",
        "ecr:CreatePullThroughCacheRule",
        "ecr:CreateRepositoryCreationTemplate",
        "ecr:DeletePullThroughCacheRule",
        "ecr:DeleteRepositoryCreationTemplate",
        "ecr:DescribePullThroughCacheRules",
        "ecr:DescribeRepositoryCreationTemplates",
        "ecr:UpdatePullThroughCacheRule",
        "ecr:UpdateRepositoryCreationTemplate",
        "eks:AssociateAccessPolicy",
        "eks:CreateAccessEntry",
        "eks:CreateAddon",
        "eks:CreatePodIdentityAssociation",
        "eks:DeleteAccessEntry",
        "eks:DeleteAddon",
        "eks:DeletePodIdentityAssociation",
        "eks:DescribeAccessEntry",
        "eks:DescribeAddon",
        "eks:DescribePodIdentityAssociation",
        "eks:DisassociateAccessPolicy",
        "eks:ListAssociatedAccessPolicies",
        "eks:UpdateAccessEntry",
        "eks:UpdateAddon",
        "eks:UpdateClusterVersion",
        "eks:UpdateNodegroupVersion",
        "eks:UpdatePodIdentityAssociation",
        "guardduty:TagResource",
        "guardduty:UntagResource",
        "iam:AddClientIDToOpenIDConnectProvider",
        "iam:RemoveClientIDFromOpenIDConnectProvider",
        "logs:AssociateKmsKey",
        "logs:DisassociateKmsKey",
        "rds:ResetDBParameterGroup",
    }
)

# Types that exist in the emulator, but whose tags it cannot change afterwards (EKS tags clusters only, others none).
UNTAGGABLE = frozenset(
    {
        "aws:budgets/budget:Budget",
        "aws:codebuild/project:Project",
        "aws:eks/nodeGroup:NodeGroup",
        "aws:guardduty/detector:Detector",
    }
)


def is_unsupported(service: str, operation: str) -> bool:
    return f"{service}:{operation}" in OPERATIONS
