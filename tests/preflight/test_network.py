"""Zones, and an adopted VPC: each fact of the settings that is not true is told."""

from dataclasses import replace

import pytest

from stackyard.preflight.checks import network
from stackyard.preflight.checks.network import LiveSubnet, LiveVpc, ZoneFacts
from stackyard.preflight.finding import Level
from tests.preflight.targets import ADOPTED, SUBNETS, VPC, Script, failures, only, pool, target

ZONES = {f"us-east-1{letter}": ZoneFacts(f"use1-az{number}", "available") for number, letter in enumerate("abcd", 1)}


def test_zones_that_are_there_pass_with_their_ids():
    found = only(network.judge_zones(ZONES | {"us-east-1c": ZoneFacts("use1-az9", "available")}, target()))
    assert found.level is Level.PASS and "us-east-1a (use1-az1)" in found.sentence


def test_a_zone_that_the_account_does_not_have_fails_with_those_that_it_has():
    asked = target({"network.zones": ["us-east-1a", "us-east-1f"]})
    found = only(network.judge_zones(ZONES, asked))
    assert found.level is Level.FAIL and "no zone us-east-1f" in found.sentence
    assert "us-east-1a, us-east-1b, us-east-1d" in found.remedy, "those without EKS are not offered"


def test_a_zone_that_is_impaired_or_without_eks_fails():
    down = ZONES | {"us-east-1a": ZoneFacts("use1-az1", "unavailable")}
    assert "the zone us-east-1a is unavailable" in only(network.judge_zones(down, target())).sentence
    asked = target({"network.zones": ["us-east-1a", "us-east-1c"]})
    assert "EKS makes no cluster in us-east-1c (use1-az3)" in only(network.judge_zones(ZONES, asked)).sentence


def test_the_zone_of_a_pool_is_looked_at_as_well():
    asked = target({"nodePools[1]": pool(zones=["us-east-1b"])})
    gone = {name: zone for name, zone in ZONES.items() if name != "us-east-1b"}
    assert len(failures(network.judge_zones(gone, asked))) == 1


def test_local_zones_are_no_zones_of_the_region():
    def zone(name, kind):
        return {"ZoneName": name, "ZoneId": name, "State": "available", "ZoneType": kind}

    zones = [zone("us-east-1a", "availability-zone"), zone("us-east-1-bos-1a", "local-zone")]
    account = Script().answer("ec2", "describe_availability_zones", {"AvailabilityZones": zones}).account()
    assert list(network.fetch_zones(account, target())) == ["us-east-1a"]


LIVE = LiveVpc(
    cidrs=("10.20.0.0/16",),
    dns={"enableDnsSupport": True, "enableDnsHostnames": True},
    subnets={
        str(s["id"]): LiveSubnet(VPC, str(s["zone"]), str(s["cidr"]), bool(s.get("public")), routed_out=True)
        for s in SUBNETS
    },
)


def changed(index: int, **values) -> LiveVpc:
    subnets = dict(LIVE.subnets)
    name = str(SUBNETS[index]["id"])
    subnets[name] = replace(subnets[name], **values)
    return replace(LIVE, subnets=subnets)


def test_a_vpc_that_is_as_the_settings_say_passes():
    found = only(network.judge_vpc(LIVE, target(ADOPTED)))
    assert found.level is Level.PASS and "3 subnets" in found.sentence


@pytest.mark.parametrize(
    ("live", "sentence"),
    [
        (None, f"no VPC {VPC}"),
        (replace(LIVE, cidrs=("10.9.0.0/16",)), "has 10.9.0.0/16, not 10.20.0.0/16"),
        (replace(LIVE, subnets={}), "there is no subnet subnet-0123456789abcdef0"),
        (changed(0, zone="us-east-1c"), "zone of subnet-0123456789abcdef0 is us-east-1c, not us-east-1a"),
        (changed(0, cidr="10.20.64.0/20"), "cidr of subnet-0123456789abcdef0 is 10.20.64.0/20"),
        (changed(0, vpc_id="vpc-9"), "vpc of subnet-0123456789abcdef0 is vpc-9"),
        (changed(0, public=True), "is public by its routes"),
        (changed(2, public=False), "is private by its routes"),
        (changed(1, routed_out=False), "subnet-0123456789abcdef1 has no way out"),
        (replace(LIVE, dns={**LIVE.dns, "enableDnsHostnames": False}), "enableDnsHostnames is off"),
    ],
)
def test_a_fact_about_the_vpc_that_is_not_true_fails(live, sentence):
    found = failures(network.judge_vpc(live, target(ADOPTED)))
    assert any(sentence in failure for failure in found), found


def test_dns_that_is_off_comes_with_the_command():
    off = replace(LIVE, dns={**LIVE.dns, "enableDnsSupport": False})
    assert "--enable-dns-support" in only(network.judge_vpc(off, target(ADOPTED))).command


def route(**target_of) -> dict:
    return {"DestinationCidrBlock": "0.0.0.0/0", "State": "active", **target_of}


LOCAL = {"DestinationCidrBlock": "10.20.0.0/16", "GatewayId": "local", "State": "active"}


def live_vpc(main_routes, own_routes) -> LiveVpc | None:
    def subnet(stated):
        return {
            "SubnetId": stated["id"],
            "VpcId": VPC,
            "AvailabilityZone": stated["zone"],
            "CidrBlock": stated["cidr"],
        }

    tables = [
        {"Associations": [{"Main": True}], "Routes": [LOCAL, *main_routes]},
        {"Associations": [{"SubnetId": SUBNETS[0]["id"]}], "Routes": [LOCAL, *own_routes]},
    ]
    vpc = {"VpcId": VPC, "CidrBlockAssociationSet": [{"CidrBlock": "10.20.0.0/16"}]}
    script = (
        Script()
        .answer("ec2", "describe_vpcs", {"Vpcs": [vpc]})
        .answer("ec2", "describe_vpc_attribute", {"EnableDnsSupport": {"Value": True}})
        .answer("ec2", "describe_vpc_attribute", {"EnableDnsHostnames": {"Value": False}})
        .answer("ec2", "describe_route_tables", {"RouteTables": tables})
        .answer("ec2", "describe_subnets", {"Subnets": [subnet(stated) for stated in SUBNETS]})
    )
    return network.fetch_vpc(script.account(), target(ADOPTED))


def test_public_or_private_is_read_from_the_routes_of_each_subnet():
    live = live_vpc([route(GatewayId="igw-1")], [route(NatGatewayId="nat-1")])
    assert live and live.dns == {"enableDnsSupport": True, "enableDnsHostnames": False}
    own, main = (live.subnets[str(SUBNETS[index]["id"])] for index in (0, 1))
    assert (own.public, own.routed_out) == (False, True)
    assert (main.public, main.routed_out) == (True, True), "without a table of its own, the main one counts"


@pytest.mark.parametrize("routes", [[], [route(GatewayId="vpce-1")], [route(NatGatewayId="n", State="blackhole")]])
def test_a_gateway_endpoint_or_a_dead_route_is_no_way_out(routes):
    live = live_vpc([], routes)
    assert live and not live.subnets[str(SUBNETS[0]["id"])].routed_out


def test_without_an_adopted_vpc_there_is_nothing_to_look_at():
    (check,) = [check for check in network.CHECKS if check.name == "existing VPC"]
    assert "a new one is made" in check.skip(target()) and check.skip(target(ADOPTED)) == ""
