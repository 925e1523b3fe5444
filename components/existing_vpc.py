"""A VPC that exists already and belongs to somebody else: facts from settings, never looked up."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from components.address_plan import FEWEST_ZONES, MOST_ZONES
from components.invalid_argument import InvalidArgument


@dataclass(frozen=True, kw_only=True)
class ExistingSubnet:
    id: str
    """Id, `subnet-…`."""
    zone: str
    """Availability zone it lies in, for example `eu-west-1a`."""
    cidr: str
    """Its IPv4 block, within that of the VPC."""
    public: bool = False
    """Whether it routes to an internet gateway. Default: no."""


@dataclass(frozen=True, kw_only=True)
class ExistingVpc:
    """Private subnets in two or three zones, and public ones where there are any."""

    vpc_id: str
    """Id, `vpc-…`."""
    cidr: str
    """IPv4 block of the VPC."""
    subnets: Sequence[ExistingSubnet]
    """Subnets that the stack may use. The private ones must have a way out, and private DNS must be on in the VPC."""

    def __post_init__(self) -> None:
        block = IPv4Network(self.cidr)
        for subnet in self.subnets:
            if not IPv4Network(subnet.cidr).subnet_of(block):
                raise InvalidArgument(f"subnet {subnet.id} ({subnet.cidr}) does not lie in {self.vpc_id} ({self.cidr})")
        zones = self.zones
        if not FEWEST_ZONES <= len(zones) <= MOST_ZONES:
            raise InvalidArgument(
                f"{self.vpc_id} has private subnets in {len(zones)} availability zones ({', '.join(zones) or 'none'}): "
                f"list them in {FEWEST_ZONES} or {MOST_ZONES}, since the cluster and the database refuse a single one"
            )

    @property
    def zones(self) -> tuple[str, ...]:
        """Zones with private subnets, sorted."""
        return tuple(sorted({subnet.zone for subnet in self.subnets if not subnet.public}))

    def ids(self, *, public: bool) -> list[str]:
        """Ids of all subnets of a kind, in the order of the zones."""
        chosen = sorted((s for s in self.subnets if s.public is public), key=lambda subnet: subnet.zone)
        return [subnet.id for subnet in chosen]

    def one_private_per_zone(self) -> list[str]:
        """Ids of the first private subnet of each zone: an interface endpoint takes one a zone.

        Source: https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
        """
        first: dict[str, str] = {}
        for subnet in self.subnets:
            if not subnet.public:
                first.setdefault(subnet.zone, subnet.id)
        return [first[zone] for zone in self.zones]
