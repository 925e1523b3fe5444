"""Second step: is the data what the model was designed for? Types, ranges, nulls, keys and counts, month by month."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipelines.training.failures import DataRejected, Failure, table
from pipelines.training.frames import Frame, Series
from pipelines.training.ingest import YEARS, Dataset, read_months
from pipelines.training.months import days_in, parse_month

if TYPE_CHECKING:
    import pandera.pandas as pa

CARRIERS = ("9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV")
ORIGINS = ("EWR", "JFK", "LGA")
FLIGHT_KEY = ["year", "month", "day", "sched_dep_time", "carrier", "flight", "origin", "dest"]
# HHMM clock times: minutes run to 59.
LAST_CLOCK_TIME = 2359
# https://wmo.asu.edu/content/world-maximum-surface-wind-gust: Barrow Island, 1996.
STRONGEST_GUST_MPH = 253
EXAMPLES = 3
NO_NULLS = "no nulls"
SOME_NULLS = " null"

FrameRule = Callable[[Frame], tuple[int, str]]


@dataclass(frozen=True, kw_only=True)
class ValidationLimits:
    minimum_rows: int = 20_000
    """Flights a month. The leanest month of 2013 has 24,951; half a delivery has to be noticed."""
    every_day: bool = True
    """Whether each calendar day of the month needs a flight."""


@dataclass(frozen=True, kw_only=True)
class NumberRule:
    """A numeric column: the range of possible values, and how much of a month may be null."""

    low: float
    high: float
    null_limit: float = 0.0


# Units as in the source: clock times HHMM local, minutes, miles, °F, %, degrees, mph, inches, millibars.
# Null limits are about twice the worst month of 2013.
NUMBERS = {
    "year": NumberRule(low=YEARS[0], high=YEARS[-1]),
    "month": NumberRule(low=1, high=12),
    "day": NumberRule(low=1, high=31),
    "hour": NumberRule(low=0, high=23),
    "minute": NumberRule(low=0, high=59),
    "sched_dep_time": NumberRule(low=0, high=LAST_CLOCK_TIME),
    "sched_arr_time": NumberRule(low=0, high=LAST_CLOCK_TIME),
    "flight": NumberRule(low=1, high=9_999),
    "distance": NumberRule(low=1, high=10_000),
    # Cancelled and diverted flights have no arrival delay: 5 % of February 2013.
    "arr_delay": NumberRule(low=-180, high=2_880, null_limit=0.15),
    "temp": NumberRule(low=-60, high=135, null_limit=0.10),
    "dewp": NumberRule(low=-80, high=95, null_limit=0.10),
    "humid": NumberRule(low=0, high=100, null_limit=0.10),
    "wind_dir": NumberRule(low=0, high=360, null_limit=0.15),
    "wind_speed": NumberRule(low=0, high=STRONGEST_GUST_MPH, null_limit=0.10),
    # Null when the wind does not gust, which is most hours.
    "wind_gust": NumberRule(low=0, high=STRONGEST_GUST_MPH, null_limit=1.0),
    "precip": NumberRule(low=0, high=15, null_limit=0.10),
    "pressure": NumberRule(low=870, high=1_085, null_limit=0.40),
    "visib": NumberRule(low=0, high=10, null_limit=0.10),
}


@dataclass(frozen=True, kw_only=True)
class ValidationReport:
    """The result for all months; `failures` is empty when the data may be used."""

    manifest_sha256: str
    months: tuple[str, ...]
    rows: int
    checks: int
    """Number of rules that were applied, over all months."""
    failures: tuple[Failure, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.failures

    def table(self) -> str:
        return table(self.failures)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


def validate(dataset: Dataset, limits: ValidationLimits | None = None) -> ValidationReport:
    """Checks every month. Raises DataRejected, whose text is the table of failures, when any check fails."""
    report = inspect(dataset, limits)
    if not report.passed:
        raise DataRejected(report.failures, "validation")
    return report


def inspect(dataset: Dataset, limits: ValidationLimits | None = None) -> ValidationReport:
    """As `validate`, but hands the failures back."""
    limits = limits or ValidationLimits()
    failures, checks, rows = list[Failure](), 0, 0
    for month, frame in read_months(dataset):
        checks += _rule_count(month_schema(month, limits))
        rows += len(frame)
        failures += check_month(month, frame, limits)
    return ValidationReport(
        manifest_sha256=dataset.manifest_sha256,
        months=dataset.months,
        rows=rows,
        checks=checks,
        failures=tuple(failures),
    )


def month_schema(month: str, limits: ValidationLimits) -> pa.DataFrameSchema:
    """The schema of one month's file."""
    import pandera.pandas as pa

    year, number = parse_month(month)
    columns = {name: pa.Column(float, _number_checks(rule), nullable=True) for name, rule in NUMBERS.items()}
    columns["year"] = pa.Column(float, pa.Check.eq(year, error=f"is {year}"), nullable=True)
    columns["month"] = pa.Column(float, pa.Check.eq(number, error=f"is {number}"), nullable=True)
    for name in ("sched_dep_time", "sched_arr_time"):
        columns[name].checks.append(_check(lambda s: s.isna() | (s % 100 < 60), "minutes below 60"))
    columns["carrier"] = pa.Column(str, [_no_nulls(), pa.Check.isin(CARRIERS, error="known carrier")], nullable=True)
    columns["origin"] = pa.Column(str, [_no_nulls(), pa.Check.isin(ORIGINS, error="known origin")], nullable=True)
    columns["dest"] = pa.Column(
        str, [_no_nulls(), pa.Check.str_matches(r"^[A-Z]{3}$", error="three-letter airport code")], nullable=True
    )
    whole = [_check(lambda frame, rule=rule: rule(frame)[0] == 0, text) for text, rule in _frame_rules(month, limits)]
    return pa.DataFrameSchema(columns, checks=whole)


