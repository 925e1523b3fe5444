"""What a flow that runs from its sources has started ends with it, whoever interrupts the command."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.processes import ended, pid_in
from tests.waiting import eventually

pytestmark = pytest.mark.local

COMMAND = """
import signal
import sys
from pathlib import Path
from stackyard.local.pipelines import _run_in_its_group

# What runs in the background of a script may have been told to ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
child = "sleep 300 & echo $! > pid; wait"
_run_in_its_group(["sh", "-c", child], Path(sys.argv[1]), {"PATH": sys.argv[2]})
"""


def test_an_interrupt_of_the_command_alone_ends_what_the_flow_has_started(tmp_path: Path):
    command = [sys.executable, "-c", COMMAND, str(tmp_path), os.environ["PATH"]]
    # In a session of its own, as under a supervisor: only its process id is known.
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, text=True) as process:
        started = eventually(lambda: pid_in(tmp_path / "pid"), "the flow runs")
        assert not ended(started)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode != 0
    eventually(lambda: ended(started), "nothing of the flow goes on")
