"""Every row of the table once through its life: created, read back, changed, tagged, deleted, gone."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from stackyard.local.applied import Live
from stackyard.local.aws.rows import load
from stackyard.local.aws.unsupported import UNTAGGABLE
from tests.local.aws.cases import World
from tests.local.aws.cases_account import ACCOUNT, account_world
from tests.local.aws.cases_base import NETWORK, STORAGE
from tests.local.aws.cases_builds import BUILDS
from tests.local.aws.cases_services import COMPUTE, COSTS, DATABASES, IDENTITY, MESSAGING
from tests.local.aws.support import TRUST, Cloud, Made, policy

pytestmark = pytest.mark.local

CASES = NETWORK | STORAGE | IDENTITY | COMPUTE | MESSAGING | DATABASES | COSTS | ACCOUNT | BUILDS


@pytest.fixture(scope="module")
def world(cloud: Cloud) -> World:
    """Resources that the others stand on."""
    networks = network_world(cloud)
    return networks | storage_world(cloud) | service_world(cloud, networks["subnets"]) | account_world(cloud)


def network_world(cloud: Cloud) -> World:
    vpc = cloud.make("aws:ec2/vpc:Vpc", "base", cidrBlock="10.40.0.0/16", enableDnsHostnames=True)
    subnets = [
        cloud.make(
            "aws:ec2/subnet:Subnet",
            f"base-{zone}",
            vpcId=vpc.id,
            cidrBlock=f"10.40.{n}.0/24",
            availabilityZone=f"eu-central-1{zone}",
        )
        for n, zone in enumerate("ab")
    ]
    gateway = cloud.make("aws:ec2/internetGateway:InternetGateway", "base", vpcId=vpc.id)
    tables = [cloud.make("aws:ec2/routeTable:RouteTable", f"base-{n}", vpcId=vpc.id) for n in range(2)]
    groups = [
        cloud.make(
            "aws:ec2/securityGroup:SecurityGroup", f"base-{n}", name=f"base-{n}", description="base", vpcId=vpc.id
        )
        for n in range(2)
    ]
    address = cloud.make("aws:ec2/eip:Eip", "base", domain="vpc")
    nat = cloud.make("aws:ec2/natGateway:NatGateway", "base", allocationId=address.id, subnetId=subnets[0].id)
    return {
        "vpc": vpc.id,
        "subnets": [subnet.id for subnet in subnets],
        "gateway": gateway.id,
        "tables": [table.id for table in tables],
        "groups": [group.id for group in groups],
        "nat": nat.id,
    }


def storage_world(cloud: Cloud) -> World:
    keys = [cloud.make("aws:kms/key:Key", f"base-{n}", description="base") for n in range(2)]
    return {
        "keys": [key.outputs["arn"] for key in keys],
        "key_ids": [key.id for key in keys],
        "logs": cloud.make("aws:cloudwatch/logGroup:LogGroup", "base", name="/base/flow").outputs["arn"],
        "bucket": cloud.make("aws:s3/bucket:Bucket", "base", bucket="base-bucket").id,
        "locked": cloud.make("aws:s3/bucket:Bucket", "locked", bucket="base-locked", objectLockEnabled=True).id,
        "target": log_target(cloud).id,
        "secret": cloud.make("aws:secretsmanager/secret:Secret", "base", name="base").id,
        "repository": cloud.make("aws:ecr/repository:Repository", "base", name="base/images").id,
    }


def service_world(cloud: Cloud, subnets: list[str]) -> World:
    roles = [cloud.make("aws:iam/role:Role", f"base-{n}", name=f"base-{n}", assumeRolePolicy=TRUST) for n in range(2)]
    queue = cloud.make("aws:sqs/queue:Queue", "base", name="base")
    rule = cloud.make("aws:cloudwatch/eventRule:EventRule", "base", name="base", eventPattern='{"source": ["aws.ec2"]}')
    cluster = cloud.make(
        "aws:eks/cluster:Cluster",
        "base",
        name="base",
        roleArn=roles[0].outputs["arn"],
        vpcConfig={"subnetIds": subnets},
    )
    return {
        "roles": [role.id for role in roles],
        "role_arns": [role.outputs["arn"] for role in roles],
        "topic": cloud.make("aws:sns/topic:Topic", "base", name="base").id,
        "queue": queue.id,
        "queue_arn": queue.outputs["arn"],
        "rule": rule.id,
        "subnet_group": cloud.make("aws:rds/subnetGroup:SubnetGroup", "base", name="base", subnetIds=subnets).id,
        "cluster": cluster.id,
    }


def log_target(cloud: Cloud) -> Made:
    target = cloud.make("aws:s3/bucket:Bucket", "target", bucket="base-logs")
    allow_logging = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::base-logs/*",
    }
    cloud.make("aws:s3/bucketPolicy:BucketPolicy", "target", bucket=target.id, policy=policy(allow_logging))
    return target


# Inputs that the emulator (or AWS itself, for what is written only) does not give back: a refresh cannot check them.
UNREAD = {
    "aws:budgets/budget:Budget": {"notifications", "tags"},
    "aws:cloudwatch/logGroup:LogGroup": {"logGroupClass"},
    "aws:codebuild/project:Project": {"buildTimeout", "encryptionKey"},
    "aws:eks/cluster:Cluster": {"accessConfig", "bootstrapSelfManagedAddons"},
    "aws:rds/instance:Instance": {
        "performanceInsightsEnabled",
        "performanceInsightsKmsKeyId",
        "performanceInsightsRetentionPeriod",
    },
    "aws:secretsmanager/secretVersion:SecretVersion": {"secretString"},
}


def assert_shown(before: Made, after: Made, cloud: Cloud, known: Live) -> None:
    """What changed behind the state's back is seen by who knows the state before, and nothing else."""
    if not known.read or before.applied.recorded or after.applied.recorded:
        return
    now = cloud.live(replace(before, applied=replace(before.applied, id=after.id)))
    assert now is not None
    unread = set(now.unread) | {*load()[before.type].own, *CONTENT}
    # What was taken back has AWS's default now.
    unread |= {name for name in before.inputs if name not in after.inputs}
    assert comparable(now.inputs, unread) == comparable(after.inputs, unread)
    if changed_content := {name for name in CONTENT if before.inputs.get(name) != after.inputs.get(name)}:
        assert not changed_content & set(now.inputs), "replaced content counts as gone"


