"""What Karpenter may do: start and stop nodes of this cluster's pools, and nothing of anybody else."""

import json

import pytest

from components.autoscaler_policies import LONGEST_INLINE_POLICIES
from tests.components.test_node_autoscaler import autoscaler
from tools.policy_evaluator import account_of, decide

EC2 = "arn:aws:ec2:eu-central-1:123456789012"
INSTANCE, TEMPLATE, FLEET = f"{EC2}:instance/i-1", f"{EC2}:launch-template/lt-1", f"{EC2}:fleet/*"
PROFILE = "arn:aws:iam::123456789012:instance-profile/karpenter/eu-central-1/acme-dev/uid/p"
DISK_KEY = "alias/acme-disks"

NEW = {
    "aws:RequestTag/kubernetes.io/cluster/acme-dev": "owned",
    "aws:RequestTag/eks:eks-cluster-name": "acme-dev",
    "aws:RequestTag/karpenter.sh/nodepool": "general",
}
OWN = {"aws:ResourceTag/kubernetes.io/cluster/acme-dev": "owned", "aws:ResourceTag/karpenter.sh/nodepool": "general"}
NEW_PROFILE = {
    "aws:RequestTag/kubernetes.io/cluster/acme-dev": "owned",
    "aws:RequestTag/eks:eks-cluster-name": "acme-dev",
    "aws:RequestTag/topology.kubernetes.io/region": "eu-central-1",
    "aws:RequestTag/karpenter.k8s.aws/ec2nodeclass": "general",
}
OWN_PROFILE = {
    "aws:ResourceTag/kubernetes.io/cluster/acme-dev": "owned",
    "aws:ResourceTag/topology.kubernetes.io/region": "eu-central-1",
    "aws:ResourceTag/karpenter.k8s.aws/ec2nodeclass": "general",
}


@pytest.fixture
def may(capture):
    """Whether the controller may do something, with the given condition keys alone."""
    account = account_of(capture(autoscaler))
    controller = account.role("nodes-controller-role")
    return lambda action, resource, context: decide(account, controller, action, resource, context).allowed


def without(context, *keys):
    return {key: value for key, value in context.items() if key not in keys}


def of_another_cluster(context):
    """The same request about a cluster `acme-prod`."""
    return {
        key.replace("acme-dev", "acme-prod"): value.replace("acme-dev", "acme-prod") for key, value in context.items()
    }


SCOPED = [
    ("ec2:RunInstances", INSTANCE, NEW),
    ("ec2:CreateFleet", FLEET, NEW),
    ("ec2:CreateLaunchTemplate", TEMPLATE, NEW),
    ("ec2:RunInstances", TEMPLATE, OWN),
    ("ec2:CreateTags", INSTANCE, {**NEW, "ec2:CreateAction": "CreateFleet"}),
    ("ec2:CreateTags", INSTANCE, {**OWN, "aws:TagKeys": "karpenter.sh/nodeclaim"}),
    ("ec2:TerminateInstances", INSTANCE, OWN),
    ("ec2:DeleteLaunchTemplate", TEMPLATE, OWN),
    ("iam:CreateInstanceProfile", PROFILE, NEW_PROFILE),
    ("iam:TagInstanceProfile", PROFILE, {**NEW_PROFILE, **OWN_PROFILE}),
    ("iam:AddRoleToInstanceProfile", PROFILE, OWN_PROFILE),
    ("iam:RemoveRoleFromInstanceProfile", PROFILE, OWN_PROFILE),
    ("iam:DeleteInstanceProfile", PROFILE, OWN_PROFILE),
]


@pytest.mark.parametrize(("action", "resource", "context"), SCOPED)
def test_karpenter_works_on_what_carries_this_clusters_tags(may, action, resource, context):
    assert may(action, resource, context)
    assert not may(action, resource, of_another_cluster(context)), "another cluster's"
    assert not may(action, resource, {}), "nobody's"


@pytest.mark.parametrize(("action", "resource", "context"), SCOPED)
def test_each_tag_counts(may, action, resource, context):
    needed = [key for key in context if not may(action, resource, without(context, key))]
    # Only tags that were asked for are there, so the keys of a later tag may be any of three or none at all.
    assert set(context) - set(needed) <= {"aws:TagKeys"}


@pytest.mark.parametrize("kind", ["capacity-reservation", "placement-group", "security-group", "subnet"])
def test_nodes_start_in_what_the_network_and_the_pools_name_even_when_it_is_shared(may, kind):
    for owner in ("123456789012", "210987654321"):
        assert may("ec2:RunInstances", f"arn:aws:ec2:eu-central-1:{owner}:{kind}/x", {})
        assert may("ec2:CreateFleet", f"arn:aws:ec2:eu-central-1:{owner}:{kind}/x", {})
    assert not may("ec2:RunInstances", f"arn:aws:ec2:us-east-1:123456789012:{kind}/x", {}), "another region"


def test_nodes_start_from_published_images_alone(may):
    assert may("ec2:RunInstances", "arn:aws:ec2:eu-central-1::image/ami-1", {})
    assert not may("ec2:CreateImage", INSTANCE, OWN)


