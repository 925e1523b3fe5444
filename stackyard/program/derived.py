"""Outputs that AWS and Kubernetes would compute, derived from the URN: plausible, always the same, never real.

They let policies and templates be read in full in a capture. Ids have the form that AWS documents for each type.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter

from stackyard.program.deployment import PROVIDER_PREFIX, Resource
from stackyard.program.naming import short_hash
from stackyard.program.values import UNKNOWN, Value, has_unknown, plain


@dataclass(frozen=True, slots=True)
class Place:
    """Where derived ARNs lie."""

    account_id: str
    region: str
    partition: str = "aws"


@dataclass(frozen=True, slots=True)
class Shape:
    """Templates of a type's id and computed outputs; inputs fill in, and `{h8}`, `{uuid}`, `{account}` and the like."""

    id: str
    outputs: Mapping[str, Value] = field(default_factory=dict)


def _arn(service: str, rest: str, *, region: bool = True, account: bool = True) -> dict[str, Value]:
    return {
        "arn": f"arn:{{partition}}:{service}:{'{region}' if region else ''}:{'{account}' if account else ''}:{rest}"
    }


def _ec2(prefix: str, arn_kind: str, **outputs: Value) -> Shape:
    return Shape(f"{prefix}-{{h17}}", {**_arn("ec2", f"{arn_kind}/{{id}}"), **outputs})


def _iam(kind: str, id_: str, **outputs: Value) -> Shape:
    return Shape(id_, {**_arn("iam", f"{kind}/{{name}}", region=False), **outputs})


_OIDC = "oidc.eks.{region}.amazonaws.com/id/{H32}"

