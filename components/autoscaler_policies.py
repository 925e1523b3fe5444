"""What Karpenter's controller may do: the statements of its own documentation, for one cluster.

Source: aws/karpenter-provider-aws, website/content/en/v1.14/getting-started/getting-started-with-karpenter/
cloudformation.yaml and reference/cloudformation.md, at commit 1d92708. Beyond them, resources that Karpenter makes are
those of the account alone.
"""

from collections.abc import Mapping, Sequence

from pulumi import Input

from components.account_guard import using_disk_key
from components.aws_location import AwsLocation
from components.iam_policies import Conditions, Statement
from components.node_pool_spec import POOL_NAME_LABEL

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: all inline policies of a role together.
LONGEST_INLINE_POLICIES = 10_240

CLAIM_TAG = "karpenter.sh/nodeclaim"
NODE_CLASS_TAG = "karpenter.k8s.aws/ec2nodeclass"
CLUSTER_NAME_TAG = "eks:eks-cluster-name"
REGION_TAG = "topology.kubernetes.io/region"

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/service-linked-roles-spot-instance-requests.html
SPOT = "spot.amazonaws.com"

# What Karpenter makes, and tags while it makes it.
MADE = ("fleet", "instance", "launch-template", "network-interface", "spot-instances-request", "volume")
# What it starts instances from. Subnets, groups, reservations and placement groups may be another account's, shared
# with this one; images and snapshots are Amazon's.
STARTED_FROM = ("capacity-reservation", "placement-group", "security-group", "subnet")
PUBLISHED = ("image", "snapshot")

# Calls that list: EC2 knows no resources for them, so the region narrows them.
EC2_READS = (
    "ec2:DescribeCapacityReservations", "ec2:DescribeImages", "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypeOfferings", "ec2:DescribeInstanceTypes", "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplates", "ec2:DescribePlacementGroups", "ec2:DescribeSecurityGroups",
    "ec2:DescribeSpotPriceHistory", "ec2:DescribeSubnets",
)  # fmt: skip


def cluster_tag(cluster_name: str) -> str:
    """Key of the tag that says to which cluster something belongs; its value is `owned`."""
    return f"kubernetes.io/cluster/{cluster_name}"


def controller_policies(
    location: AwsLocation,
    *,
    cluster_name: str,
    node_role_arn: Input[str],
    queue_arn: Input[str],
    disk_key_alias: str | None = None,
) -> Mapping[str, Sequence[Statement]]:
    """Statements of the controller's policies, by the policy's noun."""
    disks = using_disk_key(disk_key_alias, location) if disk_key_alias else []
    return {
        "nodes": [*_nodes(location, cluster_name), _first_spot(location), *disks],
        "profiles": _profiles(location, cluster_name, node_role_arn),
        "discovery": _discovery(location, cluster_name),
        "interruption": [_interruption(queue_arn)],
    }


def _nodes(location: AwsLocation, cluster_name: str) -> list[Statement]:
    """Instances, and what belongs to them, of this cluster's pools: by the tags that they get when they are made."""
    made = [location.arn("ec2", f"{kind}/*") for kind in MADE]
    new = {
        "StringEquals": {f"aws:RequestTag/{tag}": value for tag, value in _cluster_tags(cluster_name).items()},
        "StringLike": {f"aws:RequestTag/{POOL_NAME_LABEL}": "*"},
    }
    own = _own(cluster_name)
    templates, instances = location.arn("ec2", "launch-template/*"), location.arn("ec2", "instance/*")
    return [
        Statement(sid="StartFrom", actions=["ec2:CreateFleet", "ec2:RunInstances"], resources=_started_from(location)),
        Statement(
            sid="StartFromOwnTemplates",
            actions=["ec2:CreateFleet", "ec2:RunInstances"],
            resources=[templates],
            conditions=own,
        ),
        Statement(
            sid="Start",
            actions=["ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:RunInstances"],
            resources=made,
            conditions=new,
        ),
        Statement(
            sid="TagWhatStarts",
            actions=["ec2:CreateTags"],
            resources=made,
            conditions={
                **new,
                "StringEquals": {
                    **new["StringEquals"],
                    "ec2:CreateAction": ["CreateFleet", "CreateLaunchTemplate", "RunInstances"],
                },
            },
        ),
        Statement(
            sid="TagNodes",
            actions=["ec2:CreateTags"],
            resources=[instances],
            conditions={
                **own,
                "StringEqualsIfExists": {f"aws:RequestTag/{CLUSTER_NAME_TAG}": cluster_name},
                "ForAllValues:StringEquals": {"aws:TagKeys": [CLUSTER_NAME_TAG, CLAIM_TAG, "Name"]},
            },
        ),
        Statement(
            sid="Stop",
            actions=["ec2:DeleteLaunchTemplate", "ec2:TerminateInstances"],
            resources=[instances, templates],
            conditions=own,
        ),
    ]


