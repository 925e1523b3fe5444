"""Scores are those of their definitions, on months that the model has not seen."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.training import model
from pipelines.training.evaluate import (
    Evaluation,
    calibration_error,
    calibration_table,
    evaluate,
    evaluate_model,
    refuse_seen_months,
    scores,
)
from pipelines.training.ingest import Dataset, ingest, read_frame
from pipelines.training.train import TrainedModel
from stackyard.errors import InvalidInput, UserError


@pytest.fixture(scope="module")
def evaluation(trained: TrainedModel, february: Dataset) -> Evaluation:
    return evaluate(trained.model_uri, february, model_sha256=trained.model_sha256, min_slice_rows=300)


def test_a_model_that_has_learnt_something_beats_chance_and_the_hour_of_the_day(evaluation: Evaluation):
    assert evaluation.scores.roc_auc > evaluation.baseline.roc_auc > 0.5
    assert evaluation.scores.pr_auc > evaluation.late_rate, "average precision of chance"
    assert evaluation.scores.brier < evaluation.baseline.brier


def test_scores_are_those_of_the_definition():
    late, predicted = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    result = scores(late, predicted)
    assert result.roc_auc == 0.75, "three of four pairs are in order"
    assert result.pr_auc == pytest.approx(0.833333)
    assert result.brier == pytest.approx(((predicted - late) ** 2).mean())


def test_calibration_bins_hold_equal_numbers_in_order_of_prediction(evaluation: Evaluation):
    rows = [part.rows for part in evaluation.calibration]
    assert len(rows) == 10
    assert sum(rows) == evaluation.rows
    assert max(rows) - min(rows) <= 1
    predicted = [part.predicted for part in evaluation.calibration]
    assert predicted == sorted(predicted)


def test_a_perfectly_calibrated_model_has_no_calibration_error_and_a_wrong_one_has():
    late = np.array([0, 1] * 50)
    assert calibration_error(calibration_table(late, np.full(100, 0.5), bins=2)) == 0
    assert calibration_error(calibration_table(late, np.full(100, 0.9), bins=2)) == pytest.approx(0.4)


def test_slices_cover_all_rows_once_per_column_and_small_ones_have_no_auc(evaluation: Evaluation):
    for column, values in (("carrier", None), ("origin", {"EWR", "JFK", "LGA"})):
        slices = [part for part in evaluation.slices if part.column == column]
        assert sum(part.rows for part in slices) == evaluation.rows
        assert values is None or {part.value for part in slices} == values
        assert all((part.roc_auc is None) == (part.rows < 300) for part in slices)
    assert any(part.roc_auc is None for part in evaluation.slices), "some carriers hardly fly"


def test_an_evaluation_is_plain_json_and_repeats_exactly(
    evaluation: Evaluation, trained: TrainedModel, february: Dataset
):
    again = evaluate(trained.model_uri, february, min_slice_rows=300)
    assert json.dumps(again.to_dict()) == json.dumps(evaluation.to_dict())
    assert set(evaluation.metrics()) >= {"roc_auc", "pr_auc", "brier", "baseline_roc_auc", "calibration_error"}


def test_the_score_depends_on_the_model(evaluation: Evaluation, trained: TrainedModel, february: Dataset):
    loaded = model.load(trained.model_uri)
    short = dataclasses.replace(loaded, booster=loaded.booster[:1])
    assert evaluate_model(short, february).scores.roc_auc < evaluation.scores.roc_auc


def test_a_model_is_not_evaluated_on_months_it_knows_or_that_lie_before(trained: TrainedModel, january: Dataset):
    with pytest.raises(InvalidInput, match="the evaluation must come after training"):
        evaluate(trained.model_uri, january)
    card = dataclasses.replace(model.load(trained.model_uri).card, months=("2013-03",))
    with pytest.raises(InvalidInput, match="Evaluate on later months"):
        refuse_seen_months(card, january)


def test_the_evaluation_needs_both_classes(trained: TrainedModel, planted: Any, tmp_path: Path):
    folder = planted(lambda flights: flights.assign(arr_delay=99.0))
    dataset = ingest(str(tmp_path / "bucket"), "2013-02", "2013-02", source=folder)
    with pytest.raises(UserError, match="cannot be evaluated without both"):
        evaluate(trained.model_uri, dataset)


def test_an_unknown_destination_is_scored_and_not_an_error(trained: TrainedModel, february: Dataset):
    predicted = model.load(trained.model_uri).predict(read_frame(february).head(3).assign(dest="ZZZ"))
    assert np.isfinite(predicted).all()
