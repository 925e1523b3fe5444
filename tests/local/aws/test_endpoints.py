"""Interface endpoints on the emulator: made in their subnets, changed, and gone before the subnets go."""

import pytest

from tests.local.aws.support import Cloud, policy

pytestmark = pytest.mark.local


def test_an_interface_endpoint_stands_in_its_subnets_behind_its_group_and_leaves_nothing(cloud: Cloud):
    vpc = cloud.make("aws:ec2/vpc:Vpc", "endpoints", cidrBlock="10.60.0.0/16")
    subnets = [
        cloud.make("aws:ec2/subnet:Subnet", f"endpoints-{n}", vpcId=vpc.id, cidrBlock=f"10.60.{n}.0/24") for n in (1, 2)
    ]
    group = cloud.make("aws:ec2/securityGroup:SecurityGroup", "endpoints", name="endpoints", vpcId=vpc.id)
    endpoint = cloud.make(
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        "sts",
        vpcId=vpc.id,
        serviceName="com.amazonaws.eu-central-1.sts",
        vpcEndpointType="Interface",
        subnetIds=[subnets[0].id],
        securityGroupIds=[group.id],
        privateDnsEnabled=True,
        policy=policy({"Effect": "Allow", "Principal": "*", "Action": "sts:*", "Resource": "*"}),
    )
    assert cloud.read(endpoint) == endpoint.outputs, "nothing drifts by itself"
    known = cloud.live(endpoint)
    assert known is not None and known.inputs == endpoint.inputs, "a refresh finds nothing"
    changed = cloud.change(endpoint, subnetIds=[subnet.id for subnet in subnets])
    assert cloud.read(changed) == changed.outputs
    cloud.remove(changed)
    assert cloud.read(changed) is None
    for made in (group, *subnets, vpc):
        cloud.remove(made)
        assert cloud.read(made) is None, f"{made.type} is held by something that the endpoint left"
