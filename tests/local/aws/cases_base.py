"""Cases of networks and buckets."""

from stackyard.program.values import Asset
from tests.local.aws.cases import Case, Inputs, World, of
from tests.local.aws.support import policy

NETWORK = {
    "aws:ec2/vpc:Vpc": Case(
        of(cidrBlock="10.41.0.0/16", enableDnsHostnames=True, enableDnsSupport=True, instanceTenancy="default"),
        of(enableDnsHostnames=False),
    ),
    "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation": Case(
        lambda w: {"vpcId": w["vpc"], "cidrBlock": "100.64.0.0/16"}, tags=False
    ),
    "aws:ec2/subnet:Subnet": Case(
        lambda w: {
            "vpcId": w["vpc"],
            "cidrBlock": "10.40.9.0/24",
            "availabilityZone": "eu-central-1c",
            "mapPublicIpOnLaunch": False,
        },
        of(mapPublicIpOnLaunch=True),
    ),
    "aws:ec2/internetGateway:InternetGateway": Case(of()),
    "aws:ec2/launchTemplate:LaunchTemplate": Case(
        of(
            name="system",
            description="one",
            blockDeviceMappings=[
                {"deviceName": "/dev/xvda", "ebs": {"encrypted": "true", "volumeType": "gp3", "volumeSize": 50}}
            ],
            metadataOptions={"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1},
            tagSpecifications=[{"resourceType": "instance", "tags": {"component": "system"}}],
        ),
        of(metadataOptions={"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 2}),
    ),
    "aws:ec2/placementGroup:PlacementGroup": Case(of(name="efa", strategy="cluster"), recorded=True),
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
        lambda w: {
            "securityGroupId": w["groups"][0],
            "ipProtocol": "tcp",
            "fromPort": 22,
            "toPort": 22,
            "cidrIpv4": "10.1.0.0/16",
        },
        of(cidrIpv4="10.2.0.0/16", description="from the office"),
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Case(
        lambda w: {
            "securityGroupId": w["groups"][0],
            "ipProtocol": "tcp",
            "fromPort": 5432,
            "toPort": 5432,
            "referencedSecurityGroupId": w["groups"][1],
        },
        of(fromPort=5433, toPort=5433),
    ),
}

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
                {
                    "id": "old",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "noncurrentVersionExpiration": {"noncurrentDays": 30},
                },
                {
                    "id": "parts",
                    "status": "Enabled",
                    "filter": {},
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                },
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
        lambda w: {
            "bucket": w["bucket"],
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        },
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
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": Case(
        lambda w: {"bucket": w["locked"], "role": w["role_arns"][0], "rules": [replication(w)]},
        lambda w: {"role": w["role_arns"][1]},
        tags=False,
    ),
    "aws:s3/inventory:Inventory": Case(
        lambda w: {
            "bucket": w["bucket"],
            "name": "all-objects",
            "includedObjectVersions": "All",
            "schedule": {"frequency": "Daily"},
            "destination": {
                "bucket": {
                    "accountId": "123456789012",
                    "bucketArn": f"arn:aws:s3:::{w['target']}",
                    "format": "Parquet",
                    "prefix": "inventory",
                }
            },
            "optionalFields": ["Size", "EncryptionStatus"],
        },
        of(schedule={"frequency": "Weekly"}),
        tags=False,
    ),
    "aws:s3/bucketObjectv2:BucketObjectv2": Case(
        lambda w: {
            "bucket": w["bucket"],
            "key": "code/package.tgz",
            "content": "first",
            "contentType": "application/gzip",
        },
        lambda w: {"content": None, "source": Asset(hash="x", text="second")},
    ),
}


def bucket_policy(bucket: str, action: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": action,
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    return policy(statement)


def replication(world: World) -> Inputs:
    return {
        "id": "everything",
        "priority": 1,
        "status": "Enabled",
        "filter": {"prefix": ""},
        "deleteMarkerReplication": {"status": "Disabled"},
        "sourceSelectionCriteria": {"sseKmsEncryptedObjects": {"status": "Enabled"}},
        "destination": {
            "bucket": f"arn:aws:s3:::{world['target']}",
            "encryptionConfiguration": {"replicaKmsKeyId": world["keys"][0]},
            "metrics": {"status": "Enabled"},
        },
    }
