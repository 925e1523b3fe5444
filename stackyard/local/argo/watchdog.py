"""Ends the steps of a run whose runner was killed: after a SIGKILL it cannot do that itself, and they would go on.

A process beside the runner holds the other end of a pipe. The runner writes which process groups live; when the pipe
ends, however the runner ended, what still lives is killed. PR_SET_PDEATHSIG reaches the shell of a step alone, not
what it started, and is Linux only.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType


class Watchdog:
    """The runner's side: a context around a run, told of every process group that starts and ends. Thread-safe."""

    def __init__(self) -> None:
        # -I and -S: nothing but the standard library, so that it is there at once.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,  # what ends the runner's group must not end this
        )
        self._lock = threading.Lock()

    def __enter__(self) -> "Watchdog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock, suppress(OSError):
            assert self._process.stdin
            self._process.stdin.close()
        self._process.wait()

    def watch(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """The group has ended; its number may soon be another's."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        # A watchdog that somebody killed is no reason to stop the run.
        with self._lock, suppress(OSError, ValueError):
            assert self._process.stdin
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


def living(lines: Iterable[str]) -> set[int]:
    """The groups that were started and have not ended, once the lines end."""
    groups: set[int] = set()
    for line in lines:
        change = groups.add if line[0] == "+" else groups.discard
        change(int(line[1:]))
    return groups


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for group in living(sys.stdin):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
