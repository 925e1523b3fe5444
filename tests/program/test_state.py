"""States: read what the CLI wrote, written at once or not at all, changed by one process at a time."""

import errno
import json
import os
import stat
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackyard.errors import InvalidInput
from stackyard.program import state
from stackyard.program.deployment import Deployment, PendingOperation, Resource, make_urn
from stackyard.program.journal import Journal, replay
from stackyard.program.records import from_document, to_document
from stackyard.program.values import Secret
from tests.program.engine_cases import FOLDER, case_names

STACK = make_urn("p", "s", "pulumi:pulumi:Stack", "p-s")


def resource(name: str, **options) -> Resource:
    urn = make_urn("p", "s", "aws:sns/topic:Topic", name, STACK)
    return Resource(urn=urn, type="aws:sns/topic:Topic", name=name, parent=STACK, **options)


def deployment(*resources: Resource) -> Deployment:
    stack = Resource(urn=STACK, type="pulumi:pulumi:Stack", name="p-s", custom=False, outputs={"a": 1})
    return Deployment(project="p", stack="s", resources=(stack, *resources), outputs={"a": 1})


FULL = resource(
    "t",
    id="t-id",
    inputs={"name": "t", "secret": Secret("s")},
    outputs={"arn": "arn"},
    defaults=("name",),
    provider="urn::id",
    dependencies=("urn:x",),
    property_dependencies={"name": ("urn:x",)},
    protect=True,
    retain_on_delete=True,
    ignore_changes=("tags",),
    additional_secret_outputs=("token",),
    custom_timeouts={"create": 300},
    recorded=True,
)


def test_a_state_survives_its_file(tmp_path):
    path = tmp_path / "s.json"
    state.write(path, deployment(FULL))
    assert state.read(path) == deployment(FULL)


def test_only_the_owner_reads_a_state_since_secrets_stand_in_it(tmp_path):
    path = tmp_path / "s.json"
    state.write(path, deployment(FULL))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


@pytest.mark.parametrize("case", case_names())
def test_what_the_cli_exported_is_read_and_written_back(case):
    path = FOLDER / case / "base.state.json"
    read = state.read(path)
    assert read is not None and (read.project, read.stack) == ("cases", "dev")
    again = state.from_state(state.to_state(read))
    assert again == read


def test_what_is_pending_survives_the_file(tmp_path):
    path = tmp_path / "s.json"
    old = replace(FULL, id="old")
    pending = PendingOperation(op="create-replacement", resource=resource("u"), prior=FULL.urn, attempt="token")
    before = replace(deployment(FULL), pending_deletes=(old,), pending_operations=(pending,))
    state.write(path, before)
    assert state.read(path) == before


def test_pending_operations_of_the_cli_are_read():
    exported = state.to_state(deployment(FULL))
    (entry,) = (entry for entry in exported["deployment"]["resources"] if entry["urn"] == FULL.urn)
    exported["deployment"]["pending_operations"] = [
        {"resource": {"urn": resource("new").urn, "type": "aws:sns/topic:Topic", "custom": True}, "type": "creating"},
        {"resource": entry, "type": "deleting"},
    ]
    creating, deleting = state.from_state(exported).pending_operations
    assert (creating.op, creating.resource.name, creating.prior) == ("create", "new", "")
    assert (deleting.op, deleting.resource.name, deleting.prior) == ("delete", "t", FULL.urn)


def test_the_last_five_states_are_kept(tmp_path):
    path = tmp_path / "s.json"
    for number in range(8):
        state.write(path, deployment(resource(f"r{number}")))
        state.write(path, deployment(resource(f"r{number}")))
    kept = [state.read(backup) for backup in state.backups(path)]
    assert [backup.resources[1].name for backup in kept if backup] == ["r6", "r5", "r4", "r3", "r2"]
    assert {stat.S_IMODE(os.stat(backup).st_mode) for backup in state.backups(path)} == {0o600}
    current = state.read(path)
    assert current and current.resources[1].name == "r7"


def test_former_states_are_kept_where_a_file_has_one_name_only(tmp_path, monkeypatch):
    def refuse(*names):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)  # as FAT, and many a network or container file system
    path = tmp_path / "s.json"
    state.write(path, deployment(FULL))
    state.write(path, deployment())
    (kept,) = state.backups(path)
    assert state.read(kept) == deployment(FULL)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600, "secrets stand in a former state as well"


def test_a_damaged_state_names_the_state_before_it(tmp_path):
    path = tmp_path / "s.json"
    state.write(path, deployment())
    state.write(path, deployment(FULL))
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"s\.json\.1"):
        state.read(path)


def test_the_state_of_another_stack_is_refused(tmp_path):
    path = tmp_path / "s.json"
    state.write(path, deployment(FULL))
    assert state.read(path, project="p", stack="s")
    with pytest.raises(InvalidInput, match="the state of p/s, not of p/prod"):
        state.read(path, project="p", stack="prod")


@pytest.mark.parametrize("entry", [{}, {"urn": 5, "type": "a"}, {"urn": "x", "type": "a"}, "text", None])
def test_a_state_whose_entries_have_another_form_is_refused(entry):
    with pytest.raises(InvalidInput, match="not an exported state"):
        state.from_state({"version": 3, "deployment": {"resources": [entry]}})


