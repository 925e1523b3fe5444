"""Nothing is lost by a reboot: the buckets' contents and MLflow's database, kept on disk as one snapshot.

Kept per object: all versions and delete markers in their order, content, type and headers, metadata, tags.
Not kept: version ids, dates and the encryption of single objects, which the emulator gives anew; access logs that the
emulator itself wrote.
"""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from stackyard.local import emulator, safety
from stackyard.local.places import Places
from stackyard.local.snapshots import CHUNK_BYTES, Snapshot, Store, Version, by_key, chunked, digest

# Few: reading is bound by the emulator's own Python.
WORKERS = 4
HEADERS = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "StorageClass")
_RESTORED = "restored/"
# No bucket is called so: its name has a capital letter.
_DATABASE = "restored/Database"
"""A note in the emulator per bucket whose contents were put back, or are its own: lost exactly when they are."""


def snapshot(endpoint: str, places: Places) -> Snapshot:
    """Makes the buckets' contents and MLflow's database the current snapshot.

    Take it while no pipeline runs. The database is copied first: what it names was uploaded before it was named.
    What of the last snapshot has not been put back (fresh emulator) stays in the new one, the database too.
    """
    store = Store(places.mirror)
    with store.locked():
        previous = store.current()
        database = _current_database(endpoint, places, store, previous)
        buckets = _read_buckets(endpoint, store, previous)
        if previous and (previous.buckets, previous.database) == (buckets, database):
            return previous
        return store.take(buckets, database)


def current(places: Places) -> Snapshot | None:
    """The snapshot that counts, None if none was taken. Raises UserError if it cannot be read."""
    return Store(places.mirror).current()


def is_restored(endpoint: str, buckets: Iterable[str] = ()) -> bool:
    """Whether the database and these buckets have had their contents: to restore them again would change nothing."""
    return {_DATABASE, *(_RESTORED + bucket for bucket in buckets)} <= _notes(endpoint)


def restore_objects(endpoint: str, places: Places, buckets: Iterable[str]) -> int:
    """Puts the snapshot's objects back into those of `buckets` that have not had theirs; returns the versions written.

    To be called when the buckets exist and before anything is put into them: a key that is already there is left alone,
    unless it holds the beginning of what the snapshot has, as a killed restore leaves it. Checks every content first: a
    damaged snapshot raises UserError and nothing is written. A second call finds nothing to do and changes nothing.
    """
    store = Store(places.mirror)
    kept = store.current()
    wanted = sorted(set(buckets) - _restored(endpoint))
    contents = {bucket: kept.buckets.get(bucket, []) if kept else [] for bucket in wanted}
    for bucket, entries in contents.items():
        for version in entries:
            if not version.delete_marker:
                store.verified(version.sha256, f"the object s3://{bucket}/{version.key}")
    written = 0
    for bucket, entries in contents.items():
        if entries:
            written += _restore_bucket(safety.client("s3", endpoint=endpoint), store, bucket, entries)
        emulator.put_note(endpoint, _RESTORED + bucket, "yes")
    return written


def restore_database(endpoint: str, places: Places) -> bool:
    """Puts the snapshot's MLflow database back, so that it fits the buckets' contents; once for an emulator's life.

    Returns whether it did.
    A database that is there already may name artifacts that the emulator lost: it is set aside as `mlflow.db.replaced`.
    """
    if _DATABASE in _notes(endpoint):
        return False
    store = Store(places.mirror)
    kept = store.current()
    if kept is None or not kept.database:
        emulator.put_note(endpoint, _DATABASE, "yes")
        return False
    temporary = places.database.with_name(places.database.name + ".restoring")
    shutil.copyfile(store.verified(kept.database, "MLflow's database"), temporary)
    if places.database.exists():
        _copy_sqlite(places.database, places.database.with_name(places.database.name + ".replaced"))
    # The journal of the replaced database must not be applied to the restored one.
    for suffix in ("-wal", "-shm", "-journal"):
        places.database.with_name(places.database.name + suffix).unlink(missing_ok=True)
    temporary.replace(places.database)
    emulator.put_note(endpoint, _DATABASE, "yes")
    return True


def drop(places: Places) -> None:
    """Removes every snapshot and MLflow's database: what `destroy --include-data` does to data."""
    shutil.rmtree(places.mirror, ignore_errors=True)
    for path in places.folder.glob(places.database.name + "*"):
        path.unlink()


def _read_buckets(endpoint: str, store: Store, previous: Snapshot | None) -> dict[str, list[Version]]:
    s3 = safety.client("s3", endpoint=endpoint)
    existing = sorted(entry["Name"] for entry in s3.list_buckets()["Buckets"])
    # The emulator logs this very reading too: its logs would grow with each snapshot.
    logs = {target for bucket in existing if (target := _log_target(s3, bucket))}
    earlier = previous.buckets if previous else {}
    known = {version.source: version for entries in earlier.values() for version in entries}
    restored = _restored(endpoint)
    contents: dict[str, list[Version]] = {}
    for bucket in existing:
        prefixes = tuple(prefix for target, prefix in logs if target == bucket)
        contents[bucket] = _read_bucket(s3, store, bucket, prefixes, known)
        if bucket not in restored and bucket not in earlier:
            # Its contents are its own: there is nothing to put back.
            emulator.put_note(endpoint, _RESTORED + bucket, "yes")
    for bucket in earlier.keys() - restored:
        contents[bucket] = _with_carried(contents.get(bucket, []), earlier[bucket])
    return {bucket: entries for bucket, entries in sorted(contents.items()) if entries}


