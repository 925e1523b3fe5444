"""What RDS for PostgreSQL allows, and what every database of an environment has: parameters, logs, events."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from components.invalid_argument import InvalidArgument

# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
IDENTIFIER = re.compile(r"[a-z](?:-?[a-z0-9])*")
LONGEST_IDENTIFIER = 63
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
LOWEST_PORT, HIGHEST_PORT = 1150, 65535
SMALLEST_STORAGE_GB, LARGEST_STORAGE_GB = 20, 65_536
LONGEST_BACKUP_DAYS = 35
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.Enabling.html: control 74 asks for 60 s.
MONITORING_SECONDS = 60
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PerfInsights.Overview.cost.html: as long as it is free.
INSIGHTS_DAYS = 7

# Controls 72 and 75.
SHORTEST_BACKUP_DAYS = 7
DEFAULT_PORT = 5432
COMMON_ADMIN_NAMES = ("admin", "administrator", "master", "postgres", "rdsadmin", "root")

# Of the day and the week in UTC, apart from each other, before the first pipelines of a European morning.
BACKUP_WINDOW, MAINTENANCE_WINDOW = "01:00-02:00", "sun:02:30-sun:03:30"

LOGS = ("postgresql", "upgrade")

# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Concepts.PostgreSQL.html
PARAMETERS: Mapping[str, str] = {
    "log_connections": "1",
    "log_disconnections": "1",
    # Milliseconds: what takes longer than five seconds is written down.
    "log_min_duration_statement": "5000",
    # Changes of the schema, not the data of every statement.
    "log_statement": "ddl",
    "rds.force_ssl": "1",
}


@dataclass(frozen=True, kw_only=True)
class Events:
    """Events of RDS that people are told about."""

    source_type: str
    categories: tuple[str, ...]


# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html; controls RDS.20, RDS.21, RDS.22.
EVENTS: Mapping[str, Events] = {
    "instance": Events(
        source_type="db-instance",
        categories=(
            "availability",
            "configuration change",
            "deletion",
            "failover",
            "failure",
            "low storage",
            "maintenance",
            "recovery",
        ),
    ),
    "parameter-group": Events(source_type="db-parameter-group", categories=("configuration change",)),
    "security-group": Events(source_type="db-security-group", categories=("configuration change", "failure")),
}


def log_group_name(identifier: str, log: str) -> str:
    """Log group into which RDS exports one of an instance's logs; `*` stands for all of them."""
    return f"/aws/rds/instance/{identifier}/{log}"


def parameter_family(engine_version: str) -> str:
    """Parameter group family of a PostgreSQL version, `postgres17`. Raises ValueError for what is no version."""
    if not re.fullmatch(r"[1-9][0-9](\.[0-9]+)?", engine_version):
        raise InvalidArgument(
            f"engine version {engine_version!r} is not a version of PostgreSQL: give the major version, for example "
            "'17', of which RDS keeps the newest minor"
        )
    return f"postgres{engine_version.partition('.')[0]}"


def largest_storage_gb(storage_gb: int) -> int:
    """GB to which RDS lets the storage grow by itself, twice as many. Raises ValueError for what gp3 does not have."""
    if not SMALLEST_STORAGE_GB <= storage_gb <= LARGEST_STORAGE_GB:
        raise InvalidArgument(
            f"storage of {storage_gb} GB is not possible: RDS has {SMALLEST_STORAGE_GB} to {LARGEST_STORAGE_GB} GB of "
            "gp3, for example 20"
        )
    return min(2 * storage_gb, LARGEST_STORAGE_GB)


def check_identifier(identifier: str) -> str:
    """The identifier itself. Raises ValueError when RDS would refuse it."""
    if not IDENTIFIER.fullmatch(identifier) or len(identifier) > LONGEST_IDENTIFIER:
        raise InvalidArgument(
            f"database identifier {identifier!r} ({len(identifier)} characters) is not possible: lower-case letters, "
            f"digits and single hyphens, at most {LONGEST_IDENTIFIER}, for example "
            "'acme-dev-tracking-123456789012-eu-west-1'"
        )
    return identifier


def check_name(what: str, name: str, example: str) -> None:
    """Raises ValueError for a name that PostgreSQL would have to quote, or that everybody guesses."""
    if not NAME.fullmatch(name):
        raise InvalidArgument(
            f"{what} {name!r} is not possible: lower-case letters, digits and underscores, at most 63, "
            f"for example {example!r}"
        )
    if name in COMMON_ADMIN_NAMES:
        raise InvalidArgument(
            f"{what} {name!r} is the first one that is tried: choose another, for example {example!r}"
        )


def check_port(port: int) -> None:
    """Raises ValueError for PostgreSQL's own port and for what RDS does not accept."""
    if port == DEFAULT_PORT:
        raise InvalidArgument(f"port {port} is where every scanner looks for PostgreSQL: choose another, say 5433")
    if not LOWEST_PORT <= port <= HIGHEST_PORT:
        raise InvalidArgument(f"port {port} is not possible: RDS has {LOWEST_PORT} to {HIGHEST_PORT}, for example 5433")


def check_backups(days: int) -> None:
    """Raises ValueError outside a week to what RDS keeps."""
    if not SHORTEST_BACKUP_DAYS <= days <= LONGEST_BACKUP_DAYS:
        raise InvalidArgument(
            f"backups of {days} days are not possible: a mistake is found within a week, and RDS keeps at most "
            f"{LONGEST_BACKUP_DAYS} days; choose {SHORTEST_BACKUP_DAYS} to {LONGEST_BACKUP_DAYS}"
        )
