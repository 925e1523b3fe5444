"""`stackyard local up`: the program's stacks on the emulator, changed only where they differ."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from stackyard.errors import UserError
from stackyard.local import attachment, emulator, mirror
from stackyard.local.environment import LocalEnvironment, local_environment
from stackyard.local.kubernetes.cluster import Cluster
from stackyard.local.kubernetes.store import Store
from stackyard.local.places import Places, typed
from stackyard.local.progress import Progress
from stackyard.local.runs import running
from stackyard.local.safety import assert_emulator
from stackyard.local.stack_run import known, run_stack, settle, target
from stackyard.program import state
from stackyard.program.capture import request_for
from stackyard.program.child import INTERRUPTED
from stackyard.program.deployment import Deployment, Resource
from stackyard.program.journal import replay
from stackyard.program.process import Outcome, Refused
from stackyard.program.stackfiles import StackConfig
from stackyard.program.values import has_unknown


class UpFailed(UserError):
    """Some resources could not be provisioned; what exists is in the state."""


@dataclass(frozen=True, kw_only=True)
class Provisioned:
    """What an `up` ended with."""

    environment: LocalEnvironment
    endpoint: str
    deployments: dict[str, Deployment]
    cluster: str = ""
    """Server of the cluster that Kubernetes objects were applied to; empty without one."""


def up(root: Path, name: str, console: Console, *, kubeconfig: Path | None = None, detach: bool = False) -> Provisioned:
    """Provisions every stack of the environment, base first. Raises UpFailed when a resource could not be made.

    `kubeconfig` and `detach` choose and leave a cluster on this machine, see `attachment.attach`.
    """
    environment = local_environment(root, name)
    make_private(environment.places.folder)
    with state.locked(environment.places.lock):
        if Store(environment.places.kubernetes_objects).discard_damaged():
            console.print("The local cluster's objects could not be read: all of them are written again.")
        cluster = attachment.attach(environment.places, kubeconfig, console, detach=detach)
        server = emulator.start(environment.places)
        assert_emulator(server.endpoint, environment.account_id)
        _header(environment, server, cluster, console)
        lost = not emulator.holds_states(server.endpoint, environment.places)
        if lost:
            _forget(environment, server.endpoint, console)
            # Before the first write: a run that is killed must find its own resources again.
            emulator.mark(server.endpoint, _state_id(environment.places))
        run = _Run(environment, server.endpoint, cluster, console)
        deployments: dict[str, Deployment] = {}
        for config in environment.stacks:
            deployments[config.stack] = run.provision(config, deployments)
        _restore(environment, server.endpoint, deployments, console)
        if cluster:
            left_over = Store(environment.places.kubernetes_objects).left_over()
            attachment.take_away(environment.places, cluster, left_over, console)
    return Provisioned(
        environment=environment,
        endpoint=server.endpoint,
        deployments=deployments,
        cluster=cluster.server if cluster else "",
    )


class _Run:
    """One `up` over the stacks of an environment."""

    def __init__(self, environment: LocalEnvironment, endpoint: str, cluster: Cluster | None, console: Console):
        self._environment, self._endpoint, self._cluster, self._console = environment, endpoint, cluster, console

    def provision(self, config: StackConfig, done: dict[str, Deployment]) -> Deployment:
        places = self._environment.places
        self._console.print(f"\n[bold]{escape(config.stack)}[/]")
        prior = known(self._environment, config, self._endpoint, self._console)
        if prior:
            prior = attachment.with_misplaced(places, prior, self._environment.kubernetes_version, self._cluster)
        base = next((d for name, d in done.items() if name != config.stack), None)
        if prior and (planned := self._plan(config, prior, base)) is not None:
            # Options and names change without a step.
            if places.journal(config.stack).exists() or not state.same_resources(planned, prior):
                settle(places, config.stack, planned)
            return planned
        with running(places):
            outcome = self._apply(config, prior, base)
        assert outcome.deployment
        settle(places, config.stack, outcome.deployment)
        return outcome.deployment

    def _plan(self, config: StackConfig, prior: Deployment, base: Deployment | None) -> Deployment | None:
        """What would happen, before anything does. Returns the stack if nothing would."""
        request = request_for(self._environment.places.root, config, mode="plan", prior=prior, base=base)
        outcome = run_stack(self._environment, config, request, self._endpoint)
        if outcome.failures:
            raise UpFailed("Nothing was changed, since this cannot be done:\n" + "\n".join(outcome.failures))
        changes = [step for step in outcome.steps if step["op"] not in ("same",)]
        if changes or outcome.deployment is None or outcome.deployment.outputs != prior.outputs:
            return None
        self._console.print(f"  no changes: {len(prior.resources)} resources are as the program says")
        before = prior.by_urn()
        resources = tuple(_as_known(resource, before) for resource in outcome.deployment)
        return replace(outcome.deployment, resources=resources, outputs=prior.outputs)

    def _apply(self, config: StackConfig, prior: Deployment | None, base: Deployment | None) -> Outcome:
        places = self._environment.places
        local = target(self._environment, config.stack, self._endpoint)
        request = request_for(places.root, config, mode="up", prior=prior, base=base, local=local)
        progress = Progress(self._console, cluster=self._cluster.server if self._cluster else "")
        try:
            outcome = run_stack(self._environment, config, request, self._endpoint, progress)
        except Refused as refusal:
            if refusal.exit_status == INTERRUPTED:
                progress.close()
                self._list_what_exists(config)
            raise
        progress.close(f": {counted(progress)}")
        if outcome.failures:
            assert outcome.deployment
            settle(places, config.stack, attachment.without_marks(outcome.deployment))
            raise UpFailed(
                f"{config.stack}: {len(outcome.failures)} failed. What exists is kept; mend the cause, then run "
                f"{typed('local up', self._environment.name)} again."
            )
        return outcome

    def _list_what_exists(self, config: StackConfig) -> None:
        journal = self._environment.places.journal(config.stack)
        before = state.read(self._environment.places.state(config.stack))
        after = replay(before, journal, project=config.project, stack=config.stack)
        names = [resource.name for resource in after or () if resource.custom]
        pending = [operation.resource.name for operation in after.pending_operations] if after else []
        self._console.print(f"  exist now: {escape(', '.join(names) or 'none')}", soft_wrap=True)
        if pending:
            self._console.print(f"  of unknown result: {escape(', '.join(pending))}", soft_wrap=True)


def _as_known(planned: Resource, prior: Mapping[str, Resource]) -> Resource:
    """A planned resource for the state: to a plan, a component's output that AWS left out is unknown, not absent."""
    if not has_unknown(planned.outputs):
        return planned
    former = next(urn for urn in (planned.urn, *planned.aliases) if urn in prior)
    return replace(planned, outputs=prior[former].outputs)


