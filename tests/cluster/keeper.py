"""Ends servers when the tests that started them are gone, whatever ended those: `python -m tests.cluster.keeper`.

It reads a line `PID START` per server from its standard input. The end of that input is the end of the tests: a pipe
closes with the process that holds it, also when that is killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from stackyard.local.emulator import started_at

ROOT = Path(__file__).resolve().parents[2]
GRACE_S = 5.0


class Keeper:
    """The keeper's process, and how it is told of a server."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.keeper"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            # Ctrl-C in the terminal reaches the tests, not their keeper.
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        pipe = self._process.stdin
        assert pipe is not None, "opened above"
        pipe.write(f"{pid} {started_at(pid)}\n".encode())
        pipe.flush()

    def close(self) -> None:
        """Ends whatever of the servers still runs, and the keeper."""
        pipe = self._process.stdin
        assert pipe is not None, "opened above"
        pipe.close()
        self._process.wait()


def end(servers: dict[int, str], grace_s: float = GRACE_S) -> None:
    """Ends processes, youngest first. One whose number now belongs to another process is left alone."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        alive = [pid for pid, started in reversed(servers.items()) if started_at(pid) == started]
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        deadline = time.monotonic() + grace_s
        while any(started_at(pid) == servers[pid] for pid in alive) and time.monotonic() < deadline:
            time.sleep(0.05)


def main() -> None:
    servers: dict[int, str] = {}
    for line in sys.stdin:
        pid, _, started = line.strip().partition(" ")
        servers[int(pid)] = started
    end(servers)


if __name__ == "__main__":
    main()
