"""What a level of protection means: the one table that decides it for every component."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Protection(StrEnum):
    NONE = "none"
    """Cheap and disposable."""
    STANDARD = "standard"
    """As production, without the second database and with shorter retention."""
    STRICT = "strict"


class Nat(StrEnum):
    SINGLE = "single"
    PER_ZONE = "per_zone"


class Endpoints(StrEnum):
    S3_ONLY = "s3_only"
    STANDARD = "standard"
    ALL = "all"


CLUSTER_LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")


@dataclass(frozen=True, kw_only=True)
class ProtectionProfile:
    deletion_protection: bool
    """AWS itself refuses to delete the database and the cluster."""
    multi_az: bool
    """The database has a standby in a second zone: doubles its price."""
    backup_retention_days: int
    """Days of point-in-time recovery of the database."""
    noncurrent_days: int
    """Days that overwritten or deleted objects are kept; a bucket may name its own."""
    log_retention_days: int
    """Days that control-plane and flow logs are kept; a section may name its own."""
    cluster_log_types: tuple[str, ...]
    nat: Nat
    """One NAT gateway costs about 33 dollars a month, plus traffic."""
    endpoints: Endpoints
    """An interface endpoint costs about 7 dollars a month and zone."""
    approvals: int
    """People who must approve a deployment."""


PROFILES: Mapping[Protection, ProtectionProfile] = {
    Protection.NONE: ProtectionProfile(
        deletion_protection=False,
        multi_az=False,
        # Free of charge up to the size of the database, and no mistake is found within a day.
        backup_retention_days=7,
        noncurrent_days=30,
        log_retention_days=30,
        # Who did what is kept even where everything is disposable.
        cluster_log_types=("audit", "authenticator"),
        nat=Nat.SINGLE,
        endpoints=Endpoints.S3_ONLY,
        approvals=0,
    ),
    Protection.STANDARD: ProtectionProfile(
        deletion_protection=True,
        multi_az=False,
        backup_retention_days=7,
        noncurrent_days=90,
        log_retention_days=90,
        cluster_log_types=CLUSTER_LOG_TYPES,
        nat=Nat.PER_ZONE,
        endpoints=Endpoints.STANDARD,
        approvals=1,
    ),
    Protection.STRICT: ProtectionProfile(
        deletion_protection=True,
        multi_az=True,
        backup_retention_days=30,
        noncurrent_days=365,
        log_retention_days=365,
        cluster_log_types=CLUSTER_LOG_TYPES,
        nat=Nat.PER_ZONE,
        endpoints=Endpoints.ALL,
        approvals=1,
    ),
}
