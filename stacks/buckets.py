"""The data buckets of an environment, their log bucket, and their replicas in other regions."""

from collections.abc import Mapping, Sequence

from pulumi import ResourceOptions

from components.bucket_options import InventoryFrequency, ObjectLock
from components.data_bucket import DataBucket, DataBucketArgs
from components.log_bucket import LogBucket, LogBucketArgs
from components.retention import Retention
from stacks.naming import ACCESS_LOGS
from stacks.providers import aws_provider, location_of, role_boundary_of
from stacks.sections.data import DataBucket as Section
from stacks.sections.data import Inventory
from stacks.settings import Settings

FREQUENCIES = {Inventory.DAILY: InventoryFrequency.DAILY, Inventory.WEEKLY: InventoryFrequency.WEEKLY}


def data_buckets(settings: Settings, retention: Retention, opts: ResourceOptions) -> Mapping[str, DataBucket]:
    """The buckets by their names in the settings."""
    replicas = _replicas(settings, retention)
    logs = LogBucket(
        ACCESS_LOGS,
        LogBucketArgs(
            location=location_of(settings),
            bucket_name=settings.physical_name(ACCESS_LOGS),
            source_buckets=[settings.physical_name(bucket.name) for bucket in settings.data_buckets],
            inventory_buckets=[settings.physical_name(b.name) for b in settings.data_buckets if b.inventory],
            retention=retention,
        ),
        opts,
    )
    return {
        bucket.name: DataBucket(
            bucket.name,
            DataBucketArgs(
                location=location_of(settings),
                bucket_name=settings.physical_name(bucket.name),
                access_logs=logs,
                noncurrent_days=bucket.noncurrent_days,
                expire_days=bucket.expire_days,
                tiering_days=bucket.tiering_days,
                lock=_lock(bucket),
                inventory=FREQUENCIES[bucket.inventory] if bucket.inventory else None,
                replica=replicas.get(bucket.name),
                permissions_boundary=role_boundary_of(settings),
                retention=retention,
            ),
            opts,
        )
        for bucket in settings.data_buckets
    }


def _replicas(settings: Settings, retention: Retention) -> dict[str, DataBucket]:
    """Replicas by the name of the bucket that they copy. S3 delivers access logs within a region: each has its own."""
    by_region: dict[str, list[Section]] = {}
    for bucket in settings.data_buckets:
        if bucket.replica_region:
            by_region.setdefault(bucket.replica_region, []).append(bucket)
    return {
        name: replica
        for region, buckets in sorted(by_region.items())
        for name, replica in _replicas_in(region, buckets, settings, retention).items()
    }


def _replicas_in(
    region: str, buckets: Sequence[Section], settings: Settings, retention: Retention
) -> dict[str, DataBucket]:
    opts = ResourceOptions(providers=[aws_provider(settings, region)])
    names = {bucket.name: settings.physical_name(bucket.name, region=region) for bucket in buckets}
    logs = LogBucket(
        f"{ACCESS_LOGS}-{region}",
        LogBucketArgs(
            location=location_of(settings, region),
            bucket_name=settings.physical_name(ACCESS_LOGS, region=region),
            source_buckets=list(names.values()),
            retention=retention,
        ),
        opts,
    )
    return {
        bucket.name: DataBucket(
            f"{bucket.name}-{region}",
            DataBucketArgs(
                location=location_of(settings, region),
                bucket_name=names[bucket.name],
                access_logs=logs,
                noncurrent_days=bucket.noncurrent_days,
                expire_days=bucket.expire_days,
                tiering_days=bucket.tiering_days,
                lock=_lock(bucket),
                retention=retention,
            ),
            opts,
        )
        for bucket in buckets
    }


def _lock(bucket: Section) -> ObjectLock | None:
    return ObjectLock(days=bucket.lock_days) if bucket.lock_days else None
