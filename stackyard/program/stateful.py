"""What holds data, for every AWS type that our components register.

A type stands in exactly one of the three tables; a contract test (tests/golden/test_stateful_types.py) finds one that
stands in none, and one that cfn-lint calls stateful but that stands here as if it held nothing.
"""

from collections.abc import Mapping

STATEFUL: Mapping[str, str] = {
    "aws:cloudtrail/trail:Trail": "the record of who did what has a gap from then on",
    "aws:dynamodb/table:Table": "its items",
    "aws:ebs/snapshot:Snapshot": "the copied volume",
    "aws:ebs/volume:Volume": "its blocks",
    "aws:ecr/repository:Repository": "every image: what runs could not be pulled again",
    "aws:efs/fileSystem:FileSystem": "its files",
    "aws:eks/cluster:Cluster": "every object in it, and all running jobs",
    "aws:fsx/lustreFileSystem:LustreFileSystem": "its files",
    "aws:kms/key:Key": "everything that it encrypted: nobody reads that again",
    "aws:rds/cluster:Cluster": "its databases",
    "aws:rds/instance:Instance": "the tracking database: experiments, registered models, promotions",
    "aws:s3/bucket:Bucket": "its objects, old versions too",
    "aws:secretsmanager/secret:Secret": "a value that stands nowhere else",
}
"""Type to what is lost with it. These are protected or retained."""

LOSS_ACCEPTED: Mapping[str, str] = {
    "aws:cloudwatch/logGroup:LogGroup": "logs expire anyway after `logRetentionDays`; a rebuilt stack starts new ones",
    "aws:s3/bucketObjectv2:BucketObjectv2": "a code package is made again from its commit; its bucket keeps versions",
    "aws:secretsmanager/secretVersion:SecretVersion": "the program holds no secret values, so it registers none",
    "aws:sqs/queue:Queue": "notices in flight, interruptions of nodes for example, are stale within minutes",
}
"""Types that hold data which may go, with the reason."""

HOLDS_NO_DATA: frozenset[str] = frozenset(
    f"aws:{name}"
    for name in (
        # identity and permissions
        "accessanalyzer/analyzer:Analyzer",
        "iam/instanceProfile:InstanceProfile",
        "iam/openIdConnectProvider:OpenIdConnectProvider",
        "iam/policy:Policy",
        "iam/role:Role",
        "iam/rolePolicy:RolePolicy",
        "iam/rolePolicyAttachment:RolePolicyAttachment",
        "iam/serviceLinkedRole:ServiceLinkedRole",
        "kms/alias:Alias",
        # network
        "ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "ec2/eip:Eip",
        "ec2/flowLog:FlowLog",
        "ec2/internetGateway:InternetGateway",
        "ec2/natGateway:NatGateway",
        "ec2/route:Route",
        "ec2/routeTable:RouteTable",
        "ec2/routeTableAssociation:RouteTableAssociation",
        "ec2/securityGroup:SecurityGroup",
        "ec2/subnet:Subnet",
        "ec2/vpc:Vpc",
        "ec2/vpcEndpoint:VpcEndpoint",
        "ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation",
        "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        # compute: nodes are replaceable, jobs on them write checkpoints
        "codebuild/project:Project",
        "codebuild/sourceCredential:SourceCredential",
        "codebuild/webhook:Webhook",
        "codeconnections/connection:Connection",
        "codestarconnections/connection:Connection",
        "ec2/launchTemplate:LaunchTemplate",
        "ec2/placementGroup:PlacementGroup",
        "eks/accessEntry:AccessEntry",
        "eks/accessPolicyAssociation:AccessPolicyAssociation",
        "eks/addon:Addon",
        "eks/nodeGroup:NodeGroup",
        "eks/podIdentityAssociation:PodIdentityAssociation",
        # settings of something that holds data, retained with it where it would lie open otherwise
        "ecr/lifecyclePolicy:LifecyclePolicy",
        "ecr/pullThroughCacheRule:PullThroughCacheRule",
        "ecr/registryScanningConfiguration:RegistryScanningConfiguration",
        "ecr/repositoryCreationTemplate:RepositoryCreationTemplate",
        "ecr/repositoryPolicy:RepositoryPolicy",
        "rds/eventSubscription:EventSubscription",
        "rds/parameterGroup:ParameterGroup",
        "rds/subnetGroup:SubnetGroup",
        "s3/accountPublicAccessBlock:AccountPublicAccessBlock",
        "s3/bucketIntelligentTieringConfiguration:BucketIntelligentTieringConfiguration",
        "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "s3/bucketLogging:BucketLogging",
        "s3/bucketNotification:BucketNotification",
        "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "s3/bucketOwnershipControls:BucketOwnershipControls",
        "s3/bucketPolicy:BucketPolicy",
        "s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "s3/bucketReplicationConfig:BucketReplicationConfig",
        "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "s3/bucketVersioning:BucketVersioning",
        "s3/inventory:Inventory",
        # watching and paying
        "budgets/budget:Budget",
        "cfg/deliveryChannel:DeliveryChannel",
        "cfg/recorder:Recorder",
        "cfg/recorderStatus:RecorderStatus",
        "cloudwatch/eventRule:EventRule",
        "cloudwatch/eventTarget:EventTarget",
        "cloudwatch/logMetricFilter:LogMetricFilter",
        "cloudwatch/metricAlarm:MetricAlarm",
        "costexplorer/anomalyMonitor:AnomalyMonitor",
        "costexplorer/anomalySubscription:AnomalySubscription",
        "ebs/defaultKmsKey:DefaultKmsKey",
        "ebs/encryptionByDefault:EncryptionByDefault",
        "guardduty/detector:Detector",
        "guardduty/detectorFeature:DetectorFeature",
        "sns/topic:Topic",
        "sns/topicPolicy:TopicPolicy",
        "sns/topicSubscription:TopicSubscription",
        "sqs/queuePolicy:QueuePolicy",
    )
)
"""Types that the program makes again as they were."""


def is_classified(type_: str) -> bool:
    """Whether somebody has decided what goes with a resource of this type."""
    return type_ in STATEFUL or type_ in LOSS_ACCEPTED or type_ in HOLDS_NO_DATA
