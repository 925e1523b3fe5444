"""All checks together: what is printed, and that nothing is touched."""

import fcntl
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from stackyard.errors import InvalidInput
from stackyard.local.doctor import data, files, installation
from stackyard.local.doctor.command import CHECKS, doctor, examine
from stackyard.local.doctor.finding import Level, Patient, admit
from stackyard.local.snapshots import Store
from stackyard.program import state
from tests.local.doctor.support import begin, end, ended_pid, holder, save, take, write_record


def test_the_doctor_changes_nothing(made):
    """With a fault of every kind planted: contents, modes and times are the same afterwards."""
    process = holder(made)
    end(process)
    begin(made, "a")
    made.state("local").write_text("{")
    made.folder.chmod(0o755)
    (made.folder / "state" / "local.json.1.tmp").write_text("half")
    write_record(made, pid=ended_pid(), started="before")
    store = Store(made.mirror)
    store.blob(take(store, "one")).unlink()
    save(made, "damaged").write_text("{}")

    before = listing(made.root)
    found = examine(made.root, "local", without(data.compiled))
    assert listing(made.root) == before
    assert len([finding for finding in found if finding.level != Level.OK]) >= 7
    assert [f.level for f in found] == sorted((f.level for f in found), key=list(Level).index), "failures come first"
    assert all(finding.command for finding in found if finding.level != Level.OK), "every fault has its command"


def listing(root: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path): (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (root, *root.rglob("*"))
    }


def without(*left_out):
    return [check for check in CHECKS if check not in left_out]


def test_a_check_that_breaks_down_does_not_hide_the_others(places):
    def broken(patient: Patient):
        raise ZeroDivisionError("by zero")

    def homeless(patient: Patient):
        raise ModuleNotFoundError("No module named 'boto3'")

    first, second, third = examine(places.root, "local", [broken, files.environment, homeless])
    assert "ZeroDivisionError: by zero" in first.sentence and first.command.endswith("doctor --local")
    assert "No module named 'boto3'" in second.sentence and second.command == admit(places).install
    assert third.level == Level.OK


def test_text_is_readable_at_80_columns_and_a_command_stays_one_line(made, monkeypatch):
    # `code` names this machine's temporary folder, which may be longer than a line.
    monkeypatch.setattr(examine, "__defaults__", (without(data.compiled, installation.code),))
    made.state("local").write_text("{")
    text, console = _console()
    assert doctor(made.root, "local", console) == 1
    lines = text.getvalue().splitlines()
    (command,) = (line for line in lines if line.startswith("    cp .stackyard/local/state/local.json.1 "))
    assert command.endswith(" local up"), "one line, to be copied"
    assert max(len(line) for line in lines if line != command) <= 80
    assert lines[0].startswith("local: something to mend in ") and lines[1].startswith("  ✗ state local: ")


def test_json_holds_every_finding_with_its_command(made, monkeypatch):
    monkeypatch.setattr(examine, "__defaults__", ((files.environment, files.states),))
    made.state("local").write_text("{")
    text, console = _console()
    assert doctor(made.root, "local", console, format="json") == 1
    document = json.loads(text.getvalue())
    assert document["well"] is False and document["environment"] == "local"
    assert [entry["level"] for entry in document["findings"]] == ["fail", "ok"]
    assert document["findings"][0]["command"].startswith("cp ")


def _console() -> tuple[io.StringIO, Console]:
    text = io.StringIO()
    return text, Console(file=text, width=80, highlight=False, soft_wrap=True)


def test_other_formats_and_environments_are_refused(places):
    with pytest.raises(InvalidInput, match=r"yaml.*text, json"):
        doctor(places.root, "local", Console(quiet=True), format="yaml")
    with pytest.raises(InvalidInput, match=r"nowhere.*choose one of local"):
        examine(places.root, "nowhere")


def test_a_lock_is_looked_at_without_being_taken(made):
    """An `up` that starts while the doctor looks finds the lock free."""
    with state.locked(made.lock):
        pass
    patient = admit(made)
    assert not patient.changing.held
    with open(made.lock.with_suffix(".lock")) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
