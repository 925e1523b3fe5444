"""What holds data in the base layer: buckets, image repositories, the model registry's database."""

from collections.abc import Iterator
from typing import ClassVar

from stacks.domain import DatabaseClass, Name, Region, TrackingUri
from stacks.problems import Problem, problem
from stacks.sections.section import Section, by_protection, setting


class DataBucket(Section):
    """Buckets that hold data, models and artifacts. One is called `data`: pipelines read and write there."""

    read_by: ClassVar = "`DataBucket`"

    name: Name = setting("What the bucket holds; part of its physical name.", "data")
    noncurrent_days: int = by_protection(
        "Days that overwritten and deleted objects are kept.", 90, 365, "noncurrent_days", ge=1, le=36_500
    )
    expire_days: int | None = setting(
        "Days after which current objects are deleted. Default: never.",
        730,
        default=None,
        ge=1,
        le=36_500,
        json_schema_extra={"x-not-built": "objects would be kept for ever, although the setting says otherwise"},
    )
    lock_days: int | None = setting(
        "Days that nobody, the account's root included, can delete an object. Default: no object lock.",
        30,
        default=None,
        ge=1,
        le=36_500,
        json_schema_extra={"x-not-built": "objects would not be locked, although the setting says so"},
    )
    replica_region: Region | None = setting(
        "Region that gets a copy of each object; costs storage and traffic. Default: none.",
        "us-west-2",
        default=None,
        json_schema_extra={"x-not-built": "objects would not be copied, although the setting says so"},
    )

    def problems(self, path: str) -> Iterator[Problem]:
        if self.expire_days and self.lock_days and self.expire_days < self.lock_days:
            yield problem(
                f"{path}.expireDays",
                self.expire_days,
                f"must be at least {path}.lockDays ({self.lock_days})",
                "S3 cannot delete an object that is still locked",
                self.lock_days,
            )


class Registry(Section):
    """Container image repositories."""

    read_by: ClassVar = "`ContainerRegistry`"

    keep_images: int = setting(
        "Images kept in each repository; older ones are deleted.", 50, default=50, ge=1, le=10_000
    )


class Tracking(Section):
    """Database of the model registry. Without this section the environment has none."""

    read_by: ClassVar = "`TrackingDatabase`"

    uri: TrackingUri | None = setting(
        "MLflow server that exists already. Default: the platform layer's own.",
        "https://mlflow.example.com",
        default=None,
    )
    instance_class: DatabaseClass = setting("RDS instance class.", "db.t4g.micro")
    storage_gb: int = setting("Storage in GB; RDS never shrinks it.", 20, ge=20, le=65_536)
