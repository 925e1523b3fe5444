"""The objects of the local cluster, in one JSON file that is replaced as a whole."""

import hashlib
import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacks.plain import is_mapping
from stackyard.errors import UserError
from stackyard.program.state import write_private

Object = dict[str, Any]

ENDPOINT = "https://127.0.0.1:0"
"""What an EKS cluster's `endpoint` output says locally. Port 0 cannot be connected to: nothing may open it."""

CERTIFICATE_AUTHORITY = "c3RhY2t5YXJkOiB0aGUgbG9jYWwgb2JqZWN0IHN0b3JlIGhhcyBubyBjZXJ0aWZpY2F0ZSBhdXRob3JpdHkK"
"""base64, as EKS gives it. Decodes to a sentence, not to a certificate."""

# Every API server makes these itself: https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/
INITIAL_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")

SERVER_FIELDS = ("uid", "resourceVersion")
"""What the cluster adds to an object's metadata."""

_LEFT = "left"


@dataclass(frozen=True, order=True)
class Key:
    """What names an object in a cluster. `namespace` is empty for objects that live in none."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> "Key":
        metadata = obj["metadata"]
        return cls(obj["apiVersion"], obj["kind"], metadata.get("namespace", ""), metadata["name"])

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Store:
    """Objects by apiVersion, kind, namespace and name.

    Each change counts one up, and that number is the object's `resourceVersion`, as in a cluster; writing what is
    there already changes nothing. The file holds what the objects hold, secrets included: mode 0600.

    An object that was also applied to an API server carries that cluster's id (`cluster`). The store remembers such
    objects beyond `forget`, until they are gone from there.
    """

    endpoint = ENDPOINT
    ca = CERTIFICATE_AUTHORITY

    def __init__(self, path: Path):
        self.path = path
        # Resources are created by several threads; the file is read and written as a whole.
        self._lock = threading.RLock()

    def put(self, obj: Mapping[str, Any], *, owner: str, cluster: str = "") -> Object:
        """Stores an object for `owner` (the URN of its resource) and returns it with what the cluster adds.

        `cluster` is the id of the one that it was applied to. Raises UserError as `check`.
        """
        with self._lock:
            content = self._read()
            key = Key.of(obj)
            _check(content, key, owner)
            before = content["objects"].get(_text(key))
            stored = _with_server_fields(obj, owner, before["object"] if before else None, content["revision"] + 1)
            entry = {"object": stored, "owner": owner, **({"cluster": cluster} if cluster else {})}
            if before != entry:
                content["revision"] += before is None or before["object"] != stored
                content["objects"][_text(key)] = entry
                if content.get(_LEFT, {}).get(_text(key)) == cluster:
                    del content[_LEFT][_text(key)]
                self._write(content)
            return stored

    def check(self, key: Key, *, owner: str) -> None:
        """Raises UserError when the key's namespace is missing or another owner has an object of that name."""
        _check(self._read(), key, owner)

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Object | None:
        entry = self._read()["objects"].get(_text(Key(api_version, kind, namespace, name)))
        return entry["object"] if entry else None

    def owner(self, key: Key) -> str | None:
        """URN of the resource that stored the object."""
        entry = self._read()["objects"].get(_text(key))
        return entry["owner"] if entry else None

    def cluster(self, key: Key) -> str:
        """Id of the cluster that the object was applied to; empty for one that is only here."""
        entry = self._read()["objects"].get(_text(key))
        return entry.get("cluster", "") if entry else ""

    def applied(self) -> dict[Key, str]:
        """Everything that was applied to a cluster and not deleted there, with its id; namespaces last."""
        found = self.left_over()
        for text, entry in self._read()["objects"].items():
            if "cluster" in entry:
                found[_key(text)] = entry["cluster"]
        return dict(sorted(found.items(), key=lambda item: (item[0].kind == "Namespace", item[0])))

    def left_over(self) -> dict[Key, str]:
        """Of `applied`, what the program has not asked for again since the store was told to forget."""
        return {_key(text): cluster for text, cluster in self._read().get(_LEFT, {}).items()}

    def taken_away(self, key: Key) -> None:
        """Notes that the object is no longer in the cluster that it was applied to, or no concern of ours there."""
        with self._lock:
            content = self._read()
            content.get(_LEFT, {}).pop(_text(key), None)
            if entry := content["objects"].get(_text(key)):
                entry.pop("cluster", None)
            self._write(content)

    def forget(self) -> None:
        """Forgets all objects, also in a file that cannot be read; not what was applied to a cluster."""
        with self._lock:
            try:
                applied = self.applied()
            except UserError:
                applied = {}
            if applied:
                left = {_text(key): cluster for key, cluster in applied.items()}
                self._write({"objects": {}, "revision": 0, _LEFT: left})
            else:
                self.path.unlink(missing_ok=True)

    def discard_damaged(self) -> bool:
        """Forgets all objects of a file that cannot be read; False for one that can be, and for none."""
        try:
            self._read()
        except UserError:
            self.forget()
            return True
        return False

    def list(self, *, kind: str | None = None, namespace: str | None = None) -> list[Object]:
        """Objects in the order of their keys; those of every kind and namespace unless one is named."""
        objects = [entry["object"] for _, entry in sorted(self._read()["objects"].items())]
        return [
            obj
            for obj in objects
            if kind in (None, obj["kind"]) and namespace in (None, obj["metadata"].get("namespace", ""))
        ]

    def delete(self, api_version: str, kind: str, name: str, namespace: str = "") -> bool:
        """Removes an object; False when there is none. Raises UserError for a namespace that still holds objects."""
        with self._lock:
            content = self._read()
            key = Key(api_version, kind, namespace, name)
            if _text(key) not in content["objects"]:
                return False
            _check_empty(content, key)
            del content["objects"][_text(key)]
            content["revision"] += 1
            self._write(content)
            return True

    def check_empty(self, key: Key) -> None:
        """Raises UserError for a namespace that still holds objects."""
        _check_empty(self._read(), key)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if not _is_whole(content):
                raise ValueError("it does not hold what is written there")
        except FileNotFoundError:
            return {"objects": {}, "revision": 0}
        except ValueError as error:
            raise UserError(
                f"The local cluster's objects in {self.path} cannot be read ({error}). "
                "Run `stackyard local up`: it writes every object again."
            ) from error
        return content

    def _write(self, content: Mapping[str, Any]) -> None:
        write_private(self.path, json.dumps(content, indent=1, sort_keys=True) + "\n")


