"""Whether CI can deploy what the stacks hold: every call for every resource, judged with its conditions."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import pytest

from stackyard.program.deployment import Resource
from tests.ci_requests import Request, Requests, UnknownToTheTable
from tests.full_captures import EVERYTHING, full_capture
from tests.stack_captures import stack_capture
from tools.policy_evaluator import Account, Role, account_of, decide


@cache
def account(stack: str) -> Account:
    """With the policies of the keys and buckets that are there."""
    return account_of([*stack_capture("account"), *full_capture("prod-base"), *full_capture(stack)])


def deployer(stack: str) -> Role:
    return account(stack).role(f"ci-{stack}-deploy-role")


def requests(stack: str) -> Requests:
    return Requests(full_capture(stack), [full_capture("prod-base")])


def refused(stack: str, asked: Iterable[Request], role: Role | None = None) -> list[str]:
    """In words: which type needs which action, and why it is refused."""
    found: set[str] = set()
    for request in asked:
        verdict = decide(account(stack), role or deployer(stack), request.action, request.arn, request.context)
        if not verdict.allowed:
            found.add(f"{request}: {verdict.why}")
    return sorted(found)


@pytest.mark.parametrize("stack", EVERYTHING)
def test_a_deployment_creates_changes_and_deletes_everything_that_its_stack_can_hold(stack):  # control 22
    assert refused(stack, requests(stack).all()) == []


def test_every_option_is_on():
    types = {resource.type for resource in full_capture("prod-base")}
    assert types >= {
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        "aws:s3/inventory:Inventory",
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation",
    }
    regions = {r.outputs.get("region") for r in full_capture("prod-base").of_type("aws:s3/bucket:Bucket")}
    assert regions == {"us-east-1", "us-west-2"}


def without(role: Role, action: str) -> Role:
    """The role as it would be if somebody had forgotten one action."""
    fewer = tuple(replace(s, actions=tuple(a for a in s.actions if a != action)) for s in role.statements)
    return replace(role, statements=tuple(s for s in fewer if s.actions))


@pytest.mark.parametrize(
    ("action", "type_"),
    [
        ("s3:PutInventoryConfiguration", "aws:s3/inventory:Inventory"),
        ("s3:PutReplicationConfiguration", "aws:s3/bucketReplicationConfig:BucketReplicationConfig"),
        ("ec2:CreateVpcEndpoint", "aws:ec2/vpcEndpoint:VpcEndpoint"),
        ("ec2:CreateTags", "aws:ec2/vpc:Vpc"),
        ("rds:CreateDBInstance", "aws:rds/instance:Instance"),
        ("iam:PassRole", "aws:codebuild/project:Project"),
        ("budgets:ModifyBudget", "aws:budgets/budget:Budget"),
        ("codeconnections:CreateConnection", "aws:codeconnections/connection:Connection"),
    ],
)
def test_a_forgotten_action_is_named_with_the_type_that_needs_it(action, type_):
    said = refused("prod-base", requests("prod-base").all(), without(deployer("prod-base"), action))
    assert all(f" takes {action} on " in line for line in said)
    assert any(line.startswith(f"{type_}: to create ") for line in said)


def first(stack: str, type_: str) -> Resource:
    return next(iter(full_capture(stack).of_type(type_)))


def of_another_environment(resource: Resource) -> Resource:
    outputs = dict(resource.outputs) | {"tagsAll": {**resource.outputs["tagsAll"], "environment": "staging"}}
    return replace(resource, outputs=outputs)


@pytest.mark.parametrize(
    ("stack", "type_", "actions"),
    [
        ("prod-base", "aws:ec2/vpc:Vpc", {"ec2:DeleteVpc", "ec2:ModifyVpcAttribute"}),
        ("prod-base", "aws:kms/key:Key", {"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"}),
        ("prod-base", "aws:rds/instance:Instance", {"rds:DeleteDBInstance", "rds:ModifyDBInstance"}),
        ("prod-base", "aws:iam/role:Role", {"iam:UpdateAssumeRolePolicy", "iam:DeleteRole"}),
        ("prod-platform", "aws:eks/cluster:Cluster", {"eks:DeleteCluster", "eks:UpdateClusterConfig"}),
        ("prod-platform", "aws:sqs/queue:Queue", {"sqs:DeleteQueue", "sqs:TagQueue"}),
    ],
)
def test_what_belongs_to_another_environment_is_refused(stack, type_, actions):
    other = of_another_environment(first(stack, type_))
    asked = [r for r in requests(stack).of(other) if r.action in actions and r.phase in ("change", "delete")]
    assert {r.action for r in asked} == actions
    assert len(refused(stack, asked)) == len({(r.action, r.arn, r.phase) for r in asked})


@pytest.mark.parametrize("action", ["eks:CreateAccessEntry", "eks:AssociateAccessPolicy"])
def test_nobody_is_let_into_the_cluster_of_another_environment(action):
    context = {"aws:RequestedRegion": "us-east-1", "aws:RequestTag/environment": "prod"}
    theirs = context | {"aws:ResourceTag/environment": "staging"}
    cluster = "arn:aws:eks:us-east-1:777788889999:cluster/stackyard-staging"
    asking = account("prod-platform"), deployer("prod-platform"), action, cluster
    assert not decide(*asking, theirs).allowed
    assert decide(*asking, context | {"aws:ResourceTag/environment": "prod"}).allowed, "else this is void"


@pytest.mark.parametrize("stack", EVERYTHING)
@pytest.mark.parametrize(
    "role", ["stackyard-staging-cluster-role", "guard-trail-role-6922c58", "stackyard-ci-prod-base-deploy", "admin"]
)
def test_no_other_role_is_passed_or_trusts_somebody_else_afterwards(stack, role):  # control 27
    arn = f"arn:aws:iam::777788889999:role/{role}"
    tag = {"aws:ResourceTag/environment": "prod"}
    for service in ("ec2.amazonaws.com", "eks.amazonaws.com", "codebuild.amazonaws.com"):
        context = {**tag, "iam:PassedToService": service}
        assert not decide(account(stack), deployer(stack), "iam:PassRole", arn, context).allowed, service
    assert not decide(account(stack), deployer(stack), "iam:UpdateAssumeRolePolicy", arn, tag).allowed


@pytest.mark.parametrize("stack", EVERYTHING)
def test_a_role_of_the_stack_is_passed_to_no_other_service(stack):  # control 27
    role = first(stack, "aws:iam/role:Role").outputs["arn"]
    asking = account(stack), deployer(stack), "iam:PassRole", role
    assert not decide(*asking, {"iam:PassedToService": "lambda.amazonaws.com"}).allowed
    passed = next(r for r in requests(stack).all() if r.action == "iam:PassRole")
    assert decide(*asking[:3], passed.arn, passed.context).allowed, "else this is void"


def test_a_new_type_without_a_row_is_named():
    unknown = replace(first("prod-base", "aws:sns/topic:Topic"), type="aws:efs/fileSystem:FileSystem")
    with pytest.raises(UnknownToTheTable, match="aws:efs/fileSystem:FileSystem has no row"):
        list(requests("prod-base").of(unknown))


def test_a_type_that_hands_a_role_on_must_say_to_whom():
    role = first("prod-base", "aws:iam/role:Role").outputs["arn"]
    topic = first("prod-base", "aws:sns/topic:Topic")
    sneaky = replace(topic, inputs={**topic.inputs, "httpSuccessFeedbackRoleArn": role})
    with pytest.raises(UnknownToTheTable, match=r"aws:sns/topic:Topic names .* HANDED_TO must say who gets the role"):
        list(requests("prod-base").of(sneaky))
