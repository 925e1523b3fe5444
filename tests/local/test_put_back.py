"""No pipeline runs on data that is still being put back, and none changes what a snapshot is taken of."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from stackyard.errors import UserError
from stackyard.local import emulator, mirror, pipelines
from stackyard.local import up as command
from stackyard.local.runs import running
from stackyard.local.snapshots import Store
from stackyard.program.state import Locked

ENDPOINT = "http://127.0.0.1:1"
CONSOLE = Console(file=io.StringIO())


@pytest.fixture
def notes(monkeypatch):
    """What the emulator remembers of restores: nothing yet, as after its restart."""
    kept: set[str] = set()
    monkeypatch.setattr(mirror, "_notes", lambda endpoint: kept)
    monkeypatch.setattr(emulator, "put_note", lambda endpoint, name, value: kept.add(name))
    return kept


@pytest.fixture
def environment(places, monkeypatch):
    environment = SimpleNamespace(places=places, account_id="123456789012", stacks=())
    monkeypatch.setattr(pipelines, "local_environment", lambda root, env: environment)
    monkeypatch.setattr(pipelines, "assert_emulator", lambda endpoint, account_id: None)
    monkeypatch.setattr(emulator, "running", lambda places: SimpleNamespace(endpoint=ENDPOINT))
    return environment


def assert_kept_out(places):
    with pytest.raises(Locked, match="a pipeline of this environment runs"), running(places):
        pass


def test_no_pipeline_starts_while_contents_are_put_back(environment, notes, monkeypatch):
    looked = []

    def restore_database(endpoint, places):
        assert_kept_out(places)
        looked.append(endpoint)

    monkeypatch.setattr(mirror, "restore_database", restore_database)
    command._restore(environment, ENDPOINT, {}, CONSOLE)
    assert looked == [ENDPOINT]


def test_an_up_that_has_nothing_to_put_back_goes_on_beside_a_pipeline(environment, notes):
    command._restore(environment, ENDPOINT, {}, CONSOLE)
    with running(environment.places):
        command._restore(environment, ENDPOINT, {}, CONSOLE)
        notes.clear()
        with pytest.raises(Locked):
            command._restore(environment, ENDPOINT, {}, CONSOLE)


def test_a_pipeline_is_refused_until_the_snapshot_was_put_back(environment, notes):
    with pytest.raises(UserError, match="no stack of 'local' exports a contract"):
        pipelines.deployed(environment.places.root, "local")
    Store(environment.places.mirror).take({}, "")
    with pytest.raises(UserError, match=r"'local' is not back yet.* local up"):
        pipelines.deployed(environment.places.root, "local")
    command._restore(environment, ENDPOINT, {}, CONSOLE)
    with pytest.raises(UserError, match="no stack of 'local' exports a contract"):
        pipelines.deployed(environment.places.root, "local")


def test_no_other_pipeline_starts_before_the_snapshot_of_an_inline_run_is_taken(environment, monkeypatch):
    taken = []

    def snapshot(endpoint, places):
        assert_kept_out(places)
        taken.append(endpoint)

    target = SimpleNamespace(places=environment.places, endpoint=ENDPOINT, contract={})
    monkeypatch.setattr(pipelines, "deployed", lambda root, env: target)
    monkeypatch.setattr(pipelines, "_arguments", lambda name, given: {})
    monkeypatch.setattr(pipelines, "_environment", lambda target: {})
    monkeypatch.setattr(pipelines, "_run_in_its_group", lambda command, folder, variables: 0)
    monkeypatch.setattr(mirror, "snapshot", snapshot)
    pipelines.run_inline(environment.places.root, "local", "training", {}, CONSOLE)
    assert taken == [ENDPOINT]
