"""How a VPC's address block is divided into subnets.

    quarter 1   private subnet of zone 1
    quarter 2   private subnet of zone 2
    quarter 3   private subnet of zone 3, free with two zones
    quarter 4   four sixteenths: public subnets of zones 1 to 3, and one reserve

A zone's blocks depend on its place in the list alone: a third zone can be added later without moving the first two.
Private subnets are large since the VPC CNI gives every pod an address of its node's subnet.

Where private addresses are scarce, pods get a second block, and the first one may be smaller:

    quarter 1 to 3   pod subnets of zones 1 to 3
    quarter 4        reserve
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network

from components.invalid_argument import InvalidArgument

# https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
LARGEST_PREFIX = 16
PRIVATE_RANGES = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
# RFC 6598: routable inside a VPC and nowhere else, so it collides with nobody's network.
SHARED_RANGE = IPv4Network("100.64.0.0/10")
# https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html: network, router, DNS, future use, broadcast.
RESERVED_PER_SUBNET = 5

PRIVATE_BITS = 2
PUBLIC_BITS = 4
SMALLEST_PRIVATE_PREFIX = 24
"""251 addresses: two system nodes and a few pool nodes with their pods."""
SMALLEST_PREFIX = SMALLEST_PRIVATE_PREFIX - PRIVATE_BITS
SMALLEST_PREFIX_BESIDE_PODS = 24
"""Without pods: 59 addresses a zone for nodes, endpoints and databases, and /28 for its public subnet, AWS's smallest.
A public application load balancer asks for a /27, hence for a /23.
Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html"""

FEWEST_ZONES, MOST_ZONES = 2, 3


class Tier(StrEnum):
    PUBLIC = "public"
    """Load balancers and NAT gateways; routed to the internet gateway."""
    PRIVATE = "private"
    """Everything else; reaches out through NAT."""
    POD = "pod"
    """Pods alone, in a range of their own; reaches out through NAT."""


@dataclass(frozen=True, kw_only=True)
class PlannedSubnet:
    tier: Tier
    zone: str
    """Availability zone, for example `eu-west-1a`."""
    block: IPv4Network

    @property
    def usable_addresses(self) -> int:
        """Addresses that instances and pods can have."""
        return self.block.num_addresses - RESERVED_PER_SUBNET


@dataclass(frozen=True, kw_only=True)
class AddressPlan:
    """The subnets of a VPC. `str()` prints it as a table."""

    block: IPv4Network
    pod_block: IPv4Network | None = None
    """Second block, for pods. None: pods share the first."""
    subnets: tuple[PlannedSubnet, ...]
    """Public ones first, then private ones and those for pods, each tier in the order of the zones."""

    def of_tier(self, tier: Tier) -> tuple[PlannedSubnet, ...]:
        return tuple(subnet for subnet in self.subnets if subnet.tier is tier)

    def __str__(self) -> str:
        rows = [("tier", "zone", "block", "usable addresses"), *self._rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def _rows(self) -> Iterator[tuple[str, str, str, str]]:
        for subnet in self.subnets:
            yield str(subnet.tier), subnet.zone, str(subnet.block), f"{subnet.usable_addresses:,}"


def plan_addresses(cidr: str, zones: Sequence[str], pod_cidr: str | None = None) -> AddressPlan:
    """Divides a VPC block among zones, and a second one for pods, if there is one.

    Raises ValueError, one sentence each: no block, not private, larger than /16, too small (with the size needed),
    fewer than 2 or more than 3 zones, a zone named twice, a block for pods that AWS would not add to the first.
    """
    block = _private_block(cidr)
    pod_block = None if pod_cidr is None else _pod_block(pod_cidr, block)
    _check_size(block, has_pods=pod_block is None)
    _check_zones(zones)
    private = list(block.subnets(prefixlen_diff=PRIVATE_BITS))
    public = list(private[MOST_ZONES].subnets(prefixlen_diff=PUBLIC_BITS - PRIVATE_BITS))
    pods = [] if pod_block is None else list(pod_block.subnets(prefixlen_diff=PRIVATE_BITS))
    return AddressPlan(
        block=block,
        pod_block=pod_block,
        subnets=(
            *_assign(Tier.PUBLIC, zones, public),
            *_assign(Tier.PRIVATE, zones, private),
            *_assign(Tier.POD, zones, pods),
        ),
    )


def _assign(tier: Tier, zones: Sequence[str], blocks: Sequence[IPv4Network]) -> Iterator[PlannedSubnet]:
    # More blocks than zones: the rest stays free.
    for zone, block in zip(zones, blocks, strict=False):
        yield PlannedSubnet(tier=tier, zone=zone, block=block)


def _private_block(cidr: str) -> IPv4Network:
    block = _block("network", cidr, "10.20.0.0/16")
    if not any(block.subnet_of(range_) for range_ in PRIVATE_RANGES):
        ranges = ", ".join(map(str, PRIVATE_RANGES))
        raise InvalidArgument(f"network {cidr} is not within RFC 1918 ({ranges}): take 10.20.0.0/16")
    return block


def _pod_block(cidr: str, block: IPv4Network) -> IPv4Network:
    pods = _block("pod range", cidr, "100.64.0.0/16")
    if not joins(block, pods):
        raise InvalidArgument(
            f"pod range {pods} cannot join the network {block}: AWS adds blocks of {SHARED_RANGE} or of the same "
            f"RFC 1918 range as the network's; take 100.64.0.0/16"
        )
    if pods.overlaps(block):
        raise InvalidArgument(f"pod range {pods} overlaps the network {block}: take 100.64.0.0/16")
    if not LARGEST_PREFIX <= pods.prefixlen <= SMALLEST_PREFIX:
        raise InvalidArgument(
            f"pod range {pods} is not a /{LARGEST_PREFIX} to /{SMALLEST_PREFIX}: AWS adds none that is larger, and a "
            f"smaller one leaves a zone fewer than {_usable(SMALLEST_PRIVATE_PREFIX)} pods; take 100.64.0.0/16"
        )
    return pods


def joins(block: IPv4Network, second: IPv4Network) -> bool:
    """Whether AWS lets a VPC with `block` have `second` as well.

    Source: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html, block association restrictions.
    """
    return second.subnet_of(SHARED_RANGE) or any(
        block.subnet_of(range_) and second.subnet_of(range_) for range_ in PRIVATE_RANGES
    )


def _block(noun: str, cidr: str, example: str) -> IPv4Network:
    try:
        return IPv4Network(cidr)
    except ValueError as error:
        raise InvalidArgument(f"{noun} {cidr!r} is not an IPv4 block ({error}); write it like {example}") from None


def _usable(prefix: int) -> int:
    return max(0, 2 ** max(0, 32 - prefix) - RESERVED_PER_SUBNET)


def _check_size(block: IPv4Network, *, has_pods: bool) -> None:
    if block.prefixlen < LARGEST_PREFIX:
        raise InvalidArgument(f"network {block} is larger than AWS allows: a VPC is /{LARGEST_PREFIX} at most")
    smallest = SMALLEST_PREFIX if has_pods else SMALLEST_PREFIX_BESIDE_PODS
    if block.prefixlen > smallest:
        reason = "since every pod takes one" if has_pods else "for nodes, endpoints and databases"
        raise InvalidArgument(
            f"network {block} is too small: a zone's private subnet would have "
            f"{_usable(block.prefixlen + PRIVATE_BITS)} usable addresses "
            f"and needs {_usable(smallest + PRIVATE_BITS)}, {reason}; "
            f"use at least {block.supernet(new_prefix=smallest)}, better a /{LARGEST_PREFIX}"
        )


def _check_zones(zones: Sequence[str]) -> None:
    if not FEWEST_ZONES <= len(zones) <= MOST_ZONES:
        raise InvalidArgument(
            f"{len(zones)} availability zones ({', '.join(zones) or 'none'}): "
            f"a network spans {FEWEST_ZONES} or {MOST_ZONES}, since the cluster and the database refuse a single one"
        )
    if len(set(zones)) != len(zones):
        raise InvalidArgument(f"an availability zone is named twice: {', '.join(zones)}")
