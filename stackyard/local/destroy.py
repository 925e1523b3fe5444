"""`stackyard local destroy`: what was provisioned goes, in reverse order; data stays unless it is asked for."""

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from stackyard.errors import UserError
from stackyard.local import attachment, emulator, inventory, mirror
from stackyard.local.environment import LocalEnvironment, local_environment
from stackyard.local.kubernetes.store import Store
from stackyard.local.places import typed
from stackyard.local.progress import Progress
from stackyard.local.runs import running
from stackyard.local.safety import assert_emulator, client
from stackyard.local.stack_run import known, recorded, run_stack, settle, target
from stackyard.program import state
from stackyard.program.capture import request_for
from stackyard.program.deployment import STACK_TYPE, Deployment, Resource, provider_urn
from stackyard.program.imports import import_file
from stackyard.program.stackfiles import StackConfig


class DestroyFailed(UserError):
    """Something would not go; what is left is in the state."""


@dataclass(frozen=True, kw_only=True)
class Destroyed:
    kept: tuple[Resource, ...]
    """Protected or retained data, with what it cannot do without."""
    remains: dict[str, list[str]]
    """What the emulator still holds although nothing was to be kept: by service."""
    left_on: str = ""
    """Server of a cluster that could not be reached, so that Kubernetes objects stay there."""


def destroy(
    root: Path,
    name: str,
    console: Console,
    *,
    include_data: bool,
    confirm: Callable[[str], bool] = lambda question: True,
) -> Destroyed:
    """Destroys the environment's stacks, platform first. Without `include_data`, protected and retained data stays.

    `confirm` is asked whether to go on if the objects' cluster does not answer: they stay there then.
    """
    environment = local_environment(root, name)
    kept: list[Resource] = []
    remains: dict[str, list[str]] = {}
    with state.locked(environment.places.lock), running(environment.places):
        server = emulator.running(environment.places)
        if server is None and not include_data:
            raise DestroyFailed(_not_running(environment))
        if server is not None:
            assert_emulator(server.endpoint, environment.account_id)
        cluster, left_on = attachment.or_left_behind(environment.places, confirm, console)
        if server is not None:
            if not include_data:
                # What stays lives in the emulator's memory alone until then.
                mirror.snapshot(server.endpoint, environment.places)
            others = _other_regions(environment)
            for config in reversed(environment.stacks):
                kept += _destroy_stack(environment, config, server.endpoint, console, include_data=include_data)
            if include_data:
                _delete_final_snapshots(server.endpoint, environment.region)
            if not kept:
                remains = inventory.inventory(server.endpoint, region=environment.region, others=others)
        if cluster:
            store = Store(environment.places.kubernetes_objects)
            # What the stacks had is gone by now, if there was an emulator to destroy them with.
            rest = store.applied() if include_data else store.left_over()
            attachment.take_away(environment.places, cluster, rest, console)
            attachment.forget_if_empty(environment.places, cluster, console)
        if include_data and not remains:
            emulator.stop(environment.places)
            mirror.drop(environment.places)
            shutil.rmtree(environment.places.folder, ignore_errors=True)
    return Destroyed(kept=tuple(kept), remains=remains, left_on=left_on)


def _other_regions(environment: LocalEnvironment) -> set[str]:
    """Where replicas of data buckets lie or are to lie: what the states hold may be older than the settings."""
    found: set[str] = set()
    for config in environment.stacks:
        declared = environment.settings[config.stack].data_buckets
        found |= {bucket.replica_region for bucket in declared if bucket.replica_region}
        found_there = recorded(environment.places, config) or ()
        found |= {region for r in found_there if r.custom and isinstance(region := r.outputs.get("region"), str)}
    return found - {environment.region}


def _delete_final_snapshots(endpoint: str, region: str) -> None:
    """A database leaves its data behind in a snapshot, this one and those of earlier destroys, which is no resource."""
    rds = client("rds", endpoint=endpoint, region=region)
    for found in rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]:
        rds.delete_db_snapshot(DBSnapshotIdentifier=found["DBSnapshotIdentifier"])


def _not_running(environment: LocalEnvironment) -> str:
    kept = mirror.current(environment.places)
    return (
        f"the emulator of {environment.name!r} does not run, so nothing was destroyed; its snapshot holds "
        f"{kept.objects if kept else 0} objects. {typed('local up', environment.name)} brings it back for a destroy; "
        f"{typed('local destroy --include-data', environment.name)} removes everything at once"
    )


def _destroy_stack(
    environment: LocalEnvironment, config: StackConfig, endpoint: str, console: Console, *, include_data: bool
) -> list[Resource]:
    places, stack = environment.places, config.stack
    prior = known(environment, config, endpoint, console)
    if prior is None:
        return []
    kept = [] if include_data else keep(prior)
    kept_urns = {resource.urn for resource in kept}
    going = replace(
        prior,
        resources=tuple(replace(r, protect=False, retain_on_delete=False) for r in prior if r.urn not in kept_urns),
        pending_deletes=tuple(
            replace(r, retain_on_delete=r.retain_on_delete and not include_data) for r in prior.pending_deletes
        ),
    )
    console.print(f"[bold]{config.stack}[/]")
    progress = Progress(console)
    local = target(environment, stack, endpoint, include_data=include_data)
    request = request_for(places.root, config, mode="destroy", prior=going, local=local)
    outcome = run_stack(environment, config, request, endpoint, progress)
    assert outcome.deployment
    left = [resource for resource in prior if resource.urn in kept_urns | set(outcome.deployment.by_urn())]
    settle(places, stack, replace(outcome.deployment, resources=tuple(left), outputs={}))
    if kept:
        document = import_file(prior, kept)
        state.write_private(places.retained(stack), json.dumps(document, indent=1) + "\n")
    progress.close()
    if outcome.failures:
        raise DestroyFailed(
            f"{config.stack}: {len(outcome.failures)} resources would not go. What is left is in the state: "
            f"mend the cause, then run {typed('local destroy', environment.name)} again."
        )
    return [resource for resource in kept if resource.protect or resource.retain_on_delete]


def keep(deployment: Deployment) -> list[Resource]:
    """What a destroy leaves: protected and retained resources, and what they depend on."""
    by_urn = deployment.by_urn()
    data = [r for r in deployment if (r.protect or r.retain_on_delete) and r.type != STACK_TYPE]
    wanted = {resource.urn for resource in data}
    pending = list(wanted)
    while pending:
        for needed in _needs(by_urn[pending.pop()]):
            if needed in by_urn and needed not in wanted:
                wanted.add(needed)
                pending.append(needed)
    return [resource for resource in deployment if resource.urn in wanted]


def _needs(resource: Resource) -> Iterable[str]:
    yield from resource.dependencies
    yield from filter(None, (resource.parent, provider_urn(resource.provider), resource.deleted_with))
