"""The cluster on this machine that an environment's Kubernetes objects are applied to: chosen, remembered, left.

An environment has one such cluster or none, from `up --kubeconfig FILE` until `destroy` or `up --no-kubeconfig`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from stackyard.errors import InvalidInput, UserError
from stackyard.local.kubernetes.cluster import Cluster, connect
from stackyard.local.kubernetes.provider import TYPE_PREFIX, KubernetesProvider
from stackyard.local.kubernetes.store import Key, Store
from stackyard.local.places import Places, typed
from stackyard.program.deployment import Deployment, Resource
from stackyard.program.state import write_private
from stackyard.program.values import plain

MISPLACED = "cluster"
"""The input by which a resource differs from the program if its object is not where it should be."""


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """What an environment remembers of its cluster."""

    kubeconfig: str
    """Absolute path of the file."""
    server: str
    cluster: str
    """Id of the cluster: a new one at the same address has another."""

    def __str__(self) -> str:
        return f"{self.server} (kubeconfig {self.kubeconfig})"


def signature(places: Places) -> str:
    """What the environment's objects carry in the cluster, so that nobody else's are touched."""
    return f"{places.env}-{places.owner}"


def remembered(places: Places) -> Attachment | None:
    """The environment's cluster, as it was when an `up` last reached it."""
    try:
        return Attachment(**json.loads(places.kubernetes_cluster.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise UserError(
            f"{places.kubernetes_cluster} is damaged: it says which cluster the environment's objects are applied to. "
            f"Remove it, then name the cluster again: {typed('local up --kubeconfig FILE', places.env)}"
        ) from None


def attach(places: Places, kubeconfig: Path | None, console: Console, *, detach: bool = False) -> Cluster | None:
    """The cluster for an `up`: the one of `kubeconfig`, else the one that the environment remembers, else none.

    With `detach` what was applied is taken away from the cluster, if it answers. Raises UserError when the remembered
    cluster does not answer, and when the environment would get a second one.
    """
    before = remembered(places)
    if detach:
        if before:
            _take_leave(places, before, console)
        return None
    if kubeconfig is None and before is None:
        return None
    cluster = _reached(places, kubeconfig, before)
    if before and before.cluster != cluster.id:
        _check_gone(places, before)
        console.print(
            f"{escape(cluster.server)} is not the cluster that the environment's objects were applied to "
            f"({escape(before.server)}): all of them are applied again. What is in the former one stays there."
        )
    path = str(kubeconfig.absolute()) if kubeconfig else before.kubeconfig if before else ""
    now = Attachment(kubeconfig=path, server=cluster.server, cluster=cluster.id)
    if now != before:
        # Before the first object: what a killed run has applied is found again.
        write_private(places.kubernetes_cluster, json.dumps(asdict(now), indent=1) + "\n")
    return cluster


def attached(places: Places) -> Cluster | None:
    """The environment's cluster, to look at it or to take something away. Raises UserError if it is not there."""
    before = remembered(places)
    if before is None:
        return None
    cluster = connect(Path(before.kubeconfig), signature(places))
    if cluster.id != before.cluster:
        raise UserError(
            f"{before} is another cluster than the one that the environment's objects were applied to: "
            f"{typed('local up', places.env)} applies them to this one"
        )
    return cluster


def or_left_behind(places: Places, confirm: Callable[[str], bool], console: Console) -> tuple[Cluster | None, str]:
    """The environment's cluster for a `destroy`, and the server where objects stay since it cannot be reached.

    Raises UserError if `confirm` does not agree to that: nothing was destroyed then.
    """
    try:
        return attached(places), ""
    except UserError as error:
        before, store = remembered(places), Store(places.kubernetes_objects)
        applied = store.applied()
        if before is None or not applied:
            _forget(places)
            return None, ""
        console.print(f"[yellow]![/] {escape(str(error))}", soft_wrap=True)
        if not confirm(f"Go on, and leave {len(applied)} objects on {before.server}?"):
            raise UserError("nothing was destroyed") from None
        _leave(places, before, console)
        return None, before.server


def take_away(places: Places, cluster: Cluster, objects: Mapping[Key, str], console: Console) -> None:
    """Deletes objects from the cluster, as far as they are in this one. Raises UserError with all that would not go."""
    store, failures = Store(places.kubernetes_objects), list[str]()
    gone = 0
    for key, there in objects.items():
        try:
            if there == cluster.id:
                cluster.delete(key)
                gone += 1
            store.taken_away(key)
        except UserError as error:
            failures.append(str(error))
    if gone:
        console.print(f"{gone} objects were deleted from {escape(cluster.server)}.")
    if failures:
        raise UserError(f"{len(failures)} objects would not go from {cluster.server}:\n" + "\n".join(failures))


def forget_if_empty(places: Places, cluster: Cluster, console: Console) -> None:
    """After a destroy: without an object there the environment has no cluster any more."""
    if not Store(places.kubernetes_objects).applied():
        _forget(places)
        console.print(f"Nothing of {escape(places.env)} is left on {escape(cluster.server)}.")


def with_misplaced(places: Places, prior: Deployment, version: str, cluster: Cluster | None) -> Deployment:
    """The state, in which an object that is not where it should be differs from the program: `up` then puts it there.

    That is so after another choice of cluster, in a cluster that is new, and for a kind that it serves by now.
    """
    provider = KubernetesProvider(store=Store(places.kubernetes_objects), kubernetes_version=version, cluster=cluster)

    def marked(resource: Resource) -> Resource:
        if not resource.custom or not resource.type.startswith(TYPE_PREFIX):
            return resource
        if not provider.misplaced(resource.type, plain(dict(resource.inputs)), recorded=resource.recorded):
            return resource
        return replace(resource, inputs={**resource.inputs, MISPLACED: "another"})

    return replace(prior, resources=tuple(marked(resource) for resource in prior))


def without_marks(deployment: Deployment) -> Deployment:
    """The deployment without the marks of `with_misplaced`, for the state."""
    return replace(
        deployment,
        resources=tuple(
            replace(r, inputs={name: value for name, value in r.inputs.items() if name != MISPLACED})
            if r.type.startswith(TYPE_PREFIX) and MISPLACED in r.inputs
            else r
            for r in deployment
        ),
    )


def _reached(places: Places, kubeconfig: Path | None, before: Attachment | None) -> Cluster:
    if kubeconfig is not None:
        return connect(kubeconfig, signature(places))
    assert before
    try:
        return connect(Path(before.kubeconfig), signature(places))
    except UserError as error:
        again, without = typed("local up --kubeconfig FILE", places.env), typed("local up --no-kubeconfig", places.env)
        message = (
            f"the environment's objects are applied to {before}, but {error}\n"
            f"Start that cluster again, name another one with {again}, or go on without one: {without}"
        )
        raise (InvalidInput if isinstance(error, InvalidInput) else UserError)(message) from None


def _check_gone(places: Places, before: Attachment) -> None:
    """Raises InvalidInput if the former cluster is still there and holds objects of ours."""
    applied = Store(places.kubernetes_objects).applied().values()
    try:
        still = before.cluster in applied and connect(Path(before.kubeconfig), signature(places)).id == before.cluster
    except UserError:
        return
    if still:
        raise InvalidInput(
            f"the environment's objects are applied to {before} already, and an environment has one cluster. "
            f"{typed('local up --no-kubeconfig', places.env)} takes them away from there; then name the other one"
        )


def _take_leave(places: Places, before: Attachment, console: Console) -> None:
    try:
        cluster = attached(places)
    except UserError as error:
        console.print(f"[yellow]![/] {escape(str(error))}", soft_wrap=True)
        _leave(places, before, console)
        return
    assert cluster
    take_away(places, cluster, Store(places.kubernetes_objects).applied(), console)
    _forget(places)


def _leave(places: Places, before: Attachment, console: Console) -> None:
    """Forgets the cluster, and says what stays in it."""
    store = Store(places.kubernetes_objects)
    applied = store.applied()
    for key in applied:
        store.taken_away(key)
    _forget(places)
    if applied:
        names = ", ".join(str(key) for key in applied)
        console.print(f"{len(applied)} objects are left on {escape(before.server)}: {escape(names)}", soft_wrap=True)


def _forget(places: Places) -> None:
    places.kubernetes_cluster.unlink(missing_ok=True)
