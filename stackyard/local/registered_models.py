"""The model registry of a local environment, read from MLflow's database and the emulator's buckets. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stackyard.local import emulator
from stackyard.local.places import Places

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    version: int
    aliases: tuple[str, ...]
    """`champion`, `previous-champion`, others that people gave; sorted."""
    promoted_at: str
    """ISO 8601, from the promotion record; empty when it never became champion by a pipeline."""
    decision: str
    """The sentence with which it was promoted or not."""
    metrics: Mapping[str, float]
    lineage: Mapping[str, str]
    """What it was made of, tags without their prefix."""
    source: str
    mlflow_run_id: str

    @property
    def trained_on(self) -> str:
        return _range(self.lineage.get("training_months", ""))

    @property
    def evaluated_on(self) -> str:
        return _range(self.lineage.get("evaluation_months", ""))


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True, kw_only=True)
class Slice:
    column: str
    value: str
    rows: int
    late_rate: float
    roc_auc: float | None
    """None where there were too few flights to say."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The parts of a model's evaluation.json that are not among its metrics."""

    months: tuple[str, ...]
    calibration: tuple[CalibrationBin, ...]
    slices: tuple[Slice, ...]


@dataclass(frozen=True, kw_only=True)
class Registry:
    model_name: str
    versions: tuple[ModelVersion, ...] = ()
    """Newest first."""
    champion: ModelVersion | None = None
    previous: ModelVersion | None = None
    evaluation: Evaluation | None = None
    """The champion's."""
    compared_with_roc_auc: float | None = None
    """ROC AUC of the champion before, on the flights that the champion was promoted on; from the promotion record."""
    missing: tuple[str, ...] = field(default=())
    """What could not be read and why, a sentence each."""


def read_registry(places: Places, region: str) -> Registry:
    """The registered models of the environment. Everything that is not there yet is empty, not an error.

    What lies in the buckets needs the emulator; without it `missing` says what is left out.
    """
    from pipelines import tracking
    from pipelines.models import MODEL_NAME

    if not places.database.exists():
        return Registry(model_name=MODEL_NAME)
    client = tracking.client(places.tracking_uri)
    versions = _versions(client, MODEL_NAME)
    champion = _with_alias(versions, tracking.CHAMPION)
    registry = {
        "model_name": MODEL_NAME,
        "versions": versions,
        "champion": champion,
        "previous": _with_alias(versions, tracking.PREVIOUS_CHAMPION),
    }
    if champion is None:
        return Registry(**registry)
    objects = _Objects(places, region)
    evaluation = _evaluation(objects, client, champion)
    compared = _compared_with(objects, client, champion)
    return Registry(
        **registry, evaluation=evaluation, compared_with_roc_auc=compared, missing=tuple(dict.fromkeys(objects.missing))
    )


def _range(months: str) -> str:
    """`2013-01..2013-03` for people."""
    first, _, last = months.partition("..")
    return first if first == last or not last else f"{first} to {last}"


def _versions(client: MlflowClient, model_name: str) -> tuple[ModelVersion, ...]:
    from mlflow.exceptions import MlflowException

    from pipelines.models import NOT_FOUND_CODES
    from stackyard.errors import UserError

    try:
        # Aliases stand at the model; a version that a search finds does not carry them.
        aliases = dict(client.get_registered_model(model_name).aliases)
    except MlflowException as error:
        if error.error_code in NOT_FOUND_CODES:
            return ()
        raise UserError(f"MLflow's database does not tell which models are registered: {error}") from error
    found = client.search_model_versions(f"name = '{model_name}'")
    told = [_version(client, version, aliases) for version in found]
    return tuple(sorted(told, key=lambda version: version.version, reverse=True))


def _version(client: MlflowClient, version: MlflowVersion, aliases: Mapping[str, Any]) -> ModelVersion:
    from pipelines import tracking

    tags, run_id = dict(version.tags), version.run_id or ""
    told = (tracking.TAG_PROMOTED_AT, tracking.TAG_PROMOTION_RECORD, tracking.TAG_DECISION)
    return ModelVersion(
        version=int(version.version),
        aliases=tuple(sorted(alias for alias, number in aliases.items() if int(number) == int(version.version))),
        promoted_at=tags.get(tracking.TAG_PROMOTED_AT, ""),
        decision=tags.get(tracking.TAG_DECISION, ""),
        metrics=dict(sorted(client.get_run(run_id).data.metrics.items())) if run_id else {},
        lineage={
            name.removeprefix(tracking.TAG_PREFIX): value
            for name, value in sorted(tags.items())
            if name.startswith(tracking.TAG_PREFIX) and name not in told
        },
        source=version.source or "",
        mlflow_run_id=run_id,
    )


def _with_alias(versions: tuple[ModelVersion, ...], alias: str) -> ModelVersion | None:
    return next((version for version in versions if alias in version.aliases), None)


def _evaluation(objects: _Objects, client: MlflowClient, champion: ModelVersion) -> Evaluation | None:
    from pipelines.training.register import EVALUATION_FILE

    if not champion.mlflow_run_id:
        return None
    folder = client.get_run(champion.mlflow_run_id).info.artifact_uri or ""
    document = objects.read_json(f"{folder}/{EVALUATION_FILE}", "the calibration and the slices of the champion")
    if document is None:
        return None
    return Evaluation(
        months=tuple(map(str, document["months"])),
        calibration=tuple(CalibrationBin(**part) for part in document["calibration"]),
        slices=tuple(Slice(**part) for part in document["slices"]),
    )


def _compared_with(objects: _Objects, client: MlflowClient, champion: ModelVersion) -> float | None:
    from pipelines import tracking
    from pipelines.models import MODEL_NAME

    tags = client.get_model_version(MODEL_NAME, str(champion.version)).tags
    uri = tags.get(tracking.TAG_PROMOTION_RECORD, "")
    if not uri:
        return None
    record = objects.read_json(uri, "the promotion record of the champion")
    found = None if record is None else record["comparison"].get("champion_roc_auc")
    return None if found is None else float(found)


class _Objects:
    """Reads JSON objects from the emulator, and notes what it could not read."""

    def __init__(self, places: Places, region: str):
        self._server, self._region = emulator.running(places), region
        self.missing: list[str] = []

    def read_json(self, uri: str, what: str) -> dict[str, Any] | None:
        from botocore.exceptions import BotoCoreError, ClientError

        from stackyard.local.safety import client

        scheme, _, rest = uri.partition("://")
        bucket, _, key = rest.partition("/")
        if scheme != "s3":
            self.missing.append(f"{what} lie at {uri}, which is not a bucket of this environment.".capitalize())
            return None
        if self._server is None:
            self.missing.append(
                "The emulator does not run, so what lies in the buckets is not shown: `stackyard local up` starts it."
            )
            return None
        s3 = client("s3", endpoint=self._server.endpoint, region=self._region)
        try:
            return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except (ClientError, BotoCoreError, ValueError) as error:
            self.missing.append(f"{uri} cannot be read ({error}), so {what} cannot be shown.")
            return None
