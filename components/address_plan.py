"""How a VPC's address block is divided into subnets.

    quarter 1   private subnet of zone 1
    quarter 2   private subnet of zone 2
    quarter 3   private subnet of zone 3, free with two zones
    quarter 4   four sixteenths: public subnets of zones 1 to 3, and one reserve

A zone's blocks depend on its place in the list alone: a third zone can be added later without moving the first two.
Private subnets are large since the VPC CNI gives every pod an address of its node's subnet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network

from components.invalid_argument import InvalidArgument

# https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
LARGEST_PREFIX = 16
PRIVATE_RANGES = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
# https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html: network, router, DNS, future use, broadcast.
RESERVED_PER_SUBNET = 5

PRIVATE_BITS = 2
PUBLIC_BITS = 4
SMALLEST_PRIVATE_PREFIX = 24
"""251 addresses: two system nodes and a few pool nodes with their pods."""
SMALLEST_PREFIX = SMALLEST_PRIVATE_PREFIX - PRIVATE_BITS

FEWEST_ZONES, MOST_ZONES = 2, 3


class Tier(StrEnum):
    PUBLIC = "public"
    """Load balancers and NAT gateways; routed to the internet gateway."""
    PRIVATE = "private"
    """Everything else; reaches out through NAT."""


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
    subnets: tuple[PlannedSubnet, ...]
    """Public ones first, each tier in the order of the zones."""

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


def plan_addresses(cidr: str, zones: Sequence[str]) -> AddressPlan:
    """Divides a VPC block among zones.

    Raises ValueError, one sentence each: no block, not private, larger than /16, too small (with the size needed),
    fewer than 2 or more than 3 zones, a zone named twice.
    """
    block = _private_block(cidr)
    _check_size(block)
    _check_zones(zones)
    private = list(block.subnets(prefixlen_diff=PRIVATE_BITS))
    public = list(private[MOST_ZONES].subnets(prefixlen_diff=PUBLIC_BITS - PRIVATE_BITS))
    return AddressPlan(
        block=block,
        subnets=(
            *_assign(Tier.PUBLIC, zones, public),
            *_assign(Tier.PRIVATE, zones, private),
        ),
    )


def _assign(tier: Tier, zones: Sequence[str], blocks: Sequence[IPv4Network]) -> Iterator[PlannedSubnet]:
    # More blocks than zones: the rest stays free.
    for zone, block in zip(zones, blocks, strict=False):
        yield PlannedSubnet(tier=tier, zone=zone, block=block)


def _private_block(cidr: str) -> IPv4Network:
    try:
        block = IPv4Network(cidr)
    except ValueError as error:
        raise InvalidArgument(f"network {cidr!r} is not an IPv4 block ({error}); write it like 10.20.0.0/16") from None
    if not any(block.subnet_of(range_) for range_ in PRIVATE_RANGES):
        ranges = ", ".join(map(str, PRIVATE_RANGES))
        raise InvalidArgument(f"network {cidr} is not within RFC 1918 ({ranges}): take 10.20.0.0/16")
    return block


def _check_size(block: IPv4Network) -> None:
    if block.prefixlen < LARGEST_PREFIX:
        raise InvalidArgument(f"network {block} is larger than AWS allows: a VPC is /{LARGEST_PREFIX} at most")
    private_prefix = block.prefixlen + PRIVATE_BITS
    if private_prefix > SMALLEST_PRIVATE_PREFIX:
        usable = max(0, 2 ** max(0, 32 - private_prefix) - RESERVED_PER_SUBNET)
        needed = 2 ** (32 - SMALLEST_PRIVATE_PREFIX) - RESERVED_PER_SUBNET
        raise InvalidArgument(
            f"network {block} is too small: a zone's private subnet would have {usable} usable addresses "
            f"and needs {needed}, since every pod takes one; "
            f"use at least {block.supernet(new_prefix=SMALLEST_PREFIX)}, better a /{LARGEST_PREFIX}"
        )


def _check_zones(zones: Sequence[str]) -> None:
    if not FEWEST_ZONES <= len(zones) <= MOST_ZONES:
        raise InvalidArgument(
            f"{len(zones)} availability zones ({', '.join(zones) or 'none'}): "
            f"a network spans {FEWEST_ZONES} or {MOST_ZONES}, since the cluster and the database refuse a single one"
        )
    if len(set(zones)) != len(zones):
        raise InvalidArgument(f"an availability zone is named twice: {', '.join(zones)}")