def check_month(month: str, frame: Frame, limits: ValidationLimits) -> list[Failure]:
    """What one month breaks: the month as a whole first, then its columns in the order of the schema."""
    import pandera.pandas as pa

    if frame.empty:
        # Every other rule would fail too, and say less.
        return [Failure(month=month, column="(rows)", check="the month is not empty", failing=1, examples="0 rows")]
    schema = month_schema(month, limits)
    try:
        schema.validate(_numbers_as_floats(frame), lazy=True)
    except pa.errors.SchemaErrors as error:
        measured = [(text, *rule(frame)) for text, rule in _frame_rules(month, limits)]
        found = [
            Failure(month=month, column="(rows)", check=text, failing=failing, examples=examples)
            for text, failing, examples in measured
            if failing
        ]
        found += _failures(month, frame, schema, error.failure_cases)
        # Pandera refused, so an empty table would be a pass by mistake.
        return found or [Failure(month=month, column="(rows)", check="schema", failing=1, examples=str(error)[:200])]
    return []


def _number_checks(rule: NumberRule) -> list[pa.Check]:
    import pandera.pandas as pa

    # The limits are told in the text: that is what the person reads.
    inside = pa.Check.in_range(rule.low, rule.high, error=f"{rule.low:g} to {rule.high:g}")
    return [inside] if rule.null_limit >= 1 else [inside, _few_nulls(rule.null_limit)]


def _few_nulls(limit: float) -> pa.Check:
    return _no_nulls() if limit == 0 else _check(lambda s: s.isna().mean() <= limit, f"at most {limit:.0%}{SOME_NULLS}")


def _no_nulls() -> pa.Check:
    return _check(lambda s: not s.isna().any(), NO_NULLS)


def _check(test: Callable[[Any], Any], text: str) -> pa.Check:
    import pandera.pandas as pa

    return pa.Check(test, error=text, ignore_na=False)


def _frame_rules(month: str, limits: ValidationLimits) -> Iterator[tuple[str, FrameRule]]:
    """Rules on the month as a whole: what is asked for, and how far the rows are from it (0 when they satisfy it)."""
    yield (
        f"at least {limits.minimum_rows} rows",
        lambda frame: (max(0, limits.minimum_rows - len(frame)), f"{len(frame)} rows"),
    )
    if limits.every_day:
        yield "a flight on every day", lambda frame: _missing_days(month, frame)
    yield "one row per scheduled flight", _repeated_flights


def _missing_days(month: str, frame: Frame) -> tuple[int, str]:
    if "day" not in frame.columns:  # reported as a missing column
        return 0, ""
    missing = sorted(set(range(1, days_in(month) + 1)) - set(frame["day"].dropna()))
    return len(missing), ", ".join(f"{month}-{day:02d}" for day in missing[:EXAMPLES])


def _repeated_flights(frame: Frame) -> tuple[int, str]:
    if any(name not in frame.columns for name in FLIGHT_KEY):
        return 0, ""
    repeated = frame[frame.duplicated(FLIGHT_KEY)]
    values = repeated[["carrier", "flight", "day"]].head(EXAMPLES).itertuples(index=False)
    return len(repeated), ", ".join(f"{row.carrier} {row.flight} on day {row.day}" for row in values)


def _rule_count(schema: pa.DataFrameSchema) -> int:
    # Each column also has to be there and to have its type.
    return len(schema.checks or ()) + sum(2 + len(column.checks or ()) for column in schema.columns.values())


def _numbers_as_floats(frame: Frame) -> Frame:
    """A count with one null arrives as float: only the values matter, so all numbers are compared as floats."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    def comparable(values: Series) -> bool:
        # A column of nothing but nulls has no type of its own.
        return (is_numeric_dtype(values) and not is_bool_dtype(values)) or bool(values.isna().all())

    return frame.astype({name: float for name in NUMBERS if name in frame.columns and comparable(frame[name])})


def _failures(month: str, frame: Frame, schema: pa.DataFrameSchema, cases: Frame) -> Iterator[Failure]:
    """Pandera's failure cases, one row each, gathered per column and check."""
    wrong_type = set(cases.loc[cases["check"].str.startswith("dtype("), "column"])
    whole = {check.error for check in schema.checks or ()}
    for (column, check), group in cases.groupby(["column", "check"], sort=False, dropna=False):
        if check == "column_in_dataframe":
            for name in group["failure_case"]:
                yield Failure(month=month, column=str(name), check="column present", failing=1)
        elif check.startswith("dtype("):
            yield _type_failure(month, frame, column)
        elif column in wrong_type or check in whole:
            # Comparing text with numbers fails everywhere: the type is the one thing to say.
            continue
        elif check == NO_NULLS or check.endswith(SOME_NULLS):
            nulls = int(frame[column].isna().sum())
            yield Failure(month=month, column=column, check=check, failing=nulls, examples=f"of {len(frame)} rows")
        else:
            values = group["failure_case"].drop_duplicates().head(EXAMPLES)
            examples = ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)
            yield Failure(month=month, column=str(column), check=check, failing=len(group), examples=examples)


def _type_failure(month: str, frame: Frame, column: str) -> Failure:
    import pandas as pd

    values, wanted = frame[column], "text"
    if column in NUMBERS:
        wanted = "numbers"
        as_numbers: Series = pd.to_numeric(values, errors="coerce")
        values = values[as_numbers.isna() & values.notna()]
    examples = ", ".join(str(value) for value in values.drop_duplicates().head(EXAMPLES))
    return Failure(month=month, column=column, check=f"holds {wanted}", failing=len(values), examples=examples)
