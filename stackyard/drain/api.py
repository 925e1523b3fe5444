"""A Kubernetes API server with what a drain needs beside reads: changes, deletes that do not wait."""

from collections.abc import Callable, Mapping
from typing import Any

from stackyard.local.kubernetes.api_server import ApiServer, Refusal
from stackyard.local.kubernetes.kubeconfig import Access
from stackyard.local.kubernetes.store import Key, Object

MERGE = "application/merge-patch+json"
# Pulumi's Kubernetes provider takes over what a manager of this name has changed, as if it had changed it itself in its
# former mode; anybody else's change of a field that it declares makes its next update of the object fail.
# pulumi/pulumi-kubernetes, provider/pkg/await/await.go at commit 9497796: fixCSAFieldManagers, patchForce.
FIELD_MANAGER = "pulumi-kubernetes"
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT = 401, 403, 404, 409


class Api(ApiServer):
    """`token` is asked before each request: those of EKS last for minutes, and a drain for longer."""

    def __init__(self, access: Access, *, token: Callable[[], str] | None = None):
        super().__init__(access)
        self._token = token

    def list(
        self, api_version: str, kind: str, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> list[Object]:
        """As in every server; none of a kind that this one does not know."""
        if self.served(api_version, kind) is None:
            return []
        return super().list(api_version, kind, namespace, labels=labels, fields=fields)

    def change(self, obj: Mapping[str, Any], change: Mapping[str, Any]) -> None:
        """Merges a change into an object. One that is gone by now is no error."""
        query = {"fieldManager": FIELD_MANAGER}
        try:
            self._request(
                "PATCH", self._path(Key.of(obj)), subject=Key.of(obj), query=query, body=change, content_type=MERGE
            )
        except Refusal as refusal:
            if refusal.status != NOT_FOUND:
                raise

    def ask_to_delete(self, obj: Mapping[str, Any]) -> None:
        """Returns at once; finalizers may keep the object for a while. One that is gone or another one is no error."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": obj["metadata"]["uid"]}}
        try:
            self._request("DELETE", self._path(Key.of(obj)), subject=Key.of(obj), body=options)
        except Refusal as refusal:
            if refusal.status not in (NOT_FOUND, CONFLICT):
                raise

    def _request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        if self._token:
            self._pool.headers = {**self._pool.headers, "Authorization": f"Bearer {self._token()}"}
        try:
            return super()._request(method, path, **options)
        except Refusal as refusal:
            if refusal.status not in (UNAUTHORIZED, FORBIDDEN):
                raise
            raise Refusal(
                f"{refusal}. A drain needs an administrator of the cluster: take the credentials of one of "
                "cluster.adminRoleArns",
                refusal.status,
            ) from None
