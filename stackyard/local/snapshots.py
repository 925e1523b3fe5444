"""The snapshots on disk that `mirror` takes and puts back.

Layout under `places.mirror`:

    blobs/ab/ab12…            contents by sha256, the database's too; written once, however often they occur
    generations/00000007.json what a snapshot holds; the last three are kept
    current                   number of the generation that counts; replaced last, so a killed snapshot changes nothing
"""

import contextlib
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from stackyard.errors import NotWritten, UserError
from stackyard.local.places import typed

GENERATIONS_KEPT = 3
CHUNK_BYTES = 1 << 20
# What reading a damaged generation raises.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class Version:
    """One version of an object; a delete marker has no content."""

    key: str
    sha256: str = ""
    size: int = 0
    """Bytes."""
    delete_marker: bool = False
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Named as in the API: ContentType, ContentEncoding …"""
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    tags: dict[str, str] = field(default_factory=dict[str, str])
    source: str = ""
    """Which version of the emulator's it was read from: the same again need not be read again."""


@dataclass(frozen=True)
class Snapshot:
    generation: int
    buckets: dict[str, list[Version]]
    """Per bucket, the versions ordered by key, oldest first. Buckets without objects are left out."""
    database: str
    """sha256 of MLflow's database; empty if there was none."""

    @property
    def objects(self) -> int:
        """Number of objects that a listing would show."""
        latest = [versions[-1] for entries in self.buckets.values() for versions in by_key(entries).values()]
        return sum(not version.delete_marker for version in latest)


def by_key(entries: Iterable[Version]) -> dict[str, list[Version]]:
    grouped: dict[str, list[Version]] = {}
    for version in entries:
        grouped.setdefault(version.key, []).append(version)
    return grouped


@dataclass(frozen=True)
class Store:
    """The snapshots in `folder`."""

    folder: Path

    def current(self) -> Snapshot | None:
        """The snapshot that counts, None if none was taken. Raises UserError if it cannot be read."""
        pointer = self.folder / "current"
        if not pointer.exists():
            return None
        try:
            return _read(self._generation(int(pointer.read_text())))
        except _UNREADABLE as error:
            raise UserError(
                f"The snapshot that {pointer} points to cannot be read ({error}). Nothing was restored. "
                f"{self._way_out()}"
            ) from error

    def take(self, buckets: dict[str, list[Version]], database: str) -> Snapshot:
        """Makes the contents the current snapshot; removes what only snapshots older than the last three need."""
        generations = [int(path.stem) for path in self._generations()]
        # From the files, not from `current`: that may have been set back by hand.
        taken = Snapshot(max(generations, default=0) + 1, buckets, database)
        _write(self._generation(taken.generation), json.dumps(asdict(taken), sort_keys=True, indent=1) + "\n")
        _write(self.folder / "current", f"{taken.generation}\n")
        self._prune()
        return taken

    def put(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Writes a content unless it is there; returns its sha256 and size in bytes."""
        folder = self.folder / "blobs"
        folder.mkdir(parents=True, exist_ok=True)
        hasher, size = hashlib.sha256(), 0
        temporary = folder / f"new-{os.getpid()}-{threading.get_ident()}"
        with _writing(temporary, "wb") as file:
            for chunk in chunks:
                hasher.update(chunk)
                size += file.write(chunk)
        target = self.blob(hasher.hexdigest())
        if target.exists() and target.stat().st_size == size:
            temporary.unlink()
            return hasher.hexdigest(), size
        target.parent.mkdir(exist_ok=True)
        temporary.replace(target)
        return hasher.hexdigest(), size

    def blob(self, sha256: str) -> Path:
        return self.folder / "blobs" / sha256[:2] / sha256

    def verified(self, sha256: str, what: str) -> Path:
        """The file of a content. Raises UserError, naming `what`, if it is missing or not what was written."""
        blob = self.blob(sha256)
        try:
            with open(blob, "rb") as file:
                found = f"the sha256 {digest(chunked(file))[:12]}…"
        except FileNotFoundError:
            found = "no content at all"
        if found != f"the sha256 {sha256[:12]}…":
            raise UserError(
                f"The snapshot in {self.folder} is damaged: {what} should have the sha256 {sha256[:12]}…, "
                f"but {blob} has {found}. Nothing was restored. {self._way_out()}"
            )
        return blob

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _way_out(self) -> str:
        numbers = ", ".join(str(int(path.stem)) for path in self._generations()) or "none"
        return (
            f"Write the number of another snapshot (there are: {numbers}) into {self.folder / 'current'}, "
            f"or give the data up with {typed('local destroy --include-data', self.folder.parent.name)}."
        )

    def _generation(self, number: int) -> Path:
        return self.folder / "generations" / f"{number:08d}.json"

    def _generations(self) -> list[Path]:
        return sorted((self.folder / "generations").glob("*.json"))

    def _prune(self) -> None:
        """Removes old generations, contents that none of the kept ones names, and leftovers of killed snapshots.

        A kept generation that cannot be read stays, and so do all contents.
        """
        files = self._generations()
        for path in files[:-GENERATIONS_KEPT]:
            path.unlink()
        try:
            snapshots = [_read(path) for path in files[-GENERATIONS_KEPT:]]
        except _UNREADABLE:
            # Its contents cannot be told from leftovers: all stay until it is mended, or old enough to go itself.
            return
        used: set[str] = set()
        for kept in snapshots:
            used |= {kept.database} | {version.sha256 for entries in kept.buckets.values() for version in entries}
        for blob in (self.folder / "blobs").rglob("*"):
            if blob.is_file() and blob.name not in used:
                blob.unlink()


def _read(path: Path) -> Snapshot:
    document = json.loads(path.read_text())
    buckets = {name: [Version(**entry) for entry in entries] for name, entries in document["buckets"].items()}
    return Snapshot(document["generation"], buckets, document["database"])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    with _writing(temporary, "w") as file:
        file.write(text)
    temporary.replace(path)


@contextlib.contextmanager
def _writing(path: Path, mode: str) -> Generator[IO[Any]]:
    """A new file that is on the disk at the end, or not there at all (NotWritten)."""
    try:
        with open(path, mode) as file:
            yield file
            file.flush()
            # Otherwise a power cut could leave a snapshot that names an empty file.
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise NotWritten(path, error) from None


def digest(chunks: Iterable[bytes]) -> str:
    """sha256 in hexadecimal digits."""
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
    return hasher.hexdigest()


def chunked(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
