"""Zones, and the facts that the settings state about an existing VPC."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stacks.sections.network import ExistingNetwork, ExistingSubnet
from stacks.settings import Layer, present
from stackyard.preflight.account import Account
from stackyard.preflight.check import BASE, PLATFORM, Check
from stackyard.preflight.finding import Finding, failed, listed, passed
from stackyard.preflight.target import Target

# EKS makes no cluster with subnets there:
# https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html#network-requirements-subnets
WITHOUT_EKS = frozenset({"use1-az3", "usw1-az2", "cac1-az3"})


@dataclass(frozen=True)
class ZoneFacts:
    id: str
    """The same zone in every account, for example `use1-az1`; names are dealt out to each account."""
    state: str


def fetch_zones(account: Account, target: Target) -> Mapping[str, ZoneFacts]:
    """Availability zones of the region by name."""
    zones = account.call("ec2", "describe_availability_zones")["AvailabilityZones"]
    return {
        str(zone["ZoneName"]): ZoneFacts(str(zone["ZoneId"]), str(zone["State"]))
        for zone in zones
        if zone.get("ZoneType", "availability-zone") == "availability-zone"
    }


def judge_zones(known: Mapping[str, ZoneFacts], target: Target) -> Iterator[Finding]:
    where = {zone: "network" for zone in target.zones}
    for pool in target.pools:
        where |= {zone: f"node pool {pool.name}" for zone in pool.zones or () if zone not in where}
    usable = sorted(name for name, zone in known.items() if zone.state == "available" and zone.id not in WITHOUT_EKS)
    remedy = f"choose among {', '.join(usable)} in {target.files}"
    good = True
    for zone, user in sorted(where.items()):
        facts = known.get(zone)
        if facts is None:
            problem = f"account {target.account_id} has no zone {zone} in {target.region}"
        elif facts.state != "available":
            problem = f"the zone {zone} is {facts.state}"
        elif facts.id in WITHOUT_EKS and user == "network":
            problem = f"EKS makes no cluster in {zone} ({facts.id})"
        else:
            continue
        good = False
        yield failed(f"{problem}; {user} names it", remedy)
    if good:
        yield passed(", ".join(f"{zone} ({known[zone].id})" for zone in sorted(where)) or "no zone is named")


@dataclass(frozen=True)
class LiveSubnet:
    vpc_id: str
    zone: str
    cidr: str
    public: bool
    """Whether its routes lead to an internet gateway."""
    routed_out: bool
    """Whether anything but the VPC is reached from it."""


@dataclass(frozen=True)
class LiveVpc:
    cidrs: tuple[str, ...]
    dns: Mapping[str, bool]
    """By attribute: `enableDnsSupport`, `enableDnsHostnames`."""
    subnets: Mapping[str, LiveSubnet]
    """Those of the settings that exist, by id."""


def fetch_vpc(account: Account, target: Target) -> LiveVpc | None:
    """The adopted VPC as it is; None when there is none of that id."""
    wanted = _existing(target)
    vpcs = account.call("ec2", "describe_vpcs", Filters=[_filter("vpc-id", wanted.vpc_id)])["Vpcs"]
    if not vpcs:
        return None
    attributes = {"enableDnsSupport": "EnableDnsSupport", "enableDnsHostnames": "EnableDnsHostnames"}
    dns = {
        attribute: bool(
            account.call("ec2", "describe_vpc_attribute", VpcId=wanted.vpc_id, Attribute=attribute)[member]["Value"]
        )
        for attribute, member in attributes.items()
    }
    tables = account.call("ec2", "describe_route_tables", Filters=[_filter("vpc-id", wanted.vpc_id)])["RouteTables"]
    ids = [subnet.id for subnet in wanted.subnets]
    subnets = account.call("ec2", "describe_subnets", Filters=[_filter("subnet-id", *ids)])["Subnets"]
    cidrs = tuple(str(entry["CidrBlock"]) for entry in vpcs[0]["CidrBlockAssociationSet"])
    return LiveVpc(cidrs, dns, {str(subnet["SubnetId"]): _live(subnet, tables) for subnet in subnets})


def _live(subnet: Any, tables: Sequence[Any]) -> LiveSubnet:
    routes = _routes(str(subnet["SubnetId"]), tables)
    gateways = [str(route.get("GatewayId", "")) for route in routes]
    out = [route for route in routes if _leads_out(route)]
    return LiveSubnet(
        vpc_id=str(subnet["VpcId"]),
        zone=str(subnet["AvailabilityZone"]),
        cidr=str(subnet["CidrBlock"]),
        public=any(gateway.startswith("igw-") for gateway in gateways),
        routed_out=bool(out),
    )


def _leads_out(route: Any) -> bool:
    # A gateway endpoint leads to S3 alone.
    inside = str(route.get("GatewayId", "")).startswith(("local", "vpce-"))
    return not inside and route.get("State") == "active"


def _routes(subnet_id: str, tables: Sequence[Any]) -> Sequence[Any]:
    """Routes of the subnet's own table, or else of the VPC's main one."""
    main: Sequence[Any] = ()
    for table in tables:
        for association in table["Associations"]:
            if association.get("SubnetId") == subnet_id:
                return table["Routes"]
            if association.get("Main"):
                main = table["Routes"]
    return main


def judge_vpc(live: LiveVpc | None, target: Target) -> Iterator[Finding]:
    wanted = _existing(target)
    correct = f"correct network.existing in {target.files}"
    if live is None:
        yield failed(f"{target.region} has no VPC {wanted.vpc_id}, which network.existing names", correct)
        return
    problems = [*_vpc_problems(wanted, live)]
    for subnet in wanted.subnets:
        problems += _subnet_problems(wanted, subnet, live.subnets.get(subnet.id))
    for problem in problems:
        yield failed(problem, correct)
    for attribute in sorted(name for name, on in live.dns.items() if not on):
        yield failed(
            f"{attribute} is off in {wanted.vpc_id}: private endpoints are found by name",
            "let the VPC's owner turn it on",
            f"aws ec2 modify-vpc-attribute --vpc-id {wanted.vpc_id} --{_dashed(attribute)} --region {target.region}",
        )
    if not problems and all(live.dns.values()):
        yield passed(f"{wanted.vpc_id} and its {len(wanted.subnets)} subnets are as network.existing says")


def _vpc_problems(wanted: ExistingNetwork, live: LiveVpc) -> Iterator[str]:
    if wanted.cidr not in live.cidrs:
        yield f"{wanted.vpc_id} has {listed(list(live.cidrs))}, not {wanted.cidr}"


def _subnet_problems(wanted: ExistingNetwork, stated: ExistingSubnet, live: LiveSubnet | None) -> Iterator[str]:
    if live is None:
        yield f"there is no subnet {stated.id}"
        return
    pairs = (("vpc", wanted.vpc_id, live.vpc_id), ("zone", stated.zone, live.zone), ("cidr", stated.cidr, live.cidr))
    for noun, said, found in pairs:
        if said != found:
            yield f"{noun} of {stated.id} is {found}, not {said}"
    if stated.public != live.public:
        is_, not_ = ("public", "private") if live.public else ("private", "public")
        yield f"{stated.id} is {is_} by its routes (an internet gateway or none), not {not_}"
    elif not stated.public and not live.routed_out:
        yield f"{stated.id} has no way out of the VPC: nodes there could not join the cluster"


def _existing(target: Target) -> ExistingNetwork:
    return present(present(target.network).existing)


def _filter(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": list(values)}


def _dashed(attribute: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in attribute)


def _new_vpc(target: Target) -> str:
    network = target.network
    if network is None or network.existing is None:
        return "no existing VPC is adopted: a new one is made"
    return ""


CHECKS: tuple[Check[Any], ...] = (
    Check(name="zones", layers=BASE | PLATFORM, fetch=fetch_zones, judge=judge_zones),
    Check(
        name="existing VPC",
        layers=frozenset({Layer.BASE, Layer.PLATFORM}),
        fetch=fetch_vpc,
        judge=judge_vpc,
        skip=_new_vpc,
    ),
)
