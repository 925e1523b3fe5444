"""Snapshots and run records."""

from stackyard.local.doctor import data
from stackyard.local.doctor.command import examine
from stackyard.local.doctor.finding import Level
from stackyard.local.runs import running
from stackyard.local.snapshots import Store
from tests.local.doctor.support import mend, mended, only, save, take


def test_a_damaged_snapshot_leads_to_the_newest_whole_one(made):
    store = Store(made.mirror)
    take(store, "old")
    store.blob(take(store, "newer")).write_bytes(b"")
    assert only(made, data.snapshot).level == Level.FAIL
    store.blob(take(store, "newest")).unlink()
    finding = only(made, data.snapshot)
    assert "s3://data/k" in finding.sentence and "The newest whole one is 1." in finding.sentence
    assert finding.command == "echo 1 > .stackyard/local/mirror/current"
    mended(made, data.snapshot, finding)


def test_a_pointer_to_nothing_is_a_damaged_snapshot_too(made):
    take(Store(made.mirror), "one")
    (made.mirror / "current").write_text("")
    finding = only(made, data.snapshot)
    assert "cannot be read" in finding.sentence
    mended(made, data.snapshot, finding)


def test_where_no_snapshot_is_whole_the_rest_is_put_aside(made):
    store = Store(made.mirror)
    store.blob(take(store, "one")).unlink()
    finding = only(made, data.snapshot)
    assert "None is whole" in finding.sentence
    mended(made, data.snapshot, finding)
    assert (made.folder / "mirror.damaged" / "generations").is_dir(), "nothing was removed"


def test_a_snapshot_that_is_being_taken_is_not_judged(made):
    store = Store(made.mirror)
    store.blob(take(store, "one")).unlink()
    with store.locked():
        assert only(made, data.snapshot).level == Level.OK


def test_damaged_run_records_and_logs_of_killed_runs_are_told_apart(made):
    save(made, "good")
    save(made, "damaged").write_text("{}")
    (made.runs / "killed").mkdir()
    with running(made):
        assert [f.level for f in examine(made.root, "local", [data.runs])] == [Level.FAIL], "it may be the running one"
    first, second = examine(made.root, "local", [data.runs])
    assert (
        "1 pipeline runs are damaged: damaged" in first.sentence
        and first.command == "rm -r .stackyard/local/runs/damaged"
    )
    assert "only logs: killed" in second.sentence and second.level == Level.WARN
    mend(first, made.root)
    mend(second, made.root)
    finding = only(made, data.runs)
    assert finding.level == Level.OK and "One pipeline run" in finding.sentence
