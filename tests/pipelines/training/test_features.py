"""Features know only what is known before departure, and each row is encoded for itself."""

from typing import Any

import pytest

from pipelines.training.features import (
    FEATURES,
    FORBIDDEN_COLUMNS,
    Feature,
    FeatureSpec,
    LeakError,
    features,
    fit_spec,
    inputs,
    refuse_leaks,
)
from pipelines.training.ingest import Dataset, read_frame
from stackyard.errors import UserError


@pytest.fixture(scope="module")
def frame(january: Dataset) -> Any:
    return read_frame(january)


@pytest.fixture(scope="module")
def spec(frame: Any) -> FeatureSpec:
    return fit_spec(frame)


def test_what_is_known_only_after_departure_is_forbidden_by_name():
    assert {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum"} == FORBIDDEN_COLUMNS


def test_no_feature_reads_a_forbidden_column():
    refuse_leaks(FEATURES)
    read = {column for feature in FEATURES for column in feature.columns}
    assert not read & {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum"}


@pytest.mark.parametrize("column", sorted(FORBIDDEN_COLUMNS))
def test_a_planted_leak_is_caught(frame: Any, column: str):
    leak = Feature("harmless_name", (column,), lambda rows, _: rows[column])
    with pytest.raises(LeakError, match=f"'harmless_name' reads {column}: known only after departure"):
        inputs(frame, FeatureSpec(("harmless_name",), {}), [*FEATURES, leak])


def test_a_feature_cannot_read_what_it_does_not_declare(frame: Any):
    sly = Feature("sly", ("distance",), lambda rows, _: rows["dep_delay"])
    with pytest.raises(KeyError, match="dep_delay"):
        inputs(frame, FeatureSpec(("sly",), {}), [sly])


def test_the_input_is_the_same_whatever_happened_after_departure(frame: Any, spec: FeatureSpec):
    changed = frame.assign(**dict.fromkeys(FORBIDDEN_COLUMNS - {"tailnum"}, -1.0), tailnum="other")
    assert inputs(changed, spec).equals(inputs(frame, spec))


def test_columns_stand_in_a_fixed_order_and_are_numbers(frame: Any, spec: FeatureSpec):
    matrix = inputs(frame, spec)
    assert list(matrix.columns) == [feature.name for feature in FEATURES]
    assert len(set(matrix.columns)) == len(FEATURES)
    assert {str(dtype) for dtype in matrix.dtypes} == {"float32"}


def test_a_row_does_not_depend_on_the_others(frame: Any, spec: FeatureSpec):
    assert inputs(frame.iloc[[17]], spec).equals(inputs(frame, spec).iloc[[17]])


def test_late_is_more_than_thirty_minutes_and_flights_that_never_arrived_are_left_out(frame: Any, spec: FeatureSpec):
    few = frame.head(4).assign(arr_delay=[30.0, 31.0, None, -5.0])
    matrix, late = features(few, spec)
    assert list(late) == [0, 1, 0]
    assert len(matrix) == 3


def test_midnight_is_next_to_a_minute_before_midnight(frame: Any, spec: FeatureSpec):
    clock = inputs(frame.head(3).assign(sched_dep_time=[0, 2359, 1200]), spec)[["departure_sin", "departure_cos"]]
    midnight, before, noon = (clock.iloc[row] for row in range(3))
    assert abs(midnight - before).sum() < 0.01 < 1.9 < abs(midnight - noon).sum()


def test_a_flight_over_midnight_has_a_positive_length(frame: Any, spec: FeatureSpec):
    block = inputs(frame.head(1).assign(sched_dep_time=2300, sched_arr_time=130), spec)["scheduled_block"]
    assert block.iloc[0] == 150


def test_codes_come_from_the_vocabulary_and_a_stranger_is_missing(frame: Any, spec: FeatureSpec):
    codes = inputs(frame.head(3).assign(carrier=["9E", "UA", "ZZ"]), spec)["carrier_code"]
    assert list(codes[:2]) == [spec.vocabularies["carrier"].index("9E"), spec.vocabularies["carrier"].index("UA")]
    assert codes.isna().iloc[2]


def test_the_vocabulary_does_not_depend_on_the_order_of_rows(frame: Any, spec: FeatureSpec):
    assert fit_spec(frame.iloc[::-1]) == spec
    assert FeatureSpec.from_json(spec.to_json()) == spec


def test_a_model_of_other_code_is_refused(frame: Any):
    with pytest.raises(UserError, match="'moon_phase', which this code does not compute"):
        inputs(frame, FeatureSpec(("distance", "moon_phase"), {}))
