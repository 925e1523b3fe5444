"""The base layer: long-lived, AWS's API only, everything that holds data."""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from components.container_registry import ContainerRegistry, ContainerRegistryArgs
from components.data_bucket import DataBucket, DataBucketArgs
from components.log_bucket import LogBucket, LogBucketArgs
from components.network import NatMode, Network, NetworkArgs
from components.retention import PROTECTED, Retention, RetentionMode
from stacks.base_outputs import REPOSITORIES, BaseOutputs
from stacks.protection import Protection
from stacks.providers import location_of, stem_of
from stacks.settings import Settings, present


def base_layer(settings: Settings, provider: aws.Provider) -> BaseOutputs:
    opts = ResourceOptions(providers=[provider])
    network = _network(settings, opts)
    buckets = _data_buckets(settings, opts)
    registry = _registry(settings, opts)
    return BaseOutputs(
        vpc_id=network.vpc_id,
        private_subnet_ids=network.private_subnet_ids,
        bucket_key_arns={name: bucket.key_arn for name, bucket in buckets.items()},
        repository_urls=registry.repository_urls,
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
    if section.existing is not None:
        raise pulumi.RunError(
            f"network.existing names {section.existing.vpc_id}, but adopting a VPC is not built yet: "
            "give cidr and zones, for example cidr: 10.20.0.0/16 and zones: [us-east-1a, us-east-1b]"
        )
    return Network(
        "network",
        NetworkArgs(
            location=location_of(settings),
            stem=stem_of(settings),
            cidr=section.vpc_cidr,
            zones=section.zone_names,
            nat=NatMode(str(section.nat)),
            flow_log_retention_days=section.flow_log_retention_days,
            retention=log_retention_of(settings),
        ),
        opts,
    )


def _data_buckets(settings: Settings, opts: ResourceOptions) -> Mapping[str, DataBucket]:
    names = {bucket.name: settings.physical_name(bucket.name) for bucket in settings.data_buckets}
    logs = LogBucket(
        "access-logs",
        LogBucketArgs(
            location=location_of(settings),
            bucket_name=settings.physical_name("access-logs"),
            source_buckets=list(names.values()),
            retention=retention_of(settings),
        ),
        opts,
    )
    return {
        bucket.name: DataBucket(
            bucket.name,
            DataBucketArgs(
                location=location_of(settings),
                bucket_name=names[bucket.name],
                access_logs=logs,
                noncurrent_days=bucket.noncurrent_days,
                retention=retention_of(settings),
            ),
            opts,
        )
        for bucket in settings.data_buckets
    }


def _registry(settings: Settings, opts: ResourceOptions) -> ContainerRegistry:
    return ContainerRegistry(
        "registry",
        ContainerRegistryArgs(
            location=location_of(settings),
            stem=stem_of(settings),
            repositories=REPOSITORIES,
            retention=retention_of(settings),
        ),
        opts,
    )
