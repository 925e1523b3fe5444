"""The embedded Kubernetes provider: validates objects as the cluster's API server would and keeps them in the store.

With a cluster on this machine (`up --kubeconfig`) they are also applied there, as far as it serves their kinds.
"""

import json
from collections.abc import Mapping
from typing import Any

from stackyard.errors import InvalidInput
from stackyard.local.applied import Applied, Live
from stackyard.local.kubernetes import releases, schemas
from stackyard.local.kubernetes.cluster import Cluster, as_live
from stackyard.local.kubernetes.store import SERVER_FIELDS, Key, Store

TYPE_PREFIX = "kubernetes:"
RELEASE_TYPE = "kubernetes:helm.sh/v3:Release"
# Types of pulumi-kubernetes that are no objects: they fetch or render something on their own.
REFUSED_GROUPS = ("kubernetes:helm.sh/", "kubernetes:kustomize/", "kubernetes:yaml/")

Values = Mapping[str, Any]


class KubernetesProvider:
    """Creates, reads, updates and deletes the resources of one cluster. Inputs and outputs are plain values.

    Helm releases are validated and recorded: nothing of a chart runs here. So is, beside a cluster, what it does not
    serve. Without one the store alone is the cluster.
    """

    def __init__(self, *, store: Store, kubernetes_version: str, cluster: Cluster | None = None):
        self.store = store
        self.cluster = cluster
        self.kubernetes_version = kubernetes_version
        self.notes: set[str] = set()
        """What a person should know about the checks, for example that an older schema was used."""

    def validate(self, type_: str, urn: str, inputs: Values) -> None:
        """Raises InvalidInput with everything that the cluster would refuse. Reads and writes nothing."""
        if type_ == RELEASE_TYPE:
            note = releases.validate_release(inputs)
            self.notes |= {note} if note else set()
            return
        if type_.startswith(REFUSED_GROUPS):
            raise InvalidInput(
                f"{type_} ({urn}) is not supported: charts are installed as helm.v3.Release, which keeps a record, "
                "and every other object is a resource of its own."
            )
        note = schemas.validate(_object(type_, inputs), self.kubernetes_version).note
        self.notes |= {note} if note else set()

    def create(self, type_: str, urn: str, inputs: Values) -> Applied:
        """Validates and stores. Doing it again for the same URN changes nothing (a killed `up` is resumed so)."""
        self.validate(type_, urn, inputs)
        if type_ == RELEASE_TYPE:
            return self._record(urn, inputs)
        obj = _object(type_, inputs)
        key, cluster = Key.of(obj), self.cluster
        self.store.check(key, owner=urn)
        if cluster is None or not cluster.serves(key.api_version, key.kind):
            stored = self.store.put(obj, owner=urn)
            return Applied(id=_id(key), outputs=_outputs(stored), recorded=cluster is not None)
        cluster.apply(obj, ours=self.store.cluster(key) == cluster.id)
        return Applied(id=_id(key), outputs=_outputs(self.store.put(obj, owner=urn, cluster=cluster.id)))

    def update(
        self, type_: str, urn: str, id: str, old_inputs: Values, old_outputs: Values, new_inputs: Values
    ) -> Applied:
        """As `create`. Raises InvalidInput where the object's name or namespace changed: that takes a replacement."""
        if type_ != RELEASE_TYPE and (new := _id(Key.of(_object(type_, new_inputs)))) != id:
            raise InvalidInput(f"{urn} is {id} in the cluster and cannot be renamed to {new}: it must be replaced.")
        return self.create(type_, urn, new_inputs)

    def read(self, type_: str, urn: str, id: str, inputs: Values, outputs: Values) -> dict[str, Any] | None:
        """Outputs of what the store holds, None when it is gone."""
        key = _key(type_, inputs)
        stored = self.store.get(key.api_version, key.kind, key.name, key.namespace)
        if stored is None:
            return None
        return dict(outputs) if type_ == RELEASE_TYPE else _outputs(stored)

    def live(self, type_: str, urn: str, id: str, inputs: Values, outputs: Values) -> Live | None:
        """Inputs and outputs as the store's object says, None when it is gone or belongs to another resource."""
        key = _key(type_, inputs)
        stored = self.store.get(key.api_version, key.kind, key.name, key.namespace)
        if stored is None or self.store.owner(key) != urn:
            return None
        if type_ == RELEASE_TYPE:
            now = {**stored["spec"], "name": stored["metadata"]["name"], "namespace": stored["metadata"]["namespace"]}
            return Live(inputs=now, outputs={**outputs, **now})
        now = _inputs_now(type_, inputs, stored)
        if self.cluster and self.store.cluster(key) == self.cluster.id:
            compared = self.cluster.compare(_object(type_, inputs))
            if compared is None:
                return None
            now = as_live(now, *compared)
        return Live(inputs=now, outputs=_outputs(stored))

    def delete(self, type_: str, urn: str, id: str, inputs: Values, outputs: Values) -> None:
        """Removes the object if it is there and belongs to this URN; a namespace must be empty (UserError).

        In a cluster it is gone when this returns. Raises UserError if it will not go.
        """
        key = _key(type_, inputs)
        if self.store.owner(key) != urn:
            return
        self.store.check_empty(key)
        if self.cluster and self.store.cluster(key) == self.cluster.id:
            self.cluster.delete(key)
        self.store.delete(key.api_version, key.kind, key.name, key.namespace)

    def misplaced(self, type_: str, inputs: Values, *, recorded: bool) -> bool:
        """Whether the object is in another cluster than it should be, in none, or should no longer be in one.

        `recorded`: what the state says of it. What the store does not hold (its file was removed) is in no place.
        """
        key = _key(type_, inputs)
        if self.store.owner(key) is None:
            return True
        if type_ == RELEASE_TYPE:
            return False
        if self.cluster is None:
            return recorded
        served = self.cluster.serves(key.api_version, key.kind)
        return recorded == served or self.store.cluster(key) != (self.cluster.id if served else "")

    def _record(self, urn: str, inputs: Values) -> Applied:
        name, namespace = inputs["name"], inputs["namespace"]
        record = {
            "apiVersion": "helm.sh/v3",
            "kind": "Release",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {key: value for key, value in inputs.items() if key not in ("name", "namespace")},
        }
        self.store.put(record, owner=urn)
        status = {
            "name": name,
            "namespace": namespace,
            "chart": releases.chart_name(inputs["chart"]),
            "version": inputs["version"],
            "revision": 1,
            "status": "deployed",
        }
        outputs = {**json.loads(json.dumps(inputs)), "resourceNames": {}, "status": status}
        return Applied(id=f"{namespace}/{name}", outputs=outputs, recorded=True)


