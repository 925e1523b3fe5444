"""The VPC of an environment: subnets over two or three zones, the ways out, and a record of all traffic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.address_plan import PlannedSubnet, Tier, plan_addresses
from components.aws_location import AwsLocation
from components.encryption_keys import encryption_key, key_policy, used_by_log_group
from components.iam_policies import Statement, endpoint_policy, identity_policy, service_trust_policy
from components.invalid_argument import InvalidArgument
from components.log_groups import check_retention_days
from components.retention import PROTECTED, Retention
from components.tagging import child_tags

ANYWHERE = "0.0.0.0/0"
FLOW_LOG_SERVICE = "vpc-flow-logs.amazonaws.com"
# https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html, without CreateLogGroup: the group is ours.
FLOW_LOG_ACTIONS = ("logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents")
ROLE_SESSION_SECONDS = 3600

# https://docs.aws.amazon.com/eks/latest/userguide/network-load-balancing.html: how load balancers find their subnets.
LOAD_BALANCER_TAG = {Tier.PUBLIC: "kubernetes.io/role/elb", Tier.PRIVATE: "kubernetes.io/role/internal-elb"}


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

    cidr: str
    """IPv4 block of the VPC, /16 to /22 within RFC 1918; components/address_plan.py says how it is divided."""

    zones: Sequence[str]
    """Two or three availability zones of the region. Append only: the order decides the subnets' blocks."""

    nat: NatMode
    """NAT gateways: one, or one a zone. No default, since it is the price of the network."""

    flow_log_retention_days: int = 365
    """Days that flow logs are kept; one of those that CloudWatch Logs knows. Default: a year."""

    outside_buckets: Sequence[str] = ()
    """Names of other accounts' buckets that may be read through the S3 endpoint: open data, say. Default: none."""

    permissions_boundary: Input[str] | None = None
    """ARN of the policy that bounds the flow logs' role. Default: unbounded."""

    retention: Retention = PROTECTED
    """What a destroy does to the flow logs and their key. Default: protected."""


