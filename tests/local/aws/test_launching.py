"""Launch templates: a change is a new, whole version; and the groups of nodes that talk to each other alone."""

import pytest

from tests.local.aws.support import Cloud

pytestmark = pytest.mark.local
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
METADATA = {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 2}


def versions(cloud: Cloud, id_: str):
    found = cloud.boto("ec2").describe_launch_template_versions(LaunchTemplateId=id_)["LaunchTemplateVersions"]
    return sorted(found, key=lambda version: version["VersionNumber"])


def test_a_change_makes_a_version_that_holds_the_unchanged_too(cloud: Cloud):
    made = cloud.make(TEMPLATE, "whole", name="whole", instanceType="m7i.large", metadataOptions=METADATA)
    assert made.outputs["latestVersion"] == 1
    made = cloud.change(made, metadataOptions=METADATA | {"httpPutResponseHopLimit": 1})
    assert made.outputs["latestVersion"] == 2, "who launches by it must see the new one"
    latest = versions(cloud, made.id)[-1]["LaunchTemplateData"]
    assert latest["InstanceType"] == "m7i.large"
    assert latest["MetadataOptions"]["HttpPutResponseHopLimit"] == 1


def test_what_is_taken_back_is_not_in_the_next_version(cloud: Cloud):
    made = cloud.make(TEMPLATE, "less", name="less", instanceType="m7i.large", metadataOptions=METADATA)
    made = cloud.change(made, instanceType=None)
    assert "InstanceType" not in versions(cloud, made.id)[-1]["LaunchTemplateData"]


def test_tags_of_instances_are_not_those_of_the_template(cloud: Cloud):
    specifications = [{"resourceType": "volume", "tags": {"component": "system"}}]
    made = cloud.make(TEMPLATE, "tags", name="tags", tagSpecifications=specifications, tags={"team": "ml"})
    (version,) = versions(cloud, made.id)
    # The emulator also shows the template's own tags there.
    launched = {entry["ResourceType"]: entry["Tags"] for entry in version["LaunchTemplateData"]["TagSpecifications"]}
    assert launched["volume"] == [{"Key": "component", "Value": "system"}]
    (template,) = cloud.boto("ec2").describe_launch_templates(LaunchTemplateIds=[made.id])["LaunchTemplates"]
    assert template["Tags"] == [{"Key": "team", "Value": "ml"}]


def test_a_group_may_let_in_its_own_members_alone(cloud: Cloud):
    vpc = cloud.make("aws:ec2/vpc:Vpc", cidrBlock="10.44.0.0/16")
    group = cloud.make("aws:ec2/securityGroup:SecurityGroup", name="efa", description="efa", vpcId=vpc.id)
    for direction in ("Ingress", "Egress"):
        rule = cloud.make(
            f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule",
            securityGroupId=group.id,
            ipProtocol="-1",
            referencedSecurityGroupId=group.id,
            description="nodes of the pool",
        )
        found = cloud.read(rule)
        assert found and found["securityGroupId"] == group.id
