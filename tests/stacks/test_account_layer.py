"""The account layer as the committed stack has it, and what other stacks take from it: CI's boundary."""

from dataclasses import replace

import pytest

from components.ci_access import CiAccess
from stackyard.program.capture import request_for
from stackyard.program.stackfiles import read_stack, to_environment
from tests.stack_captures import PLATFORM_ONLY, ROOT, evaluate, stack_capture
from tools.policy_evaluator import account_of, matches

BOUNDARY = "arn:aws:iam::777788889999:policy/stackyard-ci-boundary"


def with_ci(stack, **section):
    """The committed stack with another section `ci`."""
    config = read_stack(ROOT, stack)
    config.config["stackyard:ci"] = {"repository": "example-org/stackyard", **section}
    base = stack_capture(PLATFORM_ONLY[stack]) if stack in PLATFORM_ONLY else None
    return evaluate(request_for(ROOT, config, mode="capture", base=base), to_environment(config))


def roles(deployment):
    return deployment.of_type("aws:iam/role:Role")


def test_the_account_stack_guards_the_account_and_lets_ci_in():
    deployment = stack_capture("account")
    kinds = {resource.type.rsplit(":", 1)[-1] for resource in deployment if resource.type.startswith("stackyard:")}
    assert kinds == {"AccountGuard", "AuditBucket", CiAccess.__name__, "CostAnomalies", "LogBucket", "Notifications"}
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
@pytest.mark.parametrize("stack", ["staging-base", "staging-platform", "prod-base", "prod-platform"])
def test_where_ci_deploys_every_role_carries_its_boundary(stack):
    found = roles(stack_capture(stack))
    boundary = BOUNDARY if stack.startswith("prod") else BOUNDARY.replace("777788889999", "444455556666")
    assert found
    assert [role.name for role in found if role.inputs.get("permissionsBoundary") != boundary] == []


def test_where_people_deploy_roles_carry_no_boundary_that_their_account_may_not_have():
    for deployment in (stack_capture("dev"), with_ci("prod-base"), with_ci("prod-platform", stacks=["prod-base"])):
        assert [role.name for role in roles(deployment) if role.inputs.get("permissionsBoundary")] == []


@pytest.mark.parametrize("stack", ["prod-base", "prod-platform"])
def test_the_account_stack_knows_every_stack_that_says_that_ci_deploys_it(stack):
    deployer = stack_capture("account").named(f"ci-{stack}-deploy-role")
    assert deployer.inputs["permissionsBoundary"] == BOUNDARY


@pytest.mark.parametrize("stack", ["prod-base", "prod-platform"])
def test_the_boundary_takes_nothing_from_a_role_that_its_policies_give(stack):
    assert outside_the_boundary(stack) == []


def outside_the_boundary(stack, service=""):
    """Actions that the stack's roles are given in vain; without `service` in the boundary, for the planted fault."""
    account = account_of([*stack_capture("account"), *stack_capture("prod-base"), *stack_capture(stack)])
    bounding = [
        replace(s, actions=tuple(a for a in s.actions if not service or not a.startswith(service)))
        for s in account.role("ci-prod-base-deploy-role").boundary or ()
        if s.allow
    ]
    names = {role.name for role in roles(stack_capture(stack))}
    return sorted(
        f"{role.name} {action} {resource}"
        for role in account.roles.values()
        if role.name in names
        for statement in role.statements
        if statement.allow
        for action in statement.actions
        for resource in statement.resources
        if not any(covers(bound, action, resource) for bound in bounding)
    )


def covers(bound, action, resource):
    given = any(matches(pattern.lower(), action.lower()) for pattern in bound.actions)
    return given and any(matches(pattern, resource) for pattern in bound.resources)


def test_a_boundary_that_takes_something_away_is_noticed():
    lost = outside_the_boundary("prod-platform", service="sqs:")
    assert lost and all(" sqs:" in line for line in lost)