def uid_of(urn: str) -> str:
    """A UUID that is always the same for one resource."""
    return str(uuid.UUID(bytes=hashlib.sha256(urn.encode()).digest()[:16], version=4))


def _is_whole(content: Any) -> bool:
    if not is_mapping(content) or not isinstance(content.get("revision"), int):
        return False
    objects = content.get("objects")
    return is_mapping(objects) and all(
        is_mapping(entry) and is_mapping(entry.get("object")) and "owner" in entry for entry in objects.values()
    )


def _text(key: Key) -> str:
    # A blank cannot stand in any of the four: the text is as unique as the key, and sorts like it.
    return " ".join((key.api_version, key.kind, key.namespace or "-", key.name))


def _key(text: str) -> Key:
    api_version, kind, namespace, name = text.split(" ")
    return Key(api_version, kind, "" if namespace == "-" else namespace, name)


def _with_server_fields(obj: Mapping[str, Any], owner: str, before: Object | None, revision: int) -> Object:
    server = {"uid": uid_of(owner), "resourceVersion": str(revision)}
    stored = json.loads(json.dumps(obj)) | {"metadata": {**obj["metadata"], **server}}
    if before is None:
        return stored
    unchanged = stored | {"metadata": {**stored["metadata"], "resourceVersion": before["metadata"]["resourceVersion"]}}
    return before if unchanged == before else stored


def _check(content: Mapping[str, Any], key: Key, owner: str) -> None:
    _check_namespace(content, key)
    before = content["objects"].get(_text(key))
    if before and before["owner"] != owner:
        raise UserError(
            f"{key} exists already: it belongs to {before['owner']}. "
            "Two resources cannot manage one object: give one of them another name."
        )


def _check_namespace(content: Mapping[str, Any], key: Key) -> None:
    if not key.namespace or key.namespace in INITIAL_NAMESPACES:
        return
    if _text(Key("v1", "Namespace", "", key.namespace)) not in content["objects"]:
        raise UserError(
            f"{key} cannot be created: there is no namespace {key.namespace}. "
            "Create the Namespace in the same program and make this resource depend on it."
        )


def _check_empty(content: Mapping[str, Any], key: Key) -> None:
    if (key.api_version, key.kind) != ("v1", "Namespace"):
        return
    inside = [
        str(Key.of(entry["object"]))
        for _, entry in sorted(content["objects"].items())
        if entry["object"]["metadata"].get("namespace") == key.name
    ]
    if inside:
        raise UserError(
            f"Namespace {key.name} still holds {len(inside)} object(s): {', '.join(inside[:5])}"
            f"{', …' if len(inside) > 5 else ''}. A cluster would delete them with it: delete them first."
        )
