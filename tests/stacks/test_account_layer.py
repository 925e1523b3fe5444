"""The account layer as the committed stack has it, and what other stacks take from it: CI's boundary."""

import pytest

from components.ci_access import CiAccess
from stackyard.program.capture import request_for
from stackyard.program.stackfiles import read_stack, to_environment
from tests.stack_captures import PLATFORM_ONLY, ROOT, evaluate, stack_capture

BOUNDARY = "arn:aws:iam::777788889999:policy/stackyard-ci-boundary"


def deployed_by_ci(stack):
    """The committed stack, told that CI deploys it."""
    config = read_stack(ROOT, stack)
    config.config["stackyard:ci"] = {"repository": "example-org/stackyard", "stacks": [stack]}
    base = stack_capture(PLATFORM_ONLY[stack]) if stack in PLATFORM_ONLY else None
    return evaluate(request_for(ROOT, config, mode="capture", base=base), to_environment(config))


def roles(deployment):
    return deployment.of_type("aws:iam/role:Role")


def test_the_account_stack_guards_the_account_and_lets_ci_in():
    deployment = stack_capture("account")
    kinds = {resource.type.rsplit(":", 1)[-1] for resource in deployment if resource.type.startswith("stackyard:")}
    assert kinds == {"AccountGuard", "AuditBucket", CiAccess.__name__, "LogBucket", "Notifications"}
    assert deployment.named("ci-boundary").outputs["arn"] == BOUNDARY


def test_cloudtrail_records_the_data_buckets_of_the_settings():
    (selector,) = stack_capture("account").only("aws:cloudtrail/trail:Trail").inputs["eventSelectors"]
    assert selector["dataResources"][0]["values"] == ["arn:aws:s3:::stackyard-prod-data-777788889999-us-east-1/"]


def test_alarms_reach_the_addresses_of_the_settings():
    subscriptions = stack_capture("account").of_type("aws:sns/topicSubscription:TopicSubscription")
    assert [s.inputs["endpoint"] for s in subscriptions] == ["security@example.com"] * 2
    topics = {s.inputs["topic"] for s in subscriptions}
    alarms = stack_capture("account").of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
    assert {arn for alarm in alarms for arn in alarm.inputs["alarmActions"]} == topics


# Control 26
@pytest.mark.parametrize("stack", ["prod-base", "prod-platform"])
def test_where_ci_deploys_every_role_carries_its_boundary(stack):
    found = roles(deployed_by_ci(stack))
    assert found
    assert [role.name for role in found if role.inputs.get("permissionsBoundary") != BOUNDARY] == []


@pytest.mark.parametrize("stack", ["dev", "prod-base", "prod-platform"])
def test_elsewhere_roles_carry_no_boundary_that_their_account_may_not_have(stack):
    assert [role.name for role in roles(stack_capture(stack)) if role.inputs.get("permissionsBoundary")] == []
