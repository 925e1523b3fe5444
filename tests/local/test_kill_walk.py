"""Killed at every call, an `up` or `destroy` is completed by the next one: nothing twice, nothing left over."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stackyard.errors import UserError
from stackyard.local import emulator, inventory
from stackyard.program import state
from stackyard.program.process import Crashed
from tests.local.checkouts import Checkout, make_checkout
from tests.local.faults import Act, Proxy, at
from tests.local.forking import Emulated
from tests.local.small_project import Site, assert_equal, through

pytestmark = pytest.mark.local


@dataclass(frozen=True)
class Journey:
    """One command from one beginning, and what it leaves when nobody kills it."""

    kept: str
    version: int
    command: Callable[[Site], Any]
    found: dict[str, Any]
    carried_out: dict[str, int]
    steps: int
    """Resources that are created, changed, replaced or deleted."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    with Site.opened(tmp_path_factory.mktemp("walk")) as site:
        yield site


@pytest.fixture(scope="module")
def journeys(site: Site) -> dict[str, Journey]:
    create = _undisturbed(site, "empty", 1, Site.up)
    site.keep("first")
    change = _undisturbed(site, "first", 2, Site.up)
    site.keep("second")
    return {"create": create, "change": change, "destroy": _undisturbed(site, "second", 2, Site.destroy)}


def _undisturbed(site: Site, kept: str, version: int, command: Callable[[Site], Any]) -> Journey:
    site.begin(kept)
    site.project.version(version)
    site.printed()
    command(site)
    steps = len(re.findall(r"  (?:created|updated|deleted)\b", site.printed()))
    return Journey(kept, version, command, site.found(), site.carried_out(), steps)


def test_the_program_and_its_second_version_do_everything_that_a_kill_could_interrupt(site: Site, journeys):
    site.begin("first")
    site.project.version(2)
    site.printed()
    site.up()
    printed = site.printed()
    for operation in ("updated", "created (replacement)", "deleted (replaced)", "deleted"):
        assert operation in printed
    assert printed.index("group  deleted (replaced)") < printed.index("group  created (replacement)")
    assert printed.index("subnet  created (replacement)") < printed.index("subnet  deleted (replaced)")
    assert journeys["destroy"].found["exists"] == {}


@pytest.mark.parametrize("act", [Act.KILL_BEFORE, Act.KILL_AFTER], ids=["before the call", "before its answer"])
@pytest.mark.parametrize("name", ["create", "change", "destroy"])
def test_a_command_that_is_killed_at_any_call_is_completed_by_the_next_one(
    site: Site, journeys: dict[str, Journey], name: str, act: Act
):
    journey = journeys[name]
    calls = sum(journey.carried_out.values())
    assert calls >= 8
    for number in range(1, calls + 1):
        _begin(site, journey)
        site.proxy.set(at(act, number))
        with pytest.raises(Crashed, match="ended with status -9"):
            journey.command(site)
        site.proxy.set()
        _complete(site, journey, f"{name}, killed at call {number} of {calls}")


@pytest.mark.parametrize("name", ["create", "change", "destroy"])
def test_a_command_that_is_killed_at_any_line_of_its_journal_is_completed_by_the_next_one(
    site: Site, journeys: dict[str, Journey], name: str
):
    journey, number = journeys[name], 0
    for number, when in zip(itertools.count(1), itertools.cycle(["before", "after", "torn", "after"]), strict=False):
        _begin(site, journey)
        site.forks.kill_at = number, when
        crash = _crash_of(journey, site)
        site.forks.kill_at = None
        if not crash:
            break
        assert "ended with status -9" in crash
        _complete(site, journey, f"{name}, killed {when} line {number} of its journal")
    assert number > 2 * journey.steps > 0, "each step has an intent and a result"


def test_a_command_that_is_killed_again_while_it_goes_on_is_completed_by_the_next_one(
    site: Site, journeys: dict[str, Journey]
):
    journey = journeys["change"]
    _begin(site, journey)
    for number in (4, 1, 2):
        site.proxy.set(at(Act.KILL_AFTER, number))
        with pytest.raises(UserError):
            journey.command(site)
    site.proxy.set()
    _complete(site, journey, "change, killed three times")


