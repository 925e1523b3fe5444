"""Real months pass; each planted fault is named, counted and shown with examples."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.training.failures import DataRejected
from pipelines.training.ingest import Dataset, ingest, read_frame
from pipelines.training.validate import ValidationLimits, check_month, validate

MONTH = "2013-01"


@pytest.fixture
def frame(january: Dataset) -> Any:
    return read_frame(january)


@pytest.fixture
def broken(frame: Any, limits: ValidationLimits) -> Callable[[Any], dict[tuple[str, str], int]]:
    """What a changed month breaks: (column, check) → failing."""

    def check(changed: Any) -> dict[tuple[str, str], int]:
        return {(f.column, f.check): f.failing for f in check_month(MONTH, changed, limits)}

    return check


def test_real_data_passes(january: Dataset, february: Dataset, limits: ValidationLimits):
    for dataset in (january, february):
        report = validate(dataset, limits)
        assert report.passed
        assert report.rows == 3_000
        assert report.checks > 50, "a schema that checks nothing passes too"


@pytest.mark.parametrize("column", ["distance", "carrier", "arr_delay", "wind_speed", "day"])
def test_a_missing_column_is_named_and_nothing_else_is(frame: Any, broken: Any, column: str):
    assert broken(frame.drop(columns=column)) == {(column, "column present"): 1}


def test_each_of_several_missing_columns_is_named(frame: Any, broken: Any):
    missing = ["dest", "hour", "carrier"]
    assert broken(frame.drop(columns=missing)) == {(column, "column present"): 1 for column in missing}


@pytest.mark.parametrize(
    ("column", "value", "check"),
    [
        ("hour", 27, "0 to 23"),
        ("distance", -5, "1 to 10000"),
        ("wind_speed", 2000, "0 to 253"),
        ("wind_gust", 2000, "0 to 253"),
        ("sched_dep_time", 1275, "minutes below 60"),
        ("sched_arr_time", 2460, "0 to 2359"),
        ("humid", 101, "0 to 100"),
        ("arr_delay", float("inf"), "-180 to 2880"),
        ("carrier", "ZZ", "known carrier"),
        ("origin", "PHL", "known origin"),
        ("dest", "boston", "three-letter airport code"),
        ("year", 2031, "is 2013"),
        ("month", 2, "is 1"),
    ],
)
def test_impossible_values_are_counted(frame: Any, broken: Any, column: str, value: Any, check: str):
    changed = frame.astype({column: float}) if isinstance(value, float) else frame.copy()
    changed.loc[[3, 14, 159], column] = value
    assert broken(changed)[column, check] == 3


def test_examples_of_impossible_values_are_shown(frame: Any, limits: ValidationLimits):
    changed = frame.copy()
    changed.loc[[1, 2, 3], "hour"] = [27, 30, 27]
    (failure,) = check_month(MONTH, changed, limits)
    assert failure.examples == "27, 30"


def test_too_many_nulls_are_rejected_and_as_many_as_usual_are_not(frame: Any, broken: Any):
    changed = frame.copy()
    changed.loc[: len(frame) // 12, "temp"] = None
    assert broken(changed) == {}, "up to a tenth of the weather may be missing"
    changed.loc[: len(frame) // 2, "temp"] = None
    assert set(broken(changed)) == {("temp", "at most 10% null")}
    assert set(broken(frame.assign(temp=None))) == {("temp", "at most 10% null")}, "also when nothing is left"


def test_a_single_null_in_a_key_is_rejected(frame: Any, broken: Any):
    changed = frame.copy()
    changed.loc[5, "carrier"] = None
    assert broken(changed) == {("carrier", "no nulls"): 1}


def test_text_among_numbers_is_one_failure_with_the_text_as_example(frame: Any, limits: ValidationLimits):
    changed = frame.astype({"distance": str})
    changed.loc[3, "distance"] = "far"
    (failure,) = check_month(MONTH, changed, limits)
    assert (failure.column, failure.check, failure.failing, failure.examples) == ("distance", "holds numbers", 1, "far")


def test_numbers_where_text_belongs_are_rejected(frame: Any, broken: Any):
    assert set(broken(frame.assign(carrier=1))) == {("carrier", "holds text")}


def test_half_a_delivery_is_noticed(frame: Any, broken: Any):
    assert broken(frame[frame["day"] < 10]) == {
        ("(rows)", "at least 1000 rows"): 1_000 - int((frame["day"] < 10).sum()),
        ("(rows)", "a flight on every day"): 22,
    }


def test_a_flight_delivered_twice_is_noticed(frame: Any, broken: Any):
    import pandas as pd

    assert broken(pd.concat([frame, frame.head(4)])) == {("(rows)", "one row per scheduled flight"): 4}


def test_an_empty_month_is_one_failure(frame: Any, broken: Any):
    assert broken(frame.iloc[:0]) == {("(rows)", "the month is not empty"): 1}


def test_the_whole_way_from_a_bad_source_ends_in_a_table(planted: Any, tmp_path: Path, limits: ValidationLimits):
    def spoil(flights: Any) -> Any:
        spoilt = flights[flights["month"] != 2].drop(columns="distance")
        spoilt.loc[spoilt.index[:2], "hour"] = 27
        return spoilt

    dataset = ingest(str(tmp_path / "bucket"), "2013-01", "2013-03", source=planted(spoil))
    with pytest.raises(DataRejected) as rejected:
        validate(dataset, limits)
    assert str(rejected.value).splitlines() == [
        "The data is rejected: 4 checks fail at validation. Nothing was trained or registered.",
        "month    column    check                   failing  examples",
        "-------  --------  ----------------------  -------  --------",
        "2013-01  distance  column present          1",
        "2013-01  hour      0 to 23                 2        27",
        "2013-02  (rows)    the month is not empty  1        0 rows",
        "2013-03  distance  column present          1",
    ]


def test_the_default_limits_refuse_a_sample(january: Dataset):
    with pytest.raises(DataRejected, match="at least 20000 rows"):
        validate(january)


def test_a_rejection_survives_pickling_since_steps_run_in_processes(january: Dataset):
    with pytest.raises(DataRejected) as rejected:
        validate(january)
    copy = pickle.loads(pickle.dumps(rejected.value))
    assert (str(copy), copy.failures) == (str(rejected.value), rejected.value.failures)
