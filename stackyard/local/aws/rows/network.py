"""EC2 networks: VPC, subnets, gateways, routes, endpoints, flow logs."""

from stackyard.local.aws import handlers, inline
from stackyard.local.aws.rows import Op, Read, Row

EC2_ARN = "arn:aws:ec2:{region}:{account}"


def _attribute(operation: str, resource: str, member: str, name: str, default: str) -> Op:
    """A Modify…Attribute call, which takes one attribute at a time; an input that was taken back gets its default."""
    value = {"Value": f"=not_null({name}, `{default}`)"}
    return Op(name=operation, params={resource: "=id", member: value}, on=(name,))


def _vpc_attribute(name: str, default: str = "false") -> Op:
    return _attribute("ModifyVpcAttribute", "VpcId", name[0].upper() + name[1:], name, default)


_VPC_ATTRIBUTES = ("enableDnsSupport", "enableDnsHostnames", "enableNetworkAddressUsageMetrics")


def _vpc_attribute_now(name: str) -> Read:
    member = name[0].upper() + name[1:]
    return Read(name="DescribeVpcAttribute", params={"VpcId": "=id", "Attribute": name}, path=f"{member}.Value")


def _subnet_attribute(name: str, member: str = "") -> Op:
    return _attribute("ModifySubnetAttribute", "SubnetId", member or name[0].upper() + name[1:], name, "false")


def _of_vpc(operation: str, path: str, *filters: dict[str, object]) -> Read:
    return Read(name=operation, params={"Filters": [{"Name": "vpc-id", "Values": ["=id"]}, *filters]}, path=path)


VPC = Row(
    service="ec2",
    create=Op(name="CreateVpc"),
    id="=r.Vpc.VpcId",
    read=Read(name="DescribeVpcs", params={"VpcIds": ["=id"]}, path="Vpcs[0]"),
    delete=(Op(name="DeleteVpc", params={"VpcId": "=id"}),),
    then=(
        _vpc_attribute("enableDnsSupport", "true"),
        _vpc_attribute("enableDnsHostnames"),
        _vpc_attribute("enableNetworkAddressUsageMetrics"),
        Op(name="ModifyVpcTenancy", params={"VpcId": "=id"}, on=("instanceTenancy",), when="old.instanceTenancy"),
    ),
    rename={
        "assignGeneratedIpv6CidrBlock": "AmazonProvidedIpv6CidrBlock",
        "ipv6CidrBlockNetworkBorderGroup": "Ipv6CidrBlockNetworkBorderGroup",
    },
    tag_type="vpc",
    look={
        "defaultGroup": _of_vpc(
            "DescribeSecurityGroups", "SecurityGroups[0].GroupId", {"Name": "group-name", "Values": ["default"]}
        ),
        "mainTable": _of_vpc(
            "DescribeRouteTables", "RouteTables[0].RouteTableId", {"Name": "association.main", "Values": ["true"]}
        ),
        "defaultAcl": _of_vpc(
            "DescribeNetworkAcls", "NetworkAcls[0].NetworkAclId", {"Name": "default", "Values": ["true"]}
        ),
    },
    out={
        "arn": f"{EC2_ARN}:vpc/{{id}}",
        "ownerId": "=account",
        "defaultSecurityGroupId": "=defaultGroup",
        "mainRouteTableId": "=mainTable",
        "defaultRouteTableId": "=mainTable",
        "defaultNetworkAclId": "=defaultAcl",
        "enableDnsSupport": "=not_null(enableDnsSupport, `true`)",
        "enableDnsHostnames": "=not_null(enableDnsHostnames, `false`)",
    },
    watch={f"{name}Now": _vpc_attribute_now(name) for name in _VPC_ATTRIBUTES},
    shows={name: f"={name}Now" for name in _VPC_ATTRIBUTES},
)

SUBNET = Row(
    service="ec2",
    create=Op(name="CreateSubnet"),
    id="=r.Subnet.SubnetId",
    read=Read(name="DescribeSubnets", params={"SubnetIds": ["=id"]}, path="Subnets[0]"),
    delete=(Op(name="DeleteSubnet", params={"SubnetId": "=id"}),),
    then=(
        _subnet_attribute("mapPublicIpOnLaunch"),
        _subnet_attribute("assignIpv6AddressOnCreation"),
        _subnet_attribute("enableDns64"),
        _subnet_attribute("enableResourceNameDnsARecordOnLaunch"),
        _subnet_attribute("enableResourceNameDnsAaaaRecordOnLaunch", "EnableResourceNameDnsAAAARecordOnLaunch"),
        Op(
            name="ModifySubnetAttribute",
            params={
                "SubnetId": "=id",
                "PrivateDnsHostnameTypeOnLaunch": "=privateDnsHostnameTypeOnLaunch || 'ip-name'",
            },
            on=("privateDnsHostnameTypeOnLaunch",),
        ),
    ),
    tag_type="subnet",
    out={"arn": f"{EC2_ARN}:subnet/{{id}}"},
)

