"""The role of nodes: what a node must be allowed to become one, and nothing for what runs on it."""

import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.iam_policies import Statement, render
from components.role_names import KEEPS_ITS_NAME, role_name
from components.tagging import child_tags

# https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html: registering with the cluster, pulling images.
# Rights over network interfaces are not the nodes': the CNI gets them by Pod Identity.
NODE_POLICIES = ("AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy")
ROLE_SESSION_SECONDS = 3600


def node_role(
    name: str,
    *,
    component: str,
    description: str,
    location: AwsLocation,
    stem: str | Output[str],
    permissions_boundary: Input[str] | None,
    opts: ResourceOptions,
) -> tuple[aws.iam.Role, list[aws.iam.RolePolicyAttachment]]:
    """The role, and the attachments that must be there before a node comes up and as long as it runs."""
    # EC2 passes no source account or instance when it takes on a role, so the trust cannot ask for one.
    trust = Statement(actions=["sts:AssumeRole"], principals={"Service": [f"ec2.{location.dns_suffix}"]})
    role = aws.iam.Role(
        name,
        name=role_name(stem, name),
        description=description,
        assume_role_policy=render([trust]),
        max_session_duration=ROLE_SESSION_SECONDS,
        permissions_boundary=permissions_boundary,
        tags=child_tags(component, name),
        opts=ResourceOptions.merge(opts, KEEPS_ITS_NAME),
    )
    attachments = [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy}", role=role.name, policy_arn=location.managed_policy_arn(policy), opts=opts
        )
        for policy in NODE_POLICIES
    ]
    return role, attachments
