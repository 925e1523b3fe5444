"""Every row of the table once through its life: created, read back, changed, tagged, deleted, gone."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from stackyard.local.aws.rows import load
from stackyard.program.values import Asset
from tests.local.aws.support import READ_ANYTHING, TRUST, Cloud, Made, policy

pytestmark = pytest.mark.local

Inputs = dict[str, Any]
World = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Case:
    inputs: Callable[[World], Inputs]
    change: Callable[[World], Inputs] | None = None
    """Inputs that are changed; None where the API has no change."""
    tags: bool = True
    recorded: bool = False
    stays: bool = False
    """Found and adopted, not deleted."""
    read: bool = True
    """The API can tell that it is gone."""


@pytest.fixture(scope="module")
def world(cloud: Cloud) -> World:
    """Resources that the others stand on."""
    vpc = cloud.make("aws:ec2/vpc:Vpc", "base", cidrBlock="10.40.0.0/16", enableDnsHostnames=True)
    subnets = [
        cloud.make(
            "aws:ec2/subnet:Subnet",
            f"base-{zone}",
            vpcId=vpc.id,
            cidrBlock=f"10.40.{n}.0/24",
            availabilityZone=f"eu-central-1{zone}",
        )
        for n, zone in enumerate("ab")
    ]
    gateway = cloud.make("aws:ec2/internetGateway:InternetGateway", "base", vpcId=vpc.id)
    tables = [cloud.make("aws:ec2/routeTable:RouteTable", f"base-{n}", vpcId=vpc.id) for n in range(2)]
    groups = [
        cloud.make(
            "aws:ec2/securityGroup:SecurityGroup", f"base-{n}", name=f"base-{n}", description="base", vpcId=vpc.id
        )
        for n in range(2)
    ]
    addresses = [cloud.make("aws:ec2/eip:Eip", f"base-{n}", domain="vpc") for n in range(1)]
    nats = [cloud.make("aws:ec2/natGateway:NatGateway", "base", allocationId=addresses[0].id, subnetId=subnets[0].id)]
    keys = [cloud.make("aws:kms/key:Key", f"base-{n}", description="base") for n in range(2)]
    roles = [cloud.make("aws:iam/role:Role", f"base-{n}", name=f"base-{n}", assumeRolePolicy=TRUST) for n in range(2)]
    logs = cloud.make("aws:cloudwatch/logGroup:LogGroup", "base", name="/base/flow")
    bucket = cloud.make("aws:s3/bucket:Bucket", "base", bucket="base-bucket")
    locked = cloud.make("aws:s3/bucket:Bucket", "locked", bucket="base-locked", objectLockEnabled=True)
    target = log_target(cloud)
    topic = cloud.make("aws:sns/topic:Topic", "base", name="base")
    queue = cloud.make("aws:sqs/queue:Queue", "base", name="base")
    rule = cloud.make("aws:cloudwatch/eventRule:EventRule", "base", name="base", eventPattern='{"source": ["aws.ec2"]}')
    secret = cloud.make("aws:secretsmanager/secret:Secret", "base", name="base")
    group = cloud.make("aws:rds/subnetGroup:SubnetGroup", "base", name="base", subnetIds=[subnet.id for subnet in subnets])
    repository = cloud.make("aws:ecr/repository:Repository", "base", name="base/images")
    cluster = cloud.make(
        "aws:eks/cluster:Cluster",
        "base",
        name="base",
        roleArn=roles[0].outputs["arn"],
        vpcConfig={"subnetIds": [subnet.id for subnet in subnets]},
    )
    return {
        "vpc": vpc.id,
        "subnets": [subnet.id for subnet in subnets],
        "gateway": gateway.id,
        "tables": [table.id for table in tables],
        "groups": [group.id for group in groups],
        "nat": nats[0].id,
        "keys": [key.outputs["arn"] for key in keys],
        "key_ids": [key.id for key in keys],
        "roles": [role.id for role in roles],
        "role_arns": [role.outputs["arn"] for role in roles],
        "logs": logs.outputs["arn"],
        "bucket": bucket.id,
        "locked": locked.id,
        "target": target.id,
        "topic": topic.id,
        "queue": queue.id,
        "queue_arn": queue.outputs["arn"],
        "rule": rule.id,
        "secret": secret.id,
        "subnet_group": group.id,
        "repository": repository.id,
        "cluster": cluster.id,
    }


def log_target(cloud: Cloud) -> Made:
    target = cloud.make("aws:s3/bucket:Bucket", "target", bucket="base-logs")
    allow_logging = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::base-logs/*",
    }
    cloud.make("aws:s3/bucketPolicy:BucketPolicy", "target", bucket=target.id, policy=policy(allow_logging))
    return target


def of(**inputs: Any) -> Callable[[World], Inputs]:
    """Inputs that need nothing from the world."""
    return lambda world: inputs


NETWORK = {
    "aws:ec2/vpc:Vpc": Case(
        of(cidrBlock="10.41.0.0/16", enableDnsHostnames=True, enableDnsSupport=True, instanceTenancy="default"),
        of(enableDnsHostnames=False),
    ),
    "aws:ec2/subnet:Subnet": Case(
        lambda w: {"vpcId": w["vpc"], "cidrBlock": "10.40.9.0/24", "availabilityZone": "eu-central-1c", "mapPublicIpOnLaunch": False},
        of(mapPublicIpOnLaunch=True),
    ),
    "aws:ec2/internetGateway:InternetGateway": Case(of()),
    "aws:ec2/eip:Eip": Case(of(domain="vpc")),
    "aws:ec2/natGateway:NatGateway": Case(lambda w: {"subnetId": w["subnets"][0], "connectivityType": "private"}),
    "aws:ec2/routeTable:RouteTable": Case(
        lambda w: {"vpcId": w["vpc"], "routes": [{"cidrBlock": "0.0.0.0/0", "gatewayId": w["gateway"]}]},
        lambda w: {"routes": [{"cidrBlock": "0.0.0.0/0", "natGatewayId": w["nat"]}]},
    ),
    "aws:ec2/route:Route": Case(
        lambda w: {"routeTableId": w["tables"][0], "destinationCidrBlock": "0.0.0.0/0", "gatewayId": w["gateway"]},
        lambda w: {"gatewayId": None, "natGatewayId": w["nat"]},
        tags=False,
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Case(
        lambda w: {"routeTableId": w["tables"][0], "subnetId": w["subnets"][0]},
        lambda w: {"routeTableId": w["tables"][1]},
        tags=False,
    ),
    "aws:ec2/securityGroup:SecurityGroup": Case(
        lambda w: {
            "name": "web",
            "description": "web",
            "vpcId": w["vpc"],
            "ingress": [{"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.0.0.0/8"]}],
            "egress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}],
        },
        of(ingress=[{"protocol": "tcp", "fromPort": 80, "toPort": 80, "cidrBlocks": ["10.0.0.0/8"]}]),
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Case(lambda w: {"vpcId": w["vpc"]}, stays=True),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Case(
        lambda w: {
            "vpcId": w["vpc"],
            "serviceName": "com.amazonaws.eu-central-1.s3",
            "vpcEndpointType": "Gateway",
            "routeTableIds": [w["tables"][0]],
            "policy": policy({"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}),
        },
        lambda w: {"routeTableIds": [w["tables"][1]]},
    ),
    "aws:ec2/flowLog:FlowLog": Case(
        lambda w: {
            "vpcId": w["vpc"],
            "trafficType": "ALL",
            "logDestination": w["logs"],
            "iamRoleArn": w["role_arns"][0],
            "maxAggregationInterval": 60,
        },
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Case(
        lambda w: {"securityGroupId": w["groups"][0], "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIpv4": "10.1.0.0/16"},
        of(cidrIpv4="10.2.0.0/16", description="from the office"),
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Case(
        lambda w: {"securityGroupId": w["groups"][0], "ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432, "referencedSecurityGroupId": w["groups"][1]},
        of(fromPort=5433, toPort=5433),
    ),
}  # fmt: skip

STORAGE = {
    "aws:s3/bucket:Bucket": Case(of(bucket="table-bucket", forceDestroy=False), of(forceDestroy=True)),
    "aws:s3/bucketPolicy:BucketPolicy": Case(
        lambda w: {"bucket": w["bucket"], "policy": bucket_policy(w["bucket"], "s3:GetObject")},
        lambda w: {"policy": bucket_policy(w["bucket"], "s3:ListBucket")},
        tags=False,
    ),
    "aws:s3/bucketVersioning:BucketVersioning": Case(
        lambda w: {"bucket": w["bucket"], "versioningConfiguration": {"status": "Enabled"}},
        of(versioningConfiguration={"status": "Suspended"}),
        tags=False,
        read=False,
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Case(
        lambda w: {
            "bucket": w["bucket"],
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": w["keys"][0]},
                    "bucketKeyEnabled": True,
                }
            ],
        },
        of(rules=[{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]),
        tags=False,
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Case(
        lambda w: {
            "bucket": w["bucket"],
            "rules": [
                {"id": "old", "status": "Enabled", "filter": {"prefix": ""}, "noncurrentVersionExpiration": {"noncurrentDays": 30}},
                {"id": "parts", "status": "Enabled", "filter": {}, "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}},
            ],
        },
        of(
            rules=[
                {
                    "id": "tagged",
                    "status": "Disabled",
                    "filter": {"and": {"prefix": "raw/", "tags": {"keep": "no"}}},
                    "expiration": {"days": 90},
                    "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}],
                }
            ]
        ),
        tags=False,
    ),
    "aws:s3/bucketLogging:BucketLogging": Case(
        lambda w: {"bucket": w["bucket"], "targetBucket": w["target"], "targetPrefix": "base/"},
        of(targetPrefix="other/"),
        tags=False,
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Case(
        lambda w: {"bucket": w["bucket"], "blockPublicAcls": True, "blockPublicPolicy": True, "ignorePublicAcls": True, "restrictPublicBuckets": True},
        of(restrictPublicBuckets=False),
        tags=False,
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": Case(
        lambda w: {"bucket": w["bucket"], "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        of(rule={"objectOwnership": "BucketOwnerPreferred"}),
        tags=False,
    ),
    "aws:s3/bucketNotification:BucketNotification": Case(
        lambda w: {"bucket": w["bucket"], "eventbridge": True},
        of(eventbridge=False),
        tags=False,
        read=False,
    ),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": Case(
        lambda w: {"bucket": w["locked"], "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 1}}},
        of(rule={"defaultRetention": {"mode": "GOVERNANCE", "days": 2}}),
        tags=False,
    ),
    "aws:s3/bucketObjectv2:BucketObjectv2": Case(
        lambda w: {"bucket": w["bucket"], "key": "code/package.tgz", "content": "first", "contentType": "application/gzip"},
        lambda w: {"content": None, "source": Asset(hash="x", text="second")},
    ),
}  # fmt: skip


def bucket_policy(bucket: str, action: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": action,
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    return policy(statement)


IDENTITY = {
    "aws:kms/key:Key": Case(
        of(description="data", enableKeyRotation=True, deletionWindowInDays=7, policy=policy(
            {"Sid": "Administer", "Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}
        )),
        of(description="data of the team", enableKeyRotation=False),
    ),
    "aws:kms/alias:Alias": Case(
        lambda w: {"name": "alias/table", "targetKeyId": w["key_ids"][0]}, lambda w: {"targetKeyId": w["key_ids"][1]}, tags=False
    ),
    "aws:iam/role:Role": Case(
        of(name="table", assumeRolePolicy=TRUST, description="one", maxSessionDuration=3600, path="/stackyard/"),
        of(description="two", maxSessionDuration=7200, assumeRolePolicy=TRUST.replace("ec2", "eks")),
    ),
    "aws:iam/rolePolicy:RolePolicy": Case(
        lambda w: {"name": "inline", "role": w["roles"][0], "policy": READ_ANYTHING},
        of(policy=READ_ANYTHING.replace("GetObject", "ListBucket")),
        tags=False,
    ),
    "aws:iam/policy:Policy": Case(
        of(name="table", description="reads", policy=READ_ANYTHING, path="/"),
        of(policy=READ_ANYTHING.replace("GetObject", "ListBucket")),
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Case(
        lambda w: {"role": w["roles"][0], "policyArn": "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"}, tags=False
    ),
    "aws:iam/instanceProfile:InstanceProfile": Case(
        lambda w: {"name": "table", "role": w["roles"][0], "path": "/"}, lambda w: {"role": w["roles"][1]}
    ),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": Case(
        of(url="https://token.actions.githubusercontent.com", clientIdLists=["sts.amazonaws.com"], thumbprintLists=["a" * 40]),
        of(clientIdLists=["sts.amazonaws.com", "other"], thumbprintLists=["b" * 40]),
    ),
    "aws:cloudwatch/logGroup:LogGroup": Case(
        lambda w: {"name": "/table/group", "retentionInDays": 30, "kmsKeyId": w["keys"][0], "logGroupClass": "STANDARD"},
        of(retentionInDays=90),
    ),
}  # fmt: skip

LIFECYCLE_RULE = {
    "rulePriority": 1,
    "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
    "action": {"type": "expire"},
}

COMPUTE = {
    "aws:ecr/repository:Repository": Case(
        lambda w: {
            "name": "table/images",
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": w["keys"][0]}],
            "forceDelete": True,
        },
        of(imageTagMutability="MUTABLE", imageScanningConfiguration={"scanOnPush": False}),
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Case(
        lambda w: {"repository": w["repository"], "policy": json.dumps({"rules": [LIFECYCLE_RULE]})},
        of(policy=json.dumps({"rules": [LIFECYCLE_RULE | {"rulePriority": 2}]})),
        tags=False,
    ),
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": Case(
        of(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io"),
        of(credentialArn="arn:aws:secretsmanager:eu-central-1:123456789012:secret:ecr-pullthroughcache/quay-AbCdEf"),
        tags=False,
        recorded=True,
    ),
    "aws:eks/cluster:Cluster": Case(
        lambda w: {
            "name": "table",
            "roleArn": w["role_arns"][0],
            "version": "1.35",
            "vpcConfig": {"subnetIds": w["subnets"], "endpointPrivateAccess": True, "endpointPublicAccess": False},
            "enabledClusterLogTypes": ["api", "audit"],
            "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
            "encryptionConfig": {"provider": {"keyArn": w["keys"][0]}, "resources": ["secrets"]},
            "bootstrapSelfManagedAddons": False,
        },
        of(enabledClusterLogTypes=["api"]),
    ),
    "aws:eks/accessEntry:AccessEntry": Case(
        lambda w: {"clusterName": w["cluster"], "principalArn": w["role_arns"][0], "type": "STANDARD"},
        of(kubernetesGroups=["viewers"]),
        recorded=True,
    ),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": Case(
        lambda w: {
            "clusterName": w["cluster"],
            "principalArn": w["role_arns"][0],
            "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            "accessScope": {"type": "cluster"},
        },
        tags=False,
        recorded=True,
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": Case(
        lambda w: {"clusterName": w["cluster"], "namespace": "mlflow", "serviceAccount": "mlflow", "roleArn": w["role_arns"][0]},
        lambda w: {"roleArn": w["role_arns"][1]},
        recorded=True,
    ),
    "aws:eks/addon:Addon": Case(
        lambda w: {"clusterName": w["cluster"], "addonName": "vpc-cni", "addonVersion": "v1.20.0-eksbuild.1", "resolveConflictsOnCreate": "OVERWRITE"},
        of(configurationValues='{"enableNetworkPolicy": "true"}'),
        recorded=True,
    ),
    "aws:eks/nodeGroup:NodeGroup": Case(
        lambda w: {
            "clusterName": w["cluster"],
            "nodeGroupName": "system",
            "nodeRoleArn": w["role_arns"][0],
            "subnetIds": w["subnets"],
            "scalingConfig": {"minSize": 1, "maxSize": 3, "desiredSize": 1},
            "instanceTypes": ["m7i.large"],
            "amiType": "AL2023_x86_64_STANDARD",
            "labels": {"role": "system", "old": "yes"},
            "taints": [{"key": "system", "value": "true", "effect": "NO_SCHEDULE"}],
        },
        of(labels={"role": "core"}, scalingConfig={"minSize": 2, "maxSize": 4, "desiredSize": 2}),
    ),
}  # fmt: skip

MESSAGING = {
    "aws:sns/topic:Topic": Case(
        lambda w: {"name": "alarms", "displayName": "Alarms", "kmsMasterKeyId": w["keys"][0]}, of(displayName="Pages")
    ),
    "aws:sns/topicPolicy:TopicPolicy": Case(
        lambda w: {"arn": w["topic"], "policy": topic_policy(w["topic"], "budgets")},
        lambda w: {"policy": topic_policy(w["topic"], "cloudwatch")},
        tags=False,
        read=False,
    ),
    "aws:sns/topicSubscription:TopicSubscription": Case(
        lambda w: {"topic": w["topic"], "protocol": "sqs", "endpoint": w["queue_arn"], "rawMessageDelivery": True},
        of(rawMessageDelivery=False),
        tags=False,
    ),
    "aws:sqs/queue:Queue": Case(
        of(name="interruptions", messageRetentionSeconds=300, sqsManagedSseEnabled=True, visibilityTimeoutSeconds=60),
        of(messageRetentionSeconds=600, visibilityTimeoutSeconds=None),
    ),
    "aws:sqs/queuePolicy:QueuePolicy": Case(
        lambda w: {"queueUrl": w["queue"], "policy": queue_policy(w["queue_arn"], "events")},
        lambda w: {"policy": queue_policy(w["queue_arn"], "sns")},
        tags=False,
    ),
    "aws:cloudwatch/eventRule:EventRule": Case(
        of(name="interruptions", eventPattern='{"source": ["aws.ec2"]}', description="spot"), of(description="spot warnings")
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Case(
        lambda w: {"rule": w["rule"], "arn": w["queue_arn"], "targetId": "queue"},
        of(retryPolicy={"maximumRetryAttempts": 3, "maximumEventAgeInSeconds": 60}),
        tags=False,
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Case(
        lambda w: {
            "name": "queue-age",
            "comparisonOperator": "GreaterThanThreshold",
            "evaluationPeriods": 3,
            "metricName": "ApproximateAgeOfOldestMessage",
            "namespace": "AWS/SQS",
            "period": 60,
            "statistic": "Maximum",
            "threshold": 300,
            "dimensions": {"QueueName": "base"},
            "alarmActions": [w["topic"]],
            "treatMissingData": "notBreaching",
        },
        of(threshold=600),
    ),
}  # fmt: skip

DATABASES = {
    "aws:rds/subnetGroup:SubnetGroup": Case(
        lambda w: {"name": "table", "description": "private", "subnetIds": w["subnets"]}, of(description="private subnets")
    ),
    "aws:rds/instance:Instance": Case(
        lambda w: {
            "identifier": "table",
            "engine": "postgres",
            "engineVersion": "17.5",
            "instanceClass": "db.t4g.micro",
            "allocatedStorage": 20,
            "dbName": "mlflow",
            "username": "mlflow",
            "manageMasterUserPassword": True,
            "dbSubnetGroupName": w["subnet_group"],
            "vpcSecurityGroupIds": [w["groups"][0]],
            "storageEncrypted": True,
            "kmsKeyId": w["keys"][0],
            "iamDatabaseAuthenticationEnabled": True,
            "backupRetentionPeriod": 7,
            "multiAz": False,
            "publiclyAccessible": False,
            "deletionProtection": False,
            "skipFinalSnapshot": True,
        },
        of(backupRetentionPeriod=14),
    ),
    "aws:secretsmanager/secret:Secret": Case(
        lambda w: {"name": "table", "description": "token", "kmsKeyId": w["keys"][0], "recoveryWindowInDays": 7},
        of(description="the token"),
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": Case(
        lambda w: {"secretId": w["secret"], "secretString": "value"}, tags=False, stays=True
    ),
}  # fmt: skip


def topic_policy(arn: str, service: str) -> str:
    principal = {"Service": f"{service}.amazonaws.com"}
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sns:Publish", "Resource": arn})


def queue_policy(arn: str, service: str) -> str:
    principal = {"Service": f"{service}.amazonaws.com"}
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage", "Resource": arn})


CASES = NETWORK | STORAGE | IDENTITY | COMPUTE | MESSAGING | DATABASES


def test_every_row_has_a_case():
    assert set(CASES) == set(load()), "a row that no test exercises may not work"


@pytest.mark.parametrize("type_", sorted(CASES))
def test_a_resource_lives_from_create_to_delete(type_: str, cloud: Cloud, world: World):
    case = CASES[type_]
    tags = {"tags": {"team": "ml", "cost": "a b"}} if case.tags else {}
    made = cloud.make(type_, "table", **case.inputs(world), **tags)
    assert made.applied.recorded is case.recorded
    inputs = {name: value for name, value in made.inputs.items() if name not in ("vpcConfig",)}
    assert {name: made.outputs[name] for name in inputs} == inputs, "outputs start as the inputs"
    assert cloud.read(made) == made.outputs, "nothing drifts by itself"

    if case.change is not None:
        made = cloud.change(made, **case.change(world))
        assert cloud.read(made) == made.outputs
    if case.tags:
        made = cloud.change(made, tags={"team": "platform", "new": "1"})
        assert made.outputs["tagsAll"] == {"team": "platform", "new": "1"}

    cloud.remove(made)
    if case.read and not (case.stays or case.recorded):
        assert cloud.read(made) is None
    cloud.remove(made)  # Already gone is fine.
