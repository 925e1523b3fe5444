"""A small API server on loopback: discovery, server-side apply, deletes with finalizers, and what it was asked.

Merges what `stackyard` applies as a real one does, as far as the tests go: maps by key, lists as a whole.
"""

import copy
import itertools
import json
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

TOKEN = "of-the-test"
MERGE = "application/merge-patch+json"
SYSTEM = "/api/v1/namespaces/kube-system"

# apiVersion: kind -> name in paths, and whether it lives in a namespace.
BUILT_IN: dict[str, dict[str, tuple[str, bool]]] = {
    "v1": {
        "Namespace": ("namespaces", False),
        "ConfigMap": ("configmaps", True),
        "LimitRange": ("limitranges", True),
        "ResourceQuota": ("resourcequotas", True),
        "Service": ("services", True),
        "ServiceAccount": ("serviceaccounts", True),
    },
    "networking.k8s.io/v1": {"NetworkPolicy": ("networkpolicies", True)},
    "rbac.authorization.k8s.io/v1": {"Role": ("roles", True), "RoleBinding": ("rolebindings", True)},
    "admissionregistration.k8s.io/v1": {
        "ValidatingAdmissionPolicy": ("validatingadmissionpolicies", False),
        "ValidatingAdmissionPolicyBinding": ("validatingadmissionpolicybindings", False),
    },
}
# Across servers: each is a cluster of its own.
_numbers = itertools.count(1)
ARGO = {"argoproj.io/v1alpha1": {"WorkflowTemplate": ("workflowtemplates", True)}}


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: Mapping[str, str]
    content_type: str = ""

    @property
    def mutating(self) -> bool:
        return self.method != "GET" and self.query.get("dryRun") != "All"