def _first_spot(location: AwsLocation) -> Statement:
    """AWS's role for spot, where nobody in the account has started a spot instance yet."""
    role = f"role/aws-service-role/{SPOT}/AWSServiceRoleForEC2Spot"
    return Statement(
        sid="FirstSpot",
        actions=["iam:CreateServiceLinkedRole"],
        resources=[f"arn:{location.partition}:iam::{location.account_id}:{role}"],
        conditions={"StringEquals": {"iam:AWSServiceName": SPOT}},
    )


def _started_from(location: AwsLocation) -> list[str]:
    start = f"arn:{location.partition}:ec2:{location.region}"
    return [*(f"{start}:*:{kind}/*" for kind in STARTED_FROM), *(f"{start}::{kind}/*" for kind in PUBLISHED)]


def _cluster_tags(cluster_name: str) -> dict[str, str]:
    return {cluster_tag(cluster_name): "owned", CLUSTER_NAME_TAG: cluster_name}


def _own(cluster_name: str) -> dict[str, Mapping[str, str]]:
    return {
        "StringEquals": {f"aws:ResourceTag/{cluster_tag(cluster_name)}": "owned"},
        "StringLike": {f"aws:ResourceTag/{POOL_NAME_LABEL}": "*"},
    }


def _profiles(location: AwsLocation, cluster_name: str, node_role_arn: Input[str]) -> list[Statement]:
    """Instance profiles: one for each node class of this cluster, with the one role of its nodes in it."""
    profiles = f"arn:{location.partition}:iam::{location.account_id}:instance-profile/*"
    ours = {cluster_tag(cluster_name): "owned", REGION_TAG: location.region}
    new = {f"aws:RequestTag/{tag}": value for tag, value in {**ours, CLUSTER_NAME_TAG: cluster_name}.items()}
    own = {f"aws:ResourceTag/{tag}": value for tag, value in ours.items()}
    of_any_class = {f"aws:RequestTag/{NODE_CLASS_TAG}": "*"}
    has_any_class = {f"aws:ResourceTag/{NODE_CLASS_TAG}": "*"}
    return [
        Statement(
            sid="PassNodeRole",
            actions=["iam:PassRole"],
            resources=[node_role_arn],
            conditions={
                "StringEquals": {"iam:PassedToService": sorted({"ec2.amazonaws.com", f"ec2.{location.dns_suffix}"})}
            },
        ),
        Statement(
            sid="CreateProfiles",
            actions=["iam:CreateInstanceProfile"],
            resources=[profiles],
            conditions={"StringEquals": new, "StringLike": of_any_class},
        ),
        Statement(
            sid="TagProfiles",
            actions=["iam:TagInstanceProfile"],
            resources=[profiles],
            conditions={"StringEquals": {**own, **new}, "StringLike": {**has_any_class, **of_any_class}},
        ),
        Statement(
            sid="UseProfiles",
            actions=[
                "iam:AddRoleToInstanceProfile",
                "iam:DeleteInstanceProfile",
                "iam:RemoveRoleFromInstanceProfile",
            ],
            resources=[profiles],
            conditions={"StringEquals": own, "StringLike": has_any_class},
        ),
        Statement(sid="ReadProfiles", actions=["iam:GetInstanceProfile"], resources=[profiles]),
        # Listing knows no resource.
        Statement(sid="ListProfiles", actions=["iam:ListInstanceProfiles"], resources=["*"]),
    ]


def _discovery(location: AwsLocation, cluster_name: str) -> list[Statement]:
    return [
        Statement(
            sid="DescribeCluster",
            actions=["eks:DescribeCluster"],
            resources=[location.arn("eks", f"cluster/{cluster_name}")],
        ),
        Statement(sid="Describe", actions=EC2_READS, resources=["*"], conditions=_in_region(location)),
        # Parameters that AWS publishes: which image a release is.
        Statement(
            sid="FindImages",
            actions=["ssm:GetParameter"],
            resources=[f"arn:{location.partition}:ssm:{location.region}::parameter/aws/service/*"],
        ),
        # The price list knows no resource, and it is kept in few regions.
        Statement(sid="ReadPrices", actions=["pricing:GetProducts"], resources=["*"]),
    ]


def _in_region(location: AwsLocation) -> Conditions:
    return {"StringEquals": {"aws:RequestedRegion": location.region}}


def _interruption(queue_arn: Input[str]) -> Statement:
    return Statement(
        sid="ReadNotices",
        actions=["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"],
        resources=[queue_arn],
    )
