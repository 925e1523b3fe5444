"""The emulator makes what EKS makes by itself: a cluster's security group, as long as there is the cluster."""

import pytest

from stackyard.local import safety

ROLE = "arn:aws:iam::123456789012:role/cluster"

pytestmark = pytest.mark.local


@pytest.fixture
def client(endpoint):
    return lambda service: safety.client(service, endpoint=endpoint)


@pytest.fixture
def network(client):
    """A VPC and two subnets of it."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    blocks = ("10.0.0.0/24", "10.0.1.0/24")
    return vpc, [ec2.create_subnet(VpcId=vpc, CidrBlock=block)["Subnet"]["SubnetId"] for block in blocks]


def cluster(client, name, subnets):
    eks = client("eks")
    eks.create_cluster(name=name, roleArn=ROLE, resourcesVpcConfig={"subnetIds": subnets})
    return eks.describe_cluster(name=name)["cluster"]["resourcesVpcConfig"]


def groups(client, vpc):
    found = client("ec2").describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
    return {group["GroupId"]: group["GroupName"] for group in found}


def test_rules_may_name_a_clusters_group(client, network):
    vpc, subnets = network
    config = cluster(client, "one", subnets)
    assert groups(client, vpc)[config["clusterSecurityGroupId"]] == "eks-cluster-sg-one"
    assert config["vpcId"] == vpc
    ec2 = client("ec2")
    database = ec2.create_security_group(GroupName="db", Description="db", VpcId=vpc)["GroupId"]
    pair = {"GroupId": config["clusterSecurityGroupId"]}
    rule = {"IpProtocol": "tcp", "FromPort": 5433, "ToPort": 5433, "UserIdGroupPairs": [pair]}
    assert ec2.authorize_security_group_ingress(GroupId=database, IpPermissions=[rule])["Return"] is True


def test_the_group_stays_when_the_network_settings_change_and_goes_with_the_cluster(client, network):
    vpc, subnets = network
    group = cluster(client, "two", subnets)["clusterSecurityGroupId"]
    eks = client("eks")
    eks.update_cluster_config(name="two", resourcesVpcConfig={"subnetIds": subnets, "endpointPublicAccess": False})
    config = eks.describe_cluster(name="two")["cluster"]["resourcesVpcConfig"]
    assert (config["clusterSecurityGroupId"], config["endpointPublicAccess"]) == (group, False)
    eks.delete_cluster(name="two")
    assert group not in groups(client, vpc)


def test_a_cluster_in_subnets_that_are_not_there_has_no_group(client):
    assert "clusterSecurityGroupId" not in cluster(client, "three", ["subnet-0123456789abcdef0"])
