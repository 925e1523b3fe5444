"""Ctrl-C and a second `up` while the first is at work."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from stackyard.local.runs import latest
from stackyard.program import state
from stackyard.program.journal import replay
from tests.local.checkouts import ROOT, Checkout, make_checkout
from tests.local.small_project import Project

pytestmark = pytest.mark.local


@pytest.fixture
def checkout(tmp_path):
    checkout = make_checkout(tmp_path / "checkout")
    yield checkout
    checkout.stop()


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory):
    """A checkout whose environment is there, for what leaves it as it is."""
    checkout = make_checkout(tmp_path_factory.mktemp("provisioned") / "checkout")
    result = checkout.run("local", "up")
    assert result.returncode == 0, result.stdout + result.stderr
    yield checkout
    checkout.stop()


def started(checkout: Checkout) -> subprocess.Popen[str]:
    """An `up` that has created its first resource of AWS."""
    process = begun(checkout, "local", "up")
    read_until(process, "aws:", "created")
    return process


def begun(checkout: Checkout, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stackyard", *arguments],
        cwd=checkout.root,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(checkout.root),
            "COLUMNS": "200",
            "PYTHONPATH": str(checkout.root),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A CI that runs in a shell's background hands down that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def read_until(process: subprocess.Popen[str], *words: str) -> None:
    assert process.stdout
    for line in process.stdout:
        if all(word in line for word in words):
            return
    raise AssertionError(f"it ended before it said {words}")


def interrupt(process: subprocess.Popen[str]) -> None:
    """What a terminal does: every process of the foreground hears it."""
    os.killpg(process.pid, signal.SIGINT)


def known(checkout: Checkout):
    places = checkout.places()
    return replay(state.read(places.state("local")), places.journal("local"), project="stackyard", stack="local")


def test_an_interrupt_ends_cleanly_lists_what_exists_and_the_next_up_goes_on(checkout):
    process = started(checkout)
    interrupt(process)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Traceback" not in told and "the same command goes on from there" in told
    (listed,) = (line.split(": ", 1)[1] for line in told.splitlines() if line.strip().startswith("exist now"))
    after = known(checkout)
    assert after and set(listed.split(", ")) == {resource.name for resource in after if resource.custom}
    assert after.pending_operations == (), "calls that ran were waited for"

    finished = checkout.run("local", "up")
    assert finished.returncode == 0 and "was interrupted" in finished.stdout
    assert "no changes" in checkout.run("local", "up").stdout


def test_two_interrupts_stop_at_once_and_the_journal_stays_readable(checkout):
    process = started(checkout)
    interrupt(process)
    time.sleep(0.05)
    before = time.monotonic()
    interrupt(process)
    told, _ = process.communicate(timeout=60)
    assert process.returncode != 0 and time.monotonic() - before < 20, told
    assert known(checkout), "what was done is known"
    assert checkout.run("local", "up").returncode == 0
    assert "no changes" in checkout.run("local", "up").stdout


@pytest.mark.parametrize(
    ("options", "at_work"), [((), "▸ ingest"), (("--inline",), "Workflow starting")], ids=["deployed", "inline"]
)
def test_an_interrupted_pipeline_ends_as_every_interrupted_command_does(provisioned, options, at_work):
    process = begun(provisioned, "pipelines", "run", "training", *options)
    read_until(process, at_work)
    interrupt(process)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 130, told
    # A task that Metaflow had begun may say where it was stopped.
    of_tasks = re.compile(r"\S+ \S+ \[\S+ \(pid \d+\)\] ")
    own = [line for line in told.splitlines() if not of_tasks.match(line)]
    assert not any("Traceback" in line for line in own), told
    if not options:
        run = latest(provisioned.places(), "training")
        assert run is not None and run.status == "Interrupted"
        # On a busy machine `ingest` may have ended before the signal arrives.
        stopped = ", ".join(step.name for step in run.steps if step.status == "Interrupted")
        assert f"{run.run_id} was interrupted{stopped and f' at {stopped}'}" in told


WAITS = """
import time
from pathlib import Path

root = Path(__file__).parents[1]
(root / "begun").touch()
deadline = time.monotonic() + 120
while not (root / "go-on").exists() and time.monotonic() < deadline:
    time.sleep(0.05)
"""


@pytest.fixture
def waiting(tmp_path):
    """A project whose program goes on when the file `go-on` is there."""
    project = Project.make(tmp_path / "project")
    program = project.root / "stacks" / "__main__.py"
    program.write_text(WAITS + program.read_text(encoding="utf-8"), encoding="utf-8")
    yield project
    (project.root / "go-on").touch()
    until_free(project)
    project.stop()


def until_free(project: Project) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(state.Locked), state.locked(project.places().lock):
            return
        time.sleep(0.1)
    raise AssertionError("somebody still works on the environment")


def at_work(project: Project) -> subprocess.Popen[bytes]:
    """An `up` whose program has begun."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stackyard", "local", "up"],
        cwd=project.root,
        env={"PATH": os.environ["PATH"], "HOME": str(project.root), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (project.root / "begun").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    return process


def test_a_second_up_names_the_first_and_stops(waiting):
    first = at_work(waiting)
    second = waiting.run("local", "up")
    assert second.returncode == 1
    assert f"(pid {first.pid})" in second.stderr and "Traceback" not in second.stderr
    assert first.poll() is None, "the second changes nothing for the first"
    (waiting.root / "go-on").touch()
    assert first.wait(timeout=120) == 0


def test_nobody_works_beside_the_child_of_a_killed_up_and_what_it_did_is_kept(waiting):
    first = at_work(waiting)
    first.kill()  # it alone, as the kernel does when memory is short
    first.wait()

    second = waiting.run("local", "up")
    assert second.returncode == 1 and "Traceback" not in second.stderr
    assert f"(pid {first.pid})" in second.stderr and "was killed" in second.stderr, "nobody waits for the dead"

    (waiting.root / "go-on").touch()
    until_free(waiting)
    third = waiting.run("local", "up")
    assert third.returncode == 0, third.stdout + third.stderr
    assert "unchanged" in third.stdout and "created" not in third.stdout, "the child went on to its end"
    assert not waiting.journal_file.exists()
