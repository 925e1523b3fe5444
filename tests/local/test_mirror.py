"""Buckets and MLflow's database survive the emulator, or the snapshot is refused: never half of it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from stackyard.errors import UserError
from stackyard.local import emulator, mirror, safety
from stackyard.local.snapshots import Store
from tests.waiting import eventually


@pytest.fixture
def s3(endpoint):
    emulator.empty(endpoint)
    return safety.client("s3", endpoint=endpoint)


def make_bucket(s3, name, *, versioned=True):
    s3.create_bucket(Bucket=name)
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def restart_empty(endpoint, s3, *buckets):
    """What a reboot and the first steps of `up` leave: the buckets, with nothing in them."""
    emulator.empty(endpoint)
    for bucket in buckets:
        make_bucket(s3, bucket)


def history(s3, bucket):
    """Every version of every key, oldest first: its content, or None for a delete marker."""
    return [
        (entry["Key"], content(s3, bucket, entry) if "Size" in entry else None)
        for entry in mirror._list_versions(s3, bucket)
    ]


def content(s3, bucket, entry):
    return s3.get_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])["Body"].read()


def execute(path, *statements):
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def rows(path):
    with closing(sqlite3.connect(path)) as database:
        return [row[0] for row in database.execute("SELECT name FROM models ORDER BY name")]


@pytest.mark.local
def test_all_versions_come_back_in_order_with_their_headers_metadata_and_tags(s3, endpoint, places):
    make_bucket(s3, "data")
    for body in (b"one", b"two"):
        s3.put_object(Bucket="data", Key="model/flights", Body=body)
    s3.delete_object(Bucket="data", Key="model/flights")
    s3.put_object(
        Bucket="data",
        Key="model/flights",
        Body=b"three",
        ContentType="application/json",
        ContentEncoding="gzip",
        Metadata={"run": "r1"},
        Tagging="tier=gold&owner=ml+team",
    )
    s3.put_object(Bucket="data", Key="gone", Body=b"x")
    s3.delete_object(Bucket="data", Key="gone")
    before = history(s3, "data")
    assert [body for key, body in before if key == "model/flights"] == [b"one", b"two", None, b"three"]
    taken = mirror.snapshot(endpoint, places)
    assert taken.objects == 1

    restart_empty(endpoint, s3, "data")
    assert mirror.restore_objects(endpoint, places, ["data"]) == 6
    assert history(s3, "data") == before
    latest = s3.get_object(Bucket="data", Key="model/flights")
    assert (latest["ContentType"], latest["ContentEncoding"]) == ("application/json", "gzip")
    assert latest["Metadata"] == {"run": "r1"}
    tags = s3.get_object_tagging(Bucket="data", Key="model/flights")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"tier": "gold", "owner": "ml team"}
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="data", Key="gone")


@pytest.mark.local
def test_an_unversioned_bucket_and_odd_keys_come_back_too(s3, endpoint, places):
    make_bucket(s3, "plain", versioned=False)
    keys = ["a b/ü=1+2%.parquet", "deep/er/key", "empty"]
    for key in keys:
        s3.put_object(Bucket="plain", Key=key, Body=b"" if key == "empty" else key.encode())
    mirror.snapshot(endpoint, places)
    emulator.empty(endpoint)
    make_bucket(s3, "plain", versioned=False)
    assert mirror.restore_objects(endpoint, places, ["plain"]) == 3
    for key in keys:
        expected = b"" if key == "empty" else key.encode()
        assert s3.get_object(Bucket="plain", Key=key)["Body"].read() == expected


@pytest.mark.local
def test_objects_come_back_into_a_bucket_that_locks_them(s3, endpoint, places):
    def lock():
        rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
        configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        s3.put_object_lock_configuration(Bucket="data", ObjectLockConfiguration=configuration)

    make_bucket(s3, "data")
    lock()
    s3.put_object(Bucket="data", Key="model", Body=b"weights", ChecksumAlgorithm="CRC32")
    before = history(s3, "data")
    mirror.snapshot(endpoint, places)
    restart_empty(endpoint, s3, "data")
    lock()
    assert mirror.restore_objects(endpoint, places, ["data"]) == 1
    assert history(s3, "data") == before == [("model", b"weights")]


@pytest.mark.local
def test_a_bucket_of_more_than_one_page_comes_back_whole(s3, endpoint, places, monkeypatch):
    make_bucket(s3, "data")
    paginator = type(s3.get_paginator("list_object_versions"))
    paginate = paginator.paginate
    monkeypatch.setattr(
        paginator, "paginate", lambda self, **kwargs: paginate(self, **kwargs, PaginationConfig={"PageSize": 3})
    )
    for number in range(10):
        s3.put_object(Bucket="data", Key=f"k{number % 5}", Body=str(number).encode())
    assert len(mirror.snapshot(endpoint, places).buckets["data"]) == 10
    before = history(s3, "data")
    restart_empty(endpoint, s3, "data")
    assert mirror.restore_objects(endpoint, places, ["data"]) == 10
    assert history(s3, "data") == before


@pytest.mark.local
def test_restoring_twice_writes_once_and_makes_no_change_the_second_time(s3, endpoint, places):
    make_bucket(s3, "data")
    s3.put_object(Bucket="data", Key="k", Body=b"1")
    mirror.snapshot(endpoint, places)
    restart_empty(endpoint, s3, "data")
    mirror.restore_objects(endpoint, places, ["data"])
    mirror.restore_database(endpoint, places)
    emulator.reset_requests(endpoint)
    assert mirror.restore_objects(endpoint, places, ["data"]) == 0
    assert mirror.restore_database(endpoint, places) is False
    mirror.snapshot(endpoint, places)
    mirror.snapshot(endpoint, places)
    assert emulator.requests(endpoint).mutations == 0, "a second `up` must change nothing"


@pytest.mark.local
def test_a_key_that_up_already_wrote_is_left_alone_and_a_killed_restore_is_continued(s3, endpoint, places):
    make_bucket(s3, "data")
    for body in (b"one", b"two", b"three"):
        s3.put_object(Bucket="data", Key="continued", Body=body)
    s3.put_object(Bucket="data", Key="package", Body=b"old")
    mirror.snapshot(endpoint, places)
    restart_empty(endpoint, s3, "data")
    s3.put_object(Bucket="data", Key="continued", Body=b"one")
    s3.put_object(Bucket="data", Key="package", Body=b"new")
    assert mirror.restore_objects(endpoint, places, ["data"]) == 2
    assert history(s3, "data") == [
        ("continued", b"one"), ("continued", b"two"), ("continued", b"three"), ("package", b"new"),
    ]  # fmt: skip


@pytest.mark.local
def test_a_snapshot_of_a_fresh_emulator_loses_nothing_that_was_not_put_back_yet(s3, endpoint, places):
    make_bucket(s3, "data")
    make_bucket(s3, "models")
    s3.put_object(Bucket="data", Key="kept", Body=b"1")
    s3.put_object(Bucket="models", Key="champion", Body=b"2")
    mirror.snapshot(endpoint, places)
    restart_empty(endpoint, s3, "data")
    s3.put_object(Bucket="data", Key="added", Body=b"3")
    merged = mirror.snapshot(endpoint, places)
    assert {bucket: [v.key for v in entries] for bucket, entries in merged.buckets.items()} == {
        "data": ["added", "kept"],
        "models": ["champion"],
    }


@pytest.mark.local
def test_a_snapshot_after_a_killed_restore_keeps_the_versions_that_were_not_put_back_yet(s3, endpoint, places):
    make_bucket(s3, "data")
    for body in (b"v1", b"v2", b"v3"):
        s3.put_object(Bucket="data", Key="model", Body=body)
    s3.put_object(Bucket="data", Key="package", Body=b"old")
    s3.put_object(Bucket="data", Key="package", Body=b"older")
    before = [entry for entry in history(s3, "data") if entry[0] == "model"]
    mirror.snapshot(endpoint, places)
    restart_empty(endpoint, s3, "data")
    s3.put_object(Bucket="data", Key="model", Body=b"v1")
    s3.put_object(Bucket="data", Key="package", Body=b"new")
    for _ in range(2):
        taken = mirror.snapshot(endpoint, places)
        assert [version.key for version in taken.buckets["data"]] == ["model"] * 3 + ["package"]
    assert mirror.restore_objects(endpoint, places, ["data"]) == 2
    assert history(s3, "data") == [*before, ("package", b"new")]


@pytest.mark.local
def test_what_is_deleted_after_its_bucket_was_put_back_stays_deleted(s3, endpoint, places):
    make_bucket(s3, "plain", versioned=False)
    make_bucket(s3, "dropped")
    for bucket in ("plain", "dropped"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    mirror.snapshot(endpoint, places)
    s3.delete_object(Bucket="plain", Key="k")
    (version,) = s3.list_object_versions(Bucket="dropped")["Versions"]
    s3.delete_object(Bucket="dropped", Key="k", VersionId=version["VersionId"])
    s3.delete_bucket(Bucket="dropped")
    assert mirror.snapshot(endpoint, places).buckets == {}


@pytest.mark.local
def test_unchanged_contents_are_neither_read_nor_written_again_and_equal_ones_are_stored_once(s3, endpoint, places):
    make_bucket(s3, "data")
    for key in ("a", "b"):
        s3.put_object(Bucket="data", Key=key, Body=b"same")
    first = mirror.snapshot(endpoint, places)
    blobs = [path for path in (places.mirror / "blobs").rglob("*") if path.is_file()]
    assert len(blobs) == 1
    written = blobs[0].stat().st_mtime_ns
    s3.put_object(Bucket="data", Key="c", Body=b"other")
    reads = []
    s3.meta.events.register(
        "before-call.s3.GetObject", lambda params, **_: reads.append(params["url_path"]), unique_id="t"
    )
    try:
        second = mirror.snapshot(endpoint, places)
    finally:
        s3.meta.events.unregister("before-call.s3.GetObject", unique_id="t")
    assert reads == ["/c"]
    assert (second.generation, blobs[0].stat().st_mtime_ns) == (first.generation + 1, written)
    assert mirror.snapshot(endpoint, places).generation == second.generation, "nothing changed, no new generation"


@pytest.mark.local
def test_the_emulators_own_access_logs_are_not_kept_but_what_lies_beside_them_is(s3, endpoint, places):
    make_bucket(s3, "data")
    make_bucket(s3, "logs")
    allow = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::logs/*"}
    policy = {"Version": "2012-10-17", "Statement": [allow | {"Principal": {"Service": "logging.s3.amazonaws.com"}}]}
    s3.put_bucket_policy(Bucket="logs", Policy=json.dumps(policy))
    logging = {"LoggingEnabled": {"TargetBucket": "logs", "TargetPrefix": "access/data/"}}
    s3.put_bucket_logging(Bucket="data", BucketLoggingStatus=logging)
    s3.put_object(Bucket="data", Key="k", Body=b"1")
    s3.put_object(Bucket="logs", Key="notes.txt", Body=b"1")
    assert any(key["Key"].startswith("access/data/") for key in s3.list_objects_v2(Bucket="logs")["Contents"])
    taken = mirror.snapshot(endpoint, places)
    assert [version.key for version in taken.buckets["logs"]] == ["notes.txt"]
    assert mirror.snapshot(endpoint, places) == taken


@pytest.mark.local
def test_a_damaged_content_is_named_and_nothing_at_all_is_put_back(s3, endpoint, places):
    make_bucket(s3, "data")
    s3.put_object(Bucket="data", Key="good", Body=b"good")
    s3.put_object(Bucket="data", Key="model.bin", Body=b"precious")
    taken = mirror.snapshot(endpoint, places)
    damaged = next(version for version in taken.buckets["data"] if version.key == "model.bin")
    Store(places.mirror).blob(damaged.sha256).write_bytes(b"precioux")
    restart_empty(endpoint, s3, "data")
    with pytest.raises(
        UserError, match=r"damaged: the object s3://data/model\.bin .*Nothing was restored.*--include-data"
    ):
        mirror.restore_objects(endpoint, places, ["data"])
    assert history(s3, "data") == []
    Store(places.mirror).blob(damaged.sha256).unlink()
    with pytest.raises(UserError, match="has no content at all"):
        mirror.restore_objects(endpoint, places, ["data"])


@pytest.mark.local
def test_a_snapshot_killed_in_the_middle_leaves_the_previous_one_current(s3, endpoint, places):
    make_bucket(s3, "data")
    s3.put_object(Bucket="data", Key="k", Body=b"first")
    first = mirror.snapshot(endpoint, places)
    s3.put_object(Bucket="data", Key="k2", Body=b"second" * 100_000)
    # The child stops itself between the contents and the switch, as a power cut would.
    code = f"""
