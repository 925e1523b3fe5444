"""Carries decided steps out on the emulator and on the object store."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from stackyard.errors import NotWritten, UserError
from stackyard.local import attempts
from stackyard.local.applied import Applied
from stackyard.program.child import Request
from stackyard.program.deployment import Resource
from stackyard.program.derived import stable_uuid
from stackyard.program.evaluation import Step
from stackyard.program.executor import Done, Executor
from stackyard.program.journal import Journal
from stackyard.program.ledger import key
from stackyard.program.values import Value, plain

if TYPE_CHECKING:
    from stackyard.local.aws import AwsProvider
    from stackyard.local.kubernetes.cluster import Cluster
    from stackyard.local.kubernetes.provider import KubernetesProvider

# Client and emulator are both Python: more than this many calls at once bring nothing.
WORKERS = 6


class Provider(Protocol):
    """What an embedded provider does; `inputs` are plain values, names and default tags filled in."""

    def create(self, type_: str, urn: str, inputs: Mapping[str, Any]) -> Applied: ...

    def update(
        self,
        type_: str,
        urn: str,
        id: str,
        old_inputs: Mapping[str, Any],
        old_outputs: Mapping[str, Any],
        new_inputs: Mapping[str, Any],
    ) -> Applied: ...

    def delete(self, type_: str, urn: str, id: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None: ...


# What AWS would not delete as it stands: a bucket with objects, a protected database.
FORCED = ("aws:rds/instance:Instance", "aws:s3/bucket:Bucket")


@dataclass(frozen=True, kw_only=True)
class LocalTarget:
    """Where the steps go. Travels to the child as JSON."""

    endpoint: str
    """The emulator, on loopback."""
    kubernetes_store: str
    kubernetes_version: str
    journal: str
    kubeconfig: str = ""
    """Of the cluster on this machine that objects are applied to; empty without one. Its credentials stay in it."""
    owner: str = ""
    """Signature of the environment, which its objects carry there."""
    include_data: bool = False
    """For `destroy`: buckets are emptied and protected resources go too."""


class LocalExecutor:
    """The embedded providers behind one executor."""

    planning = False
    asks_provider = True

    def __init__(self, providers: Mapping[str, Provider], *, include_data: bool = False):
        self._providers = providers
        self._include_data = include_data

    def create(self, goal: Resource, attempt: str = "") -> Done:
        if goal.is_provider:
            outputs = {key: value for key, value in goal.inputs.items() if key != "__internal"}
            return Done(id=stable_uuid(goal.urn), outputs=outputs)
        with attempts.attempt(attempt):
            applied = self._provider(goal).create(goal.type, goal.urn, sent(goal))
        return _done(applied, goal)

    def update(self, prior: Resource, goal: Resource, attempt: str = "") -> Done:
        if goal.is_provider:
            return replace(self.create(goal), id=prior.id)
        with attempts.attempt(attempt):
            applied = self._provider(goal).update(
                goal.type, goal.urn, prior.id, sent(prior), plain(dict(prior.outputs)), sent(goal)
            )
        return _done(applied, goal)

    def delete(self, resource: Resource, attempt: str = "") -> None:
        if resource.is_provider:
            return
        inputs = sent(resource)
        if self._include_data and resource.type in FORCED:
            inputs["forceDestroy"] = True
        with attempts.attempt(attempt):
            self._provider(resource).delete(
                resource.type, resource.urn, resource.id, inputs, plain(dict(resource.outputs))
            )

    def _provider(self, resource: Resource) -> Provider:
        package = resource.type.partition(":")[0]
        if package not in self._providers:
            raise UserError(
                f"«{resource.name}» ({resource.type}) needs the provider {package}, which is not embedded here: "
                f"the local stack embeds {', '.join(sorted(self._providers))}"
            )
        return self._providers[package]


def sent(resource: Resource) -> dict[str, Value]:
    """Inputs as the provider sends them: its default tags are among the tags, and they go to its region."""
    inputs: dict[str, Value] = plain(dict(resource.inputs))
    if isinstance(region := resource.outputs.get("region"), str):
        inputs["region"] = region
    if "tagsAll" in resource.outputs:
        inputs["tags"] = plain(resource.outputs["tagsAll"])
    return inputs


def _done(applied: Applied, goal: Resource) -> Done:
    outputs = dict(applied.outputs)
    if "tagsAll" in goal.outputs:
        # The program sees the tags that it gave; `tagsAll` has the rest.
        outputs.pop("tags", None)
        if "tags" in goal.inputs:
            outputs["tags"] = goal.inputs["tags"]
    return Done(id=applied.id, outputs=outputs, recorded=applied.recorded)


def embedded_providers(
    *,
    endpoint: str,
    account_id: str,
    region: str,
    kubernetes_store: Path,
    kubernetes_version: str,
    cluster: "Cluster | None" = None,
) -> "dict[str, AwsProvider | KubernetesProvider]":
    """The two providers by package: the emulator's, whose clusters are the object store, and the object store's.

    `cluster` is a server on this machine that the objects are applied to as well.
    """
    from stackyard.local.aws import AwsProvider
    from stackyard.local.kubernetes import store
    from stackyard.local.kubernetes.provider import KubernetesProvider

    aws = AwsProvider(
        endpoint=endpoint,
        account_id=account_id,
        region=region,
        cluster_endpoint=store.ENDPOINT,
        cluster_ca=store.CERTIFICATE_AUTHORITY,
    )
    objects = store.Store(kubernetes_store)
    kubernetes = KubernetesProvider(store=objects, kubernetes_version=kubernetes_version, cluster=cluster)
    return {"aws": aws, "kubernetes": kubernetes}


def local_executor(
    request: Request, report: Callable[[Step], None], stop: Callable[[UserError], None]
) -> tuple[Executor, Callable[[Step], None], int]:
    """Executor, observer and worker count of a child that provisions. First checks that nothing real is reached.

    `stop` ends the process at once: a step that the journal cannot take must not be followed by another.
    """
    from stackyard.local.safety import assert_emulator, guard_sockets

    target = LocalTarget(**request.local)
    guard_sockets()
    assert_emulator(target.endpoint, request.account_id)
    providers = embedded_providers(
        endpoint=target.endpoint,
        account_id=request.account_id,
        region=request.region,
        kubernetes_store=Path(target.kubernetes_store),
        kubernetes_version=target.kubernetes_version,
        cluster=_cluster(target),
    )
    executor = LocalExecutor(providers, include_data=target.include_data)
    return executor, _journalled(report, Journal(Path(target.journal)), stop), WORKERS


def _cluster(target: LocalTarget) -> "Cluster | None":
    from stackyard.local.kubernetes.cluster import connect

    return connect(Path(target.kubeconfig), target.owner) if target.kubeconfig else None


def _journalled(
    report: Callable[[Step], None], journal: Journal, stop: Callable[[UserError], None]
) -> Callable[[Step], None]:
    lock = threading.Lock()

    def observe(step: Step) -> None:
        with lock:
            try:
                _note(step, journal)
            except NotWritten as error:
                stop(error)
            report(step)

    return observe


def _note(step: Step, journal: Journal) -> None:
    match step.phase:
        case "start":
            journal.intend(step.operation)
        case "done" if step.op.startswith("delete"):
            journal.gone(step.op, step.resource)
        case "done" if step.op != "replace":
            journal.done(step.op, step.resource, step.operation.prior)
        case "failed" if not step.unknown:
            journal.refused(*key(step.operation))
        case _:
            pass
