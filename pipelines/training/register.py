"""Last step: the model into MLflow with its lineage, once per pipeline run, and the alias `champion` if it has won."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import models, storage, tracking
from pipelines.training import model
from pipelines.training.compare import Comparison
from pipelines.training.evaluate import Evaluation
from pipelines.training.promotion import Promotion, promote
from pipelines.training.train import TrainedModel
from stackyard.errors import InvalidInput

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}")
MLFLOW_MODEL_FOLDER = "model"
EVALUATION_FILE = "evaluation.json"


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What a model was made with, apart from the data."""

    pipeline_run_id: str
    """Unique per run of the pipeline; a second registration for it finds the first."""
    code_package_sha256: str
    image: str
    """Image with digest."""

    def __post_init__(self) -> None:
        if not RUN_ID.fullmatch(self.pipeline_run_id):
            raise InvalidInput(
                f"pipeline_run_id {self.pipeline_run_id!r}: letters, digits and . _ : / - only, up to 200, since it "
                "becomes a tag and a file name, for example training-x7k2p."
            )


@dataclass(frozen=True, kw_only=True)
class Registration:
    model_name: str
    version: int
    mlflow_run_id: str
    created: bool
    """False when this pipeline run had registered its model before."""
    promoted: bool
    """Whether the version is the champion now."""
    reason: str
    promotion_record: str = ""
    """URI of the promotion record, empty when not promoted."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def register(
    trained: TrainedModel,
    evaluation: Evaluation,
    comparison: Comparison,
    lineage: Lineage,
    *,
    tracking_uri: str,
    bucket_uri: str,
    now: str,
    model_name: str = models.MODEL_NAME,
) -> Registration:
    """Registers the model file and moves the alias if `comparison` says so and the champion is still the one compared.

    Artifacts go to `<bucket_uri>/mlflow`, the promotion record to `<bucket_uri>/promotions`; `now` is ISO 8601 and
    stands in the record. Safe to call again after a crash at any point. Raises InvalidInput when the results belong to
    different models, UserError when the model file was replaced.
    """
    _refuse_mixture(trained, evaluation, comparison)
    loaded = model.load(trained.model_uri, trained.model_sha256)
    client = tracking.client(tracking_uri)
    tags = lineage_tags(trained, evaluation, lineage)
    version = _registered_version(client, model_name, lineage.pipeline_run_id)
    created = version is None
    if version is None:
        run_id = _log_run(client, trained, evaluation, tags, bucket_uri, model_name)
        version = _log_version(client, loaded, run_id, tags, model_name)
    promotion = Promotion(
        model_name=model_name,
        version=int(version.version),
        previous_version=comparison.champion_version,
        pipeline_run_id=lineage.pipeline_run_id,
        promoted_at=now,
        comparison=comparison.to_dict(),
        lineage=tags,
    )
    outcome = promote(client, promotion, bucket_uri, wanted=comparison.promote, reason=comparison.reason)
    return Registration(
        model_name=model_name,
        version=promotion.version,
        mlflow_run_id=version.run_id or "",
        created=created,
        promoted=outcome.promoted,
        reason=outcome.reason,
        promotion_record=outcome.record_uri,
    )


def lineage_tags(trained: TrainedModel, evaluation: Evaluation, lineage: Lineage) -> dict[str, str]:
    """Tags of the MLflow run and of the model version."""
    return {
        tracking.TAG_PIPELINE_RUN: lineage.pipeline_run_id,
        tracking.TAG_MODEL_SHA256: trained.model_sha256,
        "stackyard.code_package_sha256": lineage.code_package_sha256,
        "stackyard.image": lineage.image,
        "stackyard.manifest_sha256": trained.manifest_sha256,
        "stackyard.training_months": f"{trained.months[0]}..{trained.months[-1]}",
        "stackyard.evaluation_manifest_sha256": evaluation.manifest_sha256,
        "stackyard.evaluation_months": f"{evaluation.months[0]}..{evaluation.months[-1]}",
        "stackyard.parameters": json.dumps(trained.parameters, sort_keys=True),
    }


def _refuse_mixture(trained: TrainedModel, evaluation: Evaluation, comparison: Comparison) -> None:
    if evaluation.model_sha256 != trained.model_sha256:
        raise InvalidInput(
            f"The evaluation is of the model {evaluation.model_sha256[:12]}…, {trained.model_sha256[:12]}… would be "
            "registered: a model is registered with its own results only. Evaluate it."
        )
    same = (comparison.manifest_sha256, comparison.candidate_roc_auc)
    if same != (evaluation.manifest_sha256, evaluation.scores.roc_auc):
        raise InvalidInput("The comparison is of another evaluation than the one given: compare this evaluation.")


def _registered_version(client: MlflowClient, model_name: str, pipeline_run_id: str) -> ModelVersion | None:
    """The version that this pipeline run has registered before, if any: the first of them."""
    found = client.search_model_versions(
        f"name = '{model_name}' and tags.`{tracking.TAG_PIPELINE_RUN}` = '{pipeline_run_id}'"
    )
    return min(found, key=lambda version: int(version.version)) if found else None


def _log_run(
    client: MlflowClient,
    trained: TrainedModel,
    evaluation: Evaluation,
    tags: dict[str, str],
    bucket_uri: str,
    model_name: str,
) -> str:
    """The MLflow run with parameters, metrics and the evaluation as a file; one per pipeline run."""
    from mlflow.entities import Metric, Param

    experiment_id = _experiment(client, model_name, storage.join(bucket_uri, "mlflow"))
    wanted = f"tags.`{tracking.TAG_PIPELINE_RUN}` = '{tags[tracking.TAG_PIPELINE_RUN]}'"
    # An attempt that died between the run and the version has left its run: go on with that one.
    started = client.search_runs([experiment_id], wanted, max_results=1)
    run = started[0] if started else client.create_run(experiment_id, tags=tags)
    run_id = run.info.run_id
    # One transaction; a second try writes the same values again.
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, 0, 0) for name, value in sorted(evaluation.metrics().items())],
        params=[Param(name, str(value)) for name, value in sorted(trained.parameters.items())],
    )
    client.log_dict(run_id, evaluation.to_dict(), EVALUATION_FILE)
    return run_id


def _experiment(client: MlflowClient, model_name: str, artifact_root: str) -> str:
    """Its artifact location is fixed when it is created; a tracking server keeps its own."""
    found = client.get_experiment_by_name(model_name)
    if found is not None:
        return found.experiment_id
    return client.create_experiment(model_name, artifact_location=storage.join(artifact_root, model_name))


def _log_version(
    client: MlflowClient, loaded: model.Model, run_id: str, tags: dict[str, str], model_name: str
) -> ModelVersion:
    """The model as MLflow's xgboost flavor beside the run, and a version of the registered model that points there."""
    from mlflow.exceptions import MlflowException
    from mlflow.xgboost import save_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MLFLOW_MODEL_FOLDER
        # Requirements are given: MLflow would find them by loading the model in a process of its own.
        save_model(loaded.booster, str(path), pip_requirements=_requirements(), model_format=model.FORMAT)
        client.log_artifacts(run_id, str(path), MLFLOW_MODEL_FOLDER)
    try:
        client.create_registered_model(model_name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = storage.join(client.get_run(run_id).info.artifact_uri or "", MLFLOW_MODEL_FOLDER)
    version = client.create_model_version(model_name, source=source, run_id=run_id, tags=tags)
    client.set_tag(run_id, "stackyard.model_version", str(version.version))
    client.set_terminated(run_id)
    return version


def _requirements() -> list[str]:
    from importlib.metadata import version

    # The base package on every image: xgboost-cpu and xgboost install the same module.
    import xgboost

    return [f"xgboost=={xgboost.__version__}", f"numpy=={version('numpy')}", f"pandas=={version('pandas')}"]
