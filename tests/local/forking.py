"""Processes in a fraction of their time: forked from one that has loaded, or provisioned, everything already.

`python -m tests.local.forking children FD` has the SDKs loaded. A test exchanges `subprocess.Popen` in
stackyard.program.process for `Forks().popen`; what runs in the fork is the real child's `main`, with the real request,
environment and pipes. `python -m tests.local.forking emulator FD` is an emulator; a fork holds the same resources.
"""

import itertools
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from stackyard.program import process
from tests.local.checkouts import ROOT

ENVIRONMENT = {"PATH": os.defpath, "PYTHONHASHSEED": "0", "LANG": "C.UTF-8"}
BACKEND = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false", "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
OWNER = "0123456789abcdef"


class Emulated:
    """An emulator of a test; `fork` makes another one with the same resources, on a port of its own."""

    def __init__(self, control: socket.socket):
        self._control = control
        # A test that fails half way stops nothing.
        weakref.finalize(self, control.close)
        self.pid, self.port = json.loads(control.recv(100))

    @classmethod
    def start(cls) -> "Emulated":
        ours, theirs = socket.socketpair()
        subprocess.Popen(
            [sys.executable, "-m", "tests.local.forking", "emulator", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            env=ENVIRONMENT | BACKEND,
        ).returncode = 0  # its end is told by the socket
        theirs.close()
        return cls(ours)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fork(self) -> "Emulated":
        ours, theirs = socket.socketpair()
        socket.send_fds(self._control, [b"fork"], [theirs.fileno()])
        theirs.close()
        return Emulated(ours)

    def stop(self) -> None:
        """It ends when nobody holds the other end any more."""
        self._control.close()


class Forks:
    """The loaded process, and the child that it forked last."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        weakref.finalize(self, ours.close)
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.local.forking", "children", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            env=ENVIRONMENT,
        )
        theirs.close()
        assert ours.recv(5) == b"ready", "the process to fork from did not start"
        self.pid = 0
        self.room = 0
        """Bytes beyond which no file of a child may grow; 0 for no limit."""
        self.kill_at: tuple[int, str] | None = None
        """Which line of its journal kills a child, from 1, and when: `before`, `torn` or `after`."""

    def popen(self, command: list[str], *, env: Mapping[str, str], cwd: str, **_: Any) -> "Child":
        assert command[1:] == ["-m", "stackyard.program.child"]
        stdin, request = os.pipe()
        events, stdout = os.pipe()
        order = {"env": dict(env), "cwd": cwd, "room": self.room, "kill_at": self.kill_at}
        socket.send_fds(self._socket, [json.dumps(order).encode()], [stdin, stdout])
        os.close(stdin)
        os.close(stdout)
        self.pid = int(self._socket.recv(20))
        return Child(self._socket, self.pid, request, events)

    def kill(self) -> None:
        """SIGKILL to the running child."""
        os.kill(self.pid, signal.SIGKILL)

    @contextmanager
    def installed(self) -> Iterator[None]:
        real = process.subprocess
        # All that run_child uses of the module, and nothing else.
        process.subprocess = SimpleNamespace(  # pyright: ignore[reportAttributeAccessIssue]
            Popen=self.popen, PIPE=subprocess.PIPE
        )
        try:
            yield
        finally:
            process.subprocess = real

    def close(self) -> None:
        self._socket.close()
        self._server.wait()


class Child:
    """As much of a Popen as stackyard.program.process uses."""

    def __init__(self, server: socket.socket, pid: int, request: int, events: int):
        self._socket, self.pid = server, pid
        self.stdin, self.stdout = os.fdopen(request, "w", encoding="utf-8"), os.fdopen(events, encoding="utf-8")
        self.returncode: int | None = None

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.wait()

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.returncode = int(self._socket.recv(20))
        return self.returncode

    def poll(self) -> int | None:
        return self.returncode


def load() -> None:
    """Imports and reads what every child needs, by doing it once; starts no thread that outlives it."""
    import boto3

    from stackyard.local.aws import AwsProvider
    from stackyard.local.executor import LocalExecutor
    from stackyard.local.kubernetes import schemas
    from stackyard.program import child, resume
    from stackyard.program.run import capture_callable
    from tests.local.small_project import PROGRAM

    assert boto3 and child and resume and LocalExecutor
    _read_models_once()
    sample = AwsProvider(endpoint="http://127.0.0.1:9", account_id="123456789012", region="us-east-1")
    for service in ("ec2", "kms", "s3", "logs", "iam", "sqs", "sts"):
        sample.clients.client(service, "us-east-1")
    for resource_ in capture_callable(lambda: exec(PROGRAM, {})):
        if resource_.type.startswith("aws:"):
            sample.validate(resource_.type, resource_.urn, resource_.inputs)
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "default"}}
    schemas.validate(settings, "1.35")


def _read_models_once() -> None:
    """botocore reads a service's model once a session; here once for all children."""
    from functools import cache

    from botocore.loaders import JSONFileLoader

    read = JSONFileLoader.load_file
    cached = cache(lambda path: read(JSONFileLoader(), path))
    JSONFileLoader.load_file = lambda self, file_path: cached(file_path)


def _fork(server: socket.socket, order: Mapping[str, Any], stdin: int, stdout: int) -> None:
    if pid := os.fork():
        os.close(stdin)
        os.close(stdout)
        server.send(f"{pid:>20}".encode())
        _, status = os.waitpid(pid, 0)
        server.send(f"{os.waitstatus_to_exitcode(status):>20}".encode())
        return
    server.close()
    os.dup2(stdin, 0)
    os.dup2(stdout, 1)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    if order["room"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["room"], order["room"]))
    if order["kill_at"]:
        _be_killed(*order["kill_at"])
    from stackyard.program.child import main

    status = 1
    try:
        status = main()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _be_killed(number: int, when: str) -> None:
    """From now on the process kills itself at a line of its journal."""
    from stackyard.program.journal import Journal

    append, lines = Journal._append, itertools.count(1)

    def appending(self: Journal, entry: dict[str, Any]) -> None:
        last = next(lines) == number
        if not last or when == "after":
            append(self, entry)
        elif when == "torn":
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(json.dumps(entry)[:40])
        if last:
            os.kill(os.getpid(), signal.SIGKILL)

    Journal._append = appending