VPC_CIDR_BLOCK = Row(
    service="ec2",
    create=Op(name="AssociateVpcCidrBlock"),
    id="=r.CidrBlockAssociation.AssociationId",
    read=Read(
        name="DescribeVpcs",
        params={"VpcIds": ["=vpcId"]},
        path="Vpcs[0].CidrBlockAssociationSet[?AssociationId == '{id}' && CidrBlockState.State == 'associated'] | [0]",
    ),
    delete=(Op(name="DisassociateVpcCidrBlock", params={"AssociationId": "=id"}),),
    shows={"vpcId": "=vpcId"},
)

INTERNET_GATEWAY = Row(
    service="ec2",
    create=Op(name="CreateInternetGateway"),
    id="=r.InternetGateway.InternetGatewayId",
    read=Read(name="DescribeInternetGateways", params={"InternetGatewayIds": ["=id"]}, path="InternetGateways[0]"),
    delete=(
        Op(name="DetachInternetGateway", params={"InternetGatewayId": "=id", "VpcId": "=vpcId"}, when="vpcId"),
        Op(name="DeleteInternetGateway", params={"InternetGatewayId": "=id"}),
    ),
    then=(
        Op(
            name="DetachInternetGateway",
            params={"InternetGatewayId": "=id", "VpcId": "=old.vpcId"},
            on=("vpcId",),
            when="old.vpcId",
        ),
        Op(
            name="AttachInternetGateway",
            params={"InternetGatewayId": "=id", "VpcId": "=vpcId"},
            on=("vpcId",),
            when="vpcId",
        ),
    ),
    tag_type="internet-gateway",
    out={"arn": f"{EC2_ARN}:internet-gateway/{{id}}", "ownerId": "=account"},
    shows={"vpcId": "=d.Attachments[0].VpcId"},
)

EIP = Row(
    service="ec2",
    create=Op(name="AllocateAddress"),
    id="=r.AllocationId",
    read=Read(name="DescribeAddresses", params={"AllocationIds": ["=id"]}, path="Addresses[0]"),
    delete=(Op(name="ReleaseAddress", params={"AllocationId": "=id"}),),
    rename={"customerOwnedIpv4Pool": "CustomerOwnedIpv4Pool"},
    tag_type="elastic-ip",
    out={"arn": f"{EC2_ARN}:elastic-ip/{{id}}", "allocationId": "=id", "publicIp": "=d.PublicIp"},
    # A NAT gateway's association appears later and is not this resource's.
    keep=("associationId", "networkInterface", "privateIp", "associateWithPrivateIp", "instance"),
)

NAT_GATEWAY = Row(
    service="ec2",
    create=Op(name="CreateNatGateway"),
    id="=r.NatGateway.NatGatewayId",
    read=Read(
        name="DescribeNatGateways", params={"NatGatewayIds": ["=id"]}, path="NatGateways[?State != 'deleted'] | [0]"
    ),
    delete=(Op(name="DeleteNatGateway", params={"NatGatewayId": "=id"}),),
    rename={
        "privateIp": "PrivateIpAddress",
        "secondaryPrivateIpAddresses": "SecondaryPrivateIpAddresses",
        "secondaryPrivateIpAddressCount": "SecondaryPrivateIpAddressCount",
    },
    tag_type="natgateway",
    out={
        "publicIp": "=d.NatGatewayAddresses[0].PublicIp",
        "privateIp": "=d.NatGatewayAddresses[0].PrivateIp",
        "networkInterfaceId": "=d.NatGatewayAddresses[0].NetworkInterfaceId",
        "associationId": "=d.NatGatewayAddresses[0].AssociationId",
    },
    shows={"allocationId": "=d.NatGatewayAddresses[0].AllocationId"},
)

ROUTE_TABLE = Row(
    service="ec2",
    create=Op(name="CreateRouteTable"),
    id="=r.RouteTable.RouteTableId",
    read=Read(name="DescribeRouteTables", params={"RouteTableIds": ["=id"]}, path="RouteTables[0]"),
    delete=(Op(name="DeleteRouteTable", params={"RouteTableId": "=id"}),),
    steps=handlers.inline_routes,
    steps_on=("routes",),
    tag_type="route-table",
    out={"arn": f"{EC2_ARN}:route-table/{{id}}", "ownerId": "=account"},
    live=inline.routes_now,
)

_DESTINATION = (
    "RouteTables[0].Routes[?DestinationCidrBlock == '{destinationCidrBlock}' || "
    "DestinationIpv6CidrBlock == '{destinationIpv6CidrBlock}' || "
    "DestinationPrefixListId == '{destinationPrefixListId}'] | [0]"
)
_ROUTE_KEY = {
    "RouteTableId": "=routeTableId",
    "DestinationCidrBlock": "=destinationCidrBlock",
    "DestinationIpv6CidrBlock": "=destinationIpv6CidrBlock",
    "DestinationPrefixListId": "=destinationPrefixListId",
}
_ROUTE_RENAME = {"egressOnlyGatewayId": "EgressOnlyInternetGatewayId"}

