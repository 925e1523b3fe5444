"""The account layer: what exists once per AWS account. An administrator applies it, CI never."""

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from components.account_guard import AccountGuard, AccountGuardArgs
from components.ci_access import CiAccess, CiAccessArgs
from components.ci_stacks import CiStack, layers_of
from components.cost_anomalies import CostAnomalies, CostAnomaliesArgs
from components.log_bucket import LogBucket, LogBucketArgs
from components.notifications import Notifications, NotificationsArgs, Severity
from stacks.base_layer import retention_of
from stacks.naming import ACCESS_LOGS, DATA, STATE, STATE_LOGS, disk_key_alias, physical_name
from stacks.providers import location_of, stem_of
from stacks.settings import PROJECT, Settings, present

TRAIL, CONFIG = "trail", "config"


def account_layer(settings: Settings, provider: aws.Provider) -> None:
    opts = ResourceOptions(providers=[provider])
    notifications = _notifications(settings, opts)
    _guard(settings, notifications, opts)
    _cost_anomalies(settings, notifications, opts)
    access = _ci_access(settings, opts)
    pulumi.export("ciRoleArns", access.role_arns)
    pulumi.export("ciBoundaryArn", access.boundary_arn)


def _notifications(settings: Settings, opts: ResourceOptions) -> Notifications:
    recipients = present(settings.account).notify
    return Notifications(
        "notifications",
        NotificationsArgs(
            location=location_of(settings),
            stem=stem_of(settings),
            recipients={severity: recipients for severity in Severity},
            retention=retention_of(settings),
        ),
        opts,
    )


def _guard(settings: Settings, notifications: Notifications, opts: ResourceOptions) -> AccountGuard:
    section = present(settings.account)
    trail, config = settings.physical_name(TRAIL), settings.physical_name(CONFIG)
    logs = LogBucket(
        ACCESS_LOGS,
        LogBucketArgs(
            location=location_of(settings),
            bucket_name=settings.physical_name(ACCESS_LOGS),
            source_buckets=[config, trail],
            retention=retention_of(settings),
        ),
        opts,
    )
    return AccountGuard(
        "guard",
        AccountGuardArgs(
            location=location_of(settings),
            stem=stem_of(settings),
            disk_key_alias=disk_key_alias(settings.environment.prefix),
            trail_bucket=trail,
            config_bucket=config,
            access_logs=logs,
            data_buckets=section.data_buckets,
            topic_arns=notifications.topic_arns,
            retention=retention_of(settings),
        ),
        opts,
    )


def _cost_anomalies(settings: Settings, notifications: Notifications, opts: ResourceOptions) -> None:
    CostAnomalies(
        "cost-anomalies",
        CostAnomaliesArgs(stem=stem_of(settings), topic_arn=notifications.topic_arns[Severity.TICKET]),
        opts,
    )


def _ci_access(settings: Settings, opts: ResourceOptions) -> CiAccess:
    section = present(settings.ci)
    return CiAccess(
        "ci",
        CiAccessArgs(
            location=location_of(settings),
            prefix=settings.environment.prefix,
            project=PROJECT,
            repository=section.repository,
            stacks=[_ci_stack(settings, name) for name in section.stacks],
        ),
        opts,
    )


def _ci_stack(settings: Settings, name: str) -> CiStack:
    environment, layers = layers_of(name)

    def named(noun: str) -> str:
        return physical_name(
            prefix=settings.environment.prefix,
            environment=environment,
            noun=noun,
            account_id=settings.environment.account_id,
            region=settings.environment.region,
        )

    return CiStack(
        name=name,
        environment=environment,
        layers=layers,
        state_bucket=named(STATE),
        state_log_bucket=named(STATE_LOGS),
        data_bucket=named(DATA),
    )
