"""What a data set consists of: file names, rows and sha256, in one JSON file that is named after its own hash.

Names are relative to the data set's folder and nothing in it says when or where, so the same data has the same
manifest hash in every bucket. That hash is what a model's lineage records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from pipelines import storage
from stackyard.errors import UserError

FORMAT = 1
FOLDER = "manifests"
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


class ManifestMismatch(UserError):
    """The files are not the ones that the manifest describes."""


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    name: str
    """Relative to the data set's folder."""
    month: str
    """`YYYY-MM`."""
    rows: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the rows come from."""

    name: str
    version: str
    files: dict[str, str] = field(default_factory=dict)
    """sha256 of each source file, by name."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    dataset: str
    source: Source
    files: tuple[FileEntry, ...]

    @property
    def rows(self) -> int:
        return sum(entry.rows for entry in self.files)

    @property
    def months(self) -> tuple[str, ...]:
        return tuple(entry.month for entry in self.files)

    def to_json(self) -> bytes:
        """Canonical bytes: equal manifests are equal bytes."""
        document = {"format": FORMAT, **asdict(self)}
        return (json.dumps(document, sort_keys=True, indent=1) + "\n").encode()

    @property
    def sha256(self) -> str:
        return storage.sha256(self.to_json())

    @staticmethod
    def from_json(data: bytes) -> Manifest:
        """Raises ManifestMismatch when the bytes are no manifest of this format."""
        try:
            document = json.loads(data)
            if document["format"] != FORMAT:
                raise ManifestMismatch(f"Manifest format {document['format']} is unknown, this code reads {FORMAT}.")
            files = tuple(FileEntry(**entry) for entry in document["files"])
            manifest = Manifest(dataset=document["dataset"], source=Source(**document["source"]), files=files)
        except (ValueError, KeyError, TypeError) as error:
            raise ManifestMismatch(f"This is not a manifest ({error!r}): ingest the months again.") from error
        for entry in manifest.files:
            if not SAFE_NAME.fullmatch(entry.name):
                raise ManifestMismatch(f"The manifest names {entry.name!r}, which may lie outside the data set.")
        return manifest


def save(manifest: Manifest, folder_uri: str) -> str:
    """Writes the manifest below the data set's folder, under its own hash, and returns its URI."""
    uri = storage.join(folder_uri, FOLDER, f"{manifest.sha256}.json")
    storage.write_if_changed(uri, manifest.to_json())
    return uri


def load(uri: str, sha256: str) -> Manifest:
    """The manifest at `uri`. Raises ManifestMismatch unless its bytes have the hash `sha256`."""
    data = storage.read_bytes(uri)
    if (actual := storage.sha256(data)) != sha256:
        raise ManifestMismatch(
            f"The manifest {uri} has the hash {actual[:12]}…, {sha256[:12]}… was recorded: it was changed after "
            "ingestion. Ingest the months again."
        )
    return Manifest.from_json(data)


def read_files(manifest: Manifest, manifest_uri: str) -> Iterator[tuple[FileEntry, bytes]]:
    """Each file with its content. Raises ManifestMismatch at the first whose content is not what was ingested."""
    folder = manifest_uri.rpartition(f"/{FOLDER}/")[0]
    for entry in manifest.files:
        uri = storage.join(folder, entry.name)
        data = storage.read_bytes(uri)
        if (actual := storage.sha256(data)) != entry.sha256:
            raise ManifestMismatch(
                f"{uri} has the hash {actual[:12]}…, the manifest says {entry.sha256[:12]}…: the file was changed "
                f"after ingestion, so nothing is trained or evaluated on it. Ingest {entry.month} again."
            )
        yield entry, data
