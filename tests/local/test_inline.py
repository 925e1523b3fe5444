"""What a flow that runs from its sources has started ends with it, whoever interrupts the command."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.local

COMMAND = """
import signal
import sys
from pathlib import Path
from stackyard.local.pipelines import _run_in_its_group

# What runs in the background of a script may have been told to ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
child = "sleep 60 & echo $! > pid.new; mv pid.new pid; wait"
_run_in_its_group(["sh", "-c", child], Path(sys.argv[1]), {"PATH": sys.argv[2]})
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc whether a process lives")
def test_an_interrupt_of_the_command_alone_ends_what_the_flow_has_started(tmp_path: Path):
    command = [sys.executable, "-c", COMMAND, str(tmp_path), os.environ["PATH"]]
    # In a session of its own, as under a supervisor: only its process id is known.
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, text=True) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        started = int((tmp_path / "pid").read_text())
        assert is_alive(started)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode != 0
    assert not is_alive(started)
