"""The base layer: long-lived, AWS's API only, everything that holds data."""

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from components.build_runner import BuildRunner, BuildRunnerArgs
from components.container_registry import ContainerRegistry, ContainerRegistryArgs
from components.cost_guard import CostGuard, CostGuardArgs
from components.endpoint_services import EndpointSet
from components.existing_vpc import ExistingSubnet, ExistingVpc
from components.network import NatMode, Network, NetworkArgs
from components.notifications import Notifications, NotificationsArgs, Severity
from components.retention import PROTECTED, Retention, RetentionMode
from components.tracking_database import TrackingDatabase, TrackingDatabaseArgs
from stacks.base_outputs import REPOSITORIES, BaseOutputs, DatabaseOutputs
from stacks.buckets import data_buckets
from stacks.protection import Protection
from stacks.providers import location_of, role_boundary_of, stem_of
from stacks.sections.network import ExistingNetwork
from stacks.sections.operations import RunnerConnection
from stacks.settings import Settings, present
from stacks.versions import CACHED_UPSTREAMS, TRACKING_DATABASE, image_layer_buckets


def base_layer(settings: Settings, provider: aws.Provider) -> BaseOutputs:
    opts = ResourceOptions(providers=[provider])
    network = _network(settings, opts)
    buckets = data_buckets(settings, retention_of(settings), opts)
    registry = _registry(settings, opts)
    notifications = _notifications(settings, opts)
    _cost_guard(settings, notifications, opts)
    database = _tracking_database(settings, network, notifications, opts)
    runner = _build_runner(settings, network, registry, opts)
    return BaseOutputs(
        ways_out=[network],
        vpc_id=network.vpc_id,
        private_subnet_ids=network.private_subnet_ids,
        bucket_key_arns={name: bucket.key_arn for name, bucket in buckets.items()},
        repository_urls=registry.repository_urls,
        topic_arns={str(severity): arn for severity, arn in notifications.topic_arns.items()},
        notification_key_arn=notifications.key_arn,
        tracking_database=database and _outputs_of(database),
        runner_security_group_id=runner and runner.security_group_id,
    )


def exported(base: BaseOutputs) -> None:
    """Makes the base layer's outputs those of the stack, where a platform stack finds them."""
    for name, value in base.to_outputs().items():
        pulumi.export(name, value)


def retention_of(settings: Settings) -> Retention:
    """Data outlives every destroy; only where nothing is protected may a destroy go on past it."""
    if settings.environment.protection is Protection.NONE:
        return Retention(mode=RetentionMode.RETAINED, reason="environment protection is none")
    return PROTECTED


def log_retention_of(settings: Settings) -> Retention:
    """Logs have fixed names: one that stayed would stop the next deployment, so they go where nothing is protected."""
    if settings.environment.protection is Protection.NONE:
        return Retention(mode=RetentionMode.DISPOSABLE, reason="environment protection is none")
    return PROTECTED


def _network(settings: Settings, opts: ResourceOptions) -> Network:
    section = present(settings.network)
    new = section.existing is None
    return Network(
        "network",
        NetworkArgs(
            location=location_of(settings),
            stem=stem_of(settings),
            cidr=section.cidr,
            zones=section.zones or (),
            nat=NatMode(str(section.nat)) if new else None,
            pod_cidr=section.pod_cidr,
            outside_buckets=image_layer_buckets(settings.environment.region) if new else (),
            existing=None if section.existing is None else _existing(section.existing),
            endpoints=EndpointSet(str(section.added_endpoints)),
            flow_log_retention_days=section.added_flow_log_days,
            permissions_boundary=role_boundary_of(settings),
            retention=log_retention_of(settings),
        ),
        opts,
    )


def _existing(section: ExistingNetwork) -> ExistingVpc:
    subnets = [ExistingSubnet(id=s.id, zone=s.zone, cidr=s.cidr, public=s.public) for s in section.subnets]
    return ExistingVpc(vpc_id=section.vpc_id, cidr=section.cidr, subnets=subnets)


def _registry(settings: Settings, opts: ResourceOptions) -> ContainerRegistry:
    return ContainerRegistry(
        "registry",
        ContainerRegistryArgs(
            location=location_of(settings),
            stem=stem_of(settings),
            repositories=REPOSITORIES,
            keep_images=settings.registry.keep_images,
            upstreams=CACHED_UPSTREAMS,
            cached_tags=settings.default_tags,
            permissions_boundary=role_boundary_of(settings),
            retention=retention_of(settings),
        ),
        opts,
    )


def _notifications(settings: Settings, opts: ResourceOptions) -> Notifications:
    section = settings.notifications
    return Notifications(
        "notifications",
        NotificationsArgs(
            location=location_of(settings),
            stem=stem_of(settings),
            recipients={Severity.PAGE: section.page, Severity.TICKET: section.ticket},
            # What the key holds is on its way for minutes: it goes where nothing is protected.
            retention=log_retention_of(settings),
        ),
        opts,
    )


def _cost_guard(settings: Settings, notifications: Notifications, opts: ResourceOptions) -> None:
    CostGuard(
        "cost-guard",
        CostGuardArgs(
            stem=stem_of(settings),
            monthly_usd=present(settings.budget).monthly_usd,
            topic_arn=notifications.topic_arns[Severity.TICKET],
        ),
        opts,
    )


def _tracking_database(
    settings: Settings, network: Network, notifications: Notifications, opts: ResourceOptions
) -> TrackingDatabase | None:
    if not settings.wants_database:
        return None
    section, profile = present(settings.tracking), settings.profile
    return TrackingDatabase(
        "tracking",
        TrackingDatabaseArgs(
            location=location_of(settings),
            identifier=settings.physical_name("tracking"),
            vpc_id=network.vpc_id,
            subnet_ids=network.private_subnet_ids,
            topic_arn=notifications.topic_arns[Severity.TICKET],
            engine_version=TRACKING_DATABASE.engine_version,
            instance_class=present(section.instance_class),
            storage_gb=present(section.storage_gb),
            multi_az=profile.multi_az,
            backup_retention_days=profile.backup_retention_days,
            deletion_protection=profile.deletion_protection,
            log_retention_days=profile.log_retention_days,
            permissions_boundary=role_boundary_of(settings),
            retention=retention_of(settings),
        ),
        opts,
    )


def _outputs_of(database: TrackingDatabase) -> DatabaseOutputs:
    return DatabaseOutputs(
        address=database.address,
        port=database.port,
        resource_id=database.resource_id,
        security_group_id=database.security_group_id,
        secret_arn=database.secret_arn,
    )


def _build_runner(
    settings: Settings, network: Network, registry: ContainerRegistry, opts: ResourceOptions
) -> BuildRunner | None:
    section = settings.build_runner
    if not section.enabled:
        return None
    return BuildRunner(
        "build-runner",
        BuildRunnerArgs(
            location=location_of(settings),
            stem=stem_of(settings),
            repository=present(settings.ci).repository,
            connected=section.connection is RunnerConnection.CONFIRMED,
            vpc_id=network.vpc_id,
            private_subnet_ids=network.private_subnet_ids,
            repository_arns=registry.repository_arns,
            log_retention_days=settings.profile.log_retention_days,
            permissions_boundary=role_boundary_of(settings),
            retention=log_retention_of(settings),
        ),
        opts,
    )
