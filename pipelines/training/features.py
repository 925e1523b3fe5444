"""Rows of flights to numbers for the model: only what is known when the flight is scheduled, plus the weather.

Each row is computed by itself, so that serving one flight and training on a year agree.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.training.frames import Array, Frame, Series
from stackyard.errors import UserError

# Known only once the aircraft has left. `tailnum` is the aircraft that flew in the end: it is missing for cancelled
# flights only.
FORBIDDEN_COLUMNS = frozenset({"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum"})
TARGET_COLUMN = "arr_delay"
LATE_MINUTES = 30
"""A flight is late when it arrives more than this many minutes after schedule."""

VOCABULARY_COLUMNS = ("carrier", "origin", "dest")
WEATHER_COLUMNS = ("temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib")
MINUTES_A_DAY = 1_440

Vocabularies = Mapping[str, Sequence[str]]
Build = Callable[[Frame, Vocabularies], Series | Array]


class LeakError(UserError):
    """A feature would be computed from something that is known only after departure."""


@dataclass(frozen=True)
class Feature:
    """One column of the model's input."""

    name: str
    columns: tuple[str, ...]
    """What it is computed from; `build` gets to see nothing else."""
    build: Build


@dataclass(frozen=True)
class FeatureSpec:
    """What a model must know to read rows again: its columns in order, and the codes of its categories.

    Kept inside the model file. A value that is not in the vocabulary is missing (NaN) to the model.
    """

    columns: tuple[str, ...]
    vocabularies: dict[str, tuple[str, ...]]

    def to_json(self) -> str:
        return json.dumps({"columns": self.columns, "vocabularies": self.vocabularies}, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> FeatureSpec:
        document = json.loads(text)
        vocabularies = {name: tuple(values) for name, values in document["vocabularies"].items()}
        return FeatureSpec(tuple(document["columns"]), vocabularies)


def fit_spec(frame: Frame) -> FeatureSpec:
    """All features, and the categories that occur in `frame`, sorted; the target plays no part."""
    vocabularies = {name: tuple(sorted(frame[name].dropna().unique())) for name in VOCABULARY_COLUMNS}
    return FeatureSpec(tuple(feature.name for feature in FEATURES), vocabularies)


def features(frame: Frame, spec: FeatureSpec) -> tuple[Frame, Series]:
    """Inputs (n × len(spec.columns), float32) and labels (n, int8) of the flights that arrived.

    Cancelled and diverted flights have no arrival delay and are left out. Raises LeakError as `inputs` does.
    """
    arrived = frame[frame[TARGET_COLUMN].notna()].reset_index(drop=True)
    late = (arrived[TARGET_COLUMN] > LATE_MINUTES).astype("int8")
    return inputs(arrived, spec), late.rename("late")


def inputs(frame: Frame, spec: FeatureSpec, table: Sequence[Feature] | None = None) -> Frame:
    """The model's input for every row of `frame`, float32, columns in the order of `spec`.

    Raises LeakError if a feature reads a forbidden column, UserError if the spec asks for a feature that is unknown.
    """
    import pandas as pd

    known = {feature.name: feature for feature in (FEATURES if table is None else table)}
    refuse_leaks(list(known.values()))
    unknown = [name for name in spec.columns if name not in known]
    if unknown:
        raise UserError(
            f"The model asks for the feature {unknown[0]!r}, which this code does not compute: it was trained by other "
            "code. Load it with that code, or train again."
        )
    chosen = [known[name] for name in spec.columns]
    columns = {feature.name: feature.build(frame[list(feature.columns)], spec.vocabularies) for feature in chosen}
    return pd.DataFrame(columns, index=frame.index).astype("float32")


def refuse_leaks(table: Sequence[Feature]) -> None:
    """Raises LeakError naming the features that read a forbidden column."""
    leaks = [(feature.name, sorted(FORBIDDEN_COLUMNS.intersection(feature.columns))) for feature in table]
    told = [f"{name!r} reads {', '.join(columns)}" for name, columns in leaks if columns]
    if told:
        raise LeakError(
            f"The feature {'; '.join(told)}: known only after departure, so the model would be good in training and "
            "useless in service. Compute it from the schedule or the weather."
        )


def _column(name: str) -> Feature:
    return Feature(name, (name,), lambda frame, _: frame[name])


def _minutes(clock: Series) -> Series:
    """Minutes after midnight of HHMM clock times."""
    return clock // 100 * 60 + clock % 100


def _cycle(name: str, columns: tuple[str, ...], position: Callable[[Frame], Series]) -> list[Feature]:
    """A position on a circle (0 to 1, where 1 is 0 again) as sine and cosine, so that 23:59 lies next to 0:00."""
    import math

    def on_circle(function: str) -> Build:
        def build(frame: Frame, _: Vocabularies) -> Array:
            import numpy as np

            return getattr(np, function)(2 * math.pi * position(frame).to_numpy(dtype="float64"))

        return build

    return [Feature(f"{name}_{short}", columns, on_circle(short)) for short in ("sin", "cos")]


def _code(name: str) -> Feature:
    def build(frame: Frame, vocabularies: Vocabularies) -> Series:
        codes = {value: float(code) for code, value in enumerate(vocabularies[name])}
        return frame[name].astype("object").map(codes).astype("float64")

    return Feature(f"{name}_code", (name,), build)


def _scheduled_block(frame: Frame, _: Vocabularies) -> Series:
    """Minutes between the two scheduled clock times, each in its own time zone."""
    return (_minutes(frame["sched_arr_time"]) - _minutes(frame["sched_dep_time"])) % MINUTES_A_DAY


def _weekday(frame: Frame) -> Series:
    import pandas as pd

    return pd.to_datetime(frame[["year", "month", "day"]]).dt.day_of_week / 7


FEATURES: tuple[Feature, ...] = (
    Feature("departure_minute", ("sched_dep_time",), lambda frame, _: _minutes(frame["sched_dep_time"])),
    Feature("arrival_minute", ("sched_arr_time",), lambda frame, _: _minutes(frame["sched_arr_time"])),
    Feature("scheduled_block", ("sched_dep_time", "sched_arr_time"), _scheduled_block),
    *_cycle("departure", ("sched_dep_time",), lambda frame: _minutes(frame["sched_dep_time"]) / MINUTES_A_DAY),
    *_cycle("weekday", ("year", "month", "day"), _weekday),
    *_cycle("month", ("month",), lambda frame: (frame["month"] - 1) / 12),
    _column("distance"),
    *(_code(name) for name in VOCABULARY_COLUMNS),
    *(_column(name) for name in WEATHER_COLUMNS),
    *_cycle("wind_direction", ("wind_dir",), lambda frame: frame["wind_dir"] / 360),
)
