"""Replies that the emulator remembers, so that a call whose answer was lost can be made again and happens once.

A client marks each call of a step: `X-Stackyard-Call: TOKEN/OPERATION/HASH/OCCURRENCE`. The same mark is the same call.
"""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

CALL_HEADER = "X-Stackyard-Call"
UNDO_HEADER = "X-Stackyard-Undo"
"""`TOKEN/OPERATION`: the call takes back what the step TOKEN did, all but OPERATION; without one, all of it."""
REPLIES_PATH = "/stackyard/replies"

KEPT_REPLIES = 20_000
"""About 1.5 KB each; an `up` of a whole environment makes some 300 changing calls."""

Headers = list[tuple[str, str]]
StartResponse = Callable[[str, Headers], Any]
Backend = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP answer."""

    status: str
    """As WSGI writes it: `200 OK`."""
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def succeeded(self) -> bool:
        return int(self.status.split()[0]) < 300

    def send(self, start_response: StartResponse) -> list[bytes]:
        start_response(self.status, list(self.headers))
        return [self.body]


class Replies:
    """Thread-safe. Keeps only successes: what was refused or broke down changed nothing and may be asked again."""

    def __init__(self, limit: int = KEPT_REPLIES):
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Reply] = OrderedDict()
        self._running: dict[str, threading.Event] = {}
        self._replayed = 0

    def answer(self, call: str, execute: Callable[[], Reply]) -> tuple[Reply, bool]:
        """The reply to a call, and whether it is a remembered one. Waits while the same call is being carried out."""
        while True:
            with self._lock:
                if (known := self._kept.get(call)) is not None:
                    self._kept.move_to_end(call)
                    self._replayed += 1
                    return known, True
                if (running := self._running.get(call)) is None:
                    mine = self._running[call] = threading.Event()
                    # A reset meanwhile gives later calls another dictionary: this reply is none of theirs.
                    kept = self._kept
                    break
            running.wait()
        try:
            reply = execute()
            if reply.succeeded:
                self._keep(kept, call, reply)
            return reply, False
        finally:
            with self._lock:
                del self._running[call]
            mine.set()

    def _keep(self, kept: OrderedDict[str, Reply], call: str, reply: Reply) -> None:
        with self._lock:
            kept[call] = reply
            while len(kept) > self._limit:
                kept.popitem(last=False)

    def undone(self, mark: str) -> None:
        """Forgets the replies of a step that was taken back, as an undo header says it."""
        token, _, operation = mark.partition("/")
        with self._lock:
            for call in [call for call in self._kept if call.startswith(f"{token}/")]:
                if not operation or call.split("/")[1] != operation:
                    del self._kept[call]

    def clear(self) -> None:
        with self._lock:
            self._kept = OrderedDict()

    def counts(self) -> dict[str, int]:
        """`kept` replies now, and how many calls were `replayed`, since the emulator started."""
        with self._lock:
            return {"kept": len(self._kept), "replayed": self._replayed}


def execute(backend: Backend, environ: dict[str, Any]) -> Reply:
    """Runs a WSGI application to the end of its answer."""
    started: list[tuple[str, Headers]] = []
    parts: list[bytes] = []

    def start(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        started[:] = [(status, headers)]
        return parts.append

    answer = backend(environ, start)
    try:
        parts.extend(answer)
    finally:
        if close := getattr(answer, "close", None):
            close()
    status, headers = started[0]
    return Reply(status, tuple(headers), b"".join(parts))


def header(environ: dict[str, Any], name: str) -> str:
    """A request's header; empty where there is none."""
    return environ.get(f"HTTP_{name.upper().replace('-', '_')}", "")


def read_body(environ: dict[str, Any]) -> None:
    """Reads a request to its end, which stays there to be read: left in the socket, it would begin the next request."""
    size = -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(size))