def test_a_running_node_gets_no_tag_but_its_name_and_its_claim(may):
    assert not may("ec2:CreateTags", INSTANCE, {**OWN, "aws:TagKeys": "karpenter.sh/nodepool"})
    assert not may("ec2:DeleteTags", INSTANCE, OWN)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("ec2:DescribeCapacityReservations", "*"),
        ("ec2:DescribeInstanceStatus", "*"),
        ("ec2:DescribeInstances", "*"),
        ("ec2:DescribePlacementGroups", "*"),
        ("eks:DescribeCluster", "arn:aws:eks:eu-central-1:123456789012:cluster/acme-dev"),
        ("iam:GetInstanceProfile", PROFILE),
        ("iam:ListInstanceProfiles", "*"),
        ("pricing:GetProducts", "*"),
        ("ssm:GetParameter", "arn:aws:ssm:eu-central-1::parameter/aws/service/eks/optimized-ami/1.35/x"),
    ],
)
def test_karpenter_finds_what_it_chooses_from(may, action, resource):
    assert may(action, resource, {"aws:RequestedRegion": "eu-central-1"})


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("eks:DescribeCluster", "arn:aws:eks:eu-central-1:123456789012:cluster/acme-prod"),
        ("ssm:GetParameter", "arn:aws:ssm:eu-central-1:123456789012:parameter/secret"),
        ("ssm:GetParameter", "arn:aws:ssm:eu-central-1::parameter/secret"),
        ("iam:GetRole", "arn:aws:iam::123456789012:role/any"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/any"),
        ("sqs:ReceiveMessage", "arn:aws:sqs:eu-central-1:123456789012:other"),
        ("sqs:SendMessage", "arn:aws:sqs:eu-central-1:123456789012:other"),
    ],
)
def test_karpenter_reads_and_passes_nothing_else(may, action, resource):
    assert not may(
        action, resource, {"aws:RequestedRegion": "eu-central-1", "iam:PassedToService": "ec2.amazonaws.com"}
    )


def test_calls_that_list_stay_in_the_region(may):
    assert not may("ec2:DescribeInstances", "*", {"aws:RequestedRegion": "us-east-1"})


def test_the_node_role_is_passed_to_ec2_alone(capture, may):
    role = capture(autoscaler).named("nodes-node-role").outputs["arn"]
    assert may("iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"})
    assert not may("iam:PassRole", role, {"iam:PassedToService": "lambda.amazonaws.com"})


def test_the_queue_is_read_and_never_written(capture, may):
    queue = capture(autoscaler).only("aws:sqs/queue:Queue").outputs["arn"]
    allowed = [
        action for action in ("DeleteMessage", "GetQueueUrl", "ReceiveMessage") if may(f"sqs:{action}", queue, {})
    ]
    assert len(allowed) == 3
    assert not may("sqs:SendMessage", queue, {}) and not may("sqs:SetQueueAttributes", queue, {})


def test_an_accounts_own_key_of_disks_is_used_through_ec2_alone(capture):
    statements = account_of(capture(autoscaler, disk_key_alias=DISK_KEY)).role("nodes-controller-role").statements
    of_keys = [s for s in statements if any(action.startswith("kms:") for action in s.actions)]
    assert {resource for s in of_keys for resource in s.resources} == {"arn:aws:kms:eu-central-1:123456789012:key/*"}
    assert {s.conditions["ForAnyValue:StringEquals"]["kms:ResourceAliases"] for s in of_keys} == {(DISK_KEY,)}
    through = {s.conditions["StringEquals"]["kms:ViaService"] for s in of_keys}
    assert through == {("ec2.eu-central-1.amazonaws.com",)}
    (grant,) = [s for s in of_keys if "kms:CreateGrant" in s.actions]
    assert grant.conditions["Bool"] == {"kms:GrantIsForAWSResource": ("true",)}


def test_without_such_a_key_there_is_no_right_to_any(capture):
    statements = account_of(capture(autoscaler)).role("nodes-controller-role").statements
    assert not [s for s in statements if any(action.startswith("kms:") for action in s.actions)]


def test_all_policies_together_are_short_enough_for_iam(capture):
    deployment = capture(autoscaler, disk_key_alias=DISK_KEY)
    texts = [
        json.dumps(json.loads(r.inputs["policy"]), separators=(",", ":"))
        for r in deployment.of_type("aws:iam/rolePolicy:RolePolicy")
        if r.name.startswith("nodes-controller-")
    ]
    assert len(texts) == 4
    assert sum(map(len, texts)) <= LONGEST_INLINE_POLICIES


def test_the_first_spot_instance_of_an_account_may_bring_aws_role_for_spot_and_no_other(may):
    roles = "arn:aws:iam::123456789012:role/aws-service-role"
    spot = f"{roles}/spot.amazonaws.com/AWSServiceRoleForEC2Spot"
    create = "iam:CreateServiceLinkedRole"
    assert may(create, spot, {"iam:AWSServiceName": "spot.amazonaws.com"})
    assert not may(create, spot, {"iam:AWSServiceName": "eks.amazonaws.com"})
    other = f"{roles}/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"
    assert not may(create, other, {"iam:AWSServiceName": "eks.amazonaws.com"})
