"""Quotas that count things: VPCs, addresses, NAT gateways, endpoints, clusters."""

from collections.abc import Iterator, Sequence
from typing import Any

from stacks.protection import Nat
from stackyard.preflight.account import Account
from stackyard.preflight.check import BASE, PLATFORM, Check
from stackyard.preflight.finding import Finding
from stackyard.preflight.quota import Limit, Quota, judge_limit, read_quota
from stackyard.preflight.target import Target, tags_of

# Codes: https://docs.aws.amazon.com/general/latest/gr/vpc-service.html, ec2-service.html and eks.html beside it.
VPCS = Quota(name="VPCs per Region", service="vpc", code="L-F678F1CE")
ADDRESSES = Quota(name="EC2-VPC Elastic IPs", service="ec2", code="L-0263D0A3")
NAT_GATEWAYS = Quota(name="NAT gateways per Availability Zone", service="vpc", code="L-FE5A380F")
ENDPOINTS = Quota(name="Interface VPC endpoints per VPC", service="vpc", code="L-29B6F2EB")
CLUSTERS = Quota(name="EKS clusters", service="eks", code="L-1194D53C")


def fetch_network_limits(account: Account, target: Target) -> list[Limit]:
    network = target.network
    if network is None:
        return []
    limits = [_endpoints(account, target)]
    if network.existing is None:
        limits += [_vpcs(account, target), _addresses(account, target), *_nat_gateways(account, target)]
    return [limit for limit in limits if limit.needed]


def nat_zones(target: Target) -> tuple[str, ...]:
    """Zones that get a NAT gateway."""
    network = target.network
    if network is None or network.existing:
        return ()
    return target.zones if network.nat is Nat.PER_ZONE else target.zones[:1]


def _vpcs(account: Account, target: Target) -> Limit:
    others = _others(account.call("ec2", "describe_vpcs")["Vpcs"], target)
    return _limit(account, VPCS, used=len(others), needed=1)


def _addresses(account: Account, target: Target) -> Limit:
    others = _others(account.call("ec2", "describe_addresses")["Addresses"], target)
    return _limit(account, ADDRESSES, used=len(others), needed=len(nat_zones(target)))


def _nat_gateways(account: Account, target: Target) -> Iterator[Limit]:
    states = [{"Name": "state", "Values": ["pending", "available", "deleting"]}]
    others = _others(account.call("ec2", "describe_nat_gateways", Filters=states)["NatGateways"], target)
    subnets = account.call("ec2", "describe_subnets")["Subnets"]
    zone_of = {str(subnet["SubnetId"]): str(subnet["AvailabilityZone"]) for subnet in subnets}
    for zone in nat_zones(target):
        used = sum(zone_of.get(str(gateway.get("SubnetId"))) == zone for gateway in others)
        yield _limit(account, NAT_GATEWAYS, used=used, needed=1, place=f" in {zone}")


def _endpoints(account: Account, target: Target) -> Limit:
    from components.endpoint_services import EndpointSet, services_of

    network = target.network
    assert network
    used = 0
    if network.existing:
        filters = [
            {"Name": "vpc-id", "Values": [network.existing.vpc_id]},
            {"Name": "vpc-endpoint-type", "Values": ["Interface"]},
        ]
        used = len(_others(account.call("ec2", "describe_vpc_endpoints", Filters=filters)["VpcEndpoints"], target))
    needed = len(services_of(EndpointSet(str(network.added_endpoints))))
    return _limit(account, ENDPOINTS, used=used, needed=needed)


def fetch_clusters(account: Account, target: Target) -> list[Limit]:
    names = [str(name) for name in account.call("eks", "list_clusters")["clusters"]]
    return [_limit(account, CLUSTERS, used=sum(name != target.stem for name in names), needed=1)]


def judge_limits(limits: Sequence[Limit], target: Target) -> Iterator[Finding]:
    return (judge_limit(limit, target) for limit in limits)


def _limit(account: Account, quota: Quota, *, used: int, needed: int, place: str = "") -> Limit:
    # A quota of which nothing is needed is not worth a call.
    allowed = read_quota(account, quota) if needed else 0.0
    return Limit(quota=quota, allowed=allowed, used=used, needed=needed, place=place)


def _others(resources: Sequence[Any], target: Target) -> list[Any]:
    return [resource for resource in resources if not target.is_ours(tags_of(resource))]


CHECKS: tuple[Check[Any], ...] = (
    Check(name="network quotas", layers=BASE, fetch=fetch_network_limits, judge=judge_limits),
    Check(name="cluster quota", layers=PLATFORM, fetch=fetch_clusters, judge=judge_limits),
)