@pytest.mark.parametrize("text", ["{", '{"version": 3, "deployment": {"resou', "[]", '{"version": 3}', "\udcff"])
def test_a_damaged_state_is_refused_and_left_as_it_is(tmp_path, text):
    path = tmp_path / "s.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match=r"s\.json"):
        state.read(path)
    assert path.read_bytes() == before


def test_a_newer_state_is_refused():
    with pytest.raises(InvalidInput, match="version 4"):
        state.from_state({"version": 4, "deployment": {}})


def test_a_second_process_is_told_who_works_on_the_state(tmp_path):
    with (
        state.locked(tmp_path / "s.json"),
        pytest.raises(state.Locked, match=rf"pid {os.getpid()}"),
        state.locked(tmp_path / "s.json"),
    ):
        pass
    with state.locked(tmp_path / "s.json"):
        pass


def test_a_user_without_a_name_holds_a_lock_by_number(tmp_path, monkeypatch):
    def unknown():
        raise KeyError("getpwuid(): uid not found: 12345")  # Python 3.13 raises OSError instead

    monkeypatch.setattr("getpass.getuser", unknown)
    path, told = tmp_path / "s.json", rf"user {os.getuid()} \(pid"
    with state.locked(path), pytest.raises(state.Locked, match=told), state.locked(path):
        pass


def test_a_capture_keeps_every_option():
    full = Resource(
        **{**FULL.__dict__, "aliases": ("urn:old",), "replace_on_changes": ("a",), "delete_before_replace": False}
    )
    assert from_document(json.loads(json.dumps(to_document(deployment(full))))) == deployment(full)


def test_the_journal_of_a_killed_run_tells_what_exists_and_what_nobody_knows(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    one, two, three = (resource(name, id=name) for name in ("one", "two", "three"))
    unknown = PendingOperation(op="create", resource=three, attempt="token")
    journal.intend(PendingOperation(op="create", resource=one))
    journal.done("create", one)
    journal.intend(PendingOperation(op="delete", resource=two, prior=two.urn))
    journal.gone("delete", two)
    journal.intend(unknown)
    journal.close()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"done": "create", "resource": {"urn": "cut o')
    after = replay(deployment(two), path, project="p", stack="s")
    assert after is not None
    assert [r.name for r in after] == ["p-s", "one"]
    assert after.pending_operations == (unknown,)


def test_a_replaced_resource_is_known_until_it_was_deleted(tmp_path):
    path = tmp_path / "journal.jsonl"
    old, new = resource("one", id="old"), resource("one", id="new")
    journal = Journal(path)
    journal.done("create-replacement", new, prior=old.urn)
    journal.close()
    after = replay(deployment(old), path, project="p", stack="s")
    assert after and after.named("one") == new and after.pending_deletes == (old,)

    journal = Journal(path)
    journal.gone("delete-replaced", old)
    journal.close()
    after = replay(deployment(old), path, project="p", stack="s")
    assert after and after.named("one") == new and after.pending_deletes == ()


def test_what_was_deleted_before_its_replacement_is_gone(tmp_path):
    path = tmp_path / "journal.jsonl"
    old = resource("one", id="old")
    journal = Journal(path)
    journal.gone("delete-replaced", old)
    journal.close()
    after = replay(deployment(old), path, project="p", stack="s")
    assert after and [r.name for r in after] == ["p-s"] and after.pending_deletes == ()


def test_a_renamed_resource_is_known_once(tmp_path):
    path = tmp_path / "journal.jsonl"
    old, new = resource("old", id="1"), resource("new", id="1")
    journal = Journal(path)
    journal.done("same", new, prior=old.urn)
    journal.close()
    after = replay(deployment(old), path, project="p", stack="s")
    assert after and [r.name for r in after] == ["p-s", "new"]


def test_a_step_that_was_refused_leaves_nothing_open(tmp_path):
    path = tmp_path / "journal.jsonl"
    one = resource("one")
    journal = Journal(path)
    journal.intend(PendingOperation(op="create", resource=one))
    journal.refused(one.urn, "")
    journal.close()
    after = replay(None, path, project="p", stack="s")
    assert after and after.resources == () and after.pending_operations == ()


def test_a_second_kill_loses_nothing_behind_a_torn_line(tmp_path):
    path = tmp_path / "journal.jsonl"
    one, two = resource("one", id="one"), resource("two", id="two")
    for written in (one, two):
        journal = Journal(path)
        journal.done("create", written)
        journal.close()
        with path.open("a", encoding="utf-8") as file:
            file.write('{"done": {"urn": "cut o')
    after = replay(None, path, project="p", stack="s")
    assert after is not None and [r.name for r in after] == ["one", "two"]


def test_without_a_journal_nothing_was_interrupted(tmp_path):
    assert replay(None, tmp_path / "none", project="p", stack="s") is None


@given(st.text(alphabet="abc:$", min_size=1, max_size=12))
def test_a_name_is_read_back_from_its_urn(name):
    from stackyard.program.deployment import urn_name

    assert urn_name(make_urn("p", "s", "a:b:C", name, STACK)) == name
