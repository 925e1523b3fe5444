"""A Kubernetes API server on this machine: discovery, server-side apply, read, delete. Nothing more is needed.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from stackyard.errors import UserError
from stackyard.local.kubernetes.kubeconfig import Access
from stackyard.local.kubernetes.store import Key, Object

FIELD_MANAGER = "stackyard"
APPLY = "application/apply-patch+yaml"
DELETE_TIMEOUT_S = 120.0
POLL_S = 0.2
TIMEOUT = urllib3.Timeout(connect=5, read=60)
# As many as the executor's threads; more would be dropped after each use.
CONNECTIONS = 8


class NoAnswer(UserError):
    """The server cannot be reached, or gave no answer."""

    def __init__(self, message: str, *, unknown: bool = False):
        super().__init__(message)
        self.unknown = unknown


class Refusal(UserError):
    """The server answered that it will not."""

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Served:
    """A kind that the server knows."""

    plural: str
    namespaced: bool


class ApiServer:
    """The calls. Thread-safe. What a kind is called in paths is asked once."""

    def __init__(self, access: Access, *, delete_timeout_s: float = DELETE_TIMEOUT_S):
        self.server = access.server
        self._delete_timeout_s = delete_timeout_s
        parts = urlsplit(access.server)
        self._prefix = parts.path.rstrip("/")
        headers = {"Accept": "application/json", "User-Agent": "stackyard"}
        if access.token:
            headers["Authorization"] = f"Bearer {access.token}"
        options: dict[str, Any] = {"maxsize": CONNECTIONS, "headers": headers, "timeout": TIMEOUT, "retries": False}
        if access.tls is None:
            self._pool = urllib3.HTTPConnectionPool(parts.hostname or "", parts.port or 80, **options)
        else:
            if not access.tls.check_hostname:
                # The kubeconfig says so (insecure-skip-tls-verify), and the server is on this machine.
                urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            options["ssl_context"] = access.tls
            self._pool = urllib3.HTTPSConnectionPool(parts.hostname or "", parts.port or 443, **options)
        self._kinds: dict[str, dict[str, Served]] = {}
        self._lock = threading.Lock()

    def version(self) -> str:
        """Such as `v1.35.4`."""
        return str(self._request("GET", "/version")["gitVersion"])

    def identity(self) -> str:
        """Tells this cluster from all others, also from a new one at the same address: the uid of kube-system."""
        found = self.get(Key("v1", "Namespace", "", "kube-system"))
        if found is None:
            raise NoAnswer(f"{self.server} has no namespace kube-system yet, so it is still starting: try again soon")
        return str(found["metadata"]["uid"])

    def served(self, api_version: str, kind: str) -> Served | None:
        """How the server serves a kind; None if it does not know it."""
        with self._lock:
            if api_version not in self._kinds:
                self._kinds[api_version] = self._discover(api_version)
            return self._kinds[api_version].get(kind)

    def _discover(self, api_version: str) -> dict[str, Served]:
        try:
            answer = self._request("GET", _group_path(api_version))
        except Refusal as refusal:
            if refusal.status == 404:
                return {}
            raise
        return {
            entry["kind"]: Served(plural=entry["name"], namespaced=entry["namespaced"])
            for entry in answer.get("resources") or ()
            # Parts such as pods/log have the kind of something else.
            if "/" not in entry["name"]
        }

    def get(self, key: Key) -> Object | None:
        try:
            return self._request("GET", self._path(key), subject=key)
        except Refusal as refusal:
            if refusal.status == 404:
                return None
            raise

    def list(
        self, api_version: str, kind: str, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> list[Object]:
        """Objects of a kind, of all namespaces unless one is named; `labels`, `fields`: selectors, `a=b,c=d`."""
        path = self._path(Key(api_version, kind, namespace, "x")).removesuffix("/x").replace("/namespaces//", "/")
        selectors = {"labelSelector": labels, "fieldSelector": fields}
        found = self._request("GET", path, query={name: text for name, text in selectors.items() if text})
        # Entries of a list leave out what the list says.
        return [{"apiVersion": api_version, "kind": kind, **entry} for entry in found["items"]]

    def apply(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """The object as it is after a server-side apply, by force: what the program says is what counts.

        With `dry_run` nothing is changed. Raises Refusal with the server's own words.
        """
        key = Key.of(obj)
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
        query |= {"dryRun": "All"} if dry_run else {}
        answer = self._request("PATCH", self._path(key), subject=key, query=query, body=obj, content_type=APPLY)
        if obj["kind"] == "CustomResourceDefinition" and not dry_run:
            with self._lock:
                self._kinds.clear()
        return answer

    def delete(self, key: Key, uid: str) -> None:
        """Deletes the object with that uid and waits until it is gone. One that is not there is gone already.

        Raises UserError if it is still there after a while, with the finalizers that it waits for.
        """
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        try:
            self._request("DELETE", self._path(key), subject=key, body=body)
        except Refusal as refusal:
            # 409: another object has that name by now, or a namespace is on its way out already.
            if refusal.status not in (404, 409):
                raise
        end = time.monotonic() + self._delete_timeout_s
        while (found := self.get(key)) is not None and found["metadata"].get("uid") == uid:
            if time.monotonic() > end:
                raise UserError(self._stays(key, found))
            time.sleep(POLL_S)

    def _stays(self, key: Key, found: Object) -> str:
        waits = [*found["metadata"].get("finalizers", ()), *(found.get("spec") or {}).get("finalizers", ())]
        return (
            f"{key} is still on {self.server} {self._delete_timeout_s:.0f} s after its deletion began: it waits for "
            f"the finalizers {', '.join(waits) or 'of nobody'}, which a controller in the cluster has to take away. "
            "See that the controller runs, then run the same command again"
        )

    def _path(self, key: Key) -> str:
        served = self.served(key.api_version, key.kind)
        if served is None:
            raise Refusal(f"{key}: {self.server} does not serve {key.kind} of {key.api_version}", 404)
        space = f"/namespaces/{quote(key.namespace, safe='')}" if served.namespaced else ""
        return f"{_group_path(key.api_version)}{space}/{served.plural}/{quote(key.name, safe='')}"

    def _request(
        self,
        method: str,
        path: str,
        *,
        subject: Key | str = "",
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        url = f"{self._prefix}{path}" + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else json.dumps(body).encode()
        headers = {**self._pool.headers, **({"Content-Type": content_type} if content else {})}
        about = f"{subject}: " if subject else ""
        try:
            answer = self._pool.urlopen(method, url, body=content, headers=headers, retries=False, redirect=False)
        except urllib3.exceptions.NewConnectionError as error:
            raise NoAnswer(f"{about}{self.server} does not answer ({_reason(error)})") from None
        except urllib3.exceptions.HTTPError as error:
            # A change may have been made before the connection broke.
            raise NoAnswer(f"{about}{self.server} gave no answer ({_reason(error)})", unknown=method != "GET") from None
        document = _json(answer.data)
        if answer.status >= 300 or not isinstance(document, dict):
            raise Refusal(f"{about}{self.server} refused it ({_status(answer.status, document)})", answer.status)
        return document


def _group_path(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")[:200].strip()


def _status(status: int, document: Any) -> str:
    """The server's own words: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/."""
    if isinstance(document, dict) and document.get("message"):
        return f"{status} {document.get('reason') or 'error'}: {document['message']}"
    return f"{status}: {document or 'no reason given'}"


def _reason(error: Exception) -> str:
    # `HTTPConnection(host=…): Failed to establish a new connection: [Errno 111] Connection refused`
    return str(error).rpartition("] ")[2] or type(error).__name__
