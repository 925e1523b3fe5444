"""Cost guard: alerts before the money is gone (control 93), and amounts that AWS refuses."""

import pytest

from components.cost_guard import CostGuard, CostGuardArgs, amount, anomaly_usd

BUDGET = "aws:budgets/budget:Budget"
MONITOR = "aws:costexplorer/anomalyMonitor:AnomalyMonitor"
SUBSCRIPTION = "aws:costexplorer/anomalySubscription:AnomalySubscription"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:ticket"
EXISTING = "arn:aws:ce::123456789012:anomalymonitor/0f2d3c4b-5a69-4788-9c0d-1e2f3a4b5c6d"


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


def test_unusual_costs_are_told_at_once_from_a_share_of_the_budget_on(capture):
    deployment = capture(guard)
    monitor, subscription = deployment.only(MONITOR), deployment.only(SUBSCRIPTION).inputs
    assert (monitor.inputs["monitorType"], monitor.inputs["monitorDimension"]) == ("DIMENSIONAL", "SERVICE")
    assert subscription["monitorArnLists"] == [monitor.outputs["arn"]]
    assert subscription["frequency"] == "IMMEDIATE", "a topic may have no other"
    assert subscription["subscribers"] == [{"type": "SNS", "address": TOPIC}]
    assert subscription["thresholdExpression"]["dimension"] == {
        "key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
        "matchOptions": ["GREATER_THAN_OR_EQUAL"],
        "values": ["20"],
    }


def test_an_existing_monitor_is_subscribed_to_and_none_is_made(capture):
    deployment = capture(guard, anomaly_monitor_arn=EXISTING)
    assert deployment.of_type(MONITOR) == []
    assert deployment.only(SUBSCRIPTION).inputs["monitorArnLists"] == [EXISTING]
    assert deployment.only("stackyard:index:CostGuard").outputs == {
        "budgetName": "acme-dev-monthly",
        "anomalyMonitorArn": EXISTING,
    }


@pytest.mark.parametrize(("usd", "text"), [(400, "400"), (1000.0, "1000"), (12.5, "12.5"), (0.01, "0.01")])
def test_amounts_are_written_as_aws_writes_them(usd, text):
    assert amount(usd) == text


@pytest.mark.parametrize(("monthly", "percent", "usd"), [(400, 5, 20), (10, 5, 1), (12000, 2.5, 300)])
def test_an_anomaly_counts_from_a_share_of_the_budget_on_but_not_below_a_dollar(monthly, percent, usd):
    assert anomaly_usd(monthly, percent) == usd


@pytest.mark.parametrize("monthly_usd", [0, -400, 0.001, float("nan")])
def test_a_budget_of_nothing_is_refused(capture, monthly_usd):
    # faults 37
    with pytest.raises(ValueError, match="AWS Budgets takes amounts above zero, for example 400"):
        capture(guard, monthly_usd=monthly_usd)


@pytest.mark.parametrize("percent", [0, -5, 101])
def test_a_share_that_is_none_is_refused(capture, percent):
    with pytest.raises(ValueError, match="choose above 0 and at most 100"):
        capture(guard, anomaly_percent=percent)
