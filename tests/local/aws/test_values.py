"""What was asked for is what boto3 finds in the emulator, at create and after a change."""

import concurrent.futures
import json

import pytest
from botocore.exceptions import ClientError

from stackyard.local.aws import ProviderError
from tests.local.aws.support import READ_ANYTHING, TRUST, Cloud, Made, policy, tags_of, urn_of

pytestmark = pytest.mark.local

VPC, SUBNET = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet"
GROUP, BUCKET, OBJECT = (
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:s3/bucket:Bucket",
    "aws:s3/bucketObjectv2:BucketObjectv2",
)
ROLE, KEY, LOG_GROUP = "aws:iam/role:Role", "aws:kms/key:Key", "aws:cloudwatch/logGroup:LogGroup"


@pytest.fixture(scope="module")
def vpc(cloud: Cloud) -> Made:
    return cloud.make(VPC, "values", cidrBlock="10.50.0.0/16", enableDnsHostnames=True, tags={"team": "ml"})


def test_a_vpc_has_its_attributes_tags_and_what_aws_makes_with_it(cloud: Cloud, vpc: Made):
    ec2 = cloud.boto("ec2")
    (found,) = ec2.describe_vpcs(VpcIds=[vpc.id])["Vpcs"]
    assert found["CidrBlock"] == "10.50.0.0/16"
    assert tags_of(found["Tags"]) == {"team": "ml"}
    assert (
        ec2.describe_vpc_attribute(VpcId=vpc.id, Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"] is True
    )
    (group,) = ec2.describe_security_groups(GroupIds=[vpc.outputs["defaultSecurityGroupId"]])["SecurityGroups"]
    assert (group["GroupName"], group["VpcId"]) == ("default", vpc.id)
    (table,) = ec2.describe_route_tables(RouteTableIds=[vpc.outputs["mainRouteTableId"]])["RouteTables"]
    assert table["VpcId"] == vpc.id
    assert vpc.outputs["arn"] == f"arn:aws:ec2:eu-central-1:123456789012:vpc/{vpc.id}"


def test_removed_tags_are_untagged_and_changed_ones_changed(cloud: Cloud):
    role = cloud.make(ROLE, "tagged", name="values-tagged", assumeRolePolicy=TRUST, tags={"a": "1", "b": "2", "c": "3"})
    cloud.change(role, tags={"a": "1", "b": "two"})
    assert tags_of(cloud.boto("iam").list_role_tags(RoleName=role.id)["Tags"]) == {"a": "1", "b": "two"}

    bucket = cloud.make(BUCKET, "tagged", bucket="values-tagged", tags={"a": "1", "b": "2"})
    bucket = cloud.change(bucket, tags={"b": "2"})
    assert tags_of(cloud.boto("s3").get_bucket_tagging(Bucket=bucket.id)["TagSet"]) == {"b": "2"}
    cloud.change(bucket, tags=None)
    with pytest.raises(ClientError, match="TagSet"):
        cloud.boto("s3").get_bucket_tagging(Bucket=bucket.id)


def test_the_default_group_is_emptied_and_never_deleted(cloud: Cloud, vpc: Made):
    group = cloud.make("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "values", vpcId=vpc.id)
    (found,) = cloud.boto("ec2").describe_security_groups(GroupIds=[group.id])["SecurityGroups"]
    assert (found["IpPermissions"], found["IpPermissionsEgress"]) == ([], [])
    cloud.remove(group)
    assert cloud.read(group) is not None


def permissions(cloud: Cloud, group: Made, direction: str = "IpPermissions") -> list[tuple[str, int | None, list[str]]]:
    (found,) = cloud.boto("ec2").describe_security_groups(GroupIds=[group.id])["SecurityGroups"]
    return sorted(
        (p["IpProtocol"], p.get("FromPort"), sorted(r["CidrIp"] for r in p["IpRanges"])) for p in found[direction]
    )


def test_inline_rules_are_the_groups_only_rules(cloud: Cloud, vpc: Made):
    https = {"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.0.0.0/8", "10.1.0.0/16"]}
    group = cloud.make(GROUP, "inline", name="inline", description="x", vpcId=vpc.id, ingress=[https])
    assert permissions(cloud, group) == [("tcp", 443, ["10.0.0.0/8", "10.1.0.0/16"])]
    assert permissions(cloud, group, "IpPermissionsEgress") == [], "AWS's default egress goes"

    everything = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}
    group = cloud.change(group, ingress=[https | {"cidrBlocks": ["10.1.0.0/16"]}], egress=[everything])
    assert permissions(cloud, group) == [("tcp", 443, ["10.1.0.0/16"])]
    assert permissions(cloud, group, "IpPermissionsEgress") == [("-1", None, ["0.0.0.0/0"])]

    cloud.change(group, ingress=None, egress=None)
    assert permissions(cloud, group) == permissions(cloud, group, "IpPermissionsEgress") == []


