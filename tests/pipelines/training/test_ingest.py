"""The same source gives the same bytes; a source that is not complete is refused before anything is written."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines import manifest, storage
from pipelines.manifest import ManifestMismatch
from pipelines.training.failures import DataRejected
from pipelines.training.ingest import Dataset, ingest, read_frame
from stackyard.errors import InvalidInput


def contents(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in storage.names_below(str(folder))}


def test_each_month_is_a_file_and_the_manifest_counts_its_rows(source: Path, tmp_path: Path):
    dataset = ingest(str(tmp_path), "2013-01", "2013-02", source=str(source))
    assert dataset.months == dataset.written == ("2013-01", "2013-02")
    described = manifest.load(dataset.manifest_uri, dataset.manifest_sha256)
    assert [(entry.name, entry.rows) for entry in described.files] == [
        ("2013-01.parquet", 3_000),
        ("2013-02.parquet", 3_000),
    ]
    for entry in described.files:
        assert hashlib.sha256((tmp_path / "flights" / entry.name).read_bytes()).hexdigest() == entry.sha256
    assert set(described.source.files) == {"flights.csv", "weather.csv"}


def test_ingesting_again_changes_no_byte_and_says_so(source: Path, tmp_path: Path):
    first = ingest(str(tmp_path), "2013-01", "2013-01", source=str(source))
    before = contents(tmp_path)
    again = ingest(str(tmp_path), "2013-01", "2013-01", source=str(source))
    assert contents(tmp_path) == before
    assert (again.manifest_sha256, again.written) == (first.manifest_sha256, ())


def test_the_same_source_gives_the_same_bytes_in_another_process_and_folder(source: Path, tmp_path: Path):
    ingest(str(tmp_path / "here"), "2013-01", "2013-01", source=str(source))
    code = "import sys; from pipelines.training.ingest import ingest; ingest(*sys.argv[1:4], source=sys.argv[4])"
    arguments = [str(tmp_path / "there"), "2013-01", "2013-01", str(source)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, env={"PYTHONHASHSEED": "7", "PYTHONPATH": "."})
    assert contents(tmp_path / "here") == contents(tmp_path / "there")


def test_every_flight_has_the_weather_of_its_scheduled_hour(january: Dataset, source: Path):
    import pandas as pd

    weather = pd.read_csv(source / "weather.csv").set_index(["origin", "time_hour"])
    frame = read_frame(january)
    assert frame["temp"].notna().mean() > 0.99
    for row in frame.dropna(subset=["temp"]).iloc[::500].itertuples():
        assert row.temp == weather.loc[(row.origin, row.time_hour), "temp"]


@pytest.mark.parametrize(("first", "last"), [("2012-12", "2013-01"), ("2013-12", "2014-01"), ("2020-01", "2020-02")])
def test_months_outside_the_source_are_refused_before_anything_is_written(
    source: Path, tmp_path: Path, first: str, last: str
):
    with pytest.raises(InvalidInput, match="the source has flights from 2013-01 to 2013-12 only"):
        ingest(str(tmp_path), first, last, source=str(source))
    assert contents(tmp_path) == {}


def test_a_month_without_flights_becomes_an_empty_file_for_validation_to_reject(source: Path, tmp_path: Path):
    dataset = ingest(str(tmp_path), "2013-05", "2013-05", source=str(source))
    assert (dataset.rows, len(read_frame(dataset))) == (0, 0)


def test_rows_of_an_impossible_month_are_not_lost_silently(planted, tmp_path: Path):
    folder = planted(lambda flights: flights.assign(month=flights["month"].where(flights.index != 7, 13)))
    with pytest.raises(DataRejected, match=r"month +1 to 12 +1 +13"):
        ingest(str(tmp_path / "bucket"), "2013-01", "2013-01", source=folder)


@pytest.mark.parametrize(
    ("year", "reported"),
    [("1913", "1913"), ("", "nan"), ("2013.5", "2013.5"), ("MMXIII", "MMXIII"), (None, "nan")],
    ids=["another century", "null", "fraction", "text", "all null"],
)
def test_rows_of_an_impossible_year_are_not_lost_silently(planted, tmp_path: Path, year: str | None, reported: str):
    def spoil(flights: Any) -> Any:
        years = flights["year"].astype(str).where(flights.index != 7, year)
        return flights.assign(year=years if year is not None else None)

    with pytest.raises(DataRejected, match=rf"year +1987 to 2100 +{9_000 if year is None else 1} +{reported}$"):
        ingest(str(tmp_path / "bucket"), "2013-01", "2013-01", source=planted(spoil))


@pytest.mark.parametrize("name", ["flights", "weather.csv"])
@pytest.mark.parametrize("column", ["origin", "time_hour"])
def test_a_missing_join_key_is_named_and_not_the_weather_that_it_costs(planted, tmp_path: Path, name: str, column: str):
    import pandas as pd

    file = Path(planted(lambda flights: flights)) / f"{name.removesuffix('.csv')}.csv"
    pd.read_csv(file).drop(columns=column).to_csv(file, index=False)
    with pytest.raises(DataRejected, match="1 check fails at ingestion") as rejected:
        ingest(str(tmp_path / "bucket"), "2013-01", "2013-01", source=str(file.parent))
    assert [(f.column, f.check) for f in rejected.value.failures] == [(column, f"column present in {name}")]


def test_join_keys_of_different_types_are_rejected(planted, tmp_path: Path):
    folder = planted(lambda flights: flights.assign(time_hour=flights.index))
    with pytest.raises(DataRejected, match=r"time_hour +same type in flights and weather.csv +\d+ +0, 2013-01-01T"):
        ingest(str(tmp_path / "bucket"), "2013-01", "2013-01", source=folder)


def test_a_number_too_large_to_store_is_rejected_before_anything_is_written(planted, tmp_path: Path):
    def spoil(flights: Any) -> Any:
        return flights.assign(distance=flights["distance"].astype(str).where(flights["month"] == 1, "1" + "0" * 30))

    with pytest.raises(DataRejected, match=r"2013-02 +distance +fits into Parquet +3000 +10{30}$"):
        ingest(str(tmp_path / "bucket"), "2013-01", "2013-02", source=planted(spoil))
    assert not (tmp_path / "bucket").exists()


def test_a_source_without_a_month_column_is_rejected(planted, tmp_path: Path):
    folder = planted(lambda flights: flights.drop(columns="month"))
    with pytest.raises(DataRejected, match=r"month +column present"):
        ingest(str(tmp_path / "bucket"), "2013-01", "2013-01", source=folder)


def test_repeated_weather_would_multiply_flights_and_is_rejected(source: Path, tmp_path: Path):
    lines = (source / "weather.csv").read_text().splitlines()
    (tmp_path / "weather.csv").write_text("\n".join([*lines, lines[5]]))
    (tmp_path / "flights.csv").symlink_to(source / "flights.csv")
    with pytest.raises(DataRejected, match="one row per origin and hour"):
        ingest(str(tmp_path / "bucket"), "2013-01", "2013-01", source=str(tmp_path))


def test_a_source_that_is_none_or_is_no_csv_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInput, match=r"has no flights.csv or flights.csv.zip beside a weather.csv"):
        ingest(str(tmp_path / "bucket"), "2013-01", "2013-01", source=str(tmp_path))
    (tmp_path / "weather.csv").write_text("origin,time_hour\n")
    (tmp_path / "flights.csv.zip").write_bytes(b"not a zip")
    with pytest.raises(DataRejected, match=r"flights.csv.zip +readable CSV"):
        ingest(str(tmp_path / "bucket"), "2013-01", "2013-01", source=str(tmp_path))


def test_a_source_in_a_bucket_that_does_not_exist_is_told_from_one_without_flights(s3: Any, tmp_path: Path):
    s3.create_bucket(Bucket="made")
    with pytest.raises(InvalidInput, match=r"'s3://made/raw' has no flights.csv or flights.csv.zip beside"):
        ingest(str(tmp_path), "2013-01", "2013-01", source="s3://made/raw")
    with pytest.raises(storage.StorageError, match="the bucket never-made does not exist"):
        ingest(str(tmp_path), "2013-01", "2013-01", source="s3://never-made/raw")
    assert contents(tmp_path) == {}


def test_a_file_changed_after_ingestion_is_not_read(source: Path, tmp_path: Path):
    dataset = ingest(str(tmp_path), "2013-01", "2013-02", source=str(source))
    (tmp_path / "flights/2013-02.parquet").write_bytes((tmp_path / "flights/2013-01.parquet").read_bytes())
    with pytest.raises(ManifestMismatch, match="the file was changed after ingestion"):
        read_frame(dataset)
