"""A small real source: samples of January, February and March 2013, in the layout of the package."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.training.ingest import Dataset, ingest
from pipelines.training.train import TrainedModel, TrainSettings, train
from pipelines.training.validate import ValidationLimits

ROWS_A_MONTH = 3_000
LIMITS = ValidationLimits(minimum_rows=1_000)
FEW_TREES = TrainSettings(trees=30, threads=1, learning_rate=0.1, max_depth=3)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an emulated S3 without buckets, which the pipeline's own code uses too."""
    moto = pytest.importorskip("moto", reason="moto comes with the group `local`")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws():
        import boto3

        yield boto3.client("s3")


@pytest.fixture(scope="session")
def limits() -> ValidationLimits:
    return LIMITS


@pytest.fixture(scope="session")
def few_trees() -> TrainSettings:
    return FEW_TREES


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import pandas as pd

    from pipelines.training import data

    package = Path(data._package_folder())
    flights = pd.read_csv(package / "flights.csv.zip")
    weather = pd.read_csv(package / "weather.csv")
    months = [flights[flights.month == month].sample(ROWS_A_MONTH, random_state=1).sort_index() for month in (1, 2, 3)]
    folder = tmp_path_factory.mktemp("source")
    pd.concat(months).to_csv(folder / "flights.csv", index=False)
    weather[weather.month <= 4].to_csv(folder / "weather.csv", index=False)
    return folder


@pytest.fixture
def planted(source: Path, tmp_path: Path) -> Callable[..., str]:
    """A copy of the source with its flights changed by a function; returns the folder."""

    def plant(change: Callable[[Any], Any]) -> str:
        import pandas as pd

        folder = tmp_path / "planted"
        shutil.copytree(source, folder)
        change(pd.read_csv(folder / "flights.csv")).to_csv(folder / "flights.csv", index=False)
        return str(folder)

    return plant


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("bucket"))


@pytest.fixture(scope="session")
def january(source: Path, bucket: str) -> Dataset:
    return ingest(bucket, "2013-01", "2013-01", source=str(source))


@pytest.fixture(scope="session")
def february(source: Path, bucket: str) -> Dataset:
    return ingest(bucket, "2013-02", "2013-02", source=str(source))


@pytest.fixture(scope="session")
def trained(january: Dataset, bucket: str) -> TrainedModel:
    return train(january, f"{bucket}/runs/trained", FEW_TREES)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow takes seconds to create its tables: once, then copied."""
    from pipelines import tracking

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    tracking.client(f"sqlite:///{path}")
    return path


@pytest.fixture
def tracking_uri(empty_database: Path, tmp_path: Path) -> str:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"
