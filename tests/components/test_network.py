"""The VPC: what is created for how many zones, what is open, and what is recorded."""

import json

import pytest

from components.aws_location import AwsLocation
from components.endpoint_services import EndpointSet, s3_endpoint_policy, services_of
from components.existing_vpc import ExistingSubnet, ExistingVpc
from components.network import NatMode, Network, NetworkArgs
from components.retention import Retention, RetentionMode

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")
ANYWHERE = "0.0.0.0/0"


def network(**args):
    defaults = {"location": LOCATION, "stem": "acme-dev", "cidr": "10.20.0.0/16", "zones": ZONES, "nat": NatMode.SINGLE}
    return Network("net", NetworkArgs(**(defaults | args)))


def document(resource, key="policy"):
    return json.loads(resource.inputs[key])["Statement"]


def count(deployment, type_):
    return len(deployment.of_type(type_))


@pytest.mark.parametrize("zones", [2, 3])
@pytest.mark.parametrize("nat", NatMode)
def test_every_zone_has_a_public_and_a_private_subnet(capture, zones, nat):
    deployment = capture(network, zones=ZONES[:zones], nat=nat)
    expected = {f"net-{tier}-{zone}" for tier in ("public", "private") for zone in ZONES[:zones]}
    assert deployment.names("aws:ec2/subnet:Subnet") == expected
    assert count(deployment, "aws:ec2/routeTable:RouteTable") == 1 + zones
    assert count(deployment, "aws:ec2/routeTableAssociation:RouteTableAssociation") == 2 * zones


def test_no_subnet_gives_an_instance_a_public_address(capture):
    assert {subnet.inputs["mapPublicIpOnLaunch"] for subnet in capture(network).of_type("aws:ec2/subnet:Subnet")} == {
        False
    }


def test_load_balancers_find_their_subnets(capture):
    deployment = capture(network)
    for zone in ZONES:
        public, private = deployment.named(f"net-public-{zone}"), deployment.named(f"net-private-{zone}")
        assert public.inputs["tags"]["kubernetes.io/role/elb"] == "1"
        assert private.inputs["tags"]["kubernetes.io/role/internal-elb"] == "1"
        assert "kubernetes.io/role/elb" not in private.inputs["tags"], "internal load balancers stay internal"


def test_one_nat_gateway_serves_all_zones_by_default_mode_single(capture):
    deployment = capture(network, nat=NatMode.SINGLE)
    nat = deployment.only("aws:ec2/natGateway:NatGateway")
    assert nat.name == "net-nat-eu-central-1a"
    assert nat.inputs["subnetId"] == deployment.named("net-public-eu-central-1a").id, "NAT stands in a public subnet"
    assert {deployment.named(f"net-private-routes-{zone}-out").inputs["natGatewayId"] for zone in ZONES} == {nat.id}


def test_with_a_nat_gateway_a_zone_no_traffic_crosses_zones_to_get_out(capture):
    deployment = capture(network, nat=NatMode.PER_ZONE)
    assert count(deployment, "aws:ec2/eip:Eip") == count(deployment, "aws:ec2/natGateway:NatGateway") == 3
    for zone in ZONES:
        out = deployment.named(f"net-private-routes-{zone}-out")
        assert out.inputs["natGatewayId"] == deployment.named(f"net-nat-{zone}").id


def test_changing_the_nat_mode_keeps_every_route_table_and_subnet(capture):
    single, per_zone = capture(network, nat=NatMode.SINGLE), capture(network, nat=NatMode.PER_ZONE)
    added = {resource.urn for resource in per_zone} - {resource.urn for resource in single}
    assert {urn.split("::")[-1] for urn in added} == {
        f"net-{noun}-{zone}" for noun in ("nat", "nat-address") for zone in ZONES[1:]
    }
    assert not {resource.urn for resource in single} - {resource.urn for resource in per_zone}


def test_nat_gateways_and_addresses_go_before_the_internet_gateway_on_destroy(capture):
    deployment = capture(network)
    gateway = deployment.only("aws:ec2/internetGateway:InternetGateway").urn
    for type_ in ("aws:ec2/natGateway:NatGateway", "aws:ec2/eip:Eip"):
        assert gateway in deployment.only(type_).dependencies


def test_only_public_subnets_are_routed_to_the_internet(capture):
    deployment = capture(network)
    gateway = deployment.only("aws:ec2/internetGateway:InternetGateway")
    routed = [route for route in deployment.of_type("aws:ec2/route:Route") if route.inputs.get("gatewayId")]
    assert [(route.name, route.inputs["gatewayId"]) for route in routed] == [("net-public-routes-out", gateway.id)]
    table = deployment.named("net-public-routes").id
    public_ids = {deployment.named(f"net-public-{zone}").id for zone in ZONES}
    associations = deployment.of_type("aws:ec2/routeTableAssociation:RouteTableAssociation")
    assert {a.inputs["subnetId"] for a in associations if a.inputs["routeTableId"] == table} == public_ids