CONTENT = ("content", "source")


def comparable(inputs: Mapping[str, Any], unread: set[str]) -> Any:
    """Without what is empty, which the APIs drop, and with policies as documents."""
    return {name: plain(value) for name, value in inputs.items() if name not in unread and plain(value) is not None}


def plain(value: Any) -> Any:
    if isinstance(value, str) and value.startswith('{"'):
        return json.loads(value)
    if isinstance(value, Mapping):
        return {name: plain(entry) for name, entry in value.items() if plain(entry) is not None} or None
    if isinstance(value, list):
        return [plain(entry) for entry in value] or None
    return None if value in ("", False) else value


def test_every_row_has_a_case():
    assert set(CASES) == set(load()), "a row that no test exercises may not work"


@pytest.mark.parametrize("type_", sorted(CASES))
def test_a_resource_lives_from_create_to_delete(type_: str, cloud: Cloud, world: World):
    case = CASES[type_]
    tags = {"tags": {"team": "ml", "cost": "a b"}} if case.tags else {}
    made = cloud.make(type_, "table", **case.inputs(world), **tags)
    assert made.applied.recorded is case.recorded
    inputs = {name: value for name, value in made.inputs.items() if name not in ("vpcConfig",)}
    assert {name: made.outputs[name] for name in inputs} == inputs, "outputs start as the inputs"
    assert cloud.read(made) == made.outputs, "nothing drifts by itself"
    known = cloud.live(made)
    assert known is not None and known.inputs == made.inputs, "a refresh finds nothing"
    assert known.outputs == made.outputs
    assert known.read is not (case.recorded or load()[type_].read is None)
    assert set(known.unread) == UNREAD.get(type_, set()) or not known.read

    if case.change is not None:
        before = made
        made = cloud.change(made, **case.change(world))
        assert cloud.read(made) == made.outputs
        assert_shown(before, made, cloud, known)
    if case.tags:
        before = made
        made = cloud.change(made, tags={"team": "platform", "new": "1"})
        assert made.outputs["tagsAll"] == {"team": "platform", "new": "1"}
        # The emulator cannot tag a node group that exists.
        if type_ not in UNTAGGABLE:
            assert_shown(before, made, cloud, known)

    cloud.remove(made)
    if case.read and not (case.stays or case.recorded):
        assert cloud.live(made) is None, "a refresh finds that it is gone"
    if case.read and not (case.stays or case.recorded):
        assert cloud.read(made) is None
    cloud.remove(made)  # Already gone is fine.
