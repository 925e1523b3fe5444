"""The VPC of an environment: subnets over two or three zones, the ways out, and a record of all traffic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.address_plan import AddressPlan, PlannedSubnet, Tier, plan_addresses
from components.aws_location import AwsLocation
from components.endpoint_services import EndpointSet, check_endpoints_known, s3_endpoint_policy, services_of
from components.existing_vpc import ExistingVpc
from components.flow_logs import flow_log_group, flow_log_role, record_all_traffic
from components.interface_endpoints import interface_endpoints
from components.invalid_argument import InvalidArgument
from components.log_groups import check_retention_days
from components.retention import PROTECTED, Retention
from components.tagging import child_tags

ANYWHERE = "0.0.0.0/0"

# https://docs.aws.amazon.com/eks/latest/userguide/network-load-balancing.html: how load balancers find their subnets.
# https://docs.aws.amazon.com/eks/latest/best-practices/subnets.html: how the CNI (from 1.18 on) finds those for pods.
ROLE_TAG = {
    Tier.PUBLIC: "kubernetes.io/role/elb",
    Tier.PRIVATE: "kubernetes.io/role/internal-elb",
    Tier.POD: "kubernetes.io/role/cni",
}


class NatMode(StrEnum):
    SINGLE = "single"
    """One NAT gateway for all zones: about 33 $ a month and the traffic; with its zone all lose their way out."""
    PER_ZONE = "per_zone"
    """One NAT gateway a zone: two or three times the price; zones fail alone, no traffic crosses zones."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    location: AwsLocation
    """Account and region of the VPC."""

    stem: str
    """Stem of fixed names, `<prefix>-<environment>`: the flow logs' group is `/stackyard/<stem>/flow-logs`."""

    cidr: str | None = None
    """IPv4 block of a new VPC, /16 to /22 within RFC 1918 (to /24 with `pod_cidr`); components/address_plan.py says how
    it is divided. Excludes `existing`."""

    zones: Sequence[str] = ()
    """Two or three availability zones of the region for a new VPC. Append only: the order decides the subnets' blocks.
    Excludes `existing`."""

    nat: NatMode | None = None
    """NAT gateways of a new VPC: one, or one a zone. No default, since it is its price. Excludes `existing`."""

    pod_cidr: str | None = None
    """Second IPv4 block of a new VPC, /16 to /22, for pods alone, where private addresses are scarce: 100.64.0.0/16,
    say. Default: pods share `cidr`. Excludes `existing`."""

    existing: ExistingVpc | None = None
    """A VPC that exists, instead of a new one. Default: a new one."""

    endpoints: EndpointSet = EndpointSet.S3_ONLY
    """Services reached without NAT: components/endpoint_services.py lists them. Each interface endpoint costs about 7 $
    a month and zone. Default: S3 alone, which is free; in an existing VPC that adds nothing."""

    flow_log_retention_days: int | None = 365
    """Days that flow logs are kept; one of those that CloudWatch Logs knows. None, in an existing VPC only: its owner
    records. Default: a year."""

    outside_buckets: Sequence[str] = ()
    """Names of other accounts' buckets that may be read through the S3 endpoint: open data, say. Default: none.
    Excludes `existing`, which has its owner's."""

    permissions_boundary: Input[str] | None = None
    """ARN of the policy that bounds the flow logs' role. Default: unbounded."""

    retention: Retention = PROTECTED
    """What a destroy does to the flow logs and their key. Default: protected."""


@dataclass(frozen=True, kw_only=True)
class _Vpc:
    """What the rest stands on, whether it was made or found."""

    id: Input[str]
    ranges: Mapping[str, Input[str]]
    """Its IPv4 blocks, by what they are for."""
    public_subnet_ids: Sequence[Input[str]]
    private_subnet_ids: Sequence[Input[str]]
    endpoint_subnet_ids: Sequence[Input[str]]
    """One private subnet a zone."""


