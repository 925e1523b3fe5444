"""Unusual costs: one monitor an account, told to one topic."""

import pytest

from components.cost_anomalies import CostAnomalies, CostAnomaliesArgs

MONITOR = "aws:costexplorer/anomalyMonitor:AnomalyMonitor"
SUBSCRIPTION = "aws:costexplorer/anomalySubscription:AnomalySubscription"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:ticket"


def anomalies(from_usd: float = 100):
    return CostAnomalies("unusual", CostAnomaliesArgs(stem="acme-account", topic_arn=TOPIC, from_usd=from_usd))


def test_one_monitor_watches_every_service(capture):
    monitor = capture(anomalies).only(MONITOR)
    assert monitor.name == "unusual-monitor" and monitor.inputs["name"] == "acme-account-services"
    assert (monitor.inputs["monitorType"], monitor.inputs["monitorDimension"]) == ("DIMENSIONAL", "SERVICE")
    assert "monitorSpecification" not in monitor.inputs, "members of an organisation may have no other kind"


def test_unusual_costs_are_told_at_once_from_an_amount_on(capture):
    deployment = capture(anomalies)
    subscription = deployment.only(SUBSCRIPTION).inputs
    assert subscription["monitorArnLists"] == [deployment.only(MONITOR).outputs["arn"]]
    assert subscription["frequency"] == "IMMEDIATE", "a topic may have no other"
    assert subscription["subscribers"] == [{"type": "SNS", "address": TOPIC}]
    assert subscription["thresholdExpression"]["dimension"] == {
        "key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
        "matchOptions": ["GREATER_THAN_OR_EQUAL"],
        "values": ["100"],
    }


def test_the_amount_can_be_another(capture):
    subscription = capture(anomalies, from_usd=12.5).only(SUBSCRIPTION).inputs
    assert subscription["thresholdExpression"]["dimension"]["values"] == ["12.5"]


@pytest.mark.parametrize("from_usd", [0, 0.99, -5, float("nan")])
def test_an_amount_that_tells_noise_is_refused(capture, from_usd):
    with pytest.raises(ValueError, match="choose 1 or more, for example 100"):
        capture(anomalies, from_usd=from_usd)


def test_its_monitor_is_registered(capture):
    deployment = capture(anomalies)
    outputs = deployment.only("stackyard:index:CostAnomalies").outputs
    assert outputs == {"monitorArn": deployment.only(MONITOR).outputs["arn"]}