class Network(pulumi.ComponentResource):
    """Creates, always:

    - the VPC; a public and a private subnet in each zone, none of which gives instances public addresses;
    - an internet gateway, one route table for all public subnets and one for each private subnet;
    - NAT gateways with their addresses: one, or one a zone (**about 33 $ a month each, and 0.045 $ per GB**);
    - a gateway endpoint for S3 (free), open to this account's buckets, ECR's layers and `outside_buckets`;
    - flow logs of all traffic, in a log group with a retention and a key of its own, and the role that writes them;
    - the default security group without a rule.
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
        _check_zones_in_region(args.zones, args.location.region)
        check_retention_days(args.flow_log_retention_days)
        plan = plan_addresses(args.cidr, args.zones)

        vpc = self._create_vpc(plan.block.with_prefixlen)
        self._empty_default_security_group(vpc)
        public = {subnet.zone: self._create_subnet(vpc, subnet) for subnet in plan.of_tier(Tier.PUBLIC)}
        private = {subnet.zone: self._create_subnet(vpc, subnet) for subnet in plan.of_tier(Tier.PRIVATE)}
        gateway = self._create_internet_gateway(vpc)
        nat_gateways = self._create_nat_gateways(public, gateway)
        tables = [
            self._create_public_routes(vpc, public, gateway),
            *self._create_private_routes(vpc, private, nat_gateways),
        ]
        # Interface endpoints and an adopted VPC join here; both use the same subnets and tables.
        self._create_s3_endpoint(vpc, tables)
        self._create_flow_logs(vpc)

        self.vpc_id = vpc.id
        self.cidr = vpc.cidr_block
        self.public_subnet_ids = Output.all(*(subnet.id for subnet in public.values())).apply(list)
        self.private_subnet_ids = Output.all(*(subnet.id for subnet in private.values())).apply(list)
        self.register_outputs(
            {
                "vpcId": self.vpc_id,
                "cidr": self.cidr,
                "publicSubnetIds": self.public_subnet_ids,
                "privateSubnetIds": self.private_subnet_ids,
            }
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

    def _create_subnet(self, vpc: aws.ec2.Vpc, planned: PlannedSubnet) -> aws.ec2.Subnet:
        name = f"{self._name}-{planned.tier}-{planned.zone}"
        return aws.ec2.Subnet(
            name,
            vpc_id=vpc.id,
            availability_zone=planned.zone,
            cidr_block=planned.block.with_prefixlen,
            map_public_ip_on_launch=False,
            tags={**self._tags(name), LOAD_BALANCER_TAG[planned.tier]: "1"},
            opts=self._child,
        )

    def _create_internet_gateway(self, vpc: aws.ec2.Vpc) -> aws.ec2.InternetGateway:
        name = f"{self._name}-internet-gateway"
        return aws.ec2.InternetGateway(name, vpc_id=vpc.id, tags=self._tags(name), opts=self._child)

    def _create_nat_gateways(
        self, public: Mapping[str, aws.ec2.Subnet], gateway: aws.ec2.InternetGateway
    ) -> dict[str, aws.ec2.NatGateway]:
        """The NAT gateways by zone; with a single one, that of the first zone."""
        zones = list(public)[:1] if self._args.nat is NatMode.SINGLE else list(public)
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
    ) -> list[aws.ec2.RouteTable]:
        """A table for each zone even with a single NAT gateway: changing the mode then changes a route and no table."""
        shared = next(iter(nat_gateways.values()))
        tables: list[aws.ec2.RouteTable] = []
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
            tables.append(table)
        return tables

    def _associate(self, name: str, table: aws.ec2.RouteTable, subnet: aws.ec2.Subnet) -> None:
        aws.ec2.RouteTableAssociation(name, route_table_id=table.id, subnet_id=subnet.id, opts=self._child)

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

    def _create_flow_logs(self, vpc: aws.ec2.Vpc) -> None:
        group = self._create_flow_log_group()
        name = f"{self._name}-flow-log"
        aws.ec2.FlowLog(
            name,
            vpc_id=vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=self._create_flow_log_role(group).arn,
            tags=self._tags(name),
            opts=self._child,
        )

    def _create_flow_log_group(self) -> aws.cloudwatch.LogGroup:
        name, key_name = f"{self._name}-flow-log-group", f"{self._name}-flow-log-key"
        group_name = f"/stackyard/{self._args.stem}/flow-logs"
        # The record of an incident must outlive a destroy by mistake, and so must the key that reads it.
        kept = self._args.retention.options(self)
        loosened = self._args.retention.tags()
        key = encryption_key(
            key_name,
            description=f"Flow logs of {self._args.stem}",
            policy=key_policy(self._args.location, [used_by_log_group(self._args.location, group_name)]),
            tags=self._tags(key_name) | loosened,
            opts=kept,
        )
        return aws.cloudwatch.LogGroup(
            name,
            name=group_name,
            kms_key_id=key.arn,
            retention_in_days=self._args.flow_log_retention_days,
            tags=self._tags(name) | loosened,
            opts=kept,
        )

    def _create_flow_log_role(self, group: aws.cloudwatch.LogGroup) -> aws.iam.Role:
        name, location = f"{self._name}-flow-log-role", self._args.location
        role = aws.iam.Role(
            name,
            description=f"Writes the flow logs of {self._args.stem}",
            assume_role_policy=service_trust_policy(FLOW_LOG_SERVICE, location, location.arn("ec2", "vpc-flow-log/*")),
            max_session_duration=ROLE_SESSION_SECONDS,
            permissions_boundary=self._args.permissions_boundary,
            tags=self._tags(name),
            opts=self._child,
        )
        aws.iam.RolePolicy(
            f"{name}-policy",
            role=role.name,
            policy=identity_policy(
                [Statement(actions=FLOW_LOG_ACTIONS, resources=[group.arn, Output.format("{0}:*", group.arn)])]
            ),
            opts=self._child,
        )
        return role


def s3_endpoint_policy(location: AwsLocation, outside_buckets: Sequence[str] = ()) -> Output[str]:
    """Nothing leaves through the endpoint to another account's bucket, and nobody else's credentials work through it.

    Reading is allowed from ECR's bucket of image layers
    (https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html) and from `outside_buckets`.
    """
    readable = [f"prod-{location.region}-starport-layer-bucket", *sorted(outside_buckets)]
    return endpoint_policy(
        [
            Statement(
                sid="ThisAccountOnly",
                actions=["s3:*"],
                resources=["*"],
                conditions={
                    "StringEquals": {
                        "aws:PrincipalAccount": location.account_id,
                        "aws:ResourceAccount": location.account_id,
                    }
                },
            ),
            Statement(
                # Image layers come by presigned address, from a principal that is not ours.
                sid="ReadOutside",
                actions=["s3:GetObject", "s3:ListBucket"],
                resources=[arn for name in readable for arn in _bucket_and_objects(location, name)],
            ),
        ]
    )


def _bucket_and_objects(location: AwsLocation, bucket_name: str) -> tuple[str, str]:
    arn = location.bucket_arn(bucket_name)
    return arn, f"{arn}/*"


def _check_zones_in_region(zones: Sequence[str], region: str) -> None:
    foreign = [zone for zone in zones if not zone.startswith(region)]
    if foreign:
        raise InvalidArgument(
            f"availability zones {', '.join(foreign)} are not in region {region}, whose zones are named like {region}a"
        )