def test_a_group_with_inline_egress_to_everywhere_keeps_it(cloud: Cloud, vpc: Made):
    everything = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}
    group = cloud.make(GROUP, "open", name="open", description="x", vpcId=vpc.id, egress=[everything])
    assert permissions(cloud, group, "IpPermissionsEgress") == [("-1", None, ["0.0.0.0/0"])]


def routes(cloud: Cloud, table: Made) -> dict[str, str]:
    (found,) = cloud.boto("ec2").describe_route_tables(RouteTableIds=[table.id])["RouteTables"]
    return {r["DestinationCidrBlock"]: r.get("NatGatewayId") or r["GatewayId"] for r in found["Routes"]}


def test_inline_routes_follow_their_list(cloud: Cloud, vpc: Made):
    gateway = cloud.make("aws:ec2/internetGateway:InternetGateway", "values", vpcId=vpc.id)
    subnet = cloud.make(SUBNET, "nat", vpcId=vpc.id, cidrBlock="10.50.1.0/24")
    nat = cloud.make("aws:ec2/natGateway:NatGateway", "values", subnetId=subnet.id, connectivityType="private")
    table = cloud.make(
        "aws:ec2/routeTable:RouteTable",
        "values",
        vpcId=vpc.id,
        routes=[
            {"cidrBlock": "0.0.0.0/0", "gatewayId": gateway.id},
            {"cidrBlock": "192.168.0.0/16", "natGatewayId": nat.id},
        ],
    )
    assert routes(cloud, table) == {"10.50.0.0/16": "local", "0.0.0.0/0": gateway.id, "192.168.0.0/16": nat.id}
    cloud.change(table, routes=[{"cidrBlock": "0.0.0.0/0", "natGatewayId": nat.id}])
    assert routes(cloud, table) == {"10.50.0.0/16": "local", "0.0.0.0/0": nat.id}


def test_a_moved_association_has_its_new_id(cloud: Cloud, vpc: Made):
    subnet = cloud.make(SUBNET, "moved", vpcId=vpc.id, cidrBlock="10.50.2.0/24")
    tables = [cloud.make("aws:ec2/routeTable:RouteTable", f"moved-{n}", vpcId=vpc.id) for n in range(2)]
    association = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    first = cloud.make(association, "moved", routeTableId=tables[0].id, subnetId=subnet.id)
    second = cloud.change(first, routeTableId=tables[1].id)
    assert second.id != first.id
    (found,) = cloud.boto("ec2").describe_route_tables(RouteTableIds=[tables[1].id])["RouteTables"]
    assert [a["RouteTableAssociationId"] for a in found["Associations"]] == [second.id]


def test_a_flow_log_writes_all_traffic_of_the_vpc_to_its_group(cloud: Cloud, vpc: Made):
    group = cloud.make(LOG_GROUP, "flow", name="/values/flow", retentionInDays=365)
    role = cloud.make(ROLE, "flow", name="values-flow", assumeRolePolicy=TRUST)
    log = cloud.make(
        "aws:ec2/flowLog:FlowLog",
        "values",
        vpcId=vpc.id,
        trafficType="ALL",
        logDestination=group.outputs["arn"],
        iamRoleArn=role.outputs["arn"],
    )
    (found,) = cloud.boto("ec2").describe_flow_logs(FlowLogIds=[log.id])["FlowLogs"]
    assert (found["ResourceId"], found["TrafficType"]) == (vpc.id, "ALL")
    (listed,) = cloud.boto("logs").describe_log_groups(logGroupNamePrefix="/values/flow")["logGroups"]
    assert listed["retentionInDays"] == 365
    assert group.outputs["arn"] == listed["arn"].removesuffix(":*"), "the provider's form has no suffix"


def test_retention_for_ever_removes_the_policy(cloud: Cloud):
    group = cloud.make(LOG_GROUP, "for-ever", name="/values/for-ever", retentionInDays=30)
    cloud.change(group, retentionInDays=0)
    (listed,) = cloud.boto("logs").describe_log_groups(logGroupNamePrefix="/values/for-ever")["logGroups"]
    assert "retentionInDays" not in listed


def test_a_key_rotates_carries_its_policy_and_is_scheduled_for_deletion(cloud: Cloud):
    administer = {
        "Effect": "Allow",
        "Action": "kms:*",
        "Resource": "*",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    }
    key = cloud.make(
        KEY, "values", description="data", enableKeyRotation=True, deletionWindowInDays=7, policy=policy(administer)
    )
    kms = cloud.boto("kms")
    assert kms.get_key_rotation_status(KeyId=key.id)["KeyRotationEnabled"] is True
    assert json.loads(kms.get_key_policy(KeyId=key.id, PolicyName="default")["Policy"]) == json.loads(
        policy(administer)
    )
    cloud.change(key, enableKeyRotation=False)
    assert kms.get_key_rotation_status(KeyId=key.id)["KeyRotationEnabled"] is False
    cloud.remove(key)
    found = kms.describe_key(KeyId=key.id)["KeyMetadata"]
    assert found["KeyState"] == "PendingDeletion"
    assert cloud.read(key) is None


