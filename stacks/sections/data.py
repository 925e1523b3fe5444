"""What holds data in the base layer: buckets, image repositories, the model registry's database."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, ClassVar

from pydantic.alias_generators import to_camel

from stacks.domain import DatabaseClass, Name, Region, TrackingUri
from stacks.problems import MISSING, Problem, problem
from stacks.sections.section import Section, by_protection, setting


class Inventory(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"


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
    )
    lock_days: int | None = setting(
        "Days that nobody, the account's root included, can delete a version of an object; cannot be taken back. "
        "Default: no object lock.",
        30,
        default=None,
        ge=1,
        le=36_500,
    )
    replica_region: Region | None = setting(
        "Region that gets a copy of each object; costs storage and traffic. Default: none.",
        "us-west-2",
        default=None,
    )

    tiering_days: int | None = setting(
        "Days after which objects move to S3 Intelligent-Tiering: cheaper where nobody reads them, as fast where "
        "somebody does; 0.0025 dollars a month per 1,000 objects. Default: never.",
        30,
        default=None,
        ge=0,
        le=36_500,
    )
    inventory: Inventory | None = setting(
        "How often all objects are listed into the log bucket, 0.0025 dollars per million. Default: never.",
        "weekly",
        default=None,
    )

    def rules(self, path: str) -> Iterable[Iterator[Problem]]:
        return self._tiering_problems(path), self._lock_problems(path)

    def _tiering_problems(self, path: str) -> Iterator[Problem]:
        if self.tiering_days is not None and self.expire_days and self.tiering_days >= self.expire_days:
            yield problem(
                f"{path}.tieringDays",
                self.tiering_days,
                f"must be less than {path}.expireDays ({self.expire_days})",
                "S3 moves no object on the day on which it deletes it, or later",
                self.expire_days - 1,
            )

    def _lock_problems(self, path: str) -> Iterator[Problem]:
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
    example_fields: ClassVar = ("keepImages",)

    keep_images: int = setting(
        "Images kept in each repository; older ones are deleted.", 50, default=50, ge=1, le=10_000
    )


class Tracking(Section):
    """Database of the model registry. Without this section the environment has none."""

    read_by: ClassVar = "`TrackingDatabase`, `ModelRegistry`"
    example_fields: ClassVar = ("instanceClass", "storageGb")

    uri: TrackingUri | None = setting(
        "MLflow server that exists already. Default: the platform layer's own.",
        "https://mlflow.example.com",
        default=None,
    )
    instance_class: DatabaseClass | None = setting(
        "RDS instance class. Required, unless `uri` names a server that exists.", "db.t4g.micro", default=None
    )
    storage_gb: int | None = setting(
        "Storage in GB; RDS never shrinks it. Required, unless `uri` names a server that exists.",
        20,
        default=None,
        ge=20,
        le=65_536,
    )

    def rules(self, path: str) -> Iterable[Iterator[Problem]]:
        sizes = {"instance_class": "db.t4g.micro", "storage_gb": 20}
        return [self._size_problems(path, name, example) for name, example in sizes.items()]

    def _size_problems(self, path: str, name: str, example: Any) -> Iterator[Problem]:
        if self.wants_database and getattr(self, name) is None:
            reason = "the model registry of the environment keeps its records in a database of its own"
            yield problem(f"{path}.{to_camel(name)}", MISSING, "is missing and must be given", reason, example)

    @property
    def wants_database(self) -> bool:
        """Whether the environment gets a database: not where a server that exists already has its own.

        The file in which the local stack keeps models stands for the server alone: its database is made all the same.
        """
        return self.uri is None or self.uri.startswith("sqlite:")