import os, signal
from pathlib import Path
from stackyard.local import mirror, snapshots
from stackyard.local.places import Places
write = snapshots._write
def cut(path, text):
    if path.name == "current":
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, text)
snapshots._write = cut
mirror.snapshot({endpoint!r}, Places(Path({str(places.root)!r}), "local"))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert mirror.current(places) == first
    restart_empty(endpoint, s3, "data")
    mirror.restore_objects(endpoint, places, ["data"])
    assert history(s3, "data") == [("k", b"first")]
    assert mirror.snapshot(endpoint, places).generation > first.generation + 1, (
        "the unfinished number is not used again"
    )


@pytest.mark.local
def test_the_emulator_killed_after_training_gets_buckets_and_database_back_from_one_snapshot(places):
    try:
        started = emulator.start(places)
        s3 = safety.client("s3", endpoint=started.endpoint)
        make_bucket(s3, "data")
        s3.put_object(Bucket="data", Key="models/champion", Body=os.urandom(3 << 20))
        champion = s3.get_object(Bucket="data", Key="models/champion")["Body"].read()
        execute(places.database, "CREATE TABLE models (name TEXT)", "INSERT INTO models VALUES ('champion')")
        mirror.snapshot(started.endpoint, places)
        # A run that the snapshot does not know: its artifact dies with the emulator, so its row must go too.
        s3.put_object(Bucket="data", Key="models/late", Body=b"late")
        execute(places.database, "INSERT INTO models VALUES ('late')")
        os.kill(started.pid, signal.SIGKILL)
        eventually(lambda: not emulator.running(places), "the killed emulator is gone")

        again = emulator.start(places)
        make_bucket(s3, "data")
        assert again.endpoint == started.endpoint
        assert mirror.restore_objects(again.endpoint, places, ["data"]) == 1
        # A snapshot between the emulator's loss and the restore keeps the database that fits the objects.
        kept = mirror.current(places)
        assert kept and mirror.snapshot(again.endpoint, places).database == kept.database
        assert mirror.restore_database(again.endpoint, places) is True
        assert mirror.restore_database(again.endpoint, places) is False, "once for an emulator's life"
        assert s3.get_object(Bucket="data", Key="models/champion")["Body"].read() == champion
        assert rows(places.database) == ["champion"]
        assert rows(places.folder / "mlflow.db.replaced") == ["champion", "late"]
    finally:
        emulator.stop(places)