def test_the_default_security_group_has_no_rule(capture):
    group = capture(network).only("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    assert not {"ingress", "egress"} & set(group.inputs)


def test_no_security_group_or_network_acl_opens_a_port(capture):
    deployment = capture(network)
    opening = ("aws:ec2/securityGroup:", "aws:vpc/securityGroup", "aws:ec2/networkAcl", "aws:ec2/defaultNetworkAcl")
    assert not [resource.name for resource in deployment if resource.type.startswith(opening)]


def test_the_s3_endpoint_serves_every_subnet(capture):
    deployment = capture(network)
    endpoint = deployment.only("aws:ec2/vpcEndpoint:VpcEndpoint")
    assert endpoint.inputs["vpcEndpointType"] == "Gateway"
    assert endpoint.inputs["serviceName"] == "com.amazonaws.eu-central-1.s3"
    assert set(endpoint.inputs["routeTableIds"]) == {t.id for t in deployment.of_type("aws:ec2/routeTable:RouteTable")}


def test_data_leaves_through_the_endpoint_to_this_accounts_buckets_alone(capture):
    own, outside = document(capture(network).only("aws:ec2/vpcEndpoint:VpcEndpoint"))
    assert own["Condition"] == {
        "StringEquals": {"aws:PrincipalAccount": "123456789012", "aws:ResourceAccount": "123456789012"}
    }
    assert outside["Action"] == ["s3:GetObject", "s3:ListBucket"], "outside buckets are read, never written"
    assert outside["Resource"] == [
        "arn:aws:s3:::prod-eu-central-1-starport-layer-bucket",
        "arn:aws:s3:::prod-eu-central-1-starport-layer-bucket/*",
    ]


def test_open_data_is_readable_when_it_is_named(capture):
    _, outside = document(capture(network, outside_buckets=["noaa-ghcn-pds"]).only("aws:ec2/vpcEndpoint:VpcEndpoint"))
    assert outside["Resource"][2:] == ["arn:aws:s3:::noaa-ghcn-pds", "arn:aws:s3:::noaa-ghcn-pds/*"]


def test_all_traffic_is_recorded_in_an_encrypted_log_group_with_a_retention(capture):
    deployment = capture(network, flow_log_retention_days=30)
    flow_log = deployment.only("aws:ec2/flowLog:FlowLog")
    group, key = deployment.only("aws:cloudwatch/logGroup:LogGroup"), deployment.only("aws:kms/key:Key")
    assert flow_log.inputs["trafficType"] == "ALL"
    assert flow_log.inputs["vpcId"] == deployment.only("aws:ec2/vpc:Vpc").id
    assert flow_log.inputs["logDestination"] == group.outputs["arn"]
    assert group.inputs["name"] == "/stackyard/acme-dev/flow-logs"
    assert group.inputs["kmsKeyId"] == key.outputs["arn"]
    assert group.inputs["retentionInDays"] == 30


def test_the_flow_logs_role_is_for_flow_logs_of_this_account_and_writes_to_their_group_only(capture):
    deployment = capture(network, permissions_boundary="arn:aws:iam::123456789012:policy/boundary")
    role, group = deployment.only("aws:iam/role:Role"), deployment.only("aws:cloudwatch/logGroup:LogGroup")
    (trust,) = document(role, "assumeRolePolicy")
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:ec2:eu-central-1:123456789012:vpc-flow-log/*"},
    }
    assert role.inputs["maxSessionDuration"] == 3600
    assert role.inputs["permissionsBoundary"] == "arn:aws:iam::123456789012:policy/boundary"
    write, find = document(deployment.only("aws:iam/rolePolicy:RolePolicy"))
    assert write["Resource"] == [group.outputs["arn"], f"{group.outputs['arn']}:*"]
    assert (find["Action"], find["Resource"]) == ("logs:DescribeLogGroups", "*"), "AWS knows no resource for it"
    assert role.inputs["name"] == "acme-dev-net-flow-log-role", "by its name CI knows whose it is"


def test_the_record_and_its_key_survive_a_destroy(capture):
    kept = {resource.name for resource in capture(network) if resource.protect and resource.retain_on_delete}
    assert kept == {"net-flow-log-group", "net-flow-log-key"}


def test_a_loosened_retention_is_shown_on_what_it_loosens(capture):
    deployment = capture(network, retention=Retention(mode=RetentionMode.DISPOSABLE, reason="local emulator"))
    assert not [resource.name for resource in deployment if resource.protect or resource.retain_on_delete]
    loosened = {r.name for r in deployment if "stackyard:loosened" in r.inputs.get("tags", {})}
    assert loosened == {"net-flow-log-group", "net-flow-log-key"}


def test_everything_that_can_be_tagged_names_its_component(capture):
    untagged = {
        resource.type.split(":")[-1]
        for resource in capture(network)
        if resource.custom and not resource.is_provider and resource.inputs.get("tags", {}).get("component") != "net"
    }
    assert untagged == {"Route", "RouteTableAssociation", "RolePolicy"}, "these types carry no tags"


def test_outputs_are_the_ids_in_the_order_of_the_zones(capture):
    deployment = capture(network)
    outputs = deployment.only("stackyard:index:Network").outputs
    assert outputs == {
        "vpcId": deployment.only("aws:ec2/vpc:Vpc").id,
        "cidr": "10.20.0.0/16",
        "publicSubnetIds": [deployment.named(f"net-public-{zone}").id for zone in ZONES],
        "privateSubnetIds": [deployment.named(f"net-private-{zone}").id for zone in ZONES],
    }


def test_children_have_the_component_as_parent(capture):
    deployment = capture(network)
    component = deployment.only("stackyard:index:Network")
    assert {r.parent for r in deployment if r.custom and not r.is_provider} == {component.urn}


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"zones": ("us-east-1a", "eu-central-1b")}, "us-east-1a are not in region eu-central-1"),
        ({"zones": ("eu-central-1a",)}, "1 availability zones"),
        ({"cidr": "10.20.0.0/24"}, "too small"),
        ({"flow_log_retention_days": 17}, "use 30"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_registered(capture, args, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(network, **args)


def test_the_endpoint_policy_does_not_depend_on_the_order_of_names(capture):
    policies = []
    capture(lambda: [s3_endpoint_policy(LOCATION, names).apply(policies.append) for names in (["a", "b"], ["b", "a"])])
    assert len(policies) == 2
    assert policies[0] == policies[1]


EXISTING = ExistingVpc(
    vpc_id="vpc-0123456789abcdef0",
    cidr="10.30.0.0/16",
    subnets=(
        ExistingSubnet(id="subnet-b", zone="eu-central-1b", cidr="10.30.16.0/20"),
        ExistingSubnet(id="subnet-a", zone="eu-central-1a", cidr="10.30.0.0/20"),
        ExistingSubnet(id="subnet-a2", zone="eu-central-1a", cidr="10.30.32.0/20"),
        ExistingSubnet(id="subnet-public", zone="eu-central-1a", cidr="10.30.48.0/20", public=True),
    ),
)


def adopted(**args):
    defaults = {"location": LOCATION, "stem": "acme-dev", "existing": EXISTING, "flow_log_retention_days": None}
    return Network("net", NetworkArgs(**(defaults | args)))


def interface(deployment):
    endpoints = deployment.of_type("aws:ec2/vpcEndpoint:VpcEndpoint")
    return [endpoint for endpoint in endpoints if endpoint.inputs["vpcEndpointType"] == "Interface"]


# Control 40


@pytest.mark.parametrize("endpoints", EndpointSet)
def test_every_service_of_the_set_has_one_endpoint(capture, endpoints):
    deployment = capture(network, endpoints=endpoints)
    names = {f"com.amazonaws.eu-central-1.{service.name}" for service in services_of(endpoints)}
    assert {endpoint.inputs["serviceName"] for endpoint in interface(deployment)} == names
    assert len(interface(deployment)) == len(names)


def test_interface_endpoints_stand_in_every_private_subnet_and_answer_to_the_services_usual_name(capture):
    deployment = capture(network, endpoints=EndpointSet.ALL)
    private = [deployment.named(f"net-private-{zone}").id for zone in ZONES]
    for endpoint in interface(deployment):
        assert endpoint.inputs["subnetIds"] == private
        assert endpoint.inputs["privateDnsEnabled"] is True
        assert endpoint.inputs["securityGroupIds"] == [deployment.named("net-endpoints").id]


def test_endpoints_are_reached_from_the_vpc_on_port_443_alone(capture):
    deployment = capture(network, endpoints=EndpointSet.STANDARD)
    assert not {"ingress", "egress"} & set(deployment.named("net-endpoints").inputs), "no way out, no inline rule"
    rule = deployment.only("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    keys = ("cidrIpv4", "ipProtocol", "fromPort", "toPort")
    assert {key: rule.inputs[key] for key in keys} == {
        "cidrIpv4": "10.20.0.0/16",
        "ipProtocol": "tcp",
        "fromPort": 443,
        "toPort": 443,
    }


def test_only_this_account_and_its_resources_pass_an_interface_endpoint(capture):
    for endpoint in interface(capture(network, endpoints=EndpointSet.ALL)):
        own, *exceptions = document(endpoint)
        assert own["Condition"] == {
            "StringEquals": {"aws:PrincipalAccount": "123456789012", "aws:ResourceAccount": "123456789012"}
        }, endpoint.name
        for exception in exceptions:
            keys = set(exception["Condition"]["StringEquals"])
            assert keys & {"aws:PrincipalAccount", "aws:ResourceAccount"}, f"{endpoint.name}: {exception['Sid']}"


def test_more_endpoints_change_nothing_that_was_there(capture):
    few, many = capture(network), capture(network, endpoints=EndpointSet.ALL)
    after = {resource.urn: resource.inputs for resource in many}
    assert [r.name for r in few if after.get(r.urn) != r.inputs] == []


# A range for pods


def test_pods_get_a_subnet_of_their_own_in_every_zone_once_the_range_is_there(capture):
    deployment = capture(network, pod_cidr="100.64.0.0/16", endpoints=EndpointSet.STANDARD)
    block = deployment.only("aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation")
    assert block.inputs == {"vpcId": deployment.only("aws:ec2/vpc:Vpc").id, "cidrBlock": "100.64.0.0/16"}
    for zone, cidr in zip(ZONES, ("100.64.0.0/18", "100.64.64.0/18", "100.64.128.0/18"), strict=True):
        subnet = deployment.named(f"net-pod-{zone}")
        assert subnet.inputs["cidrBlock"] == cidr
        assert subnet.inputs["tags"]["kubernetes.io/role/cni"] == "1", "how the CNI finds it"
        assert subnet.inputs["mapPublicIpOnLaunch"] is False
        assert block.urn in subnet.dependencies
        association = deployment.named(f"net-pod-{zone}-association")
        assert association.inputs["routeTableId"] == deployment.named(f"net-private-routes-{zone}").id
    reached_from = deployment.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert {rule.inputs["cidrIpv4"] for rule in reached_from} == {"10.20.0.0/16", "100.64.0.0/16"}


def test_a_pod_range_changes_nothing_that_was_there(capture):
    without, beside = capture(network), capture(network, pod_cidr="100.64.0.0/16")
    after = {resource.urn: resource.inputs for resource in beside}
    assert [r.name for r in without if after.get(r.urn) != r.inputs] == []


# An existing VPC


def test_in_an_existing_vpc_nothing_is_made_and_its_ids_are_handed_on(capture):
    deployment = capture(adopted)
    assert [r.name for r in deployment if r.custom and not r.is_provider] == []
    assert deployment.only("stackyard:index:Network").outputs == {
        "vpcId": "vpc-0123456789abcdef0",
        "cidr": "10.30.0.0/16",
        "publicSubnetIds": ["subnet-public"],
        "privateSubnetIds": ["subnet-a", "subnet-a2", "subnet-b"],
    }


def test_endpoints_and_flow_logs_are_added_to_an_existing_vpc_when_asked_for(capture):
    deployment = capture(adopted, endpoints=EndpointSet.STANDARD, flow_log_retention_days=30)
    assert len(interface(deployment)) == count(deployment, "aws:ec2/vpcEndpoint:VpcEndpoint") == 5
    assert {tuple(e.inputs["subnetIds"]) for e in interface(deployment)} == {("subnet-a", "subnet-b")}, "one a zone"
    assert deployment.only("aws:ec2/flowLog:FlowLog").inputs["vpcId"] == "vpc-0123456789abcdef0"
    rule = deployment.only("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert rule.inputs["cidrIpv4"] == "10.30.0.0/16"
    made = ("aws:ec2/vpc:", "aws:ec2/subnet:", "aws:ec2/natGateway:", "aws:ec2/route", "aws:ec2/defaultSecurityGroup")
    assert not [r.name for r in deployment if r.type.startswith(made)], "they are their owner's"


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"cidr": "10.20.0.0/16"}, "cidr cannot be given with existing"),
        ({"nat": NatMode.SINGLE}, "nat cannot be given with existing"),
        ({"pod_cidr": "100.64.0.0/16"}, "pod_cidr cannot be given with existing"),
        ({"outside_buckets": ("noaa-ghcn-pds",)}, "outside_buckets cannot be given with existing"),
        ({"existing": None}, "a new VPC records its traffic"),
        ({"existing": None, "flow_log_retention_days": 30}, "a new VPC needs cidr, zones and nat"),
        ({"location": AwsLocation(account_id="123456789012", region="eu-west-1")}, "are not in region eu-west-1"),
    ],
)
def test_a_network_is_new_or_existing_and_not_half_of_each(capture, args, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(adopted, **args)


def test_endpoints_that_china_names_otherwise_are_refused(capture):
    china = AwsLocation(account_id="123456789012", region="cn-north-1", partition="aws-cn")
    with pytest.raises(ValueError, match="China names its endpoint services differently"):
        capture(network, location=china, zones=("cn-north-1a", "cn-north-1b"), endpoints=EndpointSet.STANDARD)
