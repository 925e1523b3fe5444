"""A folder and a bucket behave alike; a write happens whole or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import storage
from stackyard.errors import InvalidInput


@pytest.fixture(params=["folder", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same expectations hold for a folder and for a bucket."""
    if request.param == "folder":
        return str(tmp_path)
    request.getfixturevalue("s3").create_bucket(Bucket="data")
    return "s3://data/prefix"


def test_what_was_written_is_read_back(root: str):
    uri = storage.join(root, "a", "b.bin")
    storage.write_bytes(uri, b"\x00one")
    assert storage.read_bytes(uri) == b"\x00one"
    assert storage.exists(uri)


def test_an_object_that_does_not_exist_says_so(root: str):
    uri = storage.join(root, "nothing")
    assert not storage.exists(uri)
    with pytest.raises(storage.ObjectNotFound, match="does not exist"):
        storage.read_bytes(uri)


def test_the_same_bytes_are_not_written_again(root: str):
    uri = storage.join(root, "file")
    assert [storage.write_if_changed(uri, data) for data in (b"1", b"1", b"2")] == [True, False, True]
    assert storage.read_bytes(uri) == b"2"


def test_names_below_a_prefix_are_sorted_relative_and_not_those_of_a_neighbour(root: str):
    for name in ("runs/b", "runs/a/c", "runs-other/d"):
        storage.write_bytes(storage.join(root, name), b"")
    assert storage.names_below(storage.join(root, "runs")) == ["a/c", "b"]
    assert storage.names_below(storage.join(root, "none")) == []


@pytest.mark.parametrize(
    "ask",
    [storage.read_bytes, storage.exists, storage.names_below, lambda uri: storage.write_bytes(uri, b"")],
    ids=["read", "exists", "names", "write"],
)
def test_a_bucket_that_does_not_exist_is_named_and_asks_for_a_deployment(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[str], object]
):
    moto = pytest.importorskip("moto", reason="moto comes with the group `local`")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws(), pytest.raises(storage.StorageError) as refused:
        ask("s3://never-made/file")
    assert not isinstance(refused.value, storage.ObjectNotFound), "the bucket is missing, not an object in it"
    assert "the bucket never-made does not exist. Correct its name, or deploy the stack" in str(refused.value)


def test_other_schemes_are_refused():
    with pytest.raises(InvalidInput, match="'gs://bucket/key' is not a place for files"):
        storage.read_bytes("gs://bucket/key")
    with pytest.raises(InvalidInput, match="s3://BUCKET/PREFIX"):
        storage.write_bytes("s3:///key", b"")


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    uri = str(tmp_path / "file")
    storage.write_bytes(uri, b"old")

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(storage.StorageError, match="No space left on device"):
        storage.write_bytes(uri, b"new")
    assert storage.read_bytes(uri) == b"old"
