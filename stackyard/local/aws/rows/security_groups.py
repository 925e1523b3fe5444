"""EC2 security groups and their rules."""

from stackyard.local.aws import handlers, inline
from stackyard.local.aws.rows import Op, Read, Row

EC2_ARN = "arn:aws:ec2:{region}:{account}"

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
        shows={
            "securityGroupId": "=d.GroupId",
            "referencedSecurityGroupId": "=d.ReferencedGroupInfo.GroupId",
            # The emulator drops it where the peer is a group.
            "description": "=d.Description || d.ReferencedGroupInfo && description",
        },
        absent=tuple(_RULE.values()),
        out={"arn": f"{EC2_ARN}:security-group-rule/{{id}}", "securityGroupRuleId": "=id"},
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
    shows={"name": "=d.GroupName"},
    live=inline.given_rules_now,
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
    live=inline.all_rules_now,
    out={
        "arn": f"{EC2_ARN}:security-group/{{id}}",
        "ownerId": "=account",
        "name": "=d.GroupName",
        "description": "=d.Description",
    },
)

ROWS = {
    "aws:ec2/securityGroup:SecurityGroup": SECURITY_GROUP,
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": DEFAULT_SECURITY_GROUP,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _rule("Ingress"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _rule("Egress"),
}
