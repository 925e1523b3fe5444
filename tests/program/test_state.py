"""States: read what the CLI wrote, written at once or not at all, changed by one process at a time."""

import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackyard.errors import InvalidInput
from stackyard.program import state
from stackyard.program.deployment import Deployment, Resource, make_urn
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
    custom_timeouts={"create": "5m"},
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


def test_a_capture_keeps_every_option():
    full = Resource(
        **{**FULL.__dict__, "aliases": ("urn:old",), "replace_on_changes": ("a",), "delete_before_replace": False}
    )
    assert from_document(json.loads(json.dumps(to_document(deployment(full))))) == deployment(full)


def test_the_journal_of_a_killed_run_tells_what_exists_and_what_nobody_knows(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    one, two, three = (resource(name, id=name) for name in ("one", "two", "three"))
    journal.intend("create", one.urn)
    journal.keep(one)
    journal.intend("delete", two.urn)
    journal.drop(two.urn)
    journal.intend("create", three.urn)
    journal.close()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"done": {"urn": "cut o')
    after, unknown = replay(deployment(two), path, project="p", stack="s")
    assert after is not None
    assert [r.name for r in after] == ["p-s", "one"]
    assert unknown == [three.urn]


def test_a_second_kill_loses_nothing_behind_a_torn_line(tmp_path):
    path = tmp_path / "journal.jsonl"
    one, two = resource("one", id="one"), resource("two", id="two")
    for written in (one, two):
        journal = Journal(path)
        journal.keep(written)
        journal.close()
        with path.open("a", encoding="utf-8") as file:
            file.write('{"done": {"urn": "cut o')
    after, _ = replay(None, path, project="p", stack="s")
    assert after is not None and [r.name for r in after] == ["one", "two"]


def test_without_a_journal_nothing_was_interrupted(tmp_path):
    assert replay(None, tmp_path / "none", project="p", stack="s") == (None, [])


@given(st.text(alphabet="abc:$", min_size=1, max_size=12))
def test_a_name_is_read_back_from_its_urn(name):
    from stackyard.program.deployment import urn_name

    assert urn_name(make_urn("p", "s", "a:b:C", name, STACK)) == name
