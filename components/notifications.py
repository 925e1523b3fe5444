"""Topics that carry an environment's alarms to people, one per severity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.encryption_keys import encryption_key, key_policy
from components.iam_policies import ANYONE, Effect, Statement, resource_policy
from components.invalid_argument import InvalidArgument
from components.retention import PROTECTED, Retention
from components.tagging import child_tags

# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html: who publishes to an encrypted topic needs both.
PUBLISHER_KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey*")

# https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
LONGEST_DISPLAY_NAME = 100


class Severity(StrEnum):
    PAGE = "page"
    """Somebody is woken up."""
    TICKET = "ticket"
    """Read in working hours."""


class Publisher(StrEnum):
    """AWS services that alarm. All send the account on whose behalf they publish, and may for no other.

    EventBridge is not among them: it sends no account to KMS, so its key statement could not be limited to one.
    Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html,
    https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html and ad-SNS.html there,
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.GrantingPermissions.html
    """

    CLOUDWATCH_ALARMS = "cloudwatch.amazonaws.com"
    BUDGETS = "budgets.amazonaws.com"
    COST_ANOMALIES = "costalerts.amazonaws.com"
    RDS_EVENTS = "events.rds.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class NotificationsArgs:
    location: AwsLocation
    """Account and region of the topics."""

    stem: str
    """Stem of fixed names, `<prefix>-<environment>`: the sender that recipients see is `<stem> <severity>`."""

    recipients: Mapping[Severity, Sequence[str]] = field(default_factory=dict[Severity, Sequence[str]])
    """E-mail addresses by severity. A severity without any still gets its topic. Default: nobody."""

    publishers: Sequence[Publisher] = tuple(Publisher)
    """Services that may publish, at least one; each on behalf of this account alone. Default: all that alarm."""

    retention: Retention = PROTECTED
    """What a destroy does to the key, and with it to alarms not yet delivered. Default: protected."""


class Notifications(pulumi.ComponentResource):
    """Creates, always:

    - a rotating KMS key for all topics (**1 $ a month**), which the publishing services may use;
    - for each severity an encrypted topic and its policy: TLS only, open to the publishing services of this account;
    - for each recipient an e-mail subscription, pending until the recipient confirms it.

    E-mails cost 2 $ per 100,000; the first 1,000 a month are free.
    """

    topic_arns: dict[Severity, Output[str]]
    """Known once the services may publish, so whoever alarms waits for that."""
    key_arn: Output[str]
    """Who publishes with a role of its own, Alertmanager for instance, needs `publishing` on topic and key."""

    def __init__(self, name: str, args: NotificationsArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:Notifications", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        _check_recipients(args.recipients)
        _check_publishers(args.publishers)

        key = self._create_key()
        topics = {severity: self._create_topic(severity, key) for severity in Severity}
        policies = {severity: self._create_policy(severity, topic) for severity, topic in topics.items()}
        for severity, topic in topics.items():
            self._create_subscriptions(severity, topic)

        self.topic_arns = {severity: policy.arn for severity, policy in policies.items()}
        self.key_arn = key.arn
        self.register_outputs(
            {"topicArns": {str(s): arn for s, arn in self.topic_arns.items()}, "keyArn": self.key_arn}
        )

    def _create_key(self) -> aws.kms.Key:
        name, location = f"{self._name}-key", self._args.location
        return encryption_key(
            name,
            description=f"Notifications of {self._args.stem}",
            policy=key_policy(location, [used_by_publishers(location, self._args.publishers)]),
            tags=child_tags(self._name, name) | self._args.retention.tags(),
            opts=self._args.retention.options(self),
        )

    def _create_topic(self, severity: Severity, key: aws.kms.Key) -> aws.sns.Topic:
        name = f"{self._name}-{severity}"
        return aws.sns.Topic(
            name,
            display_name=f"{self._args.stem} {severity}"[:LONGEST_DISPLAY_NAME],
            kms_master_key_id=key.arn,
            tags=child_tags(self._name, name),
            opts=self._child,
        )

    def _create_policy(self, severity: Severity, topic: aws.sns.Topic) -> aws.sns.TopicPolicy:
        return aws.sns.TopicPolicy(
            f"{self._name}-{severity}-policy",
            arn=topic.arn,
            policy=topic_policy(self._args.location, topic.arn, self._args.publishers),
            opts=self._child,
        )

    def _create_subscriptions(self, severity: Severity, topic: aws.sns.Topic) -> None:
        for address in self._args.recipients.get(severity, ()):
            aws.sns.TopicSubscription(
                # By the address: who leaves the list takes nobody else's confirmed subscription along.
                f"{self._name}-{severity}-{address}",
                topic=topic.arn,
                protocol="email",
                endpoint=address,
                opts=self._child,
            )


def topic_policy(location: AwsLocation, topic_arn: Input[str], publishers: Sequence[Publisher]) -> Output[str]:
    """The publishing services on behalf of this account; nobody without TLS. Roles get their right from IAM."""
    return resource_policy(
        [
            Statement(
                sid="Publish",
                actions=["sns:Publish"],
                resources=[topic_arn],
                principals={"Service": sorted(publishers)},
                conditions={"StringEquals": {"aws:SourceAccount": location.account_id}},
            ),
            Statement(
                sid="OnlyTls",
                effect=Effect.DENY,
                actions=["sns:Publish"],
                resources=[topic_arn],
                principals=ANYONE,
                conditions={"Bool": {"aws:SecureTransport": "false"}},
            ),
        ]
    )


def used_by_publishers(location: AwsLocation, publishers: Sequence[Publisher]) -> Statement:
    """The publishing services encrypt what they send, on behalf of this account alone."""
    return Statement(
        sid="Publish",
        actions=PUBLISHER_KEY_ACTIONS,
        resources=["*"],
        principals={"Service": sorted(publishers)},
        conditions={"StringEquals": {"aws:SourceAccount": location.account_id}},
    )


def publishing(topic_arn: Input[str], key_arn: Input[str]) -> list[Statement]:
    """What a role needs to publish to one topic."""
    return [
        Statement(sid="Publish", actions=["sns:Publish"], resources=[topic_arn]),
        Statement(sid="EncryptNotification", actions=PUBLISHER_KEY_ACTIONS, resources=[key_arn]),
    ]


def _check_recipients(recipients: Mapping[Severity, Sequence[str]]) -> None:
    for severity, addresses in recipients.items():
        twice = sorted({address for address in addresses if addresses.count(address) > 1})
        if twice:
            raise InvalidArgument(
                f"{', '.join(twice)} stands twice among the recipients of '{severity}': SNS sends one e-mail to each"
            )


def _check_publishers(publishers: Sequence[Publisher]) -> None:
    if not publishers:
        raise InvalidArgument(
            "topics without a publisher never send anything: name at least one, for example Publisher.CLOUDWATCH_ALARMS"
        )