def _with_carried(found: list[Version], earlier: list[Version]) -> list[Version]:
    """What a bucket holds, and what is still to be put back: all of a key that a killed restore only began."""
    merged = by_key(found)
    for key, versions in by_key(earlier).items():
        done = merged.get(key, [])
        same = all(one.sha256 == other.sha256 for one, other in zip(done, versions, strict=False))
        if same and len(done) < len(versions):
            merged[key] = versions
    return [version for _, versions in sorted(merged.items()) for version in versions]


def _restored(endpoint: str) -> set[str]:
    return {name.removeprefix(_RESTORED) for name in _notes(endpoint)}


def _notes(endpoint: str) -> set[str]:
    return {name for name in emulator.notes(endpoint) if name.startswith(_RESTORED)}


def _current_database(endpoint: str, places: Places, store: Store, previous: Snapshot | None) -> str:
    if _DATABASE not in _notes(endpoint):
        if previous and previous.database:
            return previous.database
        # It is its own: there is nothing to put back.
        emulator.put_note(endpoint, _DATABASE, "yes")
    return _store_database(places, store)


def _log_target(s3: Any, bucket: str) -> tuple[str, str] | None:
    """Bucket and prefix that receive the bucket's access logs."""
    target = s3.get_bucket_logging(Bucket=bucket).get("LoggingEnabled")
    return (target["TargetBucket"], target.get("TargetPrefix", "")) if target else None


def _list_versions(s3: Any, bucket: str) -> list[dict[str, Any]]:
    """Versions and delete markers (which have no Size), ordered by key, oldest first."""
    listed: list[dict[str, Any]] = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        listed += [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    # Listed newest first. Reversed, so that equal dates keep their order.
    return sorted(reversed(listed), key=lambda entry: (entry["Key"], entry["LastModified"]))


def _read_bucket(
    s3: Any, store: Store, bucket: str, without: tuple[str, ...], known: dict[str, Version]
) -> list[Version]:
    def read(entry: dict[str, Any]) -> Version:
        written = entry["LastModified"].isoformat()
        source = f"{bucket}/{entry['Key']}/{entry['VersionId']}/{entry.get('ETag', '')}/{written}"
        if "Size" not in entry:
            return Version(entry["Key"], delete_marker=True, source=source)
        return _read_version(s3, store, bucket, entry, known.get(source), source)

    wanted = [entry for entry in _list_versions(s3, bucket) if not (without and entry["Key"].startswith(without))]
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(read, wanted))


def _read_version(
    s3: Any, store: Store, bucket: str, entry: dict[str, Any], known: Version | None, source: str
) -> Version:
    which = {"Bucket": bucket, "Key": entry["Key"]}
    if entry["VersionId"] != "null":
        which["VersionId"] = entry["VersionId"]
    # Tags are the one part of a version that changes.
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(**which)["TagSet"]}
    if known:
        return replace(known, tags=tags)
    answer = s3.get_object(**which)
    sha256, size = store.put(answer["Body"].iter_chunks(CHUNK_BYTES))
    headers = {name: str(answer[name]) for name in HEADERS if answer.get(name)}
    return Version(entry["Key"], sha256, size, headers=headers, metadata=answer["Metadata"], tags=tags, source=source)


def _restore_bucket(s3: Any, store: Store, bucket: str, entries: list[Version]) -> int:
    present: dict[str, list[dict[str, Any]]] = {}
    for entry in _list_versions(s3, bucket):
        present.setdefault(entry["Key"], []).append(entry)
    written = 0
    for key, versions in by_key(entries).items():
        done = present.get(key, [])
        if _is_beginning(s3, bucket, done, versions):
            for version in versions[len(done) :]:
                _restore_version(s3, store, bucket, version)
                written += 1
    return written


def _is_beginning(s3: Any, bucket: str, done: list[dict[str, Any]], versions: list[Version]) -> bool:
    """Whether the versions that exist are the first of those to be restored, and not yet all."""
    if len(done) >= len(versions):
        return False
    for entry, version in zip(done, versions, strict=False):
        if ("Size" not in entry) != version.delete_marker or entry.get("Size", 0) != version.size:
            return False
        if not version.delete_marker:
            body = s3.get_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])["Body"]
            if digest(body.iter_chunks(CHUNK_BYTES)) != version.sha256:
                return False
    return True


def _restore_version(s3: Any, store: Store, bucket: str, version: Version) -> None:
    if version.delete_marker:
        s3.delete_object(Bucket=bucket, Key=version.key)
        return
    optional: dict[str, Any] = dict(version.headers)
    if version.tags:
        optional["Tagging"] = urlencode(version.tags)
    # S3 takes an object into a bucket with an object lock only with a checksum.
    optional |= {"Metadata": version.metadata, "ChecksumAlgorithm": "CRC32"}
    with open(store.blob(version.sha256), "rb") as body:
        s3.put_object(Bucket=bucket, Key=version.key, Body=body, **optional)


def _store_database(places: Places, store: Store) -> str:
    """The sha256 of a copy of MLflow's database in the store; empty if there is no database."""
    if not places.database.exists():
        return ""
    copy = places.mirror / "database.new"
    _copy_sqlite(places.database, copy)
    try:
        with open(copy, "rb") as file:
            return store.put(chunked(file))[0]
    finally:
        copy.unlink()


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copies a database, whoever writes to it meanwhile, and including what is still in its write-ahead log."""
    target.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(source)) as reader, contextlib.closing(sqlite3.connect(target)) as writer:
        reader.backup(writer)
