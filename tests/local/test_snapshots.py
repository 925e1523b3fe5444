"""Generations of a mirror: what is kept, what goes, and what is said when one cannot be read."""

import pytest

from stackyard.errors import UserError
from stackyard.local import mirror
from stackyard.local.snapshots import GENERATIONS_KEPT, Store, Version


def test_three_generations_are_kept_and_only_the_contents_that_they_name(places):
    store = Store(places.mirror)
    digests = []
    for number in range(GENERATIONS_KEPT + 2):
        digests.append(store.put([str(number).encode()])[0])
        store.take({"data": [Version("k", digests[-1], 1)]}, "")
    assert [int(path.stem) for path in store._generations()] == [3, 4, 5]
    assert [store.blob(digest).exists() for digest in digests] == [False, False, True, True, True]


@pytest.mark.parametrize("damage", ["", "[]", '{"generation": 1, "buckets": {"data": [{"sha256": "ab"}]}, "databas'])
def test_a_damaged_older_generation_stops_no_snapshot_and_keeps_the_contents_until_it_goes(places, damage):
    store = Store(places.mirror)
    first, _ = store.put([b"first"])
    store.take({"data": [Version("k", first, 5)]}, "")
    store._generation(1).write_text(damage)
    for number in range(2, GENERATIONS_KEPT + 2):
        assert store._generation(1).exists() and store.blob(first).exists(), "somebody may still mend it"
        assert store.take({}, "").generation == number
    assert not store._generation(1).exists() and not store.blob(first).exists()


def test_leftovers_of_a_killed_snapshot_are_removed_by_the_next(places):
    store = Store(places.mirror)
    digest, _ = store.put([b"x"])
    leftover = places.mirror / "blobs" / "new-1-1"
    leftover.write_bytes(b"half")
    store.take({"data": [Version("k", digest, 1)]}, "")
    assert not leftover.exists()


@pytest.mark.parametrize("damage", ["", "seven", "99", "pointer to a broken file"])
def test_an_unreadable_pointer_names_the_file_and_the_snapshots_that_there_are(places, damage):
    store = Store(places.mirror)
    store.take({}, "")
    if damage == "pointer to a broken file":
        store._generation(1).write_text('{"generation": 1}')
    else:
        (places.mirror / "current").write_text(damage)
    with pytest.raises(
        UserError, match=r"current cannot be read.*there are: 1\)|points to cannot be read.*there are: 1\)"
    ):
        mirror.current(places)


def test_the_same_contents_give_the_same_bytes_on_disk(tmp_path):
    files = []
    for name in ("a", "b"):
        store = Store(tmp_path / name)
        store.take({"z": [Version("k", store.put([b"1"])[0], 1)], "a": [Version("k", delete_marker=True)]}, "")
        files.append(store._generation(1).read_bytes())
    assert files[0] == files[1]
