"""A manifest names its files by hash and itself by its own; what was changed afterwards is refused."""

import json

import pytest

from pipelines import manifest, storage
from pipelines.manifest import FileEntry, Manifest, ManifestMismatch, Source


def example(**change: str) -> Manifest:
    entry = {"name": "2013-01.parquet", "month": "2013-01", "sha256": storage.sha256(b"content"), **change}
    return Manifest(
        dataset="flights",
        source=Source(name="package", version="1", files={"b": "2", "a": "1"}),
        files=(FileEntry(rows=3, **entry),),
    )


def test_a_manifest_is_named_after_its_own_hash_and_reads_back_equal(tmp_path):
    saved = example()
    uri = manifest.save(saved, str(tmp_path))
    assert uri == f"{tmp_path}/manifests/{saved.sha256}.json"
    assert manifest.load(uri, saved.sha256) == saved


def test_the_hash_depends_on_what_the_data_is_and_on_nothing_else():
    reordered = Manifest(
        dataset="flights", source=Source(name="package", version="1", files={"a": "1", "b": "2"}), files=example().files
    )
    assert reordered.sha256 == example().sha256, "the order of a mapping says nothing"
    assert example(sha256="0" * 64).sha256 != example().sha256


def test_a_manifest_that_was_changed_afterwards_is_refused(tmp_path):
    saved = example()
    uri = manifest.save(saved, str(tmp_path))
    storage.write_bytes(uri, saved.to_json().replace(b'"rows": 3', b'"rows": 4'))
    with pytest.raises(ManifestMismatch, match="it was changed after ingestion"):
        manifest.load(uri, saved.sha256)


def test_a_file_that_is_not_the_ingested_one_is_refused(tmp_path):
    saved = example()
    uri = manifest.save(saved, str(tmp_path))
    storage.write_bytes(f"{tmp_path}/2013-01.parquet", b"content")
    assert [content for _, content in manifest.read_files(saved, uri)] == [b"content"]
    storage.write_bytes(f"{tmp_path}/2013-01.parquet", b"Content")
    with pytest.raises(ManifestMismatch, match="Ingest 2013-01 again"):
        list(manifest.read_files(saved, uri))


@pytest.mark.parametrize("name", ["../other.parquet", "/etc/passwd", "a/../../b", ""])
def test_a_manifest_cannot_name_files_outside_its_folder(name: str):
    with pytest.raises(ManifestMismatch, match="outside the data set"):
        Manifest.from_json(example(name=name).to_json())


def test_what_is_no_manifest_is_refused():
    with pytest.raises(ManifestMismatch, match="not a manifest"):
        Manifest.from_json(b"{}")
    later = json.dumps({**json.loads(example().to_json()), "format": 2}).encode()
    with pytest.raises(ManifestMismatch, match="format 2 is unknown"):
        Manifest.from_json(later)
