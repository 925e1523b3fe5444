"""The emulator's process: moto's own server application, who it is, and a count of the requests that change something.

Started by `emulator.start` as `python -m stackyard.local.server`. Its own pages:
`GET /stackyard/identity`, `GET /stackyard/requests`, `DELETE /stackyard/requests` (starts counting anew),
`GET /stackyard/replies` (how many changing calls it remembers the reply of, and how many it answered from memory).
"""

import argparse
import json
import os
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import moto.s3.models as s3_models
from moto.core.serialize import TimestampSerializer
from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from stackyard.local.emulated_buckets import let_a_destroy_pass_locks, tell_of_eventbridge
from stackyard.local.emulator import IDENTITY_PATH, PRODUCT, REQUESTS_PATH, Record, started_at, write_record
from stackyard.local.replies import (
    CALL_HEADER,
    REPLIES_PATH,
    UNDO_HEADER,
    Headers,
    Replies,
    Reply,
    StartResponse,
    execute,
    header,
    read_body,
)

# Verbs of AWS operations that change nothing.
READ_VERBS = (
    "Describe", "Get", "List", "Head", "BatchGet", "BatchDescribe", "BatchCheck", "Lookup", "Search", "Query", "Scan",
    "Simulate", "Decode", "Validate", "Estimate", "Preview", "Filter",
    # They answer with keys, tokens or cryptograms and leave nothing behind.
    "AssumeRole", "Decrypt", "Encrypt", "ReEncrypt", "GenerateDataKey", "GenerateRandom", "Sign", "Verify",
)  # fmt: skip
WAITING = ("sqs:ReceiveMessage", "sns:Publish", "sns:PublishBatch")
"""They wait for messages (up to 20 s), or for the server of a subscriber, which may ask the emulator."""
LONGEST_TURN_S = 10.0
"""Longer takes only a request that waits for somebody else (a Lambda in its container): the next does without it."""
EXACT_DATE = "%Y-%m-%dT%H:%M:%S.%fZ"
READ_METHODS = ("GET", "HEAD", "OPTIONS")
RESET_PATH = "/moto-api/reset"


def operation(environ: dict[str, Any]) -> tuple[str, bool]:
    """Name of a request's operation, `service:Operation`, and whether it may change something.

    Operations of the query, JSON and CBOR protocols are known by name and verb, REST ones (S3, EKS) by HTTP method: a
    read by POST, as GuardDuty has some, counts as a change. Puts a form that it had to read back into `wsgi.input`.
    """
    method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
    service = _service(environ)
    if name := _operation_name(environ, path):
        return f"{service}:{name}", not name.startswith(READ_VERBS)
    if service == "s3":
        path = "object" if path.strip("/").count("/") else "bucket"
        subresource = environ.get("QUERY_STRING", "").partition("&")[0].partition("=")[0]
        path += f"?{subresource}" if subresource else ""
    return f"{service}:{method} {path}", method not in READ_METHODS


def _service(environ: dict[str, Any]) -> str:
    # Credential=KEY/20261124/us-east-1/s3/aws4_request
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split(",")[0].split("/")
    return scope[3] if len(scope) == 5 else "s3"


def _operation_name(environ: dict[str, Any], path: str) -> str | None:
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return target.rpartition(".")[2]
    # Smithy RPC v2 CBOR: /service/<name>/operation/<name>
    parts = path.strip("/").split("/")
    if len(parts) == 4 and parts[0] == "service" and parts[2] == "operation":
        return parts[3]
    query = environ.get("QUERY_STRING", "")
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        read_body(environ)
        query = environ["wsgi.input"].getvalue().decode("utf-8", "replace") or query
    return parse_qs(query).get("Action", [None])[0] if "Action=" in query else None


