"""The model file: an xgboost booster that carries what is needed to use it, in attributes of its own."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipelines import storage
from pipelines.training.features import FeatureSpec, inputs
from pipelines.training.frames import Array, Frame, Series
from stackyard.errors import UserError

if TYPE_CHECKING:
    import xgboost

ATTRIBUTE = "stackyard"
FORMAT = "ubj"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a model says about itself."""

    spec: FeatureSpec
    manifest_sha256: str
    """Manifest of the data that it was trained on."""
    months: tuple[str, ...]
    late_rate: float
    """Share of late flights in training."""
    late_rate_by_hour: tuple[float, ...]
    """The same by scheduled hour, 24 values: the baseline that a model has to beat."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> ModelCard:
        document = json.loads(text)
        spec = FeatureSpec.from_json(json.dumps(document.pop("spec")))
        months, by_hour = tuple(document.pop("months")), tuple(document.pop("late_rate_by_hour"))
        return ModelCard(spec=spec, months=months, late_rate_by_hour=by_hour, **document)


@dataclass(frozen=True)
class Model:
    booster: xgboost.Booster
    card: ModelCard
    sha256: str

    def predict(self, frame: Frame) -> Array:
        """Probability to arrive late, one per row of `frame` (source columns), float32."""
        return self.predict_inputs(inputs(frame, self.card.spec))

    def predict_inputs(self, matrix: Frame) -> Array:
        """As `predict`, from rows that are features already."""
        return self.booster.predict(to_matrix(matrix))


def to_matrix(frame: Frame, labels: Series | None = None) -> xgboost.DMatrix:
    """The frame as xgboost takes it; names travel along, so a swapped column is an error and not a bad prediction."""
    import xgboost

    label: Any = None if labels is None else labels.to_numpy()
    return xgboost.DMatrix(frame.to_numpy(), label=label, feature_names=list(frame.columns))


def to_bytes(booster: xgboost.Booster) -> bytes:
    """The model file; equal models are equal bytes."""
    return bytes(booster.save_raw(FORMAT))


def from_booster(booster: xgboost.Booster) -> Model:
    """Raises UserError for a booster that this pipeline did not train."""
    card = booster.attr(ATTRIBUTE)
    if card is None:
        raise UserError("The model does not say how its features are computed: it was not trained by this pipeline.")
    return Model(booster, ModelCard.from_json(card), storage.sha256(to_bytes(booster)))


def load(uri: str, sha256: str | None = None) -> Model:
    """The model file at `uri`. Raises UserError if its bytes do not have the hash `sha256`, or are no model."""
    import xgboost

    data = storage.read_bytes(uri)
    if sha256 is not None and (actual := storage.sha256(data)) != sha256:
        raise UserError(f"The model {uri} has the hash {actual[:12]}…, {sha256[:12]}… was trained: it was replaced.")
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(data))
    except xgboost.core.XGBoostError as error:
        raise UserError(f"{uri} is not an xgboost model: {str(error).splitlines()[0]}") from error
    return from_booster(booster)
