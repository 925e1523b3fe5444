"""Unusual costs of an account: found by AWS, told to one topic."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.cost_guard import amount
from components.invalid_argument import InvalidArgument
from components.tagging import child_tags


@dataclass(frozen=True, kw_only=True)
class CostAnomaliesArgs:
    stem: str
    """Stem of fixed names, `<prefix>-account`: the monitor is called `<stem>-services`."""

    topic_arn: Input[str]
    """ARN of the topic that gets the alerts. Cost anomaly detection must be allowed to publish there."""

    from_usd: float = 100
    """Extra cost in US dollars from which on an anomaly is told, at least 1. Default: 100, as AWS itself chooses."""


class CostAnomalies(pulumi.ComponentResource):
    """Creates, always:

    - the account's monitor of unusual costs, over all AWS services;
    - a subscription to what it finds, told at once when it costs more than `from_usd`.

    Once per account: AWS allows one monitor of services, and members of an organisation no other kind. It is free. AWS
    knows costs a day later: an alert is no limit (node pools and quotas are).
    """

    monitor_arn: Output[str]

    def __init__(self, name: str, args: CostAnomaliesArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:CostAnomalies", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        _check(args.from_usd)

        monitor = self._create_monitor()
        self._subscribe(monitor)

        self.monitor_arn = monitor.arn
        self.register_outputs({"monitorArn": self.monitor_arn})

    def _create_monitor(self) -> aws.costexplorer.AnomalyMonitor:
        name = f"{self._name}-monitor"
        return aws.costexplorer.AnomalyMonitor(
            name,
            name=f"{self._args.stem}-services",
            monitor_type="DIMENSIONAL",
            monitor_dimension="SERVICE",
            tags=child_tags(self._name, name),
            opts=self._child,
        )

    def _subscribe(self, monitor: aws.costexplorer.AnomalyMonitor) -> None:
        name = f"{self._name}-subscription"
        aws.costexplorer.AnomalySubscription(
            name,
            name=f"{self._args.stem}-anomalies",
            # The only frequency that a topic may have.
            frequency="IMMEDIATE",
            monitor_arn_lists=[monitor.arn],
            subscribers=[aws.costexplorer.AnomalySubscriptionSubscriberArgs(type="SNS", address=self._args.topic_arn)],
            threshold_expression=aws.costexplorer.AnomalySubscriptionThresholdExpressionArgs(
                dimension=aws.costexplorer.AnomalySubscriptionThresholdExpressionDimensionArgs(
                    key="ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                    match_options=["GREATER_THAN_OR_EQUAL"],
                    values=[amount(self._args.from_usd)],
                )
            ),
            tags=child_tags(self._name, name),
            opts=self._child,
        )


def _check(from_usd: float) -> None:
    if not from_usd >= 1:
        raise InvalidArgument(
            f"anomalies cannot be told from {from_usd} US dollars on: costs of cents are noise, "
            "choose 1 or more, for example 100"
        )