ROUTE = Row(
    service="ec2",
    create=Op(name="CreateRoute"),
    id="r-{routeTableId}-{h}",
    read=Read(name="DescribeRouteTables", params={"RouteTableIds": ["=routeTableId"]}, path=_DESTINATION),
    delete=(Op(name="DeleteRoute", params=_ROUTE_KEY),),
    mod=(
        Op(
            name="ReplaceRoute",
            params=_ROUTE_KEY,
            on=tuple(sorted(handlers.ROUTE_TARGETS)),
            resets=True,
        ),
    ),
    rename=_ROUTE_RENAME,
    absent=tuple(sorted(handlers.ROUTE_TARGETS)),
)

ROUTE_TABLE_ASSOCIATION = Row(
    service="ec2",
    create=Op(name="AssociateRouteTable"),
    id="=r.AssociationId",
    read=Read(
        name="DescribeRouteTables",
        params={"Filters": [{"Name": "association.route-table-association-id", "Values": ["=id"]}]},
        path="RouteTables[0].Associations[?RouteTableAssociationId == '{id}'] | [0]",
    ),
    delete=(Op(name="DisassociateRouteTable", params={"AssociationId": "=id"}),),
    mod=(
        Op(
            name="ReplaceRouteTableAssociation",
            params={"AssociationId": "=id", "RouteTableId": "=routeTableId"},
            on=("routeTableId",),
            id="NewAssociationId",
        ),
    ),
)

VPC_ENDPOINT = Row(
    service="ec2",
    create=Op(name="CreateVpcEndpoint"),
    id="=r.VpcEndpoint.VpcEndpointId",
    read=Read(
        name="DescribeVpcEndpoints",
        params={"VpcEndpointIds": ["=id"]},
        path="VpcEndpoints[?!contains(['deleted', 'Deleted'], State)] | [0]",
    ),
    delete=(
        Op(name="DeleteVpcEndpoints", params={"VpcEndpointIds": ["=id"]}),
        # A route table that a change added has no route in the emulator, whose deletion then fails: again without it.
        Op(
            name="ModifyVpcEndpoint",
            params={"VpcEndpointId": "=id", "RemoveRouteTableIds": "=routeTableIds"},
            when="routeTableIds",
        ),
        Op(name="DeleteVpcEndpoints", params={"VpcEndpointIds": ["=id"]}, when="routeTableIds"),
    ),
    rename={"policy": "PolicyDocument"},
    steps=handlers.endpoint_changes,
    steps_on=(
        "routeTableIds",
        "subnetIds",
        "securityGroupIds",
        "policy",
        "privateDnsEnabled",
        "ipAddressType",
        "dnsOptions",
    ),
    tag_type="vpc-endpoint",
    out={
        "arn": f"{EC2_ARN}:vpc-endpoint/{{id}}",
        "ownerId": "=account",
        "dnsEntries": "=d.DnsEntries[].{dnsName: DnsName, hostedZoneId: HostedZoneId}",
        "networkInterfaceIds": "=d.NetworkInterfaceIds",
    },
    shows={"securityGroupIds": "=d.Groups[].GroupId"},
    absent=("policy", "routeTableIds", "subnetIds"),
)

FLOW_LOG = Row(
    service="ec2",
    create=Op(
        name="CreateFlowLogs",
        params={
            "ResourceIds": ["=vpcId || subnetId || eniId || transitGatewayId"],
            "ResourceType": (
                "=vpcId && 'VPC' || subnetId && 'Subnet' || eniId && 'NetworkInterface' || 'TransitGateway'"
            ),
        },
    ),
    id="=r.FlowLogIds[0]",
    read=Read(name="DescribeFlowLogs", params={"FlowLogIds": ["=id"]}, path="FlowLogs[0]"),
    delete=(Op(name="DeleteFlowLogs", params={"FlowLogIds": ["=id"]}),),
    rename={"iamRoleArn": "DeliverLogsPermissionArn", "deliverCrossAccountRole": "DeliverCrossAccountRole"},
    tag_type="vpc-flow-log",
    out={"arn": f"{EC2_ARN}:vpc-flow-log/{{id}}"},
    shows={
        "vpcId": "=vpcId && d.ResourceId",
        "subnetId": "=subnetId && d.ResourceId",
        "eniId": "=eniId && d.ResourceId",
    },
)

ROWS = {
    "aws:ec2/vpc:Vpc": VPC,
    "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation": VPC_CIDR_BLOCK,
    "aws:ec2/subnet:Subnet": SUBNET,
    "aws:ec2/internetGateway:InternetGateway": INTERNET_GATEWAY,
    "aws:ec2/eip:Eip": EIP,
    "aws:ec2/natGateway:NatGateway": NAT_GATEWAY,
    "aws:ec2/routeTable:RouteTable": ROUTE_TABLE,
    "aws:ec2/route:Route": ROUTE,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": ROUTE_TABLE_ASSOCIATION,
    "aws:ec2/vpcEndpoint:VpcEndpoint": VPC_ENDPOINT,
    "aws:ec2/flowLog:FlowLog": FLOW_LOG,
}
