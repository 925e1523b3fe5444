"""The whole real data set: minutes would be too long for the default tier, and it takes about ten seconds."""

from pathlib import Path

import pytest

from pipelines.training.data import PACKAGE_MONTHS
from pipelines.training.evaluate import evaluate
from pipelines.training.ingest import ingest
from pipelines.training.train import train
from pipelines.training.validate import validate

pytestmark = pytest.mark.local


def test_the_year_is_ingested_validated_and_learnt_from(tmp_path: Path):
    bucket = str(tmp_path)
    year = ingest(bucket, *PACKAGE_MONTHS)
    assert year.rows == 336_776, "all of the package's flights lie in the months that a request may name"
    assert validate(year).passed
    training = ingest(bucket, "2013-01", "2013-03")
    assert training.written == (), "the year has brought these months already"
    trained = train(training, f"{bucket}/runs/full")
    april = ingest(bucket, "2013-04", "2013-04")
    result = evaluate(trained.model_uri, april, model_sha256=trained.model_sha256)
    assert 0.67 < result.scores.roc_auc < 0.75, "more than that would be a leak"
    assert result.scores.roc_auc > result.baseline.roc_auc + 0.02
    assert result.scores.brier < result.baseline.brier
