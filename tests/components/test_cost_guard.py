"""Cost guard: alerts before the money is gone (control 93), and amounts that AWS refuses."""

import pytest

from components.cost_guard import CostGuard, CostGuardArgs, amount
from tests.stack_captures import stack_capture

BUDGET = "aws:budgets/budget:Budget"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:ticket"


def guard(**args):
    return CostGuard("costs", CostGuardArgs(**({"stem": "acme-dev", "monthly_usd": 400, "topic_arn": TOPIC} | args)))


def test_the_topic_is_told_at_half_at_four_fifths_at_all_and_when_more_is_forecast(capture):
    # control 93
    budget = capture(guard).only(BUDGET).inputs
    found = [(n["notificationType"], n["threshold"], n["thresholdType"]) for n in budget["notifications"]]
    assert found == [
        ("ACTUAL", 50, "PERCENTAGE"),
        ("ACTUAL", 80, "PERCENTAGE"),
        ("ACTUAL", 100, "PERCENTAGE"),
        ("FORECASTED", 100, "PERCENTAGE"),
    ]
    assert {n["comparisonOperator"] for n in budget["notifications"]} == {"GREATER_THAN"}
    assert [n["subscriberSnsTopicArns"] for n in budget["notifications"]] == [[TOPIC]] * 4


def test_the_budget_is_monthly_for_the_account_and_credits_hide_nothing(capture):
    budget = capture(guard).only(BUDGET).inputs
    assert (budget["name"], budget["budgetType"], budget["timeUnit"]) == ("acme-dev-monthly", "COST", "MONTHLY")
    assert (budget["limitAmount"], budget["limitUnit"]) == ("400", "USD")
    assert budget["costTypes"] == {"includeCredit": False, "includeRefund": False}
    assert "costFilters" not in budget


def test_in_an_account_that_environments_share_a_budget_counts_its_own_alone(capture):
    budget = capture(guard, environment="dev").only(BUDGET).inputs
    assert budget["costFilters"] == [{"name": "TagKeyValue", "values": ["user:environment$dev"]}]


@pytest.mark.parametrize("stack", ["dev", "staging-base", "prod-base"])
def test_the_tag_that_it_counts_by_is_on_everything(stack):
    environment = stack.removesuffix("-base")
    tagged = [r.outputs["tagsAll"] for r in stack_capture(stack) if "tagsAll" in r.outputs]
    assert tagged and {tags["environment"] for tags in tagged} == {environment}


def test_unusual_costs_are_the_accounts_business(capture):
    # AWS allows one monitor of services an account: two environments there would be in each other's way.
    types = {resource.type for resource in capture(guard)}
    assert types & {"aws:costexplorer/anomalyMonitor:AnomalyMonitor"} == set()
    assert len(stack_capture("account").of_type("aws:costexplorer/anomalyMonitor:AnomalyMonitor")) == 1


@pytest.mark.parametrize(("usd", "text"), [(400, "400"), (1000.0, "1000"), (12.5, "12.5"), (0.01, "0.01")])
def test_amounts_are_written_as_aws_writes_them(usd, text):
    assert amount(usd) == text


@pytest.mark.parametrize("monthly_usd", [0, -400, 0.001, float("nan")])
def test_a_budget_of_nothing_is_refused(capture, monthly_usd):
    # faults 37
    with pytest.raises(ValueError, match="AWS Budgets takes amounts above zero, for example 400"):
        capture(guard, monthly_usd=monthly_usd)
