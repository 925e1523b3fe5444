"""The registered models as people ask for them: which one is the champion, since when, and out of what was it made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipelines import tracking
from stackyard.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from pipelines.training.model import Model

MODEL_NAME = "flight-delay"
# What MLflow 3.17's SQL store says of a missing model and of a missing alias.
NOT_FOUND_CODES = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})


@dataclass(frozen=True, kw_only=True)
class ChampionInfo:
    model_name: str
    version: int
    promoted_at: str
    """From the promotion record, ISO 8601; empty when the alias was moved by hand."""
    promotion_record: str
    """URI of that record, or empty."""
    metrics: dict[str, float]
    """Results on the evaluation period, as logged when it was registered."""
    lineage: dict[str, str]
    """What it was made of: manifest hashes, code package, image, pipeline run, without the tags' prefix."""
    source: str
    """URI of the MLflow model."""
    mlflow_run_id: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def champion(tracking_uri: str, model_name: str = MODEL_NAME) -> ChampionInfo | None:
    """The version that carries the alias `champion`, None when there is none yet. Needs the tracking server only."""
    client = tracking.client(tracking_uri)
    version = champion_version(client, model_name)
    if version is None:
        return None
    run_id = version.run_id or ""
    tags = dict(version.tags)
    told = (tracking.TAG_PROMOTED_AT, tracking.TAG_PROMOTION_RECORD, tracking.TAG_DECISION)
    prefix = tracking.TAG_PREFIX
    lineage = {k.removeprefix(prefix): v for k, v in sorted(tags.items()) if k.startswith(prefix) and k not in told}
    return ChampionInfo(
        model_name=model_name,
        version=int(version.version),
        promoted_at=tags.get(tracking.TAG_PROMOTED_AT, ""),
        promotion_record=tags.get(tracking.TAG_PROMOTION_RECORD, ""),
        metrics=dict(sorted(client.get_run(run_id).data.metrics.items())) if run_id else {},
        lineage=lineage,
        source=version.source or "",
        mlflow_run_id=run_id,
    )


def load_champion(tracking_uri: str, model_name: str = MODEL_NAME) -> Model | None:
    """The champion, ready to predict; None when there is none yet.

    Raises UserError when the artifact is gone or is not the model that was registered.
    """
    client = tracking.client(tracking_uri)
    version = champion_version(client, model_name)
    return None if version is None else load_version(client, version)


def champion_version(client: MlflowClient, model_name: str) -> ModelVersion | None:
    """The version behind the alias `champion`, None when the model or the alias does not exist."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(model_name, tracking.CHAMPION)
    except MlflowException as error:
        if error.error_code in NOT_FOUND_CODES:
            return None
        raise UserError(f"MLflow does not say which version of {model_name} is the champion: {error}") from error


def load_version(client: MlflowClient, version: ModelVersion) -> Model:
    """The model of one version, verified against the hash in its tag."""
    import tempfile

    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException
    from mlflow.xgboost import load_model

    from pipelines.training import model

    name = f"version {version.version} of {version.name}"
    try:
        with tempfile.TemporaryDirectory() as folder:
            uri = client.get_model_version_download_uri(version.name, str(version.version))
            path = download_artifacts(artifact_uri=uri, dst_path=folder)
            loaded = model.from_booster(load_model(path))
    except (MlflowException, OSError) as error:
        raise UserError(f"The artifact of {name} cannot be read: {error}") from error
    recorded = version.tags.get(tracking.TAG_MODEL_SHA256)
    if recorded is not None and loaded.sha256 != recorded:
        raise UserError(
            f"The artifact of {name} has the hash {loaded.sha256[:12]}…, {recorded[:12]}… was registered: it was "
            "replaced. Train and register again."
        )
    return loaded
