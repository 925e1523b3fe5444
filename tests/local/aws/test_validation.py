"""Wrong inputs are found before any call: the endpoint of these providers answers nobody."""

import re
from typing import Any

import pytest

from stackyard.local.aws import AwsProvider, ProviderError, validate
from stackyard.local.aws.shapes import input_of
from tests.local.aws.support import READ_ANYTHING, TRUST, urn_of

VPC = {"cidrBlock": "10.0.0.0/16"}

GOOD: dict[str, dict[str, Any]] = {
    "aws:ec2/vpc:Vpc": {"cidrBlock": "10.0.0.0/16", "enableDnsHostnames": True, "tags": {"team": "ml"}},
    "aws:s3/bucket:Bucket": {"bucket": "models", "forceDestroy": True},
    "aws:kms/key:Key": {"enableKeyRotation": True, "rotationPeriodInDays": 180},
    "aws:iam/role:Role": {"name": "r", "assumeRolePolicy": TRUST, "tags": {"tëam": "größe µ"}},
    "aws:iam/policy:Policy": {"name": "p", "policy": READ_ANYTHING},
    "aws:eks/addon:Addon": {"clusterName": "c", "addonName": "vpc-cni"},
}

WRONG: list[tuple[str, dict[str, Any], str]] = [
    # Nobody claims the input: a spelling error, or something that the local provider lacks.
    ("aws:ec2/vpc:Vpc", VPC | {"cidrBlok": "10.0.0.0/16"}, "cidrBlok: .*does not know this input"),
    ("aws:s3/bucket:Bucket", {"bucket": "models", "acl2": "x"}, "acl2: "),
    (
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        {"bucket": "models", "rules": [{"id": "a", "status": "Enabled", "filters": {}}]},
        r"rules\.filters: the API has no such member",
    ),
    # Closed sets
    (
        "aws:s3/bucketVersioning:BucketVersioning",
        {"bucket": "models", "versioningConfiguration": {"status": "On"}},
        "'On', must be one of Enabled, Suspended",
    ),
    (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        {"bucket": "models", "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kmss"}}]},
        "must be one of .*aws:kms",
    ),
    (
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        {"bucket": "models", "rule": {"objectOwnership": "Owner"}},
        "must be one of .*BucketOwnerEnforced",
    ),
    ("aws:ec2/flowLog:FlowLog", {"vpcId": "vpc-1", "trafficType": "ANY"}, "trafficType: is 'ANY', must be one of"),
    ("aws:ec2/natGateway:NatGateway", {"subnetId": "subnet-1", "connectivityType": "internal"}, "connectivityType"),
    ("aws:cloudwatch/logGroup:LogGroup", {"name": "/a", "logGroupClass": "CHEAP"}, "logGroupClass: is 'CHEAP'"),
    (
        "aws:eks/nodeGroup:NodeGroup",
        {"clusterName": "c", "nodeGroupName": "n", "nodeRoleArn": "r", "subnetIds": ["s"], "amiType": "AL2_x86"},
        "amiType: is 'AL2_x86'",
    ),
    (
        "aws:eks/addon:Addon",
        {"clusterName": "c", "addonName": "a", "resolveConflictsOnCreate": "MAYBE"},
        "resolveConflicts",
    ),
    # Patterns mean the whole text
    ("aws:cloudwatch/logGroup:LogGroup", {"name": "has space"}, "name .*'has space', must match"),
    ("aws:ecr/repository:Repository", {"name": "Upper/Case"}, "must match"),
    ("aws:iam/role:Role", {"name": "a b", "assumeRolePolicy": TRUST}, "must match"),
    ("aws:kms/alias:Alias", {"name": "alias/a b", "targetKeyId": "x"}, "must match"),
    # Ranges, whole numbers, kinds
    (
        "aws:kms/key:Key",
        {"rotationPeriodInDays": 30, "enableKeyRotation": True},
        "rotationPeriodInDays: is 30, must be between 90 and 2560",
    ),
    ("aws:iam/role:Role", {"name": "r", "assumeRolePolicy": TRUST, "maxSessionDuration": 60}, "between 3600 and 43200"),
    (
        "aws:cloudwatch/logGroup:LogGroup",
        {"name": "/a", "retentionInDays": 5.5},
        "retentionInDays: must be a whole number, not 5.5",
    ),
    (
        "aws:eks/nodeGroup:NodeGroup",
        {
            "clusterName": "c",
            "nodeGroupName": "n",
            "nodeRoleArn": "r",
            "subnetIds": ["s"],
            "scalingConfig": {"minSize": 0, "maxSize": 0, "desiredSize": 0},
        },
        r"maxSize\): is 0, must be at least 1",
    ),
    (
        "aws:ec2/subnet:Subnet",
        {"vpcId": "vpc-1", "cidrBlock": "10.0.0.0/24", "mapPublicIpOnLaunch": "perhaps"},
        "must be true or false",
    ),
    (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {"vpcId": "v", "serviceName": "s", "routeTableIds": "rtb-1"},
        "routeTableIds: must be a list",
    ),
    # Required
    ("aws:iam/role:Role", {"name": "r"}, "assumeRolePolicy.*is missing"),
    (
        "aws:ecr/pullThroughCacheRule:PullThroughCacheRule",
        {"ecrRepositoryPrefix": "quay"},
        "upstreamRegistryUrl.*is missing",
    ),
    (
        "aws:eks/podIdentityAssociation:PodIdentityAssociation",
        {"clusterName": "c", "namespace": "n", "serviceAccount": "s"},
        "roleArn.*is missing",
    ),
    # Inline blocks and objects
    (
        "aws:ec2/routeTable:RouteTable",
        {"vpcId": "v", "routes": [{"cidr": "0.0.0.0/0"}]},
        "routes: .*does not know cidr",
    ),
    (
        "aws:ec2/securityGroup:SecurityGroup",
        {"name": "g", "vpcId": "v", "ingress": [{"protocol": "tcp", "port": 1}]},
        "ingress: .*port",
    ),
    (
        "aws:s3/bucketObjectv2:BucketObjectv2",
        {"bucket": "b", "key": "k", "content": "a", "contentBase64": "YQ=="},
        "takes one of",
    ),
]


