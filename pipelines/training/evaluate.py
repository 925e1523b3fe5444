"""Fourth step: how good is a model on a fixed later period? Ranking, calibration, and slices by carrier and origin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.training import model
from pipelines.training.features import TARGET_COLUMN, features
from pipelines.training.frames import Array, Frame, Series
from pipelines.training.ingest import Dataset, read_frame
from stackyard.errors import InvalidInput, UserError

CALIBRATION_BINS = 10
SLICE_COLUMNS = ("carrier", "origin")
DIGITS = 6


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How well probabilities fit what happened."""

    roc_auc: float
    """0.5 is chance, 1 is perfect."""
    pr_auc: float
    """Average precision; chance is the share of late flights."""
    brier: float
    """Mean squared error of the probability; lower is better."""


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """A tenth of the flights, by predicted probability."""

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
    """None for a slice with fewer rows than asked for, or with one class only."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    model_sha256: str
    manifest_sha256: str
    """Manifest of the evaluation data."""
    months: tuple[str, ...]
    rows: int
    late_rate: float
    scores: Scores
    baseline: Scores
    """The same flights scored by the late rate of their scheduled hour in training."""
    calibration_error: float
    """Mean distance between predicted and observed rate over the bins, weighted by rows."""
    calibration: tuple[CalibrationBin, ...]
    slices: tuple[Slice, ...]

    def metrics(self) -> dict[str, float]:
        """The scalar results by name."""
        baseline = {f"baseline_{name}": value for name, value in asdict(self.baseline).items()}
        scalars = {"calibration_error": self.calibration_error, "late_rate": self.late_rate, "rows": float(self.rows)}
        return {**asdict(self.scores), **baseline, **scalars}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(
    model_uri: str, dataset: Dataset, *, model_sha256: str | None = None, min_slice_rows: int = 500
) -> Evaluation:
    """Evaluates the model file on all months of `dataset`. Raises InvalidInput when it was trained on one of them."""
    return evaluate_model(model.load(model_uri, model_sha256), dataset, min_slice_rows=min_slice_rows)


def evaluate_model(trained: model.Model, dataset: Dataset, *, min_slice_rows: int = 500) -> Evaluation:
    """As `evaluate`, for a model in memory."""
    refuse_seen_months(trained.card, dataset)
    frame = read_frame(dataset)
    matrix, late = features(frame, trained.card.spec)
    if late.nunique() < 2:
        raise UserError(
            f"{', '.join(dataset.months)} has {len(late)} arrivals and {int(late.sum())} late ones: a model cannot be "
            "evaluated without both late and punctual flights. Evaluate on more months."
        )
    predicted = trained.predict_inputs(matrix)
    arrived = frame[frame[TARGET_COLUMN].notna()].reset_index(drop=True)
    by_hour = arrived["hour"].map(dict(enumerate(trained.card.late_rate_by_hour))).fillna(trained.card.late_rate)
    calibration = calibration_table(late.to_numpy(), predicted)
    return Evaluation(
        model_sha256=trained.sha256,
        manifest_sha256=dataset.manifest_sha256,
        months=dataset.months,
        rows=len(late),
        late_rate=round(float(late.mean()), DIGITS),
        scores=scores(late.to_numpy(), predicted),
        baseline=scores(late.to_numpy(), by_hour.to_numpy()),
        calibration_error=calibration_error(calibration),
        calibration=calibration,
        slices=tuple(_slices(arrived, late, predicted, min_slice_rows)),
    )


def refuse_seen_months(card: model.ModelCard, dataset: Dataset) -> None:
    """The evaluation period lies after training: anything else would flatter the model."""
    if min(dataset.months) <= max(card.months):
        raise InvalidInput(
            f"The model was trained on {card.months[0]} to {card.months[-1]} and would be evaluated on "
            f"{', '.join(dataset.months)}: the evaluation must come after training, else it measures memory. "
            "Evaluate on later months."
        )


def scores(late: Array, predicted: Array) -> Scores:
    """Scores of n probabilities against n labels (0 or 1, both present)."""
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

    return Scores(
        roc_auc=round(float(roc_auc_score(late, predicted)), DIGITS),
        pr_auc=round(float(average_precision_score(late, predicted)), DIGITS),
        brier=round(float(brier_score_loss(late, predicted)), DIGITS),
    )


def calibration_table(late: Array, predicted: Array, bins: int = CALIBRATION_BINS) -> tuple[CalibrationBin, ...]:
    """Bins of equal size by predicted probability: with bins of equal width nearly all flights would share two."""
    import numpy as np

    order = np.argsort(predicted, kind="stable")
    return tuple(
        CalibrationBin(
            rows=len(part),
            predicted=round(float(predicted[part].mean()), DIGITS),
            observed=round(float(late[part].mean()), DIGITS),
        )
        for part in np.array_split(order, bins)
        if len(part)
    )


def calibration_error(table: tuple[CalibrationBin, ...]) -> float:
    """Expected calibration error (Naeini et al. 2015), 0 is perfect."""
    rows = sum(part.rows for part in table)
    return round(sum(part.rows * abs(part.predicted - part.observed) for part in table) / rows, DIGITS)


def _slices(arrived: Frame, late: Series, predicted: Array, min_rows: int) -> Iterator[Slice]:
    from sklearn.metrics import roc_auc_score

    for column in SLICE_COLUMNS:
        for value in sorted(arrived[column].unique()):
            chosen = (arrived[column] == value).to_numpy()
            labels = late.to_numpy()[chosen]
            enough = len(labels) >= min_rows and 0 < labels.sum() < len(labels)
            auc = round(float(roc_auc_score(labels, predicted[chosen])), DIGITS) if enough else None
            late_rate = round(float(labels.mean()), DIGITS)
            yield Slice(column=column, value=str(value), rows=len(labels), late_rate=late_rate, roc_auc=auc)