def make_private(folder: Path) -> None:
    """Creates the environment's folder for its owner alone: data, models and states lie below it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def counted(progress: Progress) -> str:
    text = f"{progress.emulated} emulated"
    text += f", {progress.applied} applied to {escape(progress.cluster)}" if progress.cluster else ""
    return text + (f", {progress.recorded} recorded (validated, not emulated)" if progress.recorded else "")


def _header(
    environment: LocalEnvironment, server: emulator.Emulator, cluster: Cluster | None, console: Console
) -> None:
    layers = ", ".join(str(layer) for s in environment.settings.values() for layer in s.environment.layers)
    started = "started" if server.started else "running"
    console.print(
        f"[bold]Environment {escape(environment.name)}[/] ({layers}) on the emulator at {server.endpoint} ({started})"
    )
    account = environment.account_id
    if environment.declared_account != account:
        console.print(f"Account {environment.declared_account} is replaced by the emulated account {account}.")
    console.print("Nothing here reaches a real account.")
    if cluster:
        console.print(
            f"Kubernetes objects are applied to {escape(cluster.server)} ({escape(cluster.version)}); kinds that it "
            "does not serve, and Helm releases, are recorded."
        )
    if server.note:
        console.print(escape(server.note))


def _restore(
    environment: LocalEnvironment, endpoint: str, deployments: Mapping[str, Deployment], console: Console
) -> None:
    """Puts the last snapshot's contents into buckets that have just been made."""
    buckets = [str(r.outputs["bucket"]) for d in deployments.values() for r in d.of_type("aws:s3/bucket:Bucket")]
    if mirror.is_restored(endpoint, buckets):
        return
    # A pipeline must neither start on half of the data nor write to the database that is replaced.
    with running(environment.places):
        written = mirror.restore_objects(endpoint, environment.places, buckets)
        mirror.restore_database(endpoint, environment.places)
    if written:
        console.print(f"\nThe buckets' contents are back from the last snapshot: {written} object versions.")


def _state_id(places: Places) -> str:
    """Ties the states to the emulator that holds their resources."""
    if not places.state_id.exists():
        state.write_private(places.state_id, uuid.uuid4().hex)
    return places.state_id.read_text(encoding="utf-8").strip()


def _forget(environment: LocalEnvironment, endpoint: str, console: Console) -> None:
    """Puts the states aside: what they describe went with the emulator's memory."""
    places = environment.places
    if emulator.marker(endpoint) is not None:
        # Its resources belong to a state that was deleted: nothing would ever find or remove them.
        emulator.empty(endpoint)
    known = [c.stack for c in environment.stacks if places.state(c.stack).exists() or places.journal(c.stack).exists()]
    if not known:
        return
    console.print(
        "The emulator has forgotten this environment (it keeps its resources in memory): provisioning it again."
    )
    for stack in known:
        places.journal(stack).unlink(missing_ok=True)
        if (path := places.state(stack)).exists():
            path.replace(path.with_suffix(".lost.json"))
    Store(places.kubernetes_objects).forget()
