"""No grant of CI's roles is void: AWS's reference knows each action, its resources and the conditions on it.

A condition on a key that AWS does not send for an action never holds, and an action that knows no resource is allowed
on `*` alone: both would be found out on AWS, in the middle of a deployment.
"""

from collections.abc import Iterator, Mapping

import pytest

from tests.ci_requests import WITHOUT_RESOURCE, Requests
from tests.full_captures import EVERYTHING, full_capture
from tests.judges.checkers import Known, reference
from tests.stack_captures import stack_capture
from tests.tools.policies import allow, parsed
from tools.policy_documents import Statement
from tools.policy_evaluator import account_of, matches

pytestmark = pytest.mark.judges

# AWS sends these with every request. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
ALWAYS = ("aws:requestedregion", "aws:sourceaccount")

# What AWS lists as needed besides, and CI is not given.
NOT_NEEDED = {
    "ecr:SetRepositoryPolicy": "templates with a policy for their repositories, which ours have not",
    "ecs:ListClusters": "flow logs with fields of ECS, which ours have not",
    "ecs:ListContainerInstances": "as ListClusters",
    "ecs:ListServices": "as ListClusters",
    "ecs:ListTaskDefinitions": "as ListClusters",
    "ecs:ListTasks": "as ListClusters",
    "rds:CreateTenantDatabase": "databases with tenants, which PostgreSQL does not have",
    "rds:DeleteTenantDatabase": "as CreateTenantDatabase",
    "ssm:GetParameters": "launch templates that name an image by a parameter; ours name none",
}


def statements(stack: str, purpose: str) -> tuple[Statement, ...]:
    return account_of(stack_capture("account")).role(f"ci-{stack}-{purpose}-role").statements


def granted(given: tuple[Statement, ...]) -> set[str]:
    return {action for statement in given for action in statement.actions if "*" not in action}


def void(given: tuple[Statement, ...], known: Mapping[str, Known | None]) -> Iterator[str]:
    for statement in given:
        for action in sorted(granted((statement,))):
            about = known[action]
            if about is None:
                yield f"{action} is no action of AWS"
                continue
            if not _reaches(statement, about):
                yield f"{action} knows no such resource as {', '.join(statement.resources)}"
            for key in _positive_keys(statement):
                if key not in ALWAYS and not any(k.lower() == key for k in about.keys):
                    yield f"{action} knows no condition {key}, so this is never allowed"


def _reaches(statement: Statement, about: Known) -> bool:
    if "*" in statement.resources:
        return True
    # Both are patterns: what one leaves open the other may fill.
    return any(
        matches(kind, _filled(given)) or matches(given, _filled(kind))
        for kind in about.resources.values()
        for given in statement.resources
    )


def _filled(pattern: str) -> str:
    return pattern.replace("*", "x")


def _positive_keys(statement: Statement) -> Iterator[str]:
    """Keys whose absence makes the condition fail."""
    for operator, keys in statement.conditions.items():
        if operator != "Null" and not operator.endswith("IfExists") and not operator.startswith("ForAllValues"):
            for key in keys:
                name, slash, _ = key.lower().partition("/")
                yield name + slash


@pytest.mark.parametrize("purpose", ["preview", "deploy"])
@pytest.mark.parametrize("stack", EVERYTHING)
def test_no_grant_is_void(stack, purpose, tmp_path):  # controls 22, 29
    given = statements(stack, purpose)
    assert list(void(given, reference(granted(given), tmp_path))) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (allow("codeconnections:CreateConnection", on="arn:aws:codeconnections:us-east-1:1:connection/*"), "resource"),
        (allow("logs:DescribeLogGroups", on="arn:aws:logs:us-east-1:1:log-group:a"), "no such resource"),
        (allow("ec2:DeleteVpcs"), "no action of AWS"),
        (allow("budgets:ModifyBudget", on="arn:aws:budgets::1:budget/a"), ""),
        (allow("sns:DeleteTopic", Condition={"StringEquals": {"aws:RequestTag/environment": "prod"}}), "no condition"),
        (allow("iam:CreateRole", Condition={"StringEquals": {"aws:RequestTag/environment": "prod"}}), ""),
        (allow("ecr:CreatePullThroughCacheRule", Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}}), ""),
    ],
)
def test_a_planted_void_grant_is_found(statement, said, tmp_path):
    given = parsed(statement)
    found = list(void(given, reference(granted(given), tmp_path)))
    assert [said in line for line in found] == ([True] if said else [])


@pytest.mark.parametrize("stack", EVERYTHING)
def test_what_aws_needs_besides_is_given_too(stack, tmp_path):
    given = statements(stack, "deploy")
    known = reference(granted(given), tmp_path)
    needed = {action for about in known.values() if about for action in about.dependent}
    patterns = [pattern for statement in given for pattern in statement.actions]
    missing = {a for a in needed if not any(matches(pattern, a) for pattern in patterns)}
    assert missing - NOT_NEEDED.keys() == set()


def test_what_is_not_needed_is_still_asked_for(tmp_path):
    known = reference({a for stack in EVERYTHING for a in granted(statements(stack, "deploy"))}, tmp_path)
    assert NOT_NEEDED.keys() <= {action for about in known.values() if about for action in about.dependent}


def test_the_actions_without_resources_are_those_of_aws(tmp_path):
    asked = {
        request.action
        for stack in EVERYTHING
        for request in Requests(full_capture(stack), [full_capture("prod-base")]).all()
        if not request.action.split(":")[1].startswith("Describe") or request.action in WITHOUT_RESOURCE
    }
    known = reference(asked | WITHOUT_RESOURCE, tmp_path)
    assert {action for action, about in known.items() if about is None} == set(), "no such actions"
    without = {action for action, about in known.items() if about and not about.resources}
    assert without == WITHOUT_RESOURCE