def _object(type_: str, inputs: Values) -> dict[str, Any]:
    """The object of a resource: `kubernetes:<group/version>:<Kind>` says what inputs may leave out."""
    group, _, kind = type_.removeprefix(TYPE_PREFIX).partition(":")
    obj: dict[str, Any] = {"apiVersion": group.removeprefix("core/"), "kind": kind, **json.loads(json.dumps(inputs))}
    metadata: dict[str, Any] = obj.get("metadata") or {}
    if kind not in schemas.CLUSTER_SCOPED:
        # What kubectl does with an object that names no namespace.
        metadata = {"namespace": "default"} | metadata
    return obj | {"metadata": metadata}


def _inputs_now(type_: str, inputs: Values, stored: Mapping[str, Any]) -> dict[str, Any]:
    """The object without what the resource's type and the cluster add to the inputs."""
    added = {name: value for name, value in _object(type_, {}).items() if name not in inputs and name != "metadata"}
    given: Values = inputs.get("metadata") or {}
    metadata = {
        name: value
        for name, value in stored["metadata"].items()
        if name in given or (name not in SERVER_FIELDS and (name, value) != ("namespace", "default"))
    }
    now = {name: value for name, value in stored.items() if added.get(name) != value and name != "metadata"}
    if "status" not in inputs:
        # The cluster's, written by what runs in it.
        now.pop("status", None)
    return {**now, "metadata": metadata} if metadata or "metadata" in inputs else now


def _key(type_: str, inputs: Values) -> Key:
    if type_ == RELEASE_TYPE:
        return Key("helm.sh/v3", "Release", inputs["namespace"], inputs["name"])
    return Key.of(_object(type_, inputs))


def _id(key: Key) -> str:
    return f"{key.namespace}/{key.name}" if key.namespace else key.name


def _outputs(stored: Mapping[str, Any]) -> dict[str, Any]:
    # resourceVersion stays in the store: it would make every output differ after each change elsewhere.
    metadata = {name: value for name, value in stored["metadata"].items() if name != "resourceVersion"}
    return {**stored, "metadata": metadata, "status": stored.get("status") or {}}