class Network(pulumi.ComponentResource):
    """Creates, for a new VPC:

    - the VPC; a public and a private subnet in each zone, none of which gives instances public addresses;
    - an internet gateway, one route table for all public subnets and one for each private subnet;
    - NAT gateways with their addresses: one, or one a zone (**about 33 $ a month each, and 0.045 $ per GB**);
    - with `pod_cidr`, a second block and a subnet for pods in each zone, on the zone's private route table;
    - a gateway endpoint for S3 (free), open to this account's buckets, ECR's layers and `outside_buckets`;
    - the default security group without a rule.

    For any VPC:

    - with `endpoints` standard or all, interface endpoints with private DNS in the private subnets, whose policies know
      this account alone, and their security group, open to the VPC on port 443 (**about 7 $ a month, each and zone**);
    - flow logs of all traffic, in a log group with a retention and a key of its own, and the role that writes them.

    An existing VPC is its owner's: subnets, routes, NAT, S3 endpoint and default security group stay as they are.
    """

    vpc_id: Output[str]
    cidr: Output[str]
    """IPv4 block of the VPC."""
    public_subnet_ids: Output[list[str]]
    """In the order of the zones."""
    private_subnet_ids: Output[list[str]]
    """In the order of the zones."""

    def __init__(self, name: str, args: NetworkArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:Network", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        self._check()

        vpc = self._create() if args.existing is None else _adopted(args.existing)
        self._create_interface_endpoints(vpc)
        if args.flow_log_retention_days is not None:
            self._create_flow_logs(vpc.id, args.flow_log_retention_days)

        self.vpc_id = Output.from_input(vpc.id)
        self.cidr = Output.from_input(vpc.ranges["vpc"])
        self.public_subnet_ids = Output.all(*vpc.public_subnet_ids).apply(list)
        self.private_subnet_ids = Output.all(*vpc.private_subnet_ids).apply(list)
        self.register_outputs(
            {
                "vpcId": self.vpc_id,
                "cidr": self.cidr,
                "publicSubnetIds": self.public_subnet_ids,
                "privateSubnetIds": self.private_subnet_ids,
            }
        )

    def _check(self) -> None:
        args = self._args
        zones = args.zones if args.existing is None else args.existing.zones
        _check_zones_in_region(zones, args.location.region)
        check_endpoints_known(args.endpoints, args.location)
        if args.flow_log_retention_days is not None:
            check_retention_days(args.flow_log_retention_days)
        elif args.existing is None:
            raise InvalidArgument("a new VPC records its traffic: give flow_log_retention_days, for example 365")
        new = {"cidr": args.cidr, "zones": args.zones, "nat": args.nat, "pod_cidr": args.pod_cidr}
        given = [name for name, value in (new | {"outside_buckets": args.outside_buckets}).items() if value]
        if args.existing is not None and given:
            raise InvalidArgument(
                f"{' and '.join(given)} cannot be given with existing: {args.existing.vpc_id} brings its own"
            )

    def _create(self) -> _Vpc:
        args = self._args
        if not args.cidr or args.nat is None:
            raise InvalidArgument("a new VPC needs cidr, zones and nat, and an existing one is named in existing")
        plan = plan_addresses(args.cidr, args.zones, args.pod_cidr)
        vpc = self._create_vpc(plan.block.with_prefixlen)
        self._empty_default_security_group(vpc)
        public = {subnet.zone: self._create_subnet(vpc.id, subnet) for subnet in plan.of_tier(Tier.PUBLIC)}
        private = {subnet.zone: self._create_subnet(vpc.id, subnet) for subnet in plan.of_tier(Tier.PRIVATE)}
        gateway = self._create_internet_gateway(vpc)
        nat_gateways = self._create_nat_gateways(args.nat, public, gateway)
        public_table = self._create_public_routes(vpc, public, gateway)
        private_tables = self._create_private_routes(vpc, private, nat_gateways)
        pods = self._create_pod_subnets(vpc, plan, private_tables)
        self._create_s3_endpoint(vpc, [public_table, *private_tables.values()])
        private_ids = [subnet.id for subnet in private.values()]
        return _Vpc(
            id=vpc.id,
            ranges={"vpc": vpc.cidr_block, **pods},
            public_subnet_ids=[subnet.id for subnet in public.values()],
            private_subnet_ids=private_ids,
            endpoint_subnet_ids=private_ids,
        )

    def _tags(self, child: str) -> dict[str, str]:
        return child_tags(self._name, child)

    def _create_vpc(self, cidr: str) -> aws.ec2.Vpc:
        name = f"{self._name}-vpc"
        return aws.ec2.Vpc(
            name,
            cidr_block=cidr,
            enable_dns_support=True,
            # The cluster's private endpoint and interface endpoints are found by name.
            enable_dns_hostnames=True,
            tags=self._tags(name),
            opts=self._child,
        )

    def _empty_default_security_group(self, vpc: aws.ec2.Vpc) -> None:
        name = f"{self._name}-default-security-group"
        # Adopting the group without naming rules removes those that AWS puts there.
        aws.ec2.DefaultSecurityGroup(name, vpc_id=vpc.id, tags=self._tags(name), opts=self._child)

    def _create_subnet(self, vpc_id: Input[str], planned: PlannedSubnet) -> aws.ec2.Subnet:
        name = f"{self._name}-{planned.tier}-{planned.zone}"
        return aws.ec2.Subnet(
            name,
            vpc_id=vpc_id,
            availability_zone=planned.zone,
            cidr_block=planned.block.with_prefixlen,
            map_public_ip_on_launch=False,
            tags={**self._tags(name), ROLE_TAG[planned.tier]: "1"},
            opts=self._child,
        )

    def _create_internet_gateway(self, vpc: aws.ec2.Vpc) -> aws.ec2.InternetGateway:
        name = f"{self._name}-internet-gateway"
        return aws.ec2.InternetGateway(name, vpc_id=vpc.id, tags=self._tags(name), opts=self._child)

    def _create_nat_gateways(
        self, mode: NatMode, public: Mapping[str, aws.ec2.Subnet], gateway: aws.ec2.InternetGateway
    ) -> dict[str, aws.ec2.NatGateway]:
        """The NAT gateways by zone; with a single one, that of the first zone."""
        zones = list(public)[:1] if mode is NatMode.SINGLE else list(public)
        return {zone: self._create_nat_gateway(zone, public[zone], gateway) for zone in zones}

    def _create_nat_gateway(
        self, zone: str, subnet: aws.ec2.Subnet, gateway: aws.ec2.InternetGateway
    ) -> aws.ec2.NatGateway:
        # AWS: an address and a NAT gateway need the VPC's internet gateway, and hold it until they are gone.
        after_gateway = ResourceOptions.merge(self._child, ResourceOptions(depends_on=[gateway]))
        address_name, name = f"{self._name}-nat-address-{zone}", f"{self._name}-nat-{zone}"
        address = aws.ec2.Eip(address_name, domain="vpc", tags=self._tags(address_name), opts=after_gateway)
        return aws.ec2.NatGateway(
            name, subnet_id=subnet.id, allocation_id=address.allocation_id, tags=self._tags(name), opts=after_gateway
        )

    def _create_public_routes(
        self, vpc: aws.ec2.Vpc, subnets: Mapping[str, aws.ec2.Subnet], gateway: aws.ec2.InternetGateway
    ) -> aws.ec2.RouteTable:
        name = f"{self._name}-public-routes"
        table = aws.ec2.RouteTable(name, vpc_id=vpc.id, tags=self._tags(name), opts=self._child)
        aws.ec2.Route(
            f"{name}-out",
            route_table_id=table.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway.id,
            opts=self._child,
        )
        for zone, subnet in subnets.items():
            self._associate(f"{name}-association-{zone}", table, subnet)
        return table

    def _create_private_routes(
        self, vpc: aws.ec2.Vpc, subnets: Mapping[str, aws.ec2.Subnet], nat_gateways: Mapping[str, aws.ec2.NatGateway]
    ) -> dict[str, aws.ec2.RouteTable]:
        """A table for each zone even with a single NAT gateway: changing the mode then changes a route and no table."""
        shared = next(iter(nat_gateways.values()))
        tables: dict[str, aws.ec2.RouteTable] = {}
        for zone, subnet in subnets.items():
            name = f"{self._name}-private-routes-{zone}"
            table = aws.ec2.RouteTable(name, vpc_id=vpc.id, tags=self._tags(name), opts=self._child)
            aws.ec2.Route(
                f"{name}-out",
                route_table_id=table.id,
                destination_cidr_block=ANYWHERE,
                nat_gateway_id=nat_gateways.get(zone, shared).id,
                opts=self._child,
            )
            self._associate(f"{name}-association", table, subnet)
            tables[zone] = table
        return tables

    def _associate(self, name: str, table: aws.ec2.RouteTable, subnet: aws.ec2.Subnet) -> None:
        aws.ec2.RouteTableAssociation(name, route_table_id=table.id, subnet_id=subnet.id, opts=self._child)

    def _create_pod_subnets(
        self, vpc: aws.ec2.Vpc, plan: AddressPlan, tables: Mapping[str, aws.ec2.RouteTable]
    ) -> dict[str, Input[str]]:
        """The pods' range, by its name; empty without one."""
        if plan.pod_block is None:
            return {}
        block = aws.ec2.VpcIpv4CidrBlockAssociation(
            f"{self._name}-pod-range", vpc_id=vpc.id, cidr_block=plan.pod_block.with_prefixlen, opts=self._child
        )
        for planned in plan.of_tier(Tier.POD):
            # By way of the association: the block must be there before a subnet in it.
            subnet = self._create_subnet(block.vpc_id, planned)
            name = f"{self._name}-{planned.tier}-{planned.zone}-association"
            self._associate(name, tables[planned.zone], subnet)
        return {"pods": block.cidr_block}

    def _create_s3_endpoint(self, vpc: aws.ec2.Vpc, tables: Sequence[aws.ec2.RouteTable]) -> None:
        name = f"{self._name}-s3-endpoint"
        aws.ec2.VpcEndpoint(
            name,
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{self._args.location.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in tables],
            policy=s3_endpoint_policy(self._args.location, self._args.outside_buckets),
            tags=self._tags(name),
            opts=self._child,
        )

    def _create_interface_endpoints(self, vpc: _Vpc) -> None:
        interface_endpoints(
            self._name,
            services_of(self._args.endpoints),
            self._args.location,
            vpc_id=vpc.id,
            ranges=vpc.ranges,
            subnet_ids=vpc.endpoint_subnet_ids,
            tags=self._tags,
            opts=self._child,
        )

    def _create_flow_logs(self, vpc_id: Input[str], retention_days: int) -> None:
        name, args = self._name, self._args
        group = flow_log_group(
            name,
            args.stem,
            args.location,
            retention_days=retention_days,
            retention=args.retention,
            tags=self._tags,
            parent=self,
        )
        role = flow_log_role(
            name,
            args.stem,
            args.location,
            group,
            permissions_boundary=args.permissions_boundary,
            tags=self._tags,
            opts=self._child,
        )
        record_all_traffic(name, vpc_id, group, role, tags=self._tags, opts=self._child)


def _adopted(existing: ExistingVpc) -> _Vpc:
    return _Vpc(
        id=existing.vpc_id,
        ranges={"vpc": existing.cidr},
        public_subnet_ids=existing.ids(public=True),
        private_subnet_ids=existing.ids(public=False),
        endpoint_subnet_ids=existing.one_private_per_zone(),
    )


def _check_zones_in_region(zones: Sequence[str], region: str) -> None:
    foreign = [zone for zone in zones if not zone.startswith(region)]
    if foreign:
        raise InvalidArgument(
            f"availability zones {', '.join(foreign)} are not in region {region}, whose zones are named like {region}a"
        )