def test_roles_policies_and_profiles_are_connected(cloud: Cloud):
    role = cloud.make(ROLE, "node", name="values-node", assumeRolePolicy=json.loads(TRUST), maxSessionDuration=7200)
    own = cloud.make("aws:iam/policy:Policy", "node", name="values-node", policy=READ_ANYTHING)
    cloud.make("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "node", role=role.id, policyArn=own.id)
    cloud.make("aws:iam/rolePolicy:RolePolicy", "node", role=role.id, name="inline", policy=READ_ANYTHING)
    cloud.make("aws:iam/instanceProfile:InstanceProfile", "node", name="values-node", role=role.id)
    iam = cloud.boto("iam")
    found = iam.get_role(RoleName="values-node")["Role"]
    assert (found["MaxSessionDuration"], found["AssumeRolePolicyDocument"]) == (7200, json.loads(TRUST))
    assert [p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName=role.id)["AttachedPolicies"]] == [own.id]
    assert iam.get_role_policy(RoleName=role.id, PolicyName="inline")["PolicyDocument"] == json.loads(READ_ANYTHING)
    assert [
        r["RoleName"] for r in iam.get_instance_profile(InstanceProfileName="values-node")["InstanceProfile"]["Roles"]
    ] == [role.id]
    assert isinstance(role.outputs["assumeRolePolicy"], str), "the SDK asserts text"


def test_a_policy_can_be_changed_more_often_than_it_has_versions(cloud: Cloud):
    made = cloud.make("aws:iam/policy:Policy", "versions", name="values-versions", policy=READ_ANYTHING)
    for number in range(6):
        made = cloud.change(made, policy=READ_ANYTHING.replace("GetObject", f"GetObject{number}"))
    iam = cloud.boto("iam")
    versions = iam.list_policy_versions(PolicyArn=made.id)["Versions"]
    (current,) = [version["VersionId"] for version in versions if version["IsDefaultVersion"]]
    document = iam.get_policy_version(PolicyArn=made.id, VersionId=current)["PolicyVersion"]["Document"]
    assert (len(versions), document["Statement"][0]["Action"]) == (5, "s3:GetObject5")
    cloud.remove(made)
    assert cloud.read(made) is None


def test_a_clusters_endpoint_and_certificate_are_the_local_stores(cloud: Cloud):
    vpc = cloud.make(VPC, "cluster", cidrBlock="10.51.0.0/16")
    subnets = [cloud.make(SUBNET, f"cluster-{n}", vpcId=vpc.id, cidrBlock=f"10.51.{n}.0/24").id for n in range(2)]
    role = cloud.make(ROLE, "cluster", name="values-cluster", assumeRolePolicy=TRUST)
    cluster = cloud.make(
        "aws:eks/cluster:Cluster",
        "values",
        name="values",
        roleArn=role.outputs["arn"],
        version="1.35",
        vpcConfig={"subnetIds": subnets, "endpointPublicAccess": False},
        enabledClusterLogTypes=["api", "audit"],
        tags={"team": "ml"},
    )
    assert cluster.outputs["endpoint"] == "https://127.0.0.1:6443"
    assert cluster.outputs["certificateAuthority"] == {"data": "Y2VydA=="}
    assert cluster.outputs["vpcConfig"]["clusterSecurityGroupId"].startswith("sg-")
    found = cloud.boto("eks").describe_cluster(name="values")["cluster"]
    assert found["version"] == "1.35"
    assert found["tags"] == {"team": "ml"}
    assert {"types": ["api", "audit"], "enabled": True} in found["logging"]["clusterLogging"]


def test_what_aws_refuses_is_told_with_the_call_and_the_input(cloud: Cloud):
    with pytest.raises(ProviderError) as caught:
        cloud.make(VPC, "too-big", cidrBlock="10.0.0.0/4")
    text = str(caught.value)
    assert text.startswith(f"too-big ({VPC}): AWS refused CreateVpc (ec2, eu-central-1): InvalidVpc.Range")
    assert "cidrBlock = '10.0.0.0/4'" in text


def test_a_create_whose_second_call_fails_leaves_nothing_behind(cloud: Cloud):
    type_ = "aws:iam/instanceProfile:InstanceProfile"
    with pytest.raises(ProviderError, match="AddRoleToInstanceProfile"):
        cloud.make(type_, "half", name="values-half", role="nobody")
    assert cloud.provider.read(type_, urn_of(type_, "half"), "values-half", {"name": "values-half"}, {}) is None


def test_many_creates_at_once_do_not_disturb_each_other(cloud: Cloud):
    def create(number: int) -> Made:
        return cloud.make(ROLE, f"parallel-{number}", name=f"values-parallel-{number}", assumeRolePolicy=TRUST)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        made = list(pool.map(create, range(48)))
    assert [role.id for role in made] == [f"values-parallel-{number}" for number in range(48)]
    assert all(cloud.read(role) == role.outputs for role in made)
