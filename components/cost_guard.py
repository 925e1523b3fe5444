"""What an environment may cost: a monthly budget and its alerts."""

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
    """ARN of the topic that gets all alerts. Budgets must be allowed to publish there."""

    environment: str | None = None
    """Counts only what carries this value of the tag `environment`: for an account that several environments share.
    Needs the cost allocation tag `environment`, which somebody activates first: until then such a budget sees no costs
    and alerts nobody. Default: the whole account."""


class CostGuard(pulumi.ComponentResource):
    """Creates, always:

    - a monthly budget for the whole account or for `environment`, credits and refunds left out, so that they hide
      nothing;
    - its alerts: at 50, 80 and 100 % of the actual costs, and when more than 100 % is forecast.

    It is free. AWS knows costs hours later: an alert is no limit (node pools and quotas are). Unusual costs are the
    account's business: `CostAnomalies`.
    """

    budget_name: Output[str]

    def __init__(self, name: str, args: CostGuardArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:CostGuard", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        _check_budget(args.monthly_usd)

        budget = self._create_budget()

        self.budget_name = budget.name
        self.register_outputs({"budgetName": self.budget_name})

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
            cost_filters=self._filters(),
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

    def _filters(self) -> list[aws.budgets.BudgetCostFilterArgs] | None:
        environment = self._args.environment
        if environment is None:
            return None
        return [aws.budgets.BudgetCostFilterArgs(name="TagKeyValue", values=[tag_filter("environment", environment)])]


def tag_filter(key: str, value: str) -> str:
    """A tag of one's own as AWS Budgets writes it: `user:environment$prod`.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-budgets-budget-budgetdata.html
    """
    return f"user:{key}${value}"


def amount(usd: float) -> str:
    """US dollars as AWS writes them, at most two digits after the point: `400`, `12.5`."""
    return f"{usd:.2f}".rstrip("0").rstrip(".")


def _check_budget(monthly_usd: float) -> None:
    if not monthly_usd >= 0.01:
        raise InvalidArgument(
            f"a budget of {monthly_usd} US dollars a month is not possible: AWS Budgets takes amounts above zero, "
            "for example 400"
        )