@pytest.mark.local
def test_after_drop_nothing_is_left_to_put_back(s3, endpoint, places):
    make_bucket(s3, "data")
    s3.put_object(Bucket="data", Key="k", Body=b"1")
    execute(places.database, "CREATE TABLE models (name TEXT)")
    mirror.snapshot(endpoint, places)
    mirror.drop(places)
    assert not places.mirror.exists()
    assert not places.database.exists()
    restart_empty(endpoint, s3, "data")
    assert mirror.restore_objects(endpoint, places, ["data"]) == 0
    assert mirror.restore_database(endpoint, places) is False
    mirror.drop(places)


def test_a_database_in_write_ahead_mode_is_copied_with_what_is_still_in_its_log(places):
    places.folder.mkdir(parents=True)
    places.mirror.mkdir()
    store = Store(places.mirror)
    with closing(sqlite3.connect(places.database)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE models (name TEXT)")
        writer.execute("INSERT INTO models VALUES ('in the log')")
        writer.commit()
        assert places.database.with_name("mlflow.db-wal").stat().st_size > 0
        sha256 = mirror._store_database(places, store)
    assert rows(store.blob(sha256)) == ["in the log"]


def test_an_unchanged_database_is_the_same_content(places):
    execute(places.database, "CREATE TABLE models (name TEXT)")
    places.mirror.mkdir()
    first = mirror._store_database(places, Store(places.mirror))
    assert mirror._store_database(places, Store(places.mirror)) == first
    execute(places.database, "INSERT INTO models VALUES ('x')")
    assert mirror._store_database(places, Store(places.mirror)) != first


def test_a_damaged_database_is_refused_and_the_one_in_place_stays(places, monkeypatch):
    monkeypatch.setattr(mirror, "_notes", lambda endpoint: set())
    execute(places.database, "CREATE TABLE models (name TEXT)", "INSERT INTO models VALUES ('mine')")
    places.mirror.mkdir()
    store = Store(places.mirror)
    taken = store.take({}, mirror._store_database(places, store))
    store.blob(taken.database).write_bytes(b"rubbish")
    with pytest.raises(UserError, match="damaged: MLflow's database"):
        mirror.restore_database("http://127.0.0.1:1", places)
    assert rows(places.database) == ["mine"]
