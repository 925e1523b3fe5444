"""EC2 networks: VPC, subnets, gateways, routes, security groups, endpoints, flow logs."""

from stackyard.local.aws import handlers
from stackyard.local.aws.rows import Op, Read, Row

EC2_ARN = "arn:aws:ec2:{region}:{account}"


def _attribute(operation: str, resource: str, member: str, name: str, default: str) -> Op:
    """A Modify…Attribute call, which takes one attribute at a time; an input that was taken back gets its default."""
    value = {"Value": f"=not_null({name}, `{default}`)"}
    return Op(name=operation, params={resource: "=id", member: value}, on=(name,))


def _vpc_attribute(name: str, default: str = "false") -> Op:
    return _attribute("ModifyVpcAttribute", "VpcId", name[0].upper() + name[1:], name, default)


def _subnet_attribute(name: str, member: str = "") -> Op:
    return _attribute("ModifySubnetAttribute", "SubnetId", member or name[0].upper() + name[1:], name, "false")


def _of_vpc(operation: str, path: str, *filters: dict[str, object]) -> Read:
    return Read(name=operation, params={"Filters": [{"Name": "vpc-id", "Values": ["=id"]}, *filters]}, path=path)


# A rule's inputs, by their names in the API. AuthorizeSecurityGroup… takes the same in another shape.
_RULE = {
    "IpProtocol": "ipProtocol",
    "FromPort": "fromPort",
    "ToPort": "toPort",
    "CidrIpv4": "cidrIpv4",
    "CidrIpv6": "cidrIpv6",
    "PrefixListId": "prefixListId",
    "ReferencedGroupId": "referencedSecurityGroupId",
    "Description": "description",
}


def _rule(direction: str) -> Row:
    """A security group rule as a resource of its own. `direction` is Ingress or Egress."""
    permission = {
        "IpProtocol": "=ipProtocol",
        "FromPort": "=fromPort",
        "ToPort": "=toPort",
        "IpRanges": "=cidrIpv4 && [{CidrIp: cidrIpv4, Description: description}]",
        "Ipv6Ranges": "=cidrIpv6 && [{CidrIpv6: cidrIpv6, Description: description}]",
        "PrefixListIds": "=prefixListId && [{PrefixListId: prefixListId, Description: description}]",
        "UserIdGroupPairs": (
            "=referencedSecurityGroupId && [{GroupId: referencedSecurityGroupId, Description: description}]"
        ),
    }
    rule = {member: f"={name}" for member, name in _RULE.items()}
    return Row(
        service="ec2",
        create=Op(
            name=f"AuthorizeSecurityGroup{direction}",
            params={"GroupId": "=securityGroupId", "IpPermissions": [permission]},
        ),
        id="=r.SecurityGroupRules[0].SecurityGroupRuleId",
        read=Read(
            name="DescribeSecurityGroupRules", params={"SecurityGroupRuleIds": ["=id"]}, path="SecurityGroupRules[0]"
        ),
        delete=(
            Op(
                name=f"RevokeSecurityGroup{direction}",
                params={"GroupId": "=securityGroupId", "SecurityGroupRuleIds": ["=id"]},
            ),
        ),
        mod=(
            Op(
                name="ModifySecurityGroupRules",
                params={
                    "GroupId": "=securityGroupId",
                    "SecurityGroupRules": [{"SecurityGroupRuleId": "=id", "SecurityGroupRule": rule}],
                },
                on=tuple(_RULE.values()),
            ),
        ),
        tag_type="security-group-rule",
        out={"arn": f"{EC2_ARN}:security-group-rule/{{id}}", "securityGroupRuleId": "=id"},
    )


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

SECURITY_GROUP = Row(
    service="ec2",
    create=Op(
        name="CreateSecurityGroup", params={"GroupName": "=name", "Description": "=description || 'Managed by Pulumi'"}
    ),
    id="=r.GroupId",
    read=Read(name="DescribeSecurityGroups", params={"GroupIds": ["=id"]}, path="SecurityGroups[0]"),
    delete=(Op(name="DeleteSecurityGroup", params={"GroupId": "=id"}),),
    steps=handlers.inline_rules,
    steps_on=("ingress", "egress"),
    tag_type="security-group",
    out={"arn": f"{EC2_ARN}:security-group/{{id}}", "ownerId": "=account"},
)

DEFAULT_SECURITY_GROUP = Row(
    service="ec2",
    # The group is AWS's own: it is found and emptied, never created and never deleted.
    create=Op(
        name="DescribeSecurityGroups",
        params={"Filters": [{"Name": "vpc-id", "Values": ["=vpcId"]}, {"Name": "group-name", "Values": ["default"]}]},
    ),
    id="=r.SecurityGroups[0].GroupId",
    read=Read(name="DescribeSecurityGroups", params={"GroupIds": ["=id"]}, path="SecurityGroups[0]"),
    delete=(),
    then=(
        Op(
            name="RevokeSecurityGroupIngress",
            params={"GroupId": "=id", "IpPermissions": "=r.SecurityGroups[0].IpPermissions"},
            when="r.SecurityGroups[0].IpPermissions",
        ),
        Op(
            name="RevokeSecurityGroupEgress",
            params={"GroupId": "=id", "IpPermissions": "=r.SecurityGroups[0].IpPermissionsEgress"},
            when="r.SecurityGroups[0].IpPermissionsEgress",
        ),
    ),
    steps=handlers.inline_rules_of_emptied,
    steps_on=("ingress", "egress"),
    out={
        "arn": f"{EC2_ARN}:security-group/{{id}}",
        "ownerId": "=account",
        "name": "=d.GroupName",
        "description": "=d.Description",
    },
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
)

ROWS = {
    "aws:ec2/vpc:Vpc": VPC,
    "aws:ec2/subnet:Subnet": SUBNET,
    "aws:ec2/internetGateway:InternetGateway": INTERNET_GATEWAY,
    "aws:ec2/eip:Eip": EIP,
    "aws:ec2/natGateway:NatGateway": NAT_GATEWAY,
    "aws:ec2/routeTable:RouteTable": ROUTE_TABLE,
    "aws:ec2/route:Route": ROUTE,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": ROUTE_TABLE_ASSOCIATION,
    "aws:ec2/securityGroup:SecurityGroup": SECURITY_GROUP,
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": DEFAULT_SECURITY_GROUP,
    "aws:ec2/vpcEndpoint:VpcEndpoint": VPC_ENDPOINT,
    "aws:ec2/flowLog:FlowLog": FLOW_LOG,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _rule("Ingress"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _rule("Egress"),
}