SHAPES: Mapping[str, Shape] = {
    "aws:ec2/vpc:Vpc": _ec2(
        "vpc",
        "vpc",
        defaultSecurityGroupId="sg-{h17}",
        mainRouteTableId="rtb-{h17}",
        defaultNetworkAclId="acl-{h17}",
        ownerId="{account}",
    ),
    "aws:ec2/subnet:Subnet": _ec2("subnet", "subnet", ownerId="{account}"),
    "aws:ec2/internetGateway:InternetGateway": _ec2("igw", "internet-gateway"),
    "aws:ec2/eip:Eip": _ec2("eipalloc", "elastic-ip", allocationId="{id}", publicIp="198.51.100.{byte}"),
    "aws:ec2/natGateway:NatGateway": Shape("nat-{h17}", {"publicIp": "198.51.100.{byte}"}),
    "aws:ec2/routeTable:RouteTable": _ec2("rtb", "route-table"),
    "aws:ec2/route:Route": Shape("r-{routeTableId}{h10}"),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Shape("rtbassoc-{h17}"),
    "aws:ec2/securityGroup:SecurityGroup": _ec2("sg", "security-group", ownerId="{account}"),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _ec2("sg", "security-group", name="default"),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _ec2(
        "sgr", "security-group-rule", securityGroupRuleId="{id}"
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _ec2(
        "sgr", "security-group-rule", securityGroupRuleId="{id}"
    ),
    "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation": Shape("vpc-cidr-assoc-{h17}"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _ec2("vpce", "vpc-endpoint", prefixListId="pl-{h8}"),
    "aws:ec2/flowLog:FlowLog": _ec2("fl", "vpc-flow-log"),
    "aws:ec2/launchTemplate:LaunchTemplate": _ec2("lt", "launch-template", latestVersion=1, defaultVersion=1),
    "aws:ec2/placementGroup:PlacementGroup": Shape(
        "{name}", {**_arn("ec2", "placement-group/{name}"), "placementGroupId": "pg-{h17}"}
    ),
    "aws:s3/bucket:Bucket": Shape(
        "{bucket}",
        {
            **_arn("s3", "{bucket}", region=False, account=False),
            "bucketDomainName": "{bucket}.s3.amazonaws.com",
            "bucketRegionalDomainName": "{bucket}.s3.{region}.amazonaws.com",
            "hostedZoneId": "Z3AQBSTGFYJSTF",
        },
    ),
    **{
        f"aws:s3/{name[0].lower()}{name[1:]}:{name}": Shape("{bucket}")
        for name in (
            "BucketPolicy",
            "BucketVersioning",
            "BucketServerSideEncryptionConfiguration",
            "BucketLifecycleConfiguration",
            "BucketLogging",
            "BucketPublicAccessBlock",
            "BucketOwnershipControls",
            "BucketNotification",
            "BucketObjectLockConfiguration",
            "BucketReplicationConfig",
        )
    },
    "aws:s3/inventory:Inventory": Shape("{bucket}:{name}"),
    "aws:s3/bucketObjectv2:BucketObjectv2": Shape(
        "{bucket}/{key}", _arn("s3", "{bucket}/{key}", region=False, account=False)
    ),
    "aws:kms/key:Key": Shape("{uuid}", {**_arn("kms", "key/{id}"), "keyId": "{id}"}),
    "aws:kms/alias:Alias": Shape("{name}", _arn("kms", "{name}")),
    "aws:iam/role:Role": _iam("role", "{name}", uniqueId="AROA{H17}"),
    "aws:iam/policy:Policy": Shape(
        "arn:{partition}:iam::{account}:policy/{name}",
        {**_arn("iam", "policy/{name}", region=False), "policyId": "ANPA{H17}"},
    ),
    "aws:iam/rolePolicy:RolePolicy": Shape("{role}:{name}"),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Shape("{role}-{h17}"),
    "aws:iam/instanceProfile:InstanceProfile": _iam("instance-profile", "{name}", uniqueId="AIPA{H17}"),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": Shape(
        "arn:{partition}:iam::{account}:oidc-provider/{url}", _arn("iam", "oidc-provider/{url}", region=False)
    ),
    "aws:cloudwatch/logGroup:LogGroup": Shape("{name}", _arn("logs", "log-group:{name}")),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Shape("{name}", _arn("cloudwatch", "alarm:{name}")),
    "aws:cloudwatch/eventRule:EventRule": Shape("{name}", _arn("events", "rule/{name}")),
    "aws:cloudwatch/eventTarget:EventTarget": Shape("{rule}-{h8}"),
    "aws:ecr/repository:Repository": Shape(
        "{name}",
        {
            **_arn("ecr", "repository/{name}"),
            "registryId": "{account}",
            "repositoryUrl": "{account}.dkr.ecr.{region}.amazonaws.com/{name}",
        },
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Shape("{repository}", {"registryId": "{account}"}),
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": Shape("{ecrRepositoryPrefix}", {"registryId": "{account}"}),
    "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate": Shape("{prefix}", {"registryId": "{account}"}),
    "aws:eks/cluster:Cluster": Shape(
        "{name}",
        {
            **_arn("eks", "cluster/{name}"),
            "endpoint": "https://{H32}.gr7.{region}.eks.amazonaws.com",
            "certificateAuthority": {"data": "ZGVyaXZlZC1jZXJ0aWZpY2F0ZQ=="},
            "identities": [{"oidcs": [{"issuer": f"https://{_OIDC}"}]}],
            "platformVersion": "eks.1",
            "vpcConfig": {"clusterSecurityGroupId": "sg-{h17}"},
            "status": "ACTIVE",
        },
    ),
    "aws:eks/nodeGroup:NodeGroup": Shape(
        "{clusterName}:{nodeGroupName}",
        {**_arn("eks", "nodegroup/{clusterName}/{nodeGroupName}/{uuid}"), "status": "ACTIVE"},
    ),
    "aws:eks/addon:Addon": Shape("{clusterName}:{addonName}", _arn("eks", "addon/{clusterName}/{addonName}/{uuid}")),
    "aws:eks/accessEntry:AccessEntry": Shape(
        "{clusterName}:{principalArn}",
        {"accessEntryArn": "arn:{partition}:eks:{region}:{account}:access-entry/{clusterName}/{uuid}"},
    ),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": Shape("{clusterName}#{principalArn}#{policyArn}"),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": Shape(
        "a-{h17}",
        {
            "associationId": "{id}",
            "associationArn": "arn:{partition}:eks:{region}:{account}:podidentityassociation/{clusterName}/{id}",
        },
    ),
    "aws:rds/subnetGroup:SubnetGroup": Shape("{name}", _arn("rds", "subgrp:{name}")),
    "aws:rds/parameterGroup:ParameterGroup": Shape("{name}", _arn("rds", "pg:{name}")),
    "aws:rds/eventSubscription:EventSubscription": Shape(
        "{name}", {**_arn("rds", "es:{name}"), "customerAwsId": "{account}"}
    ),
    "aws:rds/instance:Instance": Shape(
        "db-{H26}",
        {
            **_arn("rds", "db:{identifier}"),
            "address": "{identifier}.{h12}.{region}.rds.amazonaws.com",
            "endpoint": "{identifier}.{h12}.{region}.rds.amazonaws.com:{port}",
            "resourceId": "{id}",
            "port": 5432,
            "masterUserSecrets": [{"secretArn": "arn:{partition}:secretsmanager:{region}:{account}:secret:rds!{id}"}],
        },
    ),
    "aws:secretsmanager/secret:Secret": Shape(
        "arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-{h6}",
        _arn("secretsmanager", "secret:{name}-{h6}"),
    ),
    "aws:sns/topic:Topic": Shape("arn:{partition}:sns:{region}:{account}:{name}", _arn("sns", "{name}")),
    "aws:sns/topicPolicy:TopicPolicy": Shape("{arn}"),
    "aws:sns/topicSubscription:TopicSubscription": Shape("{topic}:{uuid}", {"arn": "{topic}:{uuid}"}),
    "aws:sqs/queue:Queue": Shape(
        "https://sqs.{region}.amazonaws.com/{account}/{name}",
        {**_arn("sqs", "{name}"), "url": "https://sqs.{region}.amazonaws.com/{account}/{name}"},
    ),
    "aws:sqs/queuePolicy:QueuePolicy": Shape("{queueUrl}"),
    "aws:costexplorer/anomalyMonitor:AnomalyMonitor": Shape(
        "arn:{partition}:ce::{account}:anomalymonitor/{uuid}",
        _arn("ce", "anomalymonitor/{uuid}", region=False),
    ),
    "aws:costexplorer/anomalySubscription:AnomalySubscription": Shape(
        "arn:{partition}:ce::{account}:anomalysubscription/{uuid}",
        _arn("ce", "anomalysubscription/{uuid}", region=False),
    ),
    "aws:budgets/budget:Budget": Shape("{account}:{name}", _arn("budgets", "budget/{name}", region=False)),
    "aws:cloudtrail/trail:Trail": Shape(
        "arn:{partition}:cloudtrail:{region}:{account}:trail/{name}", _arn("cloudtrail", "trail/{name}")
    ),
    "aws:accessanalyzer/analyzer:Analyzer": Shape("{analyzerName}", _arn("access-analyzer", "analyzer/{analyzerName}")),
    "aws:codebuild/project:Project": Shape(
        "arn:{partition}:codebuild:{region}:{account}:project/{name}", _arn("codebuild", "project/{name}")
    ),
    "aws:codebuild/webhook:Webhook": Shape(
        "{projectName}", {"payloadUrl": "https://codebuild.{region}.amazonaws.com/webhooks?t={h32}"}
    ),
    "aws:codeconnections/connection:Connection": Shape(
        "arn:{partition}:codeconnections:{region}:{account}:connection/{uuid}",
        {**_arn("codeconnections", "connection/{uuid}"), "connectionStatus": "PENDING"},
    ),
    "aws:cfg/recorder:Recorder": Shape("{name}"),
    "aws:cfg/recorderStatus:RecorderStatus": Shape("{name}"),
    "aws:cfg/deliveryChannel:DeliveryChannel": Shape("{name}"),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": Shape("{name}"),
    "aws:ebs/defaultKmsKey:DefaultKmsKey": Shape("{keyArn}"),
    "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock": Shape("{accountId}"),
    "aws:iam/serviceLinkedRole:ServiceLinkedRole": Shape(
        "arn:{partition}:iam::{account}:role/aws-service-role/{awsServiceName}/AWSServiceRole{h8}",
        {
            **_arn("iam", "role/aws-service-role/{awsServiceName}/AWSServiceRole{h8}", region=False),
            "name": "AWSServiceRole{h8}",
            "path": "/aws-service-role/{awsServiceName}/",
        },
    ),
    "aws:guardduty/detectorFeature:DetectorFeature": Shape("{detectorId}/{name}"),
    "aws:guardduty/detector:Detector": Shape("{h32}", _arn("guardduty", "detector/{id}")),
}


def derive(resource: Resource, place: Place) -> tuple[str, dict[str, Value]]:
    """Id and outputs of a resource as if it had been created: its inputs, plus what its type computes."""
    outputs = dict(resource.inputs)
    if resource.type.startswith(PROVIDER_PREFIX):
        outputs.pop("__internal", None)
        return stable_uuid(resource.urn), outputs
    if resource.type.startswith("kubernetes:"):
        return derive_kubernetes(resource)
    shape = SHAPES.get(resource.type)
    if shape is None:
        return f"{resource.name}-{short_hash(resource.urn)}", outputs
    values = _values(resource, place)
    id_ = _fill(shape.id, values)
    values["id"] = id_
    for key, template in shape.outputs.items():
        computed = _fill(template, values)
        given = outputs.get(key)
        outputs[key] = {**computed, **given} if isinstance(given, Mapping) else computed if given is None else given
    return id_, outputs


def derive_kubernetes(resource: Resource) -> tuple[str, dict[str, Value]]:
    """Id and outputs of a Kubernetes object or Helm release."""
    inputs = resource.inputs
    if resource.type == "kubernetes:helm.sh/v3:Release":
        namespace, name = inputs.get("namespace", "default"), inputs.get("name", resource.name)
        status = {
            "name": name,
            "namespace": namespace,
            "status": "deployed",
            "revision": 1,
            "version": inputs.get("version", ""),
        }
        return f"{namespace}/{name}", {**inputs, "status": status}
    metadata = dict(inputs.get("metadata", {}))
    name = metadata.get("name", resource.name)
    metadata.setdefault("uid", stable_uuid(resource.urn))
    namespace = metadata.get("namespace")
    return (f"{namespace}/{name}" if namespace else str(name)), {**inputs, "metadata": metadata}


def _values(resource: Resource, place: Place) -> dict[str, Value]:
    digest = short_hash(resource.urn, 64)
    scalars = {key: plain(value) for key, value in resource.inputs.items()}
    if resource.type.startswith("aws:iam/openIdConnectProvider"):
        scalars["url"] = str(scalars.get("url", "")).removeprefix("https://")
    return {
        **{key: value for key, value in scalars.items() if isinstance(value, str | int) or has_unknown(value)},
        **{f"h{n}": digest[:n] for n in (6, 8, 10, 12, 17, 32)},
        **{f"H{n}": digest[:n].upper() for n in (17, 26, 32)},
        "byte": str(int(digest[:2], 16)),
        "uuid": stable_uuid(resource.urn),
        "account": place.account_id,
        "region": place.region,
        "partition": place.partition,
    }


def stable_uuid(urn: str) -> str:
    """A UUID that is always the same for a URN."""
    digest = short_hash(urn, 32)
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))


def _fill(template: Value, values: Mapping[str, Value]) -> Value:
    if isinstance(template, Mapping):
        return {key: _fill(entry, values) for key, entry in template.items()}
    if isinstance(template, list):
        return [_fill(entry, values) for entry in template]
    if not isinstance(template, str):
        return template
    fields = [name for _, name, _, _ in Formatter().parse(template) if name]
    # An input that is unknown, or that another input stands in for, leaves the output unknown.
    if any(name not in values or has_unknown(values[name]) for name in fields):
        return UNKNOWN
    return template.format_map(values)
