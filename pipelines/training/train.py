"""Third step: gradient boosted trees on the validated months. The same manifest and settings give the same bytes."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pipelines import storage
from pipelines.training import model
from pipelines.training.features import TARGET_COLUMN, FeatureSpec, features, fit_spec
from pipelines.training.frames import Frame, Series
from pipelines.training.ingest import Dataset, read_frame
from stackyard.errors import InvalidInput, UserError

if TYPE_CHECKING:
    import xgboost

MODEL_NAME = "model.ubj"


class Device(StrEnum):
    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Found on January to March against April, May and June; the shallow, slow learner drifts least."""

    device: Device | str = Device.CPU
    """`cuda` needs the GPU image: the package `xgboost`, not `xgboost-cpu`."""
    threads: int = 2
    """CPU threads of xgboost. Does not change the model."""
    seed: int = 2013
    trees: int = 200
    max_depth: int = 5
    learning_rate: float = 0.05
    subsample: float = 0.8
    colsample_bytree: float = 0.7
    min_child_weight: float = 20.0

    def __post_init__(self) -> None:
        if self.device not in set(Device):
            raise InvalidInput(f"device {self.device!r}: xgboost trains on 'cpu' or 'cuda', for example device=cpu.")
        for name in ("threads", "trees", "max_depth"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InvalidInput(f"{name} {value!r}: must be a whole number of at least 1, for example {name}: 4.")
        for name in ("learning_rate", "subsample", "colsample_bytree"):
            if not 0 < (value := getattr(self, name)) <= 1:
                raise InvalidInput(f"{name} {value!r}: must lie above 0 and at most at 1, for example {name}: 0.5.")
        if self.min_child_weight < 0 or self.seed < 0:
            raise InvalidInput("min_child_weight and seed must not be negative, for example seed: 2013.")

    def parameters(self) -> dict[str, Any]:
        """xgboost's own names (https://xgboost.readthedocs.io/en/stable/parameter.html)."""
        return {
            "objective": "binary:logistic",
            "tree_method": "hist",
            "device": str(self.device),
            "seed": self.seed,
            "max_depth": self.max_depth,
            "learning_rate": self.learning_rate,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample_bytree,
            "min_child_weight": self.min_child_weight,
        }


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    model_uri: str
    model_sha256: str
    manifest_sha256: str
    months: tuple[str, ...]
    rows: int
    """Flights that were trained on: those that arrived."""
    late_rate: float
    parameters: dict[str, Any]
    importance: tuple[tuple[str, float], ...]
    """Share of the total gain by feature, largest first, sums to 1."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def train(dataset: Dataset, output_uri: str, settings: TrainSettings | None = None) -> TrainedModel:
    """Trains on all months of `dataset` and writes `<output_uri>/model.ubj`.

    Raises ManifestMismatch when a file is not the one that was ingested, UserError when there is nothing to learn or
    no GPU where one was asked for.
    """
    settings = settings or TrainSettings()
    refuse_missing_device(settings)
    frame = read_frame(dataset)
    spec = fit_spec(frame)
    matrix, late = features(frame, spec)
    if late.nunique() < 2:
        raise UserError(
            f"{', '.join(dataset.months)} has {len(late)} arrivals and {int(late.sum())} late ones: a model needs both "
            "late and punctual flights. Train on more months."
        )
    booster = _fit(matrix, late, settings)
    card = model_card(dataset, spec, frame, late)
    booster.set_attr(**{model.ATTRIBUTE: card.to_json()})
    content = model.to_bytes(booster)
    uri = storage.join(output_uri, MODEL_NAME)
    storage.write_if_changed(uri, content)
    return TrainedModel(
        model_uri=uri,
        model_sha256=storage.sha256(content),
        manifest_sha256=dataset.manifest_sha256,
        months=dataset.months,
        rows=len(late),
        late_rate=card.late_rate,
        parameters={**settings.parameters(), "trees": settings.trees},
        importance=gain_shares(booster),
    )


def refuse_missing_device(settings: TrainSettings) -> None:
    """xgboost itself would warn and train on the CPU, on a node that costs as much as its GPU."""
    import xgboost

    if settings.device == Device.CUDA and not xgboost.build_info()["USE_CUDA"]:
        raise UserError(
            "device 'cuda': the installed xgboost was built without CUDA (package xgboost-cpu). Run the step in the "
            "GPU image, which holds the package xgboost, or set device=cpu."
        )


def model_card(dataset: Dataset, spec: FeatureSpec, frame: Frame, late: Series) -> model.ModelCard:
    """What the model keeps of its training data."""
    hours = frame.loc[frame[TARGET_COLUMN].notna(), "hour"].reset_index(drop=True)
    overall = float(late.mean())
    by_hour = late.groupby(hours).mean().reindex(range(24)).fillna(overall)
    return model.ModelCard(
        spec=spec,
        manifest_sha256=dataset.manifest_sha256,
        months=dataset.months,
        late_rate=round(overall, 6),
        late_rate_by_hour=tuple(round(float(rate), 6) for rate in by_hour),
    )


def gain_shares(booster: xgboost.Booster) -> tuple[tuple[str, float], ...]:
    """Share of the total gain by feature; a feature that no tree uses has 0."""
    names = booster.feature_names or []
    gains = booster.get_score(importance_type="total_gain")
    # One number a feature: lists, which the annotation allows too, come from linear boosters only.
    values = {name: float(gains.get(name, 0.0)) for name in names}  # pyright: ignore[reportArgumentType]
    total = sum(values.values()) or 1.0
    shares = [(name, round(value / total, 6)) for name, value in values.items()]
    return tuple(sorted(shares, key=lambda pair: (-pair[1], pair[0])))


def _fit(matrix: Frame, late: Series, settings: TrainSettings) -> xgboost.Booster:
    import xgboost

    parameters = {**settings.parameters(), "nthread": settings.threads}
    with warnings.catch_warnings():
        # The fall-back to the CPU is only warned about; it is an error below.
        warnings.filterwarnings("ignore", message=".*Device is changed from GPU to CPU", category=UserWarning)
        booster = xgboost.train(parameters, model.to_matrix(matrix, late), settings.trees)
    used = json.loads(booster.save_config())["learner"]["generic_param"]["device"]
    if not used.startswith(str(settings.device)):
        raise UserError(
            f"device {settings.device!s}: xgboost found no GPU and trained on {used}. Ask for a node with a GPU, "
            "or set device=cpu."
        )
    return booster
