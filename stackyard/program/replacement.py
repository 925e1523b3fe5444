"""Which inputs force a replacement, for the types that our components register.

Each input carries where the fact comes from:
`provider`   read in the source of the Terraform provider that pulumi-aws wraps (`ForceNew`, `RequiresReplace`);
`schema`     `createOnlyProperties` of the CloudFormation resource schema;
`assumed`    known from use of the provider, not checked against its source.
Tags never replace. A dotted name is a part of an input. Some inputs force only in one direction (an encryption that is
removed, for example); they count as forcing, since a plan must rather warn than not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from stackyard.program.decide import Forces
from stackyard.program.deployment import PROVIDER_PREFIX


@dataclass(frozen=True, slots=True)
class Row:
    provider: tuple[str, ...] = ()
    schema: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return (*self.provider, *self.schema, *self.assumed)


ROWS: Mapping[str, Row] = {
    "aws:accessanalyzer/analyzer:Analyzer": Row(schema=("analyzerName", "type")),
    "aws:budgets/budget:Budget": Row(provider=("name", "namePrefix", "accountId")),
    "aws:cfg/deliveryChannel:DeliveryChannel": Row(provider=("name",)),
    "aws:cfg/recorder:Recorder": Row(provider=("name",)),
    "aws:cfg/recorderStatus:RecorderStatus": Row(provider=("name",)),
    "aws:cloudtrail/trail:Trail": Row(schema=("name",)),
    "aws:cloudwatch/eventRule:EventRule": Row(schema=("name", "eventBusName"), assumed=("namePrefix",)),
    "aws:cloudwatch/eventTarget:EventTarget": Row(assumed=("rule", "targetId", "eventBusName")),
    "aws:cloudwatch/logGroup:LogGroup": Row(schema=("name",), assumed=("namePrefix", "logGroupClass")),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": Row(provider=("name", "logGroupName")),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Row(schema=("name",)),
    "aws:codebuild/project:Project": Row(provider=("name",)),
    "aws:codebuild/webhook:Webhook": Row(provider=("projectName",)),
    "aws:codeconnections/connection:Connection": Row(schema=("name", "providerType", "hostArn")),
    "aws:costexplorer/anomalyMonitor:AnomalyMonitor": Row(
        provider=("monitorDimension", "monitorSpecification", "monitorType")
    ),
    "aws:costexplorer/anomalySubscription:AnomalySubscription": Row(provider=("name",)),
    "aws:ebs/defaultKmsKey:DefaultKmsKey": Row(provider=("keyArn",)),
    "aws:ebs/encryptionByDefault:EncryptionByDefault": Row(),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Row(assumed=("vpcId",)),
    "aws:ec2/eip:Eip": Row(
        schema=("address", "networkBorderGroup", "ipamPoolId"),
        assumed=("domain", "publicIpv4Pool", "customerOwnedIpv4Pool"),
    ),
    "aws:ec2/flowLog:FlowLog": Row(
        schema=(
            "vpcId",
            "trafficType",
            "logDestination",
            "logDestinationType",
            "logFormat",
            "maxAggregationInterval",
            "iamRoleArn",
            "deliverCrossAccountRole",
            "destinationOptions",
        ),
        assumed=("subnetId", "eniId", "transitGatewayId", "transitGatewayAttachmentId"),
    ),
    "aws:ec2/internetGateway:InternetGateway": Row(),
    "aws:ec2/launchTemplate:LaunchTemplate": Row(schema=("name",), assumed=("namePrefix",)),
    "aws:ec2/natGateway:NatGateway": Row(
        schema=("allocationId", "subnetId", "connectivityType", "availabilityMode", "vpcId"), assumed=("privateIp",)
    ),
    "aws:ec2/placementGroup:PlacementGroup": Row(
        schema=("strategy", "partitionCount", "spreadLevel"), assumed=("name",)
    ),
    "aws:ec2/route:Route": Row(
        schema=("routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId")
    ),
    "aws:ec2/routeTable:RouteTable": Row(schema=("vpcId",)),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Row(provider=("subnetId", "gatewayId")),
    "aws:ec2/securityGroup:SecurityGroup": Row(schema=("name", "description", "vpcId"), assumed=("namePrefix",)),
    "aws:ec2/subnet:Subnet": Row(
        schema=(
            "vpcId",
            "cidrBlock",
            "availabilityZone",
            "availabilityZoneId",
            "ipv6Native",
            "outpostArn",
            "ipv4IpamPoolId",
            "ipv4NetmaskLength",
            "ipv6IpamPoolId",
            "ipv6NetmaskLength",
        )
    ),
    "aws:ec2/vpc:Vpc": Row(schema=("cidrBlock", "ipv4IpamPoolId", "ipv4NetmaskLength", "instanceTenancy")),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Row(
        schema=(
            "vpcId",
            "serviceName",
            "vpcEndpointType",
            "serviceRegion",
            "serviceNetworkArn",
            "resourceConfigurationArn",
        )
    ),
    "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation": Row(
        provider=("vpcId", "cidrBlock", "ipv4IpamPoolId", "ipv4NetmaskLength")
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Row(provider=("repository", "policy")),
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": Row(
        schema=("ecrRepositoryPrefix", "upstreamRegistryUrl", "upstreamRepositoryPrefix")
    ),
    "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate": Row(provider=("prefix",)),
    "aws:ecr/repository:Repository": Row(schema=("name", "encryptionConfigurations")),
    "aws:eks/accessEntry:AccessEntry": Row(schema=("clusterName", "principalArn", "type")),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": Row(
        assumed=("clusterName", "principalArn", "policyArn", "accessScope")
    ),
    "aws:eks/addon:Addon": Row(schema=("clusterName", "addonName", "namespaceConfig")),
    "aws:eks/cluster:Cluster": Row(
        provider=(
            "name",
            "roleArn",
            "bootstrapSelfManagedAddons",
            "outpostConfig",
            "encryptionConfig",
            "accessConfig.bootstrapClusterCreatorAdminPermissions",
            "kubernetesNetworkConfig.serviceIpv4Cidr",
            "kubernetesNetworkConfig.ipFamily",
            "remoteNetworkConfig",
            "computeConfig.nodeRoleArn",
        )
    ),
    "aws:eks/nodeGroup:NodeGroup": Row(
        provider=(
            "clusterName",
            "nodeGroupName",
            "nodeGroupNamePrefix",
            "nodeRoleArn",
            "subnetIds",
            "amiType",
            "capacityType",
            "diskSize",
            "instanceTypes",
            "remoteAccess",
            "launchTemplate.id",
            "launchTemplate.name",
        )
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": Row(schema=("clusterName", "namespace", "serviceAccount")),
    "aws:guardduty/detector:Detector": Row(),
    "aws:guardduty/detectorFeature:DetectorFeature": Row(provider=("detectorId", "name")),
    "aws:iam/instanceProfile:InstanceProfile": Row(schema=("name", "path"), assumed=("namePrefix",)),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": Row(schema=("url",)),
    "aws:iam/policy:Policy": Row(schema=("name", "path", "description"), assumed=("namePrefix",)),
    "aws:iam/role:Role": Row(schema=("name", "path"), assumed=("namePrefix",)),
    "aws:iam/rolePolicy:RolePolicy": Row(assumed=("name", "namePrefix", "role")),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Row(assumed=("role", "policyArn")),
    "aws:iam/serviceLinkedRole:ServiceLinkedRole": Row(schema=("awsServiceName", "customSuffix")),
    "aws:kms/alias:Alias": Row(schema=("name",), assumed=("namePrefix",)),
    "aws:kms/key:Key": Row(
        provider=("customerMasterKeySpec", "keyUsage", "multiRegion", "customKeyStoreId", "xksKeyId")
    ),
    "aws:rds/eventSubscription:EventSubscription": Row(provider=("name", "namePrefix")),
    "aws:rds/instance:Instance": Row(
        schema=(
            "availabilityZone",
            "backupTarget",
            "characterSetName",
            "ncharCharacterSetName",
            "dbName",
            "engine",
            "kmsKeyId",
            "storageEncrypted",
            "username",
            "timezone",
            "snapshotIdentifier",
        ),
        assumed=("restoreToPointInTime", "s3Import", "identifierPrefix"),
    ),
    "aws:rds/parameterGroup:ParameterGroup": Row(provider=("name", "namePrefix", "family", "description")),
    "aws:rds/subnetGroup:SubnetGroup": Row(schema=("name",), assumed=("namePrefix",)),
    "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock": Row(provider=("accountId",)),
    "aws:s3/bucket:Bucket": Row(schema=("bucket", "bucketNamespace"), assumed=("bucketPrefix", "objectLockEnabled")),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Row(assumed=("bucket", "expectedBucketOwner")),
    "aws:s3/bucketLogging:BucketLogging": Row(assumed=("bucket", "expectedBucketOwner")),
    "aws:s3/bucketNotification:BucketNotification": Row(assumed=("bucket",)),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": Row(
        assumed=("bucket", "expectedBucketOwner")
    ),
    "aws:s3/bucketObjectv2:BucketObjectv2": Row(assumed=("bucket", "key")),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": Row(assumed=("bucket",)),
    "aws:s3/bucketPolicy:BucketPolicy": Row(schema=("bucket",)),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Row(assumed=("bucket",)),
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": Row(provider=("bucket",)),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Row(
        assumed=("bucket", "expectedBucketOwner")
    ),
    "aws:s3/bucketVersioning:BucketVersioning": Row(assumed=("bucket", "expectedBucketOwner")),
    "aws:s3/inventory:Inventory": Row(provider=("bucket", "name")),
    "aws:secretsmanager/secret:Secret": Row(schema=("name", "type"), assumed=("namePrefix",)),
    "aws:secretsmanager/secretVersion:SecretVersion": Row(
        provider=("secretId", "secretString", "secretBinary", "secretStringWoVersion")
    ),
    "aws:sns/topic:Topic": Row(schema=("name", "fifoTopic"), assumed=("namePrefix",)),
    "aws:sns/topicPolicy:TopicPolicy": Row(assumed=("arn",)),
    "aws:sns/topicSubscription:TopicSubscription": Row(schema=("topic", "protocol", "endpoint")),
    "aws:sqs/queue:Queue": Row(schema=("name", "fifoQueue"), assumed=("namePrefix",)),
    "aws:sqs/queuePolicy:QueuePolicy": Row(assumed=("queueUrl",)),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Row(provider=("securityGroupId",)),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Row(provider=("securityGroupId",)),
}

# terraform-provider-aws internal/provider, forceNewIfRegionChanges: of everything that lies in a region.
_REGION = ("region",)

# A provider in another region manages other things (pulumi-aws: `region` forces replacement of the provider).
_PROVIDER_PATHS = {"aws": ("region",), "kubernetes": ("cluster", "context", "clusterIdentifier")}

# pulumi-kubernetes provider/pkg/provider/diff.go: identity, and fields that the API server holds immutable.
_KUBERNETES_IDENTITY = ("apiVersion", "kind", "metadata.name", "metadata.namespace")
_KUBERNETES: Mapping[str, tuple[str, ...]] = {
    "kubernetes:batch/v1:Job": ("spec.template", "spec.selector", "spec.completionMode"),
    "kubernetes:apps/v1:Deployment": ("spec.selector",),
    "kubernetes:apps/v1:StatefulSet": ("spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"),
    "kubernetes:apps/v1:DaemonSet": ("spec.selector",),
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": ("roleRef",),
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": ("roleRef",),
    "kubernetes:core/v1:PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName", "spec.volumeName"),
    "kubernetes:storage.k8s.io/v1:StorageClass": ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
    "kubernetes:helm.sh/v3:Release": ("name", "namespace"),
}


@cache
def forces_of(type_: str) -> Forces:
    """The replacement-forcing inputs of a type; `known` is False for an AWS type without a row."""
    if type_.startswith(PROVIDER_PREFIX):
        return Forces(paths=_PROVIDER_PATHS.get(type_.removeprefix(PROVIDER_PREFIX), ()))
    if type_.startswith("kubernetes:"):
        return Forces(paths=_KUBERNETES.get(type_, ()) + _KUBERNETES_IDENTITY)
    row = ROWS.get(type_)
    return Forces(paths=row.paths + _REGION) if row else Forces(known=False)
