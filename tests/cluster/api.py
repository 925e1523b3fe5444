"""The local stack's client of an API server, with what tests need besides: lists, changes, other callers."""

import ssl
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stackyard.local.kubernetes.api_server import FIELD_MANAGER, ApiServer, Refusal
from stackyard.local.kubernetes.kubeconfig import Access
from stackyard.local.kubernetes.store import Key, Object

MERGE = "application/merge-patch+json"
NOT_FOUND = 404


class Api(ApiServer):
    """Requests to one API server. What it refuses is a `Refusal` with its own words."""

    def __init__(self, access: Access):
        super().__init__(access)
        self._access = access

    def serves(self, api_version: str, kind: str) -> bool:
        """Asks again when the kind was not there before: it may have been defined meanwhile."""
        if self.served(api_version, kind) is None:
            with self._lock:
                self._kinds.pop(api_version, None)
        return self.served(api_version, kind) is not None

    def create(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Creates an object; unlike `apply` it refuses one that is there, and makes a name of `generateName`."""
        metadata = obj["metadata"]
        # The path of its kind is the path of an object without the name.
        path = self._path(Key(obj["apiVersion"], obj["kind"], metadata.get("namespace", ""), "x")).removesuffix("/x")
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        return self._request("POST", path, query=query, body=obj, subject=obj["kind"])

    def find(self, api_version: str, kind: str, name: str, namespace: str = "") -> Object | None:
        return self.get(Key(api_version, kind, namespace, name))

    def patch(self, obj: Mapping[str, Any], change: Mapping[str, Any], part: str = "") -> Object:
        """Merges a change into an object, or into its part (`status`)."""
        path = self._path(Key.of(obj)) + (f"/{part}" if part else "")
        return self._request("PATCH", path, body=change, content_type=MERGE, subject=Key.of(obj))

    def ask_to_delete(self, obj: Mapping[str, Any]) -> None:
        """Returns at once; finalizers may keep the object for a while. One that is gone is no error."""
        try:
            self._request("DELETE", self._path(Key.of(obj)), subject=Key.of(obj))
        except Refusal as refusal:
            if refusal.status != NOT_FOUND:
                raise

    def post(self, path: str, body: Mapping[str, Any]) -> Object:
        """A dry run at a path that the server may not even have."""
        return self._request("POST", path, query={"dryRun": "All"}, body=body)

    def of_account(self, namespace: str, name: str) -> "Api":
        """The same server with a token of a service account, as its pods have it."""
        path = f"{self._path(Key('v1', 'ServiceAccount', namespace, name))}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = self._request("POST", path, body=request)
        return Api(replace(self._access, token=answer["status"]["token"], tls=_without_certificate(self._access.tls)))


def _without_certificate(context: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """Trusts the same, and shows nothing: a caller's certificate would count for more than the token."""
    if context is None:
        return None
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname, bare.verify_mode = context.check_hostname, context.verify_mode
    bare.load_verify_locations(cadata=b"".join(context.get_ca_certs(binary_form=True)))
    return bare