class Application:
    """WSGI application: our pages, everything else to moto, counted; a marked change is carried out once.

    One request at a time reaches moto, whose models are not thread-safe: a role listed while another one is created
    ends in a 500. The interpreter's lock lets no two of them compute at once anyway. Those that wait for others, or
    ask somebody else in their turn, hold nobody up.
    """

    def __init__(self, backend: Callable[..., Iterable[bytes]], owner: str) -> None:
        self._owner = owner
        self._moto, self._turn = backend, threading.Lock()
        self._lock = threading.Lock()
        self._mutating: Counter[str] = Counter()
        self._reads = 0
        self._replies = Replies()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == IDENTITY_PATH:
            return _json(start_response, {"product": PRODUCT, "owner": self._owner, "pid": os.getpid()})
        if path == REQUESTS_PATH:
            return _json(start_response, self._counts(reset=environ["REQUEST_METHOD"] == "DELETE"))
        if path == REPLIES_PATH:
            return _json(start_response, self._replies.counts())
        if path.startswith("/moto-api"):
            if path == RESET_PATH:
                self._replies.clear()
            return self._in_turn(path, environ, start_response)
        name, mutating = operation(environ)
        if mutating and (call := header(environ, CALL_HEADER)):
            reply, remembered = self._replies.answer(call, lambda: self._change(name, environ))
            if remembered:
                read_body(environ)
            return reply.send(start_response)
        if mutating and (undo := header(environ, UNDO_HEADER)):
            reply = self._change(name, environ)
            if reply.succeeded:
                self._replies.undone(undo)
            return reply.send(start_response)
        self._count(name, mutating)
        return self._in_turn(name, environ, start_response)

    def _in_turn(self, name: str, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        # Before anybody waits for this request: a slow sender holds up only itself.
        read_body(environ)
        mine = name not in WAITING and self._turn.acquire(timeout=LONGEST_TURN_S)
        try:
            return self._moto(environ, start_response)
        finally:
            if mine:
                self._turn.release()

    def _change(self, name: str, environ: dict[str, Any]) -> Reply:
        self._count(name, True)
        return execute(partial(self._in_turn, name), environ)

    def _count(self, name: str, mutating: bool) -> None:
        with self._lock:
            if mutating:
                self._mutating[name] += 1
            else:
                self._reads += 1

    def _counts(self, *, reset: bool) -> dict[str, Any]:
        with self._lock:
            counts = {"mutating": dict(sorted(self._mutating.items())), "reads": self._reads}
            if reset:
                self._mutating.clear()
                self._reads = 0
        return counts


def _json(start_response: StartResponse, document: dict[str, Any]) -> list[bytes]:
    body = json.dumps(document, sort_keys=True).encode()
    headers: Headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


class RequestHandler(MotoRequestHandler):
    """Logs only what went wrong inside the emulator: a log of every request would outgrow the data."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if str(code).startswith("5"):
            super().log_request(code, size)


def mend_policy_statements() -> None:
    """Makes moto's judgement of policy statements usable for bucket policies.

    moto knows one condition operator, lets every Deny apply whose condition it cannot judge or judges false, and takes
    an Allow that does not match for a Deny. A bucket whose policy demands TLS would be closed to everybody, as the
    emulator speaks plain HTTP on loopback. So here a Deny with a condition never applies, and an Allow never denies.
    """
    judge = IAMPolicyStatement.is_action_permitted

    def judge_mended(self: IAMPolicyStatement, *args: Any, **kwargs: Any) -> PermissionResult:
        statement: dict[str, Any] = self._statement  # pyright: ignore[reportPrivateUsage]  # moto offers no other way in
        if statement["Effect"] == "Deny":
            return PermissionResult.NEUTRAL if statement.get("Condition") else judge(self, *args, **kwargs)
        result = judge(self, *args, **kwargs)
        return PermissionResult.NEUTRAL if result == PermissionResult.DENIED else result

    IAMPolicyStatement.is_action_permitted = judge_mended


def give_versions_exact_dates() -> None:
    """Makes moto's S3 listings say when an object was written to the microsecond.

    moto cuts to the second, and lists versions and delete markers apart: their order within a second would be lost.
    """

    def exact(value: datetime | None) -> str | None:
        return value.strftime(EXACT_DATE) if value else None

    # Cut twice: when the model tells its date, and when the answer is written.
    s3_models.iso_8601_datetime_without_milliseconds_s3 = exact  # pyright: ignore[reportPrivateImportUsage]
    # moto declares the format as a literal type.
    TimestampSerializer.ISO8601_MICRO_ZEROED = EXACT_DATE  # pyright: ignore[reportAttributeAccessIssue]


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1: on `port`, or on a free one if somebody else has it."""
    for candidate in (port, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # A port that only waits for the last packets of a stopped emulator is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", candidate))
            listener.listen(128)
            return listener
        except OSError:
            listener.close()
            if not candidate:
                raise
    raise AssertionError("unreachable")


def mend_the_emulator() -> None:
    """Before its first request: what moto does otherwise than AWS, where the local stack depends on it."""
    # moto's EC2 takes a second to import, which tests of this module need not wait for.
    from stackyard.local.emulated_clusters import give_clusters_their_security_group

    mend_policy_statements()
    give_versions_exact_dates()
    give_clusters_their_security_group()
    tell_of_eventbridge()
    let_a_destroy_pass_locks()


def _leave(_signal: int, _frame: object) -> None:
    sys.exit(0)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="stackyard.local.server")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--owner", required=True)
    parser.add_argument("--record", type=Path, required=True)
    options = parser.parse_args(argv)

    signal.signal(signal.SIGTERM, _leave)
    mend_the_emulator()
    listener = listen(options.port)
    port = listener.getsockname()[1]
    # moto calls itself in a few places and looks the port up here.
    os.environ["MOTO_PORT"] = str(port)
    backend = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        "127.0.0.1",
        port,
        Application(backend, options.owner),
        threaded=True,
        request_handler=RequestHandler,
        fd=listener.fileno(),
    )
    pid = os.getpid()
    write_record(options.record, Record(pid=pid, port=port, started=started_at(pid) or "", owner=options.owner))
    server.serve_forever()


if __name__ == "__main__":
    main()
