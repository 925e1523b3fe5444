"""A proxy before an emulator that cuts, breaks or kills at a chosen call; and microburst, which talks as AWS does."""

import http.client
import io
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stackyard.local.emulator import IDENTITY_PATH
from stackyard.local.server import operation
from tests.ports import free_port


class Act(Enum):
    PASS = auto()
    CUT_BEFORE = auto()
    """The connection breaks before the call reaches the emulator."""
    CUT_AFTER = auto()
    """The call is carried out, its answer never arrives."""
    FAIL = auto()
    """Status 500, and the call does not reach the emulator."""
    KILL_BEFORE = auto()
    KILL_AFTER = auto()
    """As the cuts, and the process that called is killed first."""


@dataclass(frozen=True)
class Call:
    """A request on its way to the emulator."""

    operation: str
    """As the emulator names it: `ec2:CreateVpc`."""
    mutating: bool
    number: int
    """Which of the changing calls it is, from 1, since the faults were set; 0 for one that only reads."""


Fault = Callable[[Call], Act]


def nothing(call: Call) -> Act:
    return Act.PASS


class times:
    """A fault that happens to the first `count` calls of an operation; without a count, to all of them."""

    def __init__(self, act: Act, operation_: str, count: int | None = None):
        self._act, self._operation, self._left = act, operation_, count

    def __call__(self, call: Call) -> Act:
        if call.operation != self._operation or self._left == 0:
            return Act.PASS
        self._left = None if self._left is None else self._left - 1
        return self._act


class at:
    """A fault at one changing call, whichever it is. `met` tells whether that many were made."""

    def __init__(self, act: Act, number: int):
        self._act, self._number, self.met = act, number, False

    def __call__(self, call: Call) -> Act:
        if call.number != self._number:
            return Act.PASS
        self.met = True
        return self._act


class Proxy:
    """HTTP on loopback before one emulator. `kill` ends the process that is calling."""

    def __init__(self, upstream: str, kill: Callable[[], None] = lambda: None):
        self.upstream, self.kill = upstream, kill
        self._lock = threading.Lock()
        self._fault: Fault = nothing
        self.changes: list[str] = []
        """Operations of the changing calls since the faults were set."""
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def set(self, fault: Fault = nothing) -> None:
        with self._lock:
            self._fault, self.changes = fault, []

    def judge(self, name: str, mutating: bool) -> Act:
        # Parameters are the command's own notes in the emulator, no part of a stack here.
        mutating = mutating and not name.startswith("ssm:")
        with self._lock:
            if mutating:
                self.changes.append(name)
            return self._fault(Call(name, mutating, len(self.changes) if mutating else 0))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, proxy: Proxy):
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body in one packet: else each answer waits 40 ms for an acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]  # no other server makes these

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            # The caller was killed while it sent: this is no request.
            return self._cut(kill=False)
        act = self._judged(body)
        if act in (Act.KILL_BEFORE, Act.CUT_BEFORE):
            return self._cut(kill=act is Act.KILL_BEFORE)
        if act is Act.FAIL:
            return self._answer(500, [("Content-Type", "text/xml")], BROKEN)
        status, headers, answer = self._forward(body)
        if act in (Act.KILL_AFTER, Act.CUT_AFTER):
            return self._cut(kill=act is Act.KILL_AFTER)
        return self._answer(status, headers, answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

    def _judged(self, body: bytes) -> Act:
        path, _, query = self.path.partition("?")
        if path.startswith(("/stackyard/", "/moto-api")):
            return Act.PASS
        environ = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "HTTP_AUTHORIZATION": self.headers.get("Authorization", ""),
        }
        if target := self.headers.get("X-Amz-Target"):
            environ["HTTP_X_AMZ_TARGET"] = target
        return self.server.proxy.judge(*operation(environ))

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(self.server.proxy.upstream).port, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name not in ("Expect", "Connection")}
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = dict(headers).get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _cut(self, *, kill: bool) -> None:
        if kill:
            self.server.proxy.kill()
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(2)


BROKEN = (
    b"<Response><Errors><Error><Code>InternalError</Code><Message>It broke down.</Message></Error></Errors></Response>"
)


class Microburst:
    """The fault injector `microburst` before an emulator: errors in the words and the shape of each service."""

    def __init__(self, port: int):
        self.port = port

    def fired(self) -> list[dict[str, Any]]:
        """The faults that were injected."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_microburst/fired", timeout=10) as answer:
            return json.load(answer)


@contextmanager
def microburst(upstream: str, rules: list[dict[str, Any]], folder: Path) -> Iterator[Microburst]:
    """`rules` as microburst documents them; JSON is YAML."""
    config = folder / "rules.yml"
    config.write_text(json.dumps({"rules": rules}))
    port = free_port()
    command = [sys.executable, "-m", "microburst", "--upstream", upstream, "--port", str(port), "--config", str(config)]
    with open(folder / "microburst.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        # Its first look at a request without a service in its signature reads all models of botocore.
        _wait_for(process, f"http://127.0.0.1:{port}{IDENTITY_PATH}", folder / "microburst.log")
        yield Microburst(port)
    finally:
        process.terminate()
        process.wait()


def _wait_for(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=60):
            # Without it, somebody else answered.
            if process.poll() is None:
                return
        time.sleep(0.1)
    raise AssertionError(f"microburst does not answer: {log.read_text(errors='replace')[-2000:]}")
