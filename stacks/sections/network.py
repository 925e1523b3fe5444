"""The VPC: a new one from an address range and zones, or an existing one listed by id."""

import ipaddress
from collections.abc import Iterable, Iterator
from itertools import combinations, islice
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator
from pydantic.alias_generators import to_camel

from components.address_plan import (
    MOST_ZONES,
    PRIVATE_BITS,
    SHARED_RANGE,
    SMALLEST_PREFIX,
    SMALLEST_PREFIX_BESIDE_PODS,
    joins,
)
from stacks.domain import LONGEST_VPC_PREFIX, Cidr, LogRetentionDays, PodCidr, PrivateCidr, SubnetId, VpcId, Zone
from stacks.problems import MISSING, Problem, problem, refuse
from stacks.protection import Endpoints, Nat
from stacks.sections.section import Section, as_far_as_readable, by_protection, setting

ZONE_COUNTS = (2, 3)
MOST_RANGES = 256
"""Looked through for a free one: a /16 has as many /24."""
ZONES_REASON = "EKS and RDS refuse fewer than two zones, and a fourth costs more than it protects"


def _enough_zones(zones: tuple[str, ...]) -> tuple[str, ...]:
    example = [f"{(zones[0] if zones else 'us-east-1a')[:-1]}{letter}" for letter in "ab"]
    if len(set(zones)) != len(zones):
        raise refuse("must name each zone once", "two subnets in one zone fail together with it", example)
    if len(zones) not in ZONE_COUNTS:
        raise refuse("must name 2 or 3 zones", ZONES_REASON, example)
    return zones


Zones = Annotated[tuple[Zone, ...], AfterValidator(_enough_zones)]


class ExistingSubnet(Section):
    """A subnet of the existing VPC."""

    id: SubnetId = setting("Id of the subnet.", "subnet-0123456789abcdef0")
    zone: Zone = setting("Availability zone it lies in.", "us-east-1a")
    cidr: Cidr = setting("Its addresses.", "10.20.0.0/20")
    public: bool = setting("Whether it routes to an internet gateway.", False, default=False)


class ExistingNetwork(Section):
    """A VPC that exists already; preflight checks that these facts are true."""

    vpc_id: VpcId = setting("Id of the VPC.", "vpc-0123456789abcdef0")
    cidr: Cidr = setting("Its addresses.", "10.20.0.0/16")
    subnets: tuple[ExistingSubnet, ...] = setting(
        "Its subnets that the stack may use: at least one private subnet in each of 2 or 3 zones.",
        [
            {"id": "subnet-0123456789abcdef0", "zone": "us-east-1a", "cidr": "10.20.0.0/20"},
            {"id": "subnet-0123456789abcdef1", "zone": "us-east-1b", "cidr": "10.20.16.0/20"},
        ],
    )

    def rules(self, path: str) -> Iterable[Iterator[Problem]]:
        return self._subnet_problems(path), self._zone_problems(path)

    def _subnet_problems(self, path: str) -> Iterator[Problem]:
        indexes = range(len(self.subnets))
        for index in indexes:
            yield from as_far_as_readable(self._range_problems(path, index))
        for first, second in combinations(indexes, 2):
            yield from as_far_as_readable(self._same_problems(path, first, second))
            yield from as_far_as_readable(self._overlap_problems(path, first, second))

    def _range_problems(self, path: str, index: int) -> Iterator[Problem]:
        subnet = self.subnets[index]
        if not ipaddress.IPv4Network(subnet.cidr).subnet_of(ipaddress.IPv4Network(self.cidr)):
            yield problem(
                f"{path}.subnets[{index}].cidr",
                subnet.cidr,
                f"must lie inside {self.cidr}",
                f"that is the range of the VPC, {path}.cidr",
                self._free_range(index),
            )

    def _same_problems(self, path: str, first: int, second: int) -> Iterator[Problem]:
        if self.subnets[first].id == self.subnets[second].id:
            rule = f"must be another subnet than {path}.subnets[{first}]"
            reason = "a subnet is listed once, so one of the two ids is mistyped"
            yield problem(f"{path}.subnets[{second}].id", self.subnets[second].id, rule, reason)

    def _overlap_problems(self, path: str, first: int, second: int) -> Iterator[Problem]:
        one, two = self.subnets[first].cidr, self.subnets[second].cidr
        if ipaddress.IPv4Network(one).overlaps(ipaddress.IPv4Network(two)):
            yield problem(
                f"{path}.subnets[{second}].cidr",
                two,
                f"must not overlap {path}.subnets[{first}].cidr ({one})",
                "two subnets of a VPC never share addresses, so one of the two is mistyped",
                self._free_range(second),
            )

    def _free_range(self, index: int) -> Any:
        """Addresses of the VPC that no other subnet has, for each subnet others; MISSING when there are none."""
        if not self.readable("cidr"):
            return MISSING
        vpc, wanted = ipaddress.IPv4Network(self.cidr), ipaddress.IPv4Network(self.subnets[index].cidr).prefixlen
        length = wanted if vpc.prefixlen < wanted else min(LONGEST_VPC_PREFIX, vpc.prefixlen + 4)
        others = (subnet for position, subnet in enumerate(self.subnets) if position != index)
        taken = [ipaddress.IPv4Network(subnet.cidr) for subnet in others if subnet.readable("cidr")]
        ranges = islice(vpc.subnets(new_prefix=max(length, vpc.prefixlen)), MOST_RANGES)
        free = [str(one) for one in ranges if not any(one.overlaps(other) for other in taken)]
        return free[index % len(free)] if free else MISSING

    def _zone_problems(self, path: str) -> Iterator[Problem]:
        private = sorted({subnet.zone for subnet in self.subnets if not subnet.public})
        if len(private) not in ZONE_COUNTS:
            yield problem(
                f"{path}.subnets",
                MISSING,
                f"must have private subnets in 2 or 3 zones, and has them in {len(private)}",
                ZONES_REASON,
            )


