"""What an environment may cost: a monthly budget and the detection of unusual costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.invalid_argument import InvalidArgument
from components.tagging import child_tags

CURRENCY = "USD"
# Of the month's budget, in percent.
ACTUAL_ALERTS = (50, 80, 100)
FORECAST_ALERTS = (100,)


@dataclass(frozen=True, kw_only=True)
class CostGuardArgs:
    stem: str
    """Stem of fixed names, `<prefix>-<environment>`: the budget is called `<stem>-monthly`."""

    monthly_usd: float
    """Budget of a calendar month in US dollars, above zero. No default: somebody must decide."""

    topic_arn: Input[str]
    """ARN of the topic that gets all alerts. Budgets and cost anomaly detection must be allowed to publish there."""

    anomaly_percent: float = 5
    """Extra cost of an anomaly from which on it is told, in percent of the budget, 0 (not included) to 100. Default: 5.
    """

    anomaly_monitor_arn: Input[str] | None = None
    """ARN of the account's existing monitor of services: AWS allows one an account and makes one by itself in new
    accounts. Default: the component creates it.
    """


class CostGuard(pulumi.ComponentResource):
    """Creates, always:

    - a monthly budget for the whole account, credits and refunds left out, so that they hide nothing;
    - its alerts: at 50, 80 and 100 % of the actual costs, and when more than 100 % is forecast;
    - a subscription to unusual costs, told at once when they exceed a share of the budget;

    and, unless `anomaly_monitor_arn` names one, the monitor that finds them, over all AWS services.

    All of it is free. AWS knows costs hours later: an alert is no limit (node pools and quotas are).
    """

    budget_name: Output[str]
    anomaly_monitor_arn: Output[str]
    """Monitor to which the alerts are subscribed."""

    def __init__(self, name: str, args: CostGuardArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:CostGuard", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        _check_budget(args.monthly_usd)

        budget = self._create_budget()
        monitor_arn = self._anomaly_monitor_arn()
        self._subscribe_to_anomalies(monitor_arn)

        self.budget_name = budget.name
        self.anomaly_monitor_arn = monitor_arn
        self.register_outputs({"budgetName": self.budget_name, "anomalyMonitorArn": self.anomaly_monitor_arn})

    def _create_budget(self) -> aws.budgets.Budget:
        name = f"{self._name}-budget"
        return aws.budgets.Budget(
            name,
            name=f"{self._args.stem}-monthly",
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=amount(self._args.monthly_usd),
            limit_unit=CURRENCY,
            cost_types=aws.budgets.BudgetCostTypesArgs(include_credit=False, include_refund=False),
            notifications=self._alerts("ACTUAL", ACTUAL_ALERTS) + self._alerts("FORECASTED", FORECAST_ALERTS),
            tags=child_tags(self._name, name),
            opts=self._child,
        )

    def _alerts(self, kind: str, percents: Sequence[int]) -> list[aws.budgets.BudgetNotificationArgs]:
        return [
            aws.budgets.BudgetNotificationArgs(
                notification_type=kind,
                comparison_operator="GREATER_THAN",
                threshold=percent,
                threshold_type="PERCENTAGE",
                subscriber_sns_topic_arns=[self._args.topic_arn],
            )
            for percent in percents
        ]

    def _anomaly_monitor_arn(self) -> Output[str]:
        if self._args.anomaly_monitor_arn is not None:
            return Output.from_input(self._args.anomaly_monitor_arn)
        name = f"{self._name}-anomaly-monitor"
        return aws.costexplorer.AnomalyMonitor(
            name,
            name=f"{self._args.stem}-services",
            monitor_type="DIMENSIONAL",
            monitor_dimension="SERVICE",
            tags=child_tags(self._name, name),
            opts=self._child,
        ).arn

    def _subscribe_to_anomalies(self, monitor_arn: Output[str]) -> None:
        name = f"{self._name}-anomaly-subscription"
        threshold = anomaly_usd(self._args.monthly_usd, self._args.anomaly_percent)
        aws.costexplorer.AnomalySubscription(
            name,
            name=f"{self._args.stem}-anomalies",
            # The only frequency that a topic may have.
            frequency="IMMEDIATE",
            monitor_arn_lists=[monitor_arn],
            subscribers=[aws.costexplorer.AnomalySubscriptionSubscriberArgs(type="SNS", address=self._args.topic_arn)],
            threshold_expression=aws.costexplorer.AnomalySubscriptionThresholdExpressionArgs(
                dimension=aws.costexplorer.AnomalySubscriptionThresholdExpressionDimensionArgs(
                    key="ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                    match_options=["GREATER_THAN_OR_EQUAL"],
                    values=[amount(threshold)],
                )
            ),
            tags=child_tags(self._name, name),
            opts=self._child,
        )


def amount(usd: float) -> str:
    """US dollars as AWS writes them, at most two digits after the point: `400`, `12.5`."""
    return f"{usd:.2f}".rstrip("0").rstrip(".")


def anomaly_usd(monthly_usd: float, percent: float) -> float:
    """Extra cost in US dollars from which on an anomaly is told, at least one. Raises ValueError outside 0 to 100."""
    if not 0 < percent <= 100:
        raise InvalidArgument(
            f"anomalies of {percent} % of the budget cannot be told: choose above 0 and at most 100, for example 5"
        )
    # Costs of cents are noise.
    return max(1.0, monthly_usd * percent / 100)


def _check_budget(monthly_usd: float) -> None:
    if not monthly_usd >= 0.01:
        raise InvalidArgument(
            f"a budget of {monthly_usd} US dollars a month is not possible: AWS Budgets takes amounts above zero, "
            "for example 400"
        )
