"""Interface endpoints of a VPC with private DNS, and the security group in front of them."""

from collections.abc import Callable, Mapping, Sequence

import pulumi_aws as aws
from pulumi import Input, ResourceOptions

from components.aws_location import AwsLocation
from components.endpoint_services import EndpointService, interface_policy

HTTPS = 443

Tags = Callable[[str], dict[str, str]]
"""Tags of a child, by its name."""


def interface_endpoints(
    name: str,
    services: Sequence[EndpointService],
    location: AwsLocation,
    *,
    vpc_id: Input[str],
    ranges: Mapping[str, Input[str]],
    subnet_ids: Sequence[Input[str]],
    tags: Tags,
    opts: ResourceOptions,
) -> None:
    """One endpoint a service, in one subnet a zone; nothing without services. `name` is the component's.

    `ranges` are the IPv4 blocks, by what they are for, that reach them on port 443.
    """
    if not services:
        return
    group = _security_group(name, vpc_id, ranges, tags, opts)
    for service in services:
        child = f"{name}-{service.name.replace('.', '-')}-endpoint"
        aws.ec2.VpcEndpoint(
            child,
            vpc_id=vpc_id,
            service_name=f"com.amazonaws.{location.region}.{service.name}",
            vpc_endpoint_type="Interface",
            subnet_ids=list(subnet_ids),
            security_group_ids=[group.id],
            # The service's usual name then leads here, so nobody has to be told.
            private_dns_enabled=True,
            policy=interface_policy(service, location),
            tags=tags(child),
            opts=opts,
        )


def _security_group(
    name: str, vpc_id: Input[str], ranges: Mapping[str, Input[str]], tags: Tags, opts: ResourceOptions
) -> aws.ec2.SecurityGroup:
    child = f"{name}-endpoints"
    # Without rules for the way out: an endpoint opens no connections.
    group = aws.ec2.SecurityGroup(
        child,
        description="AWS services for addresses of the VPC",
        vpc_id=vpc_id,
        tags=tags(child),
        opts=opts,
    )
    for noun, block in ranges.items():
        rule = f"{child}-from-{noun}"
        aws.vpc.SecurityGroupIngressRule(
            rule,
            security_group_id=group.id,
            cidr_ipv4=block,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            description=f"HTTPS from the addresses of {noun}",
            tags=tags(rule),
            opts=opts,
        )
    return group
