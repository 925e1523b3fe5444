"""IAM roles that EKS hands to pods by Pod Identity: no key, no annotation, no trust in the cluster's own tokens."""

import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.iam_policies import Statement, render
from components.role_names import KEEPS_ITS_NAME, cluster_of, role_name
from components.tagging import child_tags

POD_IDENTITY_SERVICE = "pods.eks.amazonaws.com"
ROLE_SESSION_SECONDS = 3600


def pod_identity_trust(location: AwsLocation, cluster_arn: Input[str]) -> Output[str]:
    """Lets EKS give a role to pods of this one cluster.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
    """
    trust = Statement(
        actions=["sts:AssumeRole", "sts:TagSession"],
        principals={"Service": [POD_IDENTITY_SERVICE]},
        conditions={
            "StringEquals": {"aws:SourceAccount": location.account_id},
            "ArnEquals": {"aws:SourceArn": cluster_arn},
        },
    )
    return render([trust])


def pod_role(
    name: str,
    *,
    component: str,
    description: str,
    location: AwsLocation,
    cluster_arn: Input[str],
    permissions_boundary: Input[str] | None,
    opts: ResourceOptions,
) -> aws.iam.Role:
    """A role for pods of this one cluster; which account of which namespace, the association says."""
    return aws.iam.Role(
        name,
        name=role_name(Output.from_input(cluster_arn).apply(cluster_of), name),
        description=description,
        assume_role_policy=pod_identity_trust(location, cluster_arn),
        max_session_duration=ROLE_SESSION_SECONDS,
        permissions_boundary=permissions_boundary,
        tags=child_tags(component, name),
        opts=ResourceOptions.merge(opts, KEEPS_ITS_NAME),
    )
