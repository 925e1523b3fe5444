"""The objects of one environment on an API server: applied, compared and deleted there, and nobody else's touched."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackyard.errors import InvalidInput, UserError
from stackyard.local.kubernetes.api_server import DELETE_TIMEOUT_S, ApiServer
from stackyard.local.kubernetes.kubeconfig import WAY_OUT, read_kubeconfig
from stackyard.local.kubernetes.store import Key, Object

OWNER_ANNOTATION = "stackyard.dev/environment"
"""On every applied object: which environment of which checkout made it."""

# How the API servers of Amazon and Google name their versions, for example v1.35.4-eks-113cf36.
MANAGED_VERSIONS = ("-eks-", "-gke.")

_METADATA = ("annotations", "finalizers", "labels", "name", "namespace", "ownerReferences")


class Cluster:
    """A server that was reached. `owner` is the environment's signature, for example `local-0f3a…`."""

    def __init__(self, server: ApiServer, owner: str):
        self._server, self._owner = server, owner
        self.version = server.version()
        if any(mark in self.version for mark in MANAGED_VERSIONS):
            raise InvalidInput(
                f"{server.server} is a managed cluster (its version is {self.version}) behind a tunnel: objects of a "
                f"local environment go to a cluster on this machine only. Nothing was written. {WAY_OUT}"
            )
        self.id = server.identity()
        """Tells the cluster from all others, also from a new one at the same address."""

    @property
    def server(self) -> str:
        return self._server.server

    def serves(self, api_version: str, kind: str) -> bool:
        return self._server.served(api_version, kind) is not None

    def apply(self, obj: Mapping[str, Any], *, ours: bool) -> None:
        """Applies the object. `ours`: it is known that this environment has made it before.

        Raises UserError when somebody else has made an object of that name, and with what the server refuses.
        """
        if not ours:
            self._check_free(Key.of(obj))
        self._server.apply(self._signed(obj))

    def compare(self, obj: Mapping[str, Any]) -> tuple[Object, Object] | None:
        """The object as applying it would leave it, and as it is; None when it is gone. Changes nothing."""
        live = self._server.get(Key.of(obj))
        if live is None:
            return None
        return _content(self._server.apply(self._signed(obj), dry_run=True)), _content(live)

    def delete(self, key: Key) -> None:
        """Deletes the object and waits until it is gone; one that somebody else has made since is left alone."""
        found = self._server.get(key)
        if found is not None and self._made_by(found) == self._owner:
            self._server.delete(key, found["metadata"]["uid"])

    def _check_free(self, key: Key) -> None:
        found = self._server.get(key)
        if found is None:
            return
        maker = self._made_by(found)
        if maker != self._owner:
            who = f"the environment {maker} made it" if maker else "somebody else made it"
            raise UserError(
                f"{key} exists already on {self.server}, and {who}: a local environment changes and deletes only what "
                "it has made itself. Remove it there if nobody needs it, or name the kubeconfig of another cluster"
            )
        if "deletionTimestamp" in found["metadata"]:
            raise UserError(f"{key} is being deleted on {self.server}: run the same command again once it is gone")

    def _signed(self, obj: Mapping[str, Any]) -> Object:
        metadata = obj["metadata"]
        annotations = {**(metadata.get("annotations") or {}), OWNER_ANNOTATION: self._owner}
        return {**obj, "metadata": {**metadata, "annotations": annotations}}

    @staticmethod
    def _made_by(found: Object) -> str:
        return (found["metadata"].get("annotations") or {}).get(OWNER_ANNOTATION, "")


def connect(kubeconfig: Path, owner: str, *, delete_timeout_s: float = DELETE_TIMEOUT_S) -> Cluster:
    """The cluster that a kubeconfig names.

    Raises InvalidInput for a file that leads anywhere but to a cluster on this machine, NoAnswer if it does not run.
    """
    return Cluster(ApiServer(read_kubeconfig(kubeconfig), delete_timeout_s=delete_timeout_s), owner)


def as_live(given: Any, wanted: Any, live: Any) -> Any:
    """What was given, with the values that are different now.

    `wanted` is what the server makes of it and `live` what the server has: what it fills in, or writes in another way,
    is in both and so is no difference.
    """
    if wanted == live:
        return given
    if isinstance(given, Mapping) and isinstance(wanted, Mapping) and isinstance(live, Mapping):
        # What neither holds can only be written, as a Secret's stringData.
        kept = [name for name in given if name in live or name not in wanted]
        return {
            name: as_live(given[name], wanted.get(name), live[name]) if name in live else given[name] for name in kept
        }
    lists = [value for value in (given, wanted, live) if isinstance(value, list)]
    if len(lists) == 3 and len({len(entries) for entries in lists}) == 1:
        return [as_live(*entries) for entries in zip(*lists, strict=True)]
    return live


def _content(obj: Object) -> Object:
    metadata = {name: value for name, value in obj["metadata"].items() if name in _METADATA}
    return {**{name: value for name, value in obj.items() if name != "status"}, "metadata": metadata}
