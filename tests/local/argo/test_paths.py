"""Which words of a command are paths of the container, and where they lead."""

from pathlib import Path

import pytest

from stackyard.local.argo.paths import PathMap, plain_directory
from stackyard.local.argo.python_shim import translate

MAP = PathMap({"/tmp": Path("/w/tmp"), "/mnt/out": Path("/w/out")}, [Path("/tmp/project")])


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("echo a >> /tmp/file", "echo a >> /w/tmp/file"),
        ("echo a >>/tmp/file", "echo a >>/w/tmp/file"),
        ("cat '/mnt/out/x' \"/tmp\"", "cat '/w/out/x' \"/w/tmp\""),
        ("--path=/mnt/out;", "--path=/w/out;"),
        ("A=/tmp:/mnt/out", "A=/w/tmp:/w/out"),
        ("/tmpfile /mnt/output /tmp.d", "/tmpfile /mnt/output /tmp.d"),
        ("s3://bucket/tmp/x sqlite:////tmp/x", "s3://bucket/tmp/x sqlite:////tmp/x"),
        ("$PWD/tmp/x ${HOME}/tmp $(pwd)/tmp ~/tmp ./tmp", "$PWD/tmp/x ${HOME}/tmp $(pwd)/tmp ~/tmp ./tmp"),
        ("/tmp/project/file /tmp/project", "/tmp/project/file /tmp/project"),
        ("/tmp/projects", "/w/tmp/projects"),
    ],
)
def test_paths_are_translated_where_they_stand_as_words(text, translated):
    assert MAP.translate(text) == translated


def test_lists_and_maps_are_translated_inside():
    assert MAP.translate(["/tmp", {"a": "/tmp/b"}, 3]) == ["/w/tmp", {"a": "/w/tmp/b"}, 3]


@pytest.mark.parametrize(("path", "found"), [("/mnt/out/a/b", "/w/out/a/b"), ("/tmp", "/w/tmp"), ("/mnt", None)])
def test_a_path_leads_into_its_mount_or_nowhere(path, found):
    assert MAP.path(path) == (Path(found) if found else None)


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/tmp/a", "/w/tmp/a"),
        (Path("/mnt/out/a"), "/w/out/a"),
        ("/tmp/project/a", "/tmp/project/a"),
        ("/w/tmp/a", "/w/tmp/a"),
        ("tmp/a", "tmp/a"),
        (b"/tmp/a", b"/tmp/a"),
        (3, 3),
    ],
)
def test_python_code_sees_the_same_paths(path, seen):
    mounts = [(a, b) for a, _, b in (line.partition("\t") for line in MAP.for_shim().splitlines())]
    assert translate(path, mounts) == seen


def test_a_directory_that_needs_quotes_is_reached_by_a_link(tmp_path):
    assert plain_directory(tmp_path) == (tmp_path, None)
    (tmp_path / "a b").mkdir()
    plain, link = plain_directory(tmp_path / "a b")
    assert " " not in str(plain)
    assert plain.resolve() == tmp_path / "a b"
    assert link == plain.parent
    plain.unlink()
    plain.parent.rmdir()
