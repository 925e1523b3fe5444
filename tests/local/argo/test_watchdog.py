"""Nothing of a run outlives a runner that was killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stackyard.local.argo import watchdog
from stackyard.local.argo.watchdog import Watchdog, living
from tests.local.processes import ended, pid_in
from tests.waiting import eventually

RUNNER = """
import os, sys
from pathlib import Path
from tests.local.argo.support import Starter, container, dag, task, workflow
folder = Path(sys.argv[1])
# A shell, a child of it, and one that ignores what a terminal or a polite stop would send.
command = f"trap '' TERM HUP; (echo $BASHPID > {folder}/child; sleep 300) & echo $$ > {folder}/shell; sleep 300"
Starter(folder)(workflow(container(command, "step"), dag(task("a", "step"))), kept=[folder])
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc whether a process lives")
def test_a_runner_that_is_killed_leaves_no_process_of_its_steps(tmp_path):
    runner = subprocess.Popen([sys.executable, "-c", RUNNER, str(tmp_path)], cwd=Path(__file__).parents[3])
    files = [tmp_path / "shell", tmp_path / "child"]
    try:
        pids = eventually(lambda: [pid_in(file) for file in files], "the step runs")
        assert not any(ended(pid) for pid in pids)
    finally:
        runner.kill()
        runner.wait()
    eventually(lambda: all(ended(pid) for pid in pids), "no step's process goes on without its runner")


def test_only_what_has_not_ended_is_killed():
    assert living(["+7\n", "+8\n", "-7\n", "+9\n"]) == {8, 9}
    assert living([]) == set()


def test_a_watchdog_ends_with_its_run_and_leaves_released_groups_alone():
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        with Watchdog() as dog:
            dog.watch(other.pid)
            dog.release(other.pid)
        assert dog._process.returncode == 0
        assert other.poll() is None
        other.kill()


def test_a_killed_watchdog_does_not_stop_the_run(start, monkeypatch):
    from tests.local.argo.support import container, workflow

    started = Watchdog.__init__

    def init(self):
        started(self)
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    monkeypatch.setattr(watchdog.Watchdog, "__init__", init)
    assert start(workflow(container("echo done"))).succeeded
