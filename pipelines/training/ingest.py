"""First step: a range of months from the source into the data bucket, one Parquet file a month and a manifest."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pipelines import manifest, storage
from pipelines.manifest import FileEntry, Manifest
from pipelines.training.data import PACKAGE, read_source
from pipelines.training.failures import DataRejected, Failure
from pipelines.training.frames import Frame, Series
from pipelines.training.months import month_range, parse_month
from stackyard.errors import InvalidInput

DATASET = "flights"
# The statistics that the flights come from start in 1987: https://www.transtats.bts.gov, on-time performance.
YEARS = range(1987, 2101)
PARTITION_RANGES = {"year": YEARS, "month": range(1, 13)}
ROW_GROUP_ROWS = 65_536


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Months that lie in the bucket, told by the manifest's hash."""

    manifest_uri: str
    manifest_sha256: str
    months: tuple[str, ...]
    rows: int
    written: tuple[str, ...] = ()
    """Months whose file this ingestion wrote; the others already had these bytes."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def ingest(bucket_uri: str, first: str, last: str, *, source: str = PACKAGE) -> Dataset:
    """Writes `<bucket_uri>/flights/<YYYY-MM>.parquet` for each month from `first` to `last`, and their manifest.

    The same source gives the same bytes, so ingesting a month again changes nothing. A month of the source's years
    without flights becomes an empty file, which validation rejects. Raises InvalidInput for a range that is no range
    or lies outside the source's years, DataRejected when rows cannot be told apart by month or
    cannot be stored.
    """
    months = month_range(first, last)
    data = read_source(source)
    _refuse_unknown_months(data.flights)
    _refuse_outside(months, data.flights)
    folder = storage.join(bucket_uri, DATASET)
    entries, written = list[FileEntry](), list[str]()
    # All months before the first is written: a refused source must not replace files of an earlier ingestion.
    for month, rows, content in [_encoded(data.flights, month) for month in months]:
        name = f"{month}.parquet"
        if storage.write_if_changed(storage.join(folder, name), content):
            written.append(month)
        entries.append(FileEntry(name=name, month=month, rows=rows, sha256=storage.sha256(content)))
    described = Manifest(dataset=DATASET, source=data.source, files=tuple(entries))
    return Dataset(
        manifest_uri=manifest.save(described, folder),
        manifest_sha256=described.sha256,
        months=months,
        rows=described.rows,
        written=tuple(written),
    )


def read_months(dataset: Dataset) -> Iterator[tuple[str, Frame]]:
    """Each month with its rows, verified against the manifest. Raises ManifestMismatch when a file was changed."""
    described = manifest.load(dataset.manifest_uri, dataset.manifest_sha256)
    for entry, content in manifest.read_files(described, dataset.manifest_uri):
        yield entry.month, from_parquet(content)


def read_frame(dataset: Dataset) -> Frame:
    """All months of the data set below each other, rows in the order of ingestion."""
    import pandas as pd

    return pd.concat([frame for _, frame in read_months(dataset)], ignore_index=True)


def to_parquet(frame: Frame) -> bytes:
    """Parquet bytes that depend on the rows alone: fixed writer options, no pandas metadata (it names versions)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sheet = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    sink = io.BytesIO()
    pq.write_table(
        sheet,
        sink,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=3,
        row_group_size=ROW_GROUP_ROWS,
        store_schema=False,
    )
    return sink.getvalue()


def from_parquet(content: bytes) -> Frame:
    """The rows that `to_parquet` wrote."""
    import pyarrow.parquet as pq

    return pq.read_table(io.BytesIO(content)).to_pandas()


def _encoded(flights: Frame, month: str) -> tuple[str, int, bytes]:
    """The month, its number of rows, and its file."""
    frame = _rows_of(flights, month)
    try:
        return month, len(frame), to_parquet(frame)
    except (ValueError, OverflowError) as error:
        cause = str(error).splitlines()[0]
        whole = Failure(month=month, column="(rows)", check="fits into Parquet", failing=len(frame), examples=cause)
        raise DataRejected(list(_unstorable(month, frame)) or [whole], "ingestion") from error


def _unstorable(month: str, frame: Frame) -> Iterator[Failure]:
    for name in frame.columns:
        values = [value for value in frame[name].drop_duplicates() if not _storable(value)]
        if values:
            failing, examples = int(frame[name].isin(values).sum()), ", ".join(str(value) for value in values[:3])
            yield Failure(month=month, column=name, check="fits into Parquet", failing=failing, examples=examples)


def _storable(value: object) -> bool:
    import pyarrow as pa

    try:
        pa.scalar(value)
    except (ValueError, OverflowError):
        return False
    return True


def _rows_of(flights: Frame, month: str) -> Frame:
    year, number = parse_month(month)
    return flights[(flights["year"] == year) & (flights["month"] == number)].reset_index(drop=True)


def _refuse_unknown_months(flights: Frame) -> None:
    """Without year and month a row belongs to no file, and would be lost silently."""
    import pandas as pd

    missing = [name for name in PARTITION_RANGES if name not in flights.columns]
    failures = [Failure(month="all", column=name, check="column present", failing=1) for name in missing]
    if not missing:
        for name, possible in PARTITION_RANGES.items():
            # One text makes text of the whole column; the numbers in it are not at fault.
            numbers: Series = pd.to_numeric(flights[name], errors="coerce")
            stray = flights[~numbers.isin(possible)]
            if len(stray):
                values = ", ".join(str(value) for value in stray[name].drop_duplicates().head(3))
                check = f"{possible[0]} to {possible[-1]}"
                failures.append(Failure(month="all", column=name, check=check, failing=len(stray), examples=values))
        if flights.empty:
            failures.append(Failure(month="all", column="(rows)", check="at least one flight", failing=0))
    if failures:
        raise DataRejected(failures, "ingestion")


def _refuse_outside(months: tuple[str, ...], flights: Frame) -> None:
    first, last = f"{int(flights['year'].min()):04d}-01", f"{int(flights['year'].max()):04d}-12"
    outside = [month for month in months if not first <= month <= last]
    if outside:
        raise InvalidInput(
            f"{', '.join(outside[:3])}{' and more' if len(outside) > 3 else ''}: the source has flights from {first} "
            f"to {last} only. Give a range inside it, for example {first} to {first[:4]}-03."
        )