class Network(Section):
    """Addresses, zones, NAT and endpoints of the VPC, or an existing VPC."""

    read_by: ClassVar = "`Network`"
    example_fields: ClassVar = ("cidr", "zones")

    cidr: PrivateCidr | None = setting(
        "Addresses of a new VPC, RFC 1918, /16 to /22, with podCidr to /24.", "10.20.0.0/16", default=None
    )
    zones: Zones | None = setting(
        "Availability zones of a new VPC, 2 or 3.", ["us-east-1a", "us-east-1b"], default=None
    )
    pod_cidr: PodCidr | None = setting(
        "Second range of a new VPC, for pods only, where private addresses are scarce. Default: pods share `cidr`.",
        "100.64.0.0/16",
        default=None,
    )
    nat: Nat = by_protection(
        "NAT gateways of a new VPC: one, or one per zone (33 dollars a month each).",
        "single",
        Nat.PER_ZONE,
        "nat",
        unless="existing",
    )
    endpoints: Endpoints = by_protection(
        "VPC endpoints: S3 only (free), standard (5) or all (19; 7 dollars a month each and zone). "
        "In an existing VPC none, unless given.",
        "standard",
        Endpoints.ALL,
        "endpoints",
        unless="existing",
    )
    flow_log_retention_days: LogRetentionDays = by_protection(
        "Days that flow logs are kept. In an existing VPC none are made, unless given.",
        90,
        365,
        "log_retention_days",
        unless="existing",
    )
    existing: ExistingNetwork | None = setting(
        "An existing VPC instead of a new one; excludes cidr, zones, podCidr and nat.",
        {
            "vpcId": "vpc-0123456789abcdef0",
            "cidr": "10.20.0.0/16",
            "subnets": [
                {"id": "subnet-0123456789abcdef0", "zone": "us-east-1a", "cidr": "10.20.0.0/20"},
                {"id": "subnet-0123456789abcdef1", "zone": "us-east-1b", "cidr": "10.20.16.0/20"},
            ],
        },
        default=None,
    )

    @property
    def zone_names(self) -> tuple[str, ...]:
        """Zones of the VPC, new or existing, in a fixed order."""
        if self.existing:
            return tuple(sorted({subnet.zone for subnet in self.existing.subnets}))
        return self.zones or ()

    @property
    def vpc_cidr(self) -> str:
        return self.existing.cidr if self.existing else self.cidr or ""

    @property
    def added_endpoints(self) -> Endpoints:
        """Endpoints to make. An existing VPC's owner has made some, so there only those that were asked for."""
        return Endpoints.S3_ONLY if self._is_owners("endpoints") else self.endpoints

    @property
    def added_flow_log_days(self) -> int | None:
        """Days that flow logs are kept; None where an existing VPC's owner records."""
        return None if self._is_owners("flow_log_retention_days") else self.flow_log_retention_days

    def _is_owners(self, name: str) -> bool:
        return self.existing is not None and name not in self.model_fields_set

    def rules(self, path: str) -> Iterable[Iterator[Problem]]:
        names = ("cidr", "zones", "pod_cidr", "nat")
        return (
            *(self._adoption_problems(path, name) for name in names),
            self._existing_problems(path),
            self._missing_cidr(path),
            self._missing_zones(path),
            self._size_problems(path),
            self._pod_problems(path),
            self._pod_size_problems(path),
        )

    def _adoption_problems(self, path: str, name: str) -> Iterator[Problem]:
        value = getattr(self, name) if name in self.model_fields_set else None
        if self.existing and value is not None:
            yield problem(
                f"{path}.{to_camel(name)}",
                value,
                f"must not be given together with {path}.existing",
                "an existing VPC brings its own addresses, zones and ways out",
            )

    def _existing_problems(self, path: str) -> Iterator[Problem]:
        if self.existing:
            yield from self.existing.problems(f"{path}.existing")

    def _missing_cidr(self, path: str) -> Iterator[Problem]:
        if not self.existing and self.cidr is None:
            reason = "a new VPC needs its addresses, and an existing one is named in `existing`"
            yield problem(f"{path}.cidr", MISSING, "is missing and must be given", reason, "10.20.0.0/16")

    def _missing_zones(self, path: str) -> Iterator[Problem]:
        if not self.existing and self.zones is None:
            example = ["us-east-1a", "us-east-1b"]
            yield problem(f"{path}.zones", MISSING, "is missing and must be given", ZONES_REASON, example)

    def _size_problems(self, path: str) -> Iterator[Problem]:
        if self.existing or not self.cidr:
            return
        network = ipaddress.IPv4Network(self.cidr)
        smallest = SMALLEST_PREFIX_BESIDE_PODS if self.pod_cidr else SMALLEST_PREFIX
        if network.prefixlen > smallest:
            private, parts = 2 ** (32 - smallest - PRIVATE_BITS), 2**PRIVATE_BITS
            yield problem(
                f"{path}.cidr",
                self.cidr,
                f"must be a /{smallest} or larger",
                f"it is cut into {parts} equal parts, one a zone for {MOST_ZONES} zones at most and one for all public "
                f"subnets; each needs {private} addresses, {parts * private} in all, "
                f"and a /{network.prefixlen} has {network.num_addresses}",
                str(network.supernet(new_prefix=smallest)),
            )

    def _pod_problems(self, path: str) -> Iterator[Problem]:
        if self.existing or not self.cidr or not self.pod_cidr:
            return
        network, pods = ipaddress.IPv4Network(self.cidr), ipaddress.IPv4Network(self.pod_cidr)
        if network.overlaps(pods):
            yield problem(
                f"{path}.podCidr",
                self.pod_cidr,
                f"must not overlap {path}.cidr ({self.cidr})",
                "a VPC's ranges are disjoint, and AWS refuses the second one",
                "100.64.0.0/16",
            )
        elif not joins(network, pods):
            yield problem(
                f"{path}.podCidr",
                self.pod_cidr,
                f"must lie inside {SHARED_RANGE} or in the same private range as {path}.cidr ({self.cidr})",
                "AWS adds no other block to that VPC",
                "100.64.0.0/16",
            )

    def _pod_size_problems(self, path: str) -> Iterator[Problem]:
        pods = ipaddress.IPv4Network(self.pod_cidr) if self.pod_cidr and not self.existing else None
        if pods and pods.prefixlen > SMALLEST_PREFIX:
            larger = pods.supernet(new_prefix=SMALLEST_PREFIX)
            vpc = ipaddress.IPv4Network(self.cidr) if self.readable("cidr") and self.cidr else larger
            yield problem(
                f"{path}.podCidr",
                self.pod_cidr,
                f"must be a /{SMALLEST_PREFIX} or larger",
                f"a quarter of it is the room of one zone's pods, {MOST_ZONES} zones at most",
                str(larger) if joins(vpc, larger) and not larger.overlaps(vpc) else "100.64.0.0/16",
            )