@pytest.mark.parametrize(("type_", "inputs"), GOOD.items(), ids=str)
def test_good_inputs_are_accepted_without_a_call(offline: AwsProvider, type_: str, inputs: dict[str, Any]):
    offline.validate(type_, urn_of(type_), inputs)


@pytest.mark.parametrize(
    ("type_", "inputs", "said"), WRONG, ids=[f"{t.rsplit(':')[-1]}-{n}" for n, (t, _, _) in enumerate(WRONG)]
)
def test_wrong_inputs_are_named_before_any_call(offline: AwsProvider, type_: str, inputs: dict[str, Any], said: str):
    for attempt in (offline.validate, offline.create):
        with pytest.raises(ProviderError) as caught:
            attempt(type_, urn_of(type_, "thing"), inputs)
        text = str(caught.value)
        assert text.startswith(f"thing ({type_})"), "the resource is named"
        assert re.search(said, text), text


def test_all_problems_are_reported_together(offline: AwsProvider):
    inputs = {"name": "a b", "logGroupClass": "CHEAP", "retentionInDays": 5.5, "colour": "red"}
    with pytest.raises(ProviderError) as caught:
        offline.validate("aws:cloudwatch/logGroup:LogGroup", urn_of("aws:cloudwatch/logGroup:LogGroup"), inputs)
    for name in ("name", "logGroupClass", "retentionInDays", "colour"):
        assert f"{name}" in str(caught.value)


def test_a_sensitive_value_is_not_repeated_in_the_error(offline: AwsProvider):
    operation = offline.clients.operation("secretsmanager", "CreateSecret")
    (problem,) = validate.check(input_of(operation), {"Name": "n", "SecretString": 12345}, {})
    assert "12345" not in str(problem)


def test_an_unknown_type_is_one_sentence(offline: AwsProvider):
    with pytest.raises(ProviderError, match=r"cannot provision the type aws:redshift/cluster:Cluster"):
        offline.create("aws:redshift/cluster:Cluster", urn_of("aws:redshift/cluster:Cluster"), {})


def test_an_error_names_the_component_that_the_resource_is_in(offline: AwsProvider):
    urn = "urn:pulumi:test::stackyard::stackyard:index:Network$aws:ec2/vpc:Vpc::base-vpc"
    with pytest.raises(ProviderError, match=r"base-vpc \(aws:ec2/vpc:Vpc in Network\)"):
        offline.validate("aws:ec2/vpc:Vpc", urn, VPC | {"cidrBlok": "x"})


def test_a_change_that_aws_has_no_call_for_is_an_error(offline: AwsProvider):
    type_ = "aws:ec2/vpc:Vpc"
    with pytest.raises(ProviderError, match="no call that changes cidrBlock"):
        offline.update(type_, urn_of(type_), "vpc-1", VPC, VPC, {"cidrBlock": "10.1.0.0/16"})


def test_a_changed_input_that_nobody_knows_is_an_error(offline: AwsProvider):
    type_ = "aws:s3/bucketVersioning:BucketVersioning"
    old = {"bucket": "b", "versioningConfiguration": {"status": "Enabled"}}
    with pytest.raises(ProviderError, match="colour"):
        offline.update(type_, urn_of(type_), "b", old, old, old | {"colour": "red"})


def test_an_input_that_no_call_takes_back_is_an_error(offline: AwsProvider):
    type_ = "aws:eks/addon:Addon"
    old = {"clusterName": "c", "addonName": "vpc-cni", "addonVersion": "v1.20.0-eksbuild.1"}
    new = {"clusterName": "c", "addonName": "vpc-cni"}
    with pytest.raises(ProviderError, match="no call that takes back addonVersion"):
        offline.update(type_, urn_of(type_), "c:vpc-cni", old, old, new)


def test_the_value_of_an_unknown_input_named_like_a_secret_is_not_shown(offline: AwsProvider):
    type_ = "aws:ec2/vpc:Vpc"
    with pytest.raises(ProviderError) as caught:
        offline.validate(type_, urn_of(type_), VPC | {"adminPassword": "hunter2"})
    assert "adminPassword" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_call_without_an_emulator_says_so(offline: AwsProvider):
    type_ = "aws:ec2/vpc:Vpc"
    with pytest.raises(ProviderError, match=r"CreateVpc \(ec2, eu-central-1\) failed .*Is the emulator running"):
        offline.create(type_, urn_of(type_), VPC)