def serve_children(server: socket.socket) -> None:
    # A child that may not write much would leave the beginning of a bytecode file.
    sys.dont_write_bytecode = True
    load()
    assert threading.active_count() == 1, "a fork takes only one thread along"
    server.send(b"ready")
    while True:
        message, descriptors, _, _ = socket.recv_fds(server, 65536, 2)
        if not message:
            return
        _fork(server, json.loads(message), *descriptors)


def serve_emulator(control: socket.socket) -> None:
    """Answers requests until `control` is closed; `fork` on it goes on in a second process as well."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    from stackyard.local import server

    server.mend_the_emulator()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    application = server.Application(DomainDispatcherApplication(create_backend_app), OWNER)
    while True:
        http = make_server("127.0.0.1", 0, application, threaded=True, request_handler=server.RequestHandler)
        os.environ["MOTO_PORT"] = str(http.server_port)
        control.send(json.dumps([os.getpid(), http.server_port]).encode())
        forked = _until_forked(http, control)
        if forked is None:
            os._exit(0)
        http.socket.close()
        control.close()
        control = forked


def _until_forked(http: Any, control: socket.socket) -> socket.socket | None:
    """Serves. In a fork returns the fork's control; None when the control was closed."""
    while True:
        ready, _, _ = select.select([http.socket, control], [], [])
        if http.socket in ready:
            http.handle_request()
        if control in ready:
            message, descriptors, _, _ = socket.recv_fds(control, 10, 1)
            if not message:
                return None
            if os.fork() == 0:
                return socket.socket(fileno=descriptors[0])
            os.close(descriptors[0])


if __name__ == "__main__":
    {"children": serve_children, "emulator": serve_emulator}[sys.argv[1]](socket.socket(fileno=int(sys.argv[2])))
