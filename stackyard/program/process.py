"""Starts the child in which a program runs, and reads its events."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from stackyard.errors import UserError
from stackyard.program import state
from stackyard.program.child import Request
from stackyard.program.deployment import Deployment
from stackyard.program.records import from_document


class Refused(UserError):
    """The program or the evaluation said what is wrong."""

    def __init__(self, message: str, exit_status: int = 1):
        super().__init__(message)
        self.exit_status = exit_status


class Crashed(UserError):
    """The program ended with an exception that is nobody's message: its stack trace is the message."""


@dataclass
class Outcome:
    """What a child reported."""

    deployment: Deployment | None = None
    failures: list[str] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)


def run_child(
    request: Request, environment: Mapping[str, str], on_event: Callable[[dict[str, Any]], None] = lambda event: None
) -> Outcome:
    """Runs one request to its end; failed steps are in the outcome. Raises Refused or Crashed when there is none."""
    outcome = Outcome()
    trouble: UserError | None = None
    with _interrupts_are_the_childs(), _started(request, environment) as process:
        assert process.stdin and process.stdout
        # A child that ended before it read all of it is told of below, by its status.
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(request.to_json())
        for line in process.stdout:
            event = json.loads(line)
            match event["event"]:
                case "step":
                    outcome.steps.append(event)
                case "result":
                    outcome.deployment = from_document(event["deployment"])
                    outcome.failures = event["failures"]
                case "refused":
                    trouble = Refused(event["message"], event["status"])
                case "crashed":
                    trouble = Crashed(f"the program ended with an exception:\n\n{event['message']}")
                case _:
                    pass
            on_event(event)
    if trouble:
        raise trouble
    if outcome.deployment is None:
        raise Crashed(f"the program's process ended with status {process.returncode} before it reported a result")
    return outcome


def _started(request: Request, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    # The child inherits this, and takes interrupts once it can report them: none meets its imports.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "stackyard.program.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(environment),
            cwd=request.root,
            text=True,
            # If this process alone is killed, nobody works beside the child.
            pass_fds=state.held_locks(),
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _interrupts_are_the_childs() -> Iterator[None]:
    """Ctrl-C reaches both processes; the child ends its calls and reports, and this one waits for the report."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def capture_environment(config: Mapping[str, str], home: str) -> dict[str, str]:
    """The environment of a capture: the configuration and nothing of the caller's. No credentials, no network."""
    from stackyard.local.safety import guard_path

    return {
        "PATH": os.defpath,
        "HOME": home,
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0"),
        "PYTHONPATH": str(guard_path()),
        **config,
    }
