"""The registry as MLflow and the emulator's buckets hold it."""

import json
from dataclasses import asdict, replace

import pytest

from pipelines import tracking
from pipelines.models import MODEL_NAME
from stackyard.local import emulator, safety
from stackyard.local.places import Places
from stackyard.local.registered_models import Registry, read_registry
from tests.local.report.contents import evaluation

REGION = "us-east-1"
BUCKET = "acme-data"
RECORD = f"s3://{BUCKET}/promotions/2.json"


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """An environment with two registered versions, the second one champion."""
    places = Places(tmp_path_factory.mktemp("registry"), "local")
    s3 = safety.client("s3", endpoint=emulator.start(places).endpoint)
    s3.create_bucket(Bucket=BUCKET)
    client = tracking.client(places.tracking_uri)
    experiment = client.create_experiment("flight-delay", artifact_location=f"s3://{BUCKET}/mlflow")
    client.create_registered_model(MODEL_NAME)
    for number in (1, 2):
        run = client.create_run(experiment).info
        client.log_metric(run.run_id, "roc_auc", 0.6 + number / 100)
        tags = {
            tracking.TAG_PIPELINE_RUN: f"argo-training-{number}",
            tracking.TAG_DECISION: f"Decision {number}.",
            "stackyard.training_months": "2013-01..2013-03",
            "somebody-elses": "tag",
        }
        if number == 2:
            tags |= {tracking.TAG_PROMOTED_AT: "2026-11-24T15:33:37+00:00", tracking.TAG_PROMOTION_RECORD: RECORD}
            body = json.dumps({"model_sha256": "", **asdict(evaluation())}).encode()
            key = (run.artifact_uri or "").removeprefix(f"s3://{BUCKET}/") + "/evaluation.json"
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        client.create_model_version(MODEL_NAME, f"s3://{BUCKET}/{number}", run.run_id, tags=tags)
    record = {"comparison": {"champion_roc_auc": 0.61}}
    s3.put_object(Bucket=BUCKET, Key="promotions/2.json", Body=json.dumps(record).encode())
    client.set_registered_model_alias(MODEL_NAME, tracking.CHAMPION, "2")
    client.set_registered_model_alias(MODEL_NAME, tracking.PREVIOUS_CHAMPION, "1")
    yield places
    emulator.stop(places)


@pytest.mark.local
def test_versions_champion_evaluation_and_promotion_are_read(places):
    found = read_registry(places, REGION)
    assert [(v.version, v.aliases) for v in found.versions] == [(2, ("champion",)), (1, ("previous-champion",))]
    assert found.champion == found.versions[0]
    assert found.previous == found.versions[1]
    assert found.versions[0].lineage == {
        "pipeline_run_id": "argo-training-2",
        "training_months": "2013-01..2013-03",
    }, "decision and promotion are no lineage, other people's tags neither"
    assert found.versions[0].metrics == {"roc_auc": pytest.approx(0.62)}
    assert found.evaluation == evaluation()
    assert found.compared_with_roc_auc == 0.61
    assert found.missing == ()


@pytest.mark.local
def test_an_artifact_that_is_gone_is_told_and_the_rest_is_shown(places):
    server = emulator.running(places)
    assert server
    s3 = safety.client("s3", endpoint=server.endpoint)
    kept = s3.get_object(Bucket=BUCKET, Key="promotions/2.json")["Body"].read()
    s3.delete_object(Bucket=BUCKET, Key="promotions/2.json")
    try:
        found = read_registry(places, REGION)
    finally:
        s3.put_object(Bucket=BUCKET, Key="promotions/2.json", Body=kept)
    assert found.compared_with_roc_auc is None
    assert found.evaluation == evaluation()
    (sentence,) = found.missing
    assert RECORD in sentence
    assert "the promotion record of the champion cannot be shown" in sentence


@pytest.mark.local
def test_without_the_emulator_the_database_alone_is_read_and_the_reason_is_told(places, monkeypatch):
    read = read_registry(places, REGION)
    monkeypatch.setattr(emulator, "running", lambda places: None)
    found = read_registry(places, REGION)
    assert len(found.missing) == 1, "one reason, however much is missing"
    assert "stackyard local up" in found.missing[0]
    assert found == replace(read, evaluation=None, compared_with_roc_auc=None, missing=found.missing)


def test_where_nothing_was_trained_no_database_is_made(tmp_path):
    places = Places(tmp_path, "local")
    assert read_registry(places, REGION) == Registry(model_name=MODEL_NAME)
    assert not places.database.exists()