@dataclass
class FakeApiServer:
    """What a test sees and sets."""

    kinds: dict[str, dict[str, tuple[str, bool]]] = field(default_factory=lambda: copy.deepcopy(BUILT_IN))
    version: str = "v1.35.4"
    objects: dict[str, Any] = field(default_factory=dict)
    """By path."""
    asked: list[Asked] = field(default_factory=list)
    refused: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    """By path: status, reason and message that a change of it is answered with."""
    cut: set[str] = field(default_factory=set)
    """Paths whose next change is carried out, and whose answer never arrives."""
    port: int = 0
    scheme: str = "http"
    _applied: dict[str, Any] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.RLock)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def mutations(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.asked if asked.mutating]

    def kubeconfig(self, path: Path, *, cluster: Mapping[str, Any] | None = None, user: Any = None) -> Path:
        """Writes a kubeconfig that leads here, with other entries where the test names some."""
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "fake", "user": "tester"}}],
            "clusters": [{"name": "fake", "cluster": {"server": self.url, **(cluster or {})}}],
            "users": [{"name": "tester", "user": {"token": TOKEN} if user is None else user}],
        }
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path

    def begin(self) -> None:
        """A new cluster at the same address."""
        with self._lock:
            self.objects.clear()
            self._applied.clear()
            self.objects[SYSTEM] = self._made({"kind": "Namespace", "metadata": {"name": "kube-system"}})
            default = {"kind": "Namespace", "metadata": {"name": "default"}}
            self.objects["/api/v1/namespaces/default"] = self._made(default)

    def forget_requests(self) -> None:
        self.asked.clear()

    def paths(self) -> set[str]:
        """What was made here, the namespaces that every cluster has aside."""
        return set(self.objects) - {SYSTEM, "/api/v1/namespaces/default"}

    def answer(self, asked: Asked, body: Any) -> tuple[int, Any]:
        with self._lock:
            self.asked.append(asked)
            if asked.path == "/version":
                return 200, {"gitVersion": self.version}
            if (group := asked.path.removeprefix("/apis/").removeprefix("/api/")) in self.kinds:
                return 200, {"resources": self._resources(group)}
            if asked.mutating and asked.path in self.refused:
                return self._refusal(*self.refused[asked.path])
            match asked.method:
                case "PATCH" if asked.content_type == MERGE:
                    return self._change(asked.path, body)
                case "PATCH":
                    return self._apply(asked, body)
                case "DELETE":
                    return self._delete(asked.path, body)
                case _:
                    if self._is_collection(asked.path):
                        return 200, {"kind": "List", "items": self._inside(asked.path)}
                    found = self.objects.get(asked.path)
                    return (200, found) if found else self._refusal(404, "NotFound", f"{asked.path} not found")

    def _resources(self, group: str) -> list[dict[str, Any]]:
        entries = [
            {"name": plural, "kind": kind, "namespaced": namespaced}
            for kind, (plural, namespaced) in self.kinds[group].items()
        ]
        return [*entries, {"name": "namespaces/status", "kind": "Namespace", "namespaced": False}]

    def _is_collection(self, path: str) -> bool:
        start, _, plural = path.rpartition("/")
        group = start.partition("/namespaces/")[0].removeprefix("/apis/").removeprefix("/api/")
        return plural in {found for found, _ in self.kinds.get(group, {}).values()}

    def _inside(self, collection: str) -> list[Any]:
        """Objects of a collection, of one namespace or of all. As in a real list, none says its kind."""
        names = [path for path in self.objects if collection in (_parent(path), _everywhere(_parent(path)))]
        return [{k: v for k, v in self.objects[path].items() if k not in ("apiVersion", "kind")} for path in names]

    def _change(self, path: str, body: Any) -> tuple[int, Any]:
        """A merge patch: https://www.rfc-editor.org/rfc/rfc7386"""
        if path not in self.objects:
            return self._refusal(404, "NotFound", f"{path} not found")
        self.objects[path] = _merged(self.objects[path], body, {})
        return 200, self.objects[path]

    def _apply(self, asked: Asked, body: Any) -> tuple[int, Any]:
        if asked.query.get("fieldManager") != "stackyard" or asked.query.get("force") != "true":
            return self._refusal(400, "BadRequest", "an apply names its field manager and, here, forces")
        space = body["metadata"].get("namespace")
        if space and f"/api/v1/namespaces/{space}" not in self.objects:
            return self._refusal(404, "NotFound", f'namespaces "{space}" not found')
        before = copy.deepcopy(self.objects.get(asked.path))
        after = _merged(before or {}, body, self._applied.get(asked.path, {}))
        after = self._made(after, before)
        if asked.query.get("dryRun") != "All":
            self.objects[asked.path] = after
            self._applied[asked.path] = copy.deepcopy(body)
        return (200 if before else 201), after

    def _made(self, obj: Any, before: Any = None) -> Any:
        """The object with what a server fills in."""
        number = str(next(_numbers))
        metadata = dict(obj["metadata"])
        metadata["uid"] = before["metadata"]["uid"] if before else f"uid-{number}"
        metadata |= {"resourceVersion": number, "managedFields": [{"manager": "stackyard"}]}
        obj = {**obj, "metadata": metadata}
        if obj["kind"] == "Namespace":
            metadata["labels"] = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": metadata["name"]}
            obj["status"] = {"phase": "Active"}
        if obj["kind"] == "Service":
            obj["spec"] = {"type": "ClusterIP", "clusterIP": "10.96.0.10", **obj.get("spec", {})}
        return obj

    def _delete(self, path: str, body: Any) -> tuple[int, Any]:
        found = self.objects.get(path)
        if found is None:
            return self._refusal(404, "NotFound", f"{path} not found")
        if found["metadata"]["uid"] != body["preconditions"]["uid"]:
            return self._refusal(409, "Conflict", "the uid is another one")
        if found["metadata"].get("finalizers"):
            found["metadata"]["deletionTimestamp"] = "2026-11-24T15:00:00Z"
            return 200, found
        for inside in [other for other in self.objects if other == path or other.startswith(f"{path}/")]:
            del self.objects[inside]
        for other in [key for key in self.objects if f"/namespaces/{found['metadata']['name']}/" in key]:
            if found["kind"] == "Namespace":
                del self.objects[other]
        return 200, {"kind": "Status", "status": "Success"}

    @staticmethod
    def _refusal(status: int, reason: str, message: str) -> tuple[int, Any]:
        return status, {"kind": "Status", "code": status, "reason": reason, "message": message}


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _everywhere(path: str) -> str:
    """The collection of all namespaces, of one namespace's."""
    return re.sub("/namespaces/[^/]+/", "/", path)


def _merged(live: Any, new: Any, former: Any) -> Any:
    """`live` without what `former` held and `new` does not, and with what `new` says."""
    if not isinstance(new, dict) or not isinstance(live, dict):
        return copy.deepcopy(new)
    former = former if isinstance(former, dict) else {}
    kept = {name: value for name, value in live.items() if name in new or name not in former}
    return {**kept, **{name: _merged(live.get(name), value, former.get(name)) for name, value in new.items()}}


def _handler(fake: FakeApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else each answer waits 40 ms for the client's receipt of its head.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve()

        do_PATCH = do_DELETE = do_GET

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            asked = Asked(self.command, parts.path, query, self.headers.get("Content-Type", ""))
            if self._knows_the_caller():
                status, document = fake.answer(asked, body)
            else:
                status, document = fake._refusal(401, "Unauthorized", "Unauthorized")
            if asked.mutating and parts.path in fake.cut:
                fake.cut.discard(parts.path)
                self.close_connection = True
                return
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _knows_the_caller(self) -> bool:
            certificate = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
            return bool(certificate) or self.headers.get("Authorization") == f"Bearer {TOKEN}"

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[FakeApiServer]:
    """A server that runs as long as the block."""
    fake = FakeApiServer(scheme="https" if tls else "http")
    fake.begin()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    server.daemon_threads = True
    # Clients that refuse the certificate or were told nothing hang up: no trace of it among the tests' output.
    server.handle_error = lambda request, client_address: None
    if tls:
        # Not in the accepting thread: a client that refuses the certificate would end it.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    fake.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
