"""Quotas of things that are counted: the number to ask for is what others have and what we need."""

from dataclasses import replace

import pytest

from stackyard.preflight.checks import quotas
from stackyard.preflight.finding import Level, Unanswered
from stackyard.preflight.quota import Limit, Quota, judge_limit, read_quota
from tests.preflight.targets import ADOPTED, Script, target

QUOTA = Quota(name="Things", service="vpc", code="L-F678F1CE")
OURS = [{"Key": "environment", "Value": "dev"}, {"Key": "managed-by", "Value": "stackyard"}]
OTHERS = [{"Key": "environment", "Value": "staging"}, {"Key": "managed-by", "Value": "stackyard"}]


def limit(**values) -> Limit:
    return replace(Limit(quota=QUOTA, allowed=5.0, used=4, needed=1), **values)


def test_room_passes_and_one_too_many_fails_with_the_number_to_ask_for():
    assert judge_limit(limit(), target()).level is Level.PASS
    found = judge_limit(limit(needed=2), target())
    assert found.level is Level.FAIL and found.sentence == "Things: needs 2, 4 taken already, quota 5"
    assert found.command == (
        "aws service-quotas request-service-quota-increase --service-code vpc --quota-code L-F678F1CE "
        "--desired-value 6 --region us-east-1"
    )


def test_a_quota_that_nobody_tells_is_unknown_with_what_is_needed():
    found = judge_limit(limit(allowed=Unanswered("forbidden", "ask")), target())
    assert (found.level, found.sentence, found.remedy) == (
        Level.UNKNOWN,
        "Things: needs 1, 4 taken already: forbidden",
        "ask",
    )


def test_a_quota_that_was_never_applied_has_awss_default():
    script = (
        Script()
        .refuse("service-quotas", "get_service_quota", "NoSuchResourceException")
        .answer(
            "service-quotas",
            "get_aws_default_service_quota",
            {"Quota": {"Value": 5.0}},
            {"ServiceCode": "vpc", "QuotaCode": QUOTA.code},
        )
    )
    assert read_quota(script.account(), QUOTA) == 5.0
    applied = Script().answer("service-quotas", "get_service_quota", {"Quota": {"Value": 9.0}})
    assert read_quota(applied.account(), QUOTA) == 9.0


def test_a_quota_that_may_not_be_read_or_is_not_known_is_no_number():
    denied = Script().refuse("service-quotas", "get_service_quota", "AccessDeniedException").account()
    assert "servicequotas:GetServiceQuota is missing" in str(read_quota(denied, QUOTA))
    absent = Script()
    for method in ("get_service_quota", "get_aws_default_service_quota"):
        absent.refuse("service-quotas", method, "NoSuchResourceException")
    assert "knows no quota L-F678F1CE" in str(read_quota(absent.account(), QUOTA))
    emulated = Script().refuse("service-quotas", "get_service_quota", "NoSuchResourceException")
    assert "the emulator does not know" in str(read_quota(emulated.account(emulated=True), QUOTA))


def script_of(*, vpcs=(), addresses=(), gateways=(), allowed=5.0, quota_calls=9) -> Script:
    subnets = [{"SubnetId": f"s-{letter}", "AvailabilityZone": f"us-east-1{letter}"} for letter in "ab"]
    script = (
        Script()
        .answer("ec2", "describe_vpcs", {"Vpcs": [{"VpcId": "v", "Tags": tags} for tags in vpcs]})
        .answer("ec2", "describe_addresses", {"Addresses": [{"AllocationId": "a", "Tags": tags} for tags in addresses]})
        .answer("ec2", "describe_nat_gateways", {"NatGateways": list(gateways)})
        .answer("ec2", "describe_subnets", {"Subnets": subnets})
    )
    for _ in range(quota_calls):
        script.answer("service-quotas", "get_service_quota", {"Quota": {"Value": allowed}})
    return script


def test_what_belongs_to_the_environment_needs_no_further_room():
    gateways = [
        {"SubnetId": "s-a", "Tags": OTHERS},
        {"SubnetId": "s-b", "Tags": OTHERS},
        {"SubnetId": "s-a", "Tags": OURS},
    ]
    script = script_of(vpcs=[OURS, OTHERS, []], addresses=[OTHERS], gateways=gateways)
    found = {f"{one.quota.name}{one.place}": one for one in quotas.fetch_network_limits(script.account(), target())}
    assert (found["VPCs per Region"].used, found["VPCs per Region"].needed) == (2, 1)
    assert (found["EC2-VPC Elastic IPs"].used, found["EC2-VPC Elastic IPs"].needed) == (1, 2)
    nat = found["NAT gateways per Availability Zone in us-east-1a"]
    assert (nat.used, nat.needed) == (1, 1), "per zone: the other one lies in another"
    assert found["Interface VPC endpoints per VPC"].needed == 5


def test_a_full_account_fails_in_each_quota():
    gateways = [{"SubnetId": "s-a", "Tags": OTHERS}]
    script = script_of(vpcs=[OTHERS], addresses=[OTHERS], gateways=gateways, allowed=1.0)
    asked = target({"network.endpoints": "s3_only"})
    found = {f.sentence.partition(":")[0]: f for f in quotas.judge_limits(
        quotas.fetch_network_limits(script.account(), asked), asked
    )}  # fmt: skip
    assert {name: finding.level for name, finding in found.items()} == {
        "VPCs per Region": Level.FAIL,
        "EC2-VPC Elastic IPs": Level.FAIL,
        "NAT gateways per Availability Zone in us-east-1a": Level.FAIL,
        "NAT gateways per Availability Zone in us-east-1b": Level.PASS,
    }
    assert "--quota-code L-0263D0A3 --desired-value 3" in found["EC2-VPC Elastic IPs"].command


@pytest.mark.parametrize(("nat", "zones"), [("single", ("us-east-1a",)), ("per_zone", ("us-east-1a", "us-east-1b"))])
def test_nat_gateways_are_one_or_one_a_zone(nat, zones):
    assert quotas.nat_zones(target({"network.nat": nat})) == zones


def test_an_adopted_vpc_counts_the_endpoints_that_it_has_and_nothing_else():
    adopted = {"network": {**ADOPTED["network"], "endpoints": "standard"}}
    endpoints = [{"VpcEndpointId": "e", "Tags": tags} for tags in ([], [], OURS)]
    script = Script().answer("ec2", "describe_vpc_endpoints", {"VpcEndpoints": endpoints})
    script.answer("service-quotas", "get_service_quota", {"Quota": {"Value": 6.0}})
    (one,) = quotas.fetch_network_limits(script.account(), target(adopted))
    assert (one.used, one.needed) == (2, 5)
    assert judge_limit(one, target()).level is Level.FAIL


def test_the_cluster_of_the_environment_is_not_counted_twice():
    script = Script().answer("eks", "list_clusters", {"clusters": ["stackyard-dev", "other"]})
    script.answer("service-quotas", "get_service_quota", {"Quota": {"Value": 2.0}})
    (one,) = quotas.fetch_clusters(script.account(), target())
    assert (one.used, one.needed) == (1, 1) and judge_limit(one, target()).level is Level.PASS
