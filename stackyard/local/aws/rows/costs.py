"""Budgets and cost anomaly detection."""

from collections.abc import Mapping
from typing import Any

from stackyard.local.aws.rows import Op, Read, Row, Tagging
from stackyard.local.aws.rows.tagging import by_arn

_BUDGET_NAME = {"AccountId": "=accountId || account", "BudgetName": "=name"}
_COST_TYPES = (
    "includeCredit",
    "includeDiscount",
    "includeOtherSubscription",
    "includeRecurring",
    "includeRefund",
    "includeSubscription",
    "includeSupport",
    "includeTax",
    "includeUpfront",
    "useAmortized",
    "useBlended",
)
_BUDGET: dict[str, Any] = {
    "AccountId": "=accountId || account",
    "Budget": {
        "BudgetName": "=name",
        "BudgetType": "=budgetType",
        "TimeUnit": "=timeUnit",
        "BudgetLimit": "=limitAmount && {Amount: limitAmount, Unit: limitUnit}",
        "CostFilters": "=costFilters",
        "CostTypes": (
            "=costTypes && costTypes.{"
            + ", ".join(f"{name[0].upper()}{name[1:]}: {name}" for name in _COST_TYPES)
            + "}"
        ),
    },
    "NotificationsWithSubscribers": (
        "=notifications[].{"
        "Notification: {NotificationType: notificationType, ComparisonOperator: comparisonOperator, "
        "Threshold: threshold, ThresholdType: thresholdType}, "
        "Subscribers: [subscriberSnsTopicArns[].{SubscriptionType: 'SNS', Address: @}, "
        "subscriberEmailAddresses[].{SubscriptionType: 'EMAIL', Address: @}][] | [?@]}"
    ),
    "ResourceTags": "=tags",
}
_BUDGET_INPUTS = ("budgetType", "costFilters", "costTypes", "limitAmount", "limitUnit", "notifications", "timeUnit")


def _filters_by_name(inputs: dict[str, Any]) -> dict[str, Any]:
    """AWS takes a map where the provider takes a list."""
    if not inputs.get("costFilters"):
        return inputs
    return {**inputs, "costFilters": {entry["name"]: entry["values"] for entry in inputs["costFilters"]}}


def _filters_now(inputs: Mapping[str, Any], scope: Mapping[str, Any]) -> dict[str, Any]:
    found = (scope.get("d") or {}).get("CostFilters") or {}
    if not found and "costFilters" not in inputs:
        return {}
    return {"costFilters": [{"name": name, "values": values} for name, values in sorted(found.items())] or None}


BUDGET = Row(
    service="budgets",
    create=Op(name="CreateBudget", params=_BUDGET),
    id="=join(':', [accountId || account, name])",
    read=Read(name="DescribeBudget", params=_BUDGET_NAME, path="Budget"),
    delete=(Op(name="DeleteBudget", params=_BUDGET_NAME),),
    mod=(
        # The emulator cannot change a budget.
        Op(name="DeleteBudget", params=_BUDGET_NAME, on=_BUDGET_INPUTS),
        Op(name="CreateBudget", params=_BUDGET, on=_BUDGET_INPUTS),
    ),
    rename={"tags": "ResourceTags"},
    # The emulator takes a budget's tags and never shows them.
    tagging=Tagging(
        set=Op(name="TagResource", params={"ResourceARN": "=arn", "ResourceTags": "=tags"}),
        unset=Op(name="UntagResource", params={"ResourceARN": "=arn", "ResourceTagKeys": "=removed"}),
    ),
    out={"arn": "arn:aws:budgets::{account}:budget/{name}", "accountId": "=accountId || account"},
    # Filled in by the day on which the budget is made.
    keep=("timePeriodStart", "timePeriodEnd"),
    shows={"limitAmount": "=d.BudgetLimit.Amount", "limitUnit": "=d.BudgetLimit.Unit"},
    prepare=_filters_by_name,
    live=_filters_now,
)

ANOMALY_MONITOR = Row(
    service="ce",
    create=Op(
        name="CreateAnomalyMonitor",
        params={
            "AnomalyMonitor": {
                "MonitorName": "=name",
                "MonitorType": "=monitorType",
                "MonitorDimension": "=monitorDimension",
            },
            "ResourceTags": "=tags",
        },
    ),
    id="=arn",
    read=Read(name="GetAnomalyMonitors", params={"MonitorArnList": ["=id"]}, path="AnomalyMonitors[0]"),
    delete=(Op(name="DeleteAnomalyMonitor", params={"MonitorArn": "=id"}),),
    mod=(Op(name="UpdateAnomalyMonitor", params={"MonitorArn": "=id", "MonitorName": "=name"}, on=("name",)),),
    rename={"tags": "ResourceTags", "name": "MonitorName"},
    tagging=by_arn("ResourceArn", "ResourceTags", "ResourceTagKeys", arn="=id"),
    fake={"arn": "arn:aws:ce::{account}:anomalymonitor/{h}"},
)

_SUBSCRIPTION = {
    "Frequency": "=frequency",
    "MonitorArnList": "=monitorArnLists",
    "Subscribers": "=subscribers[].{Address: address, Type: type}",
    "ThresholdExpression": (
        "=thresholdExpression && {Dimensions: {Key: thresholdExpression.dimension.key, "
        "MatchOptions: thresholdExpression.dimension.matchOptions, Values: thresholdExpression.dimension.values}}"
    ),
}

ANOMALY_SUBSCRIPTION = Row(
    service="ce",
    create=Op(
        name="CreateAnomalySubscription",
        params={"AnomalySubscription": {"SubscriptionName": "=name", **_SUBSCRIPTION}, "ResourceTags": "=tags"},
    ),
    id="=arn",
    read=Read(name="GetAnomalySubscriptions", params={"SubscriptionArnList": ["=id"]}, path="AnomalySubscriptions[0]"),
    delete=(Op(name="DeleteAnomalySubscription", params={"SubscriptionArn": "=id"}),),
    mod=(
        Op(
            name="UpdateAnomalySubscription",
            params={"SubscriptionArn": "=id", **_SUBSCRIPTION},
            on=("frequency", "monitorArnLists", "subscribers", "thresholdExpression"),
        ),
    ),
    rename={"tags": "ResourceTags", "name": "SubscriptionName"},
    tagging=by_arn("ResourceArn", "ResourceTags", "ResourceTagKeys", arn="=id"),
    fake={"arn": "arn:aws:ce::{account}:anomalysubscription/{h}", "accountId": "=account"},
)

ROWS = {
    "aws:budgets/budget:Budget": BUDGET,
    "aws:costexplorer/anomalyMonitor:AnomalyMonitor": ANOMALY_MONITOR,
    "aws:costexplorer/anomalySubscription:AnomalySubscription": ANOMALY_SUBSCRIPTION,
}
