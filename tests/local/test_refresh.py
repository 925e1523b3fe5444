"""`stackyard local refresh`: drifts planted with boto3 and in the object store are found, repaired by `up`, and gone.

All are planted at once in one environment: an `up` takes ten seconds and more.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from rich.console import Console

from stackyard.errors import UserError
from stackyard.local import emulator
from stackyard.local.refresh import refresh
from stackyard.program import state
from tests.local.checkouts import Checkout, make_checkout
from tests.local.drifts import PLANTED, World

pytestmark = pytest.mark.local


@dataclass
class Told:
    """What happened in one round: drifts planted, reported, repaired."""

    world: World
    shown: dict[str, Any]
    """Before anything was planted."""
    clean: str = ""
    mutations: int = 0
    preview: str = ""
    untouched: bool = False
    unexpected: tuple[int, str] = (0, "")
    written: str = ""
    repair: str = ""
    again: str = ""
    finally_: str = ""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = make_checkout(tmp_path_factory.mktemp("refresh") / "checkout")
    yield checkout
    checkout.stop()


def up(checkout: Checkout, *arguments: str) -> str:
    result = checkout.run("local", "up", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def told(checkout: Checkout, env: str = "local", *, write: bool = False) -> str:
    """A refresh in this process, which has the SDK's modules by then."""
    text = io.StringIO()
    console = Console(file=text, width=2000, highlight=False)
    refresh(checkout.root, env, console, preview_only=not write, confirm=lambda question: write)
    return text.getvalue()


@pytest.fixture(scope="module")
def round_(checkout: Checkout) -> Told:
    up(checkout)
    world = World(checkout)
    path = checkout.places().state("local")
    before = path.read_bytes()
    emulator.reset_requests(checkout.endpoint())
    told_ = Told(world, {})
    told_.clean = told(checkout)
    told_.mutations = emulator.requests(checkout.endpoint()).mutations
    told_.shown = {name: planted.shows(world) for name, planted in PLANTED.items()}
    for planted in PLANTED.values():
        planted.change(world)
    unexpected = checkout.run("local", "refresh", "--preview-only", "--expect-no-changes")
    told_.preview, told_.unexpected = unexpected.stdout, (unexpected.returncode, unexpected.stderr)
    told_.untouched = path.read_bytes() == before
    told_.written = told(checkout, write=True)
    told_.repair = up(checkout)
    del world.deployment
    told_.again = up(checkout)
    told_.finally_ = told(checkout)
    return told_


def test_right_after_an_up_nothing_differs_and_nothing_is_written(round_: Told):
    assert "nothing differs" in round_.clean, round_.clean
    assert round_.mutations == 0


def test_dev_does_not_drift_by_itself_either(checkout: Checkout):
    up(checkout, "--env", "dev")
    assert "nothing differs" in told(checkout, "dev")


@pytest.mark.parametrize("name", PLANTED)
def test_it_is_found_by_resource_and_property(name: str, round_: Told):
    lines = [line.split("  ")[-1].strip() for line in round_.preview.splitlines()]
    named = [f"{line.partition(' (')[0]}{line.partition(')')[2]}" for line in lines if " (" in line]
    for text in PLANTED[name].found:
        assert any(line.startswith(text) for line in named), f"{text} is not in\n" + "\n".join(named)


@pytest.mark.parametrize("name", PLANTED)
def test_the_next_up_sets_it_back(name: str, round_: Told):
    assert PLANTED[name].shows(round_.world) == round_.shown[name]


def test_after_the_repair_nothing_changes_and_nothing_differs(round_: Told):
    assert "no changes" in round_.again, round_.again
    assert "nothing differs" in round_.finally_, round_.finally_


def test_what_concerns_security_stands_first(round_: Told):
    labels = [line.split()[0] for line in round_.preview.splitlines() if line.startswith("  ") and " (" in line]
    assert labels == sorted(labels, key=("security", "deleted", "changed").index)
    assert {"security", "deleted", "changed"} <= set(labels)


def test_a_preview_leaves_the_state_and_fails_where_nothing_was_expected(round_: Told):
    assert round_.untouched and "was left as it is" in round_.preview
    status, error = round_.unexpected
    assert status == 1 and "none were expected" in error and "Traceback" not in error


def test_what_cannot_be_checked_is_counted(round_: Told):
    assert "properties of" in round_.clean and "cannot be read back" in round_.clean
    assert "recorded, not emulated, and so never read" in round_.clean


def test_a_refresh_asks_and_does_nothing_where_nobody_can_answer(checkout: Checkout):
    result = checkout.run("local", "refresh")
    assert result.returncode == 2 and "--yes or --preview-only" in result.stderr


def test_a_refresh_waits_for_nobody_and_names_who_works(checkout: Checkout, round_: Told):
    with state.locked(checkout.places().lock), pytest.raises(UserError, match="is being changed by"):
        told(checkout)


def test_an_interrupted_run_is_finished_first(checkout: Checkout, round_: Told):
    journal = checkout.places().journal("local")
    journal.write_text("", encoding="utf-8")
    try:
        with pytest.raises(UserError, match="was interrupted"):
            told(checkout)
    finally:
        journal.unlink()


def test_who_says_no_leaves_the_state_as_it_is(checkout: Checkout, round_: Told):
    path = checkout.places().state("local")
    before = path.read_bytes()
    round_.world.kms.disable_key_rotation(KeyId=round_.world.id("data-key"))
    with pytest.raises(UserError, match="left as it is"):
        refresh(checkout.root, "local", Console(quiet=True), preview_only=False, confirm=lambda question: False)
    assert path.read_bytes() == before


def test_an_emulator_without_the_environments_resources_is_no_mass_deletion(checkout: Checkout, round_: Told):
    path = checkout.places().state("local")
    before = path.read_bytes()
    emulator.empty(checkout.endpoint())
    with pytest.raises(UserError, match="does not hold what the state is about"):
        told(checkout, write=True)
    emulator.stop(checkout.places())
    with pytest.raises(UserError, match="does not run"):
        told(checkout, write=True)
    assert path.read_bytes() == before
