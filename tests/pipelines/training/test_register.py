"""Every model is registered with its lineage; only a better one becomes champion."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import models, storage, tracking
from pipelines.training.compare import Comparison, compare, decide
from pipelines.training.evaluate import Evaluation, Scores, evaluate
from pipelines.training.ingest import Dataset
from pipelines.training.register import Lineage, Registration, register
from pipelines.training.summary import write_summary
from pipelines.training.train import TrainedModel, TrainSettings, train
from pipelines.training.validate import inspect
from stackyard.errors import InvalidInput, UserError

pytestmark = pytest.mark.local

NOW = "2026-11-24T10:00:00Z"
Run = Callable[..., Registration]


@pytest.fixture(scope="session")
def worse(january: Dataset, bucket: str, few_trees: TrainSettings) -> TrainedModel:
    return train(january, f"{bucket}/runs/worse", dataclasses.replace(few_trees, trees=2, max_depth=1))


def lineage(run_id: str) -> Lineage:
    return Lineage(pipeline_run_id=run_id, code_package_sha256="c" * 64, image="training@sha256:" + "d" * 64)


@pytest.fixture
def run(february: Dataset, tracking_uri: str, tmp_path: Path) -> Run:
    """Evaluates, compares and registers a model as a pipeline run would."""

    def steps(trained: TrainedModel, run_id: str, now: str = NOW, comparison: Comparison | None = None) -> Registration:
        evaluation = evaluate(trained.model_uri, february)
        comparison = comparison or compare(evaluation, february, tracking_uri=tracking_uri)
        where = {"tracking_uri": tracking_uri, "bucket_uri": str(tmp_path / "bucket")}
        return register(trained, evaluation, comparison, lineage(run_id), now=now, **where)

    return steps


def versions(tracking_uri: str) -> list[int]:
    found = tracking.client(tracking_uri).search_model_versions(f"name = '{models.MODEL_NAME}'")
    return sorted(int(version.version) for version in found)


def with_auc(evaluation: Evaluation, auc: float) -> Evaluation:
    return dataclasses.replace(evaluation, scores=dataclasses.replace(evaluation.scores, roc_auc=auc))


@pytest.fixture(scope="session")
def evaluation(trained: TrainedModel, february: Dataset) -> Evaluation:
    flat = Scores(roc_auc=0.6, pr_auc=0.2, brier=0.2)
    return dataclasses.replace(evaluate(trained.model_uri, february), baseline=flat)


@pytest.mark.parametrize(
    ("candidate", "champion", "promoted"),
    [(0.705, 0.7, True), (0.7049, 0.7, False), (0.7, 0.7, False), (0.65, 0.7, False), (0.9, 0.7, True)],
)
def test_only_a_model_that_is_better_by_the_margin_is_promoted(
    evaluation: Evaluation, candidate: float, champion: float, promoted: bool
):
    decision = decide(with_auc(evaluation, candidate), 0.005, 3, champion)
    assert decision.promote is promoted
    assert f"version 3, {champion:.4f}" in decision.reason
    assert decision.reason.endswith("so it is promoted." if promoted else "so it is not promoted.")


def test_without_a_margin_an_equal_model_is_still_not_promoted(evaluation: Evaluation):
    assert not decide(with_auc(evaluation, 0.7), 0, 1, 0.7).promote


def test_the_first_model_has_to_beat_the_late_rate_of_the_hour(evaluation: Evaluation):
    assert decide(with_auc(evaluation, 0.61), 0.005).promote
    refused = decide(with_auc(evaluation, 0.604), 0.005)
    assert not refused.promote
    assert "There was no champion; the candidate" in refused.reason


def test_a_model_without_a_score_is_never_promoted(evaluation: Evaluation):
    assert not decide(with_auc(evaluation, float("nan")), 0.005, 1, 0.1).promote


def test_an_impossible_margin_and_other_flights_are_refused(
    evaluation: Evaluation, february: Dataset, january: Dataset
):
    with pytest.raises(InvalidInput, match=r"margin -0.1: .*for example 0.005"):
        compare(evaluation, february, tracking_uri="sqlite:///never-opened.db", margin=-0.1)
    with pytest.raises(InvalidInput, match="scores of different flights do not compare"):
        compare(evaluation, january, tracking_uri="sqlite:///never-opened.db")


def test_before_the_first_model_there_is_no_champion(tracking_uri: str):
    assert models.champion(tracking_uri) is None
    assert models.load_champion(tracking_uri) is None


def test_the_first_model_becomes_champion_with_its_lineage(
    run: Run, trained: TrainedModel, tracking_uri: str, february: Dataset, tmp_path: Path
):
    registered = run(trained, "run-1")
    assert (registered.version, registered.created, registered.promoted) == (1, True, True)
    champion = models.champion(tracking_uri)
    assert champion is not None
    assert (champion.version, champion.promoted_at) == (1, NOW)
    assert champion.lineage == {
        "pipeline_run_id": "run-1",
        "model_sha256": trained.model_sha256,
        "code_package_sha256": "c" * 64,
        "image": "training@sha256:" + "d" * 64,
        "manifest_sha256": trained.manifest_sha256,
        "training_months": "2013-01..2013-01",
        "evaluation_manifest_sha256": february.manifest_sha256,
        "evaluation_months": "2013-02..2013-02",
        "parameters": json.dumps(trained.parameters, sort_keys=True),
    }
    assert champion.metrics["roc_auc"] == evaluate(trained.model_uri, february).scores.roc_auc
    assert champion.source.startswith(str(tmp_path / "bucket/mlflow/flight-delay"))
    record = json.loads(storage.read_bytes(champion.promotion_record))
    assert (record["version"], record["previous_version"], record["promoted_at"]) == (1, None, NOW)
    assert record["lineage"]["stackyard.manifest_sha256"] == trained.manifest_sha256


def test_the_champion_loads_back_as_the_very_model_that_was_trained(
    run: Run, trained: TrainedModel, tracking_uri: str, february: Dataset
):
    run(trained, "run-1")
    loaded = models.load_champion(tracking_uri)
    assert loaded is not None
    assert loaded.sha256 == trained.model_sha256


def test_registering_twice_for_one_run_gives_one_version_and_keeps_the_first_record(
    run: Run, trained: TrainedModel, tracking_uri: str
):
    first = run(trained, "run-1")
    again = run(trained, "run-1", now="2027-01-01T00:00:00Z")
    assert (again.version, again.mlflow_run_id, again.created) == (first.version, first.mlflow_run_id, False)
    assert (again.promoted, again.promotion_record) == (True, first.promotion_record)
    assert versions(tracking_uri) == [1]
    champion = models.champion(tracking_uri)
    assert champion is not None
    assert champion.promoted_at == NOW


def test_a_worse_model_is_registered_and_not_promoted(
    run: Run, trained: TrainedModel, worse: TrainedModel, tracking_uri: str
):
    run(trained, "run-1")
    registered = run(worse, "run-2")
    assert (registered.version, registered.created, registered.promoted) == (2, True, False)
    assert "below the margin" in registered.reason
    champion = models.champion(tracking_uri)
    assert champion is not None
    assert champion.version == 1
    assert registered.promotion_record == ""


def test_a_better_model_replaces_the_champion_which_stays_findable(
    run: Run, trained: TrainedModel, worse: TrainedModel, tracking_uri: str, evaluation: Evaluation, february: Dataset
):
    seed_champion = decide(evaluate(worse.model_uri, february), 0.0)
    run(worse, "run-1", comparison=dataclasses.replace(seed_champion, promote=True))
    registered = run(trained, "run-2")
    assert registered.promoted
    champion = models.champion(tracking_uri)
    assert champion is not None
    assert champion.version == 2
    client = tracking.client(tracking_uri)
    assert int(client.get_model_version_by_alias(models.MODEL_NAME, tracking.PREVIOUS_CHAMPION).version) == 1
    assert json.loads(storage.read_bytes(registered.promotion_record))["previous_version"] == 1


def test_the_champion_trained_again_is_not_promoted_again(run: Run, trained: TrainedModel, tracking_uri: str):
    run(trained, "run-1")
    assert "bit for bit" in run(trained, "run-2").reason
    champion = models.champion(tracking_uri)
    assert champion is not None
    assert champion.version == 1


def test_a_champion_that_knows_the_evaluation_months_is_not_compared(
    run: Run, february: Dataset, trained: TrainedModel, few_trees: TrainSettings, bucket: str, tracking_uri: str
):
    run(trained, "run-1")
    later = train(february, f"{bucket}/runs/later", few_trees)
    client = tracking.client(tracking_uri)
    run_id = client.get_model_version(models.MODEL_NAME, "1").run_id
    assert run_id is not None
    client.log_artifact(run_id, later.model_uri, "model")
    client.set_model_version_tag(models.MODEL_NAME, "1", tracking.TAG_MODEL_SHA256, later.model_sha256)
    decision = compare(evaluate(trained.model_uri, february), february, tracking_uri=tracking_uri)
    assert not decision.promote
    assert "a comparison there would be unfair" in decision.reason
    assert decision.champion_roc_auc is None


def test_nothing_is_promoted_when_the_champion_has_changed_since_the_comparison(
    run: Run, trained: TrainedModel, worse: TrainedModel, tracking_uri: str, february: Dataset
):
    stale = compare(evaluate(worse.model_uri, february), february, tracking_uri=tracking_uri)
    run(trained, "run-1")
    registered = run(worse, "run-2", comparison=dataclasses.replace(stale, promote=True))
    assert not registered.promoted
    assert "version 1 is champion now" in registered.reason
    champion = models.champion(tracking_uri)
    assert champion is not None
    assert champion.version == 1


@pytest.mark.parametrize("step", ["create_model_version", "set_registered_model_alias", "log_artifacts"])
def test_a_registration_that_died_half_way_is_finished_by_the_next_try(
    run: Run, trained: TrainedModel, tracking_uri: str, monkeypatch: pytest.MonkeyPatch, step: str
):
    from mlflow import MlflowClient

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, step, die)
        with pytest.raises(Killed):
            run(trained, "run-1")
    assert models.champion(tracking_uri) is None
    registered = run(trained, "run-1", now="2027-01-01T00:00:00Z")
    assert registered.promoted
    record = json.loads(storage.read_bytes(registered.promotion_record))
    assert record["promoted_at"] == (NOW if step == "set_registered_model_alias" else "2027-01-01T00:00:00Z")
    assert versions(tracking_uri) == [1]
    client = tracking.client(tracking_uri)
    experiment = client.get_experiment_by_name(models.MODEL_NAME)
    assert experiment is not None
    assert len(client.search_runs([experiment.experiment_id])) == 1, "the first try's MLflow run is used again"


def test_an_artifact_that_was_replaced_is_not_loaded(
    run: Run, trained: TrainedModel, worse: TrainedModel, tracking_uri: str
):
    run(trained, "run-1")
    champion = models.champion(tracking_uri)
    assert champion is not None
    storage.write_bytes(f"{champion.source}/model.ubj", storage.read_bytes(worse.model_uri))
    with pytest.raises(UserError, match=r"version 1 of flight-delay has the hash .* it was replaced"):
        models.load_champion(tracking_uri)


def test_an_artifact_that_is_gone_is_a_sentence(run: Run, trained: TrainedModel, tracking_uri: str):
    import shutil

    run(trained, "run-1")
    champion = models.champion(tracking_uri)
    assert champion is not None
    shutil.rmtree(champion.source)
    with pytest.raises(UserError, match="The artifact of version 1 of flight-delay cannot be read"):
        models.load_champion(tracking_uri)


def test_results_of_another_model_are_not_registered(
    trained: TrainedModel, worse: TrainedModel, february: Dataset, tmp_path: Path
):
    evaluation = evaluate(worse.model_uri, february)
    where = {"tracking_uri": "sqlite:///never-opened.db", "bucket_uri": str(tmp_path), "now": NOW}
    with pytest.raises(InvalidInput, match="registered with its own results only"):
        register(trained, evaluation, decide(evaluation, 0.005), lineage("run-1"), **where)
    other = decide(evaluate(trained.model_uri, february), 0.005)
    with pytest.raises(InvalidInput, match="comparison is of another evaluation"):
        register(worse, evaluation, other, lineage("run-1"), **where)


@pytest.mark.parametrize("run_id", ["", "it's", "a b", "x" * 201])
def test_a_run_id_that_cannot_be_a_tag_is_refused(run_id: str):
    with pytest.raises(InvalidInput, match="for example training-x7k2p"):
        lineage(run_id)


def test_a_tracking_uri_of_another_kind_is_refused():
    with pytest.raises(InvalidInput, match=r"'\./mlruns' is not an MLflow tracking URI"):
        tracking.client("./mlruns")


def test_no_usage_data_leaves_the_machine(tracking_uri: str, monkeypatch: pytest.MonkeyPatch):
    from mlflow.environment_variables import MLFLOW_DISABLE_TELEMETRY

    # MLflow is silent under pytest anyway: its own switch is what has to be on.
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        monkeypatch.delenv(name, raising=False)
    assert not MLFLOW_DISABLE_TELEMETRY.get()
    tracking.client(tracking_uri)
    assert MLFLOW_DISABLE_TELEMETRY.get()


def test_the_summary_holds_every_result_and_repeats_exactly(
    run: Run, trained: TrainedModel, january: Dataset, february: Dataset, tmp_path: Path
):
    registration, evaluation = run(trained, "run-1"), evaluate(trained.model_uri, february)

    def write(training: Dataset) -> str:
        return write_summary(
            str(tmp_path / "run-1"),
            data={"training": (training, inspect(january)), "evaluation": (february, inspect(february))},
            trained=trained,
            evaluation=evaluation,
            comparison=decide(evaluation, 0.005),
            registration=registration,
            lineage=lineage("run-1"),
        )

    content = storage.read_bytes(write(january))
    assert storage.read_bytes(write(dataclasses.replace(january, written=("2013-01",)))) == content
    document = json.loads(content)
    assert set(document) == {"data", "training", "evaluation", "comparison", "registration", "lineage"}
    assert len(document["evaluation"]["calibration"]) == 10
    assert document["registration"]["version"] == 1