def _crash_of(journey: Journey, site: Site) -> str:
    try:
        journey.command(site)
    except Crashed as crashed:
        return str(crashed)
    return ""


def _begin(site: Site, journey: Journey) -> None:
    site.begin(journey.kept)
    site.project.version(journey.version)
    site.printed()


def _complete(site: Site, journey: Journey, what: str) -> None:
    try:
        journey.command(site)
        assert site.carried_out() == journey.carried_out, "a call was carried out twice, or never"
        assert_equal(site.found(), journey.found)
    except (AssertionError, UserError) as error:
        raise AssertionError(f"{what}: {error}\n{site.printed()}") from error


# The whole local stack, through the command


@dataclass
class Whole:
    """The command in a checkout; whoever is killed is killed with its children."""

    checkout: Checkout
    proxy: Proxy
    emulated: Emulated
    process: "subprocess.Popen[str] | None" = None

    def kill(self) -> None:
        assert self.process
        os.killpg(self.process.pid, signal.SIGKILL)

    def run(self, *arguments: str) -> tuple[int, str]:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stackyard", "local", *arguments],
            cwd=self.checkout.root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.checkout.root),
                "COLUMNS": "200",
                "PYTHONPATH": str(self.checkout.root),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        said, _ = self.process.communicate()
        return self.process.returncode, said

    def left(self) -> tuple[dict[str, int], dict[str, int], set[str]]:
        """Changing calls that were carried out, what exists by kind, and the URNs of the state."""
        made = emulator.requests(self.emulated.endpoint).mutating
        calls = {name: count for name, count in made.items() if not name.startswith("ssm:")}
        exists = {kind: len(names) for kind, names in inventory.inventory(self.emulated.endpoint).items()}
        deployment = state.read(self.checkout.places().state("local"))
        return calls, exists, {resource.urn for resource in deployment} if deployment else set()


def _differences(now: tuple[Any, ...], clean: tuple[Any, ...]) -> list[str]:
    (calls, exists, urns), (clean_calls, clean_exists, clean_urns) = now, clean
    counts, clean_counts = calls | exists, clean_calls | clean_exists
    return [
        *sorted(urns ^ clean_urns),
        *(
            f"{name}: {counts.get(name, 0)} instead of {clean_counts.get(name, 0)}"
            for name in sorted(counts.keys() | clean_counts.keys())
            if counts.get(name, 0) != clean_counts.get(name, 0)
        ),
    ]


@pytest.fixture
def whole(tmp_path: Path):
    base = Emulated.start()
    checkout = make_checkout(tmp_path / "checkout")
    proxy = Proxy(base.endpoint)
    whole = Whole(checkout, proxy, base)
    proxy.kill = whole.kill
    through(checkout.places(), proxy.port, base.pid)
    yield whole
    proxy.close()
    base.stop()


def test_the_whole_stack_is_completed_however_often_up_and_destroy_are_killed(whole: Whole):
    empty = whole.emulated.fork()
    status, said = whole.run("up")
    assert status == 0, said
    clean = whole.left()
    calls = sum(clean[0].values())
    assert whole.run("destroy", "--yes")[0] == 0
    destroyed = whole.left()

    whole.emulated.stop()
    whole.emulated = empty
    shutil.rmtree(whole.checkout.places().folder)
    through(whole.checkout.places(), whole.proxy.port, empty.pid)
    whole.proxy.upstream = empty.endpoint
    for share, act in zip((0.02, 0.2, 0.3, 0.2, 0.1, 0.05), itertools.cycle([Act.KILL_AFTER, Act.KILL_BEFORE])):
        whole.proxy.set(at(act, max(1, int(calls * share))))
        assert whole.run("up")[0] == -signal.SIGKILL
    whole.proxy.set()
    status, said = whole.run("up")
    assert status == 0, said
    assert _differences(whole.left(), clean) == []

    for number, act in ((3, Act.KILL_AFTER), (40, Act.KILL_BEFORE), (20, Act.KILL_AFTER)):
        whole.proxy.set(at(act, number))
        assert whole.run("destroy", "--yes")[0] == -signal.SIGKILL
    whole.proxy.set()
    status, said = whole.run("destroy", "--yes")
    assert status == 0, said
    assert _differences(whole.left(), destroyed) == []
