"""MLflow as this project uses it: explicit clients, no telemetry, tags and aliases in one place."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from stackyard.errors import InvalidInput, UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
PREVIOUS_CHAMPION = "previous-champion"

TAG_PREFIX = "stackyard."
TAG_PIPELINE_RUN = "stackyard.pipeline_run_id"
TAG_MODEL_SHA256 = "stackyard.model_sha256"
TAG_PROMOTED_AT = "stackyard.promoted_at"
TAG_PROMOTION_RECORD = "stackyard.promotion_record"
TAG_DECISION = "stackyard.decision"

SCHEMES = ("sqlite", "http", "https", "postgresql")


def client(tracking_uri: str) -> MlflowClient:
    """A client for the tracking server or database, the registry included.

    The first one for a new SQLite file creates its tables (about 6 s). Raises InvalidInput for another kind of URI.
    """
    if tracking_uri.partition(":")[0].partition("+")[0] not in SCHEMES:
        raise InvalidInput(
            f"{tracking_uri!r} is not an MLflow tracking URI: give a database or a server, for example "
            "sqlite:////srv/mlflow/mlflow.db or http://127.0.0.1:5000."
        )
    silence()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
    except MlflowException as error:
        raise UserError(f"MLflow at {tracking_uri} cannot be opened: {error}") from error


def silence() -> None:
    """Before the first import of mlflow: no usage data leaves the machine, and it does not warn about itself."""
    # https://mlflow.org/docs/latest/community/usage-tracking/
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # Of MLflow 3.17's own tables under SQLAlchemy 2.1, and of its own flavors' signatures.
    warnings.filterwarnings("ignore", "The ``noload`` loader strategy", DeprecationWarning)
    warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
