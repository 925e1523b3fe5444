"""`stackyard local refresh`: what the emulator and the object store hold now, against what the state says."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.markup import escape

from stackyard.errors import UserError
from stackyard.local import drift, emulator
from stackyard.local.applied import Live
from stackyard.local.attachment import attached
from stackyard.local.drift import Drift, Rank
from stackyard.local.environment import LocalEnvironment, local_environment
from stackyard.local.executor import WORKERS, embedded_providers, sent
from stackyard.local.places import typed
from stackyard.local.runs import running
from stackyard.local.safety import assert_emulator
from stackyard.local.stack_run import settle
from stackyard.program import state
from stackyard.program.decide import apply_ignore_changes
from stackyard.program.deployment import STACK_TYPE, Deployment, Resource
from stackyard.program.stackfiles import StackConfig
from stackyard.program.values import Secret, Value, plain, walk

_LABELS = {Rank.SECURITY: "security", Rank.DELETED: "deleted", Rank.OTHER: "changed"}
_KUBERNETES = "kubernetes"


class Reader(Protocol):
    """What an embedded provider does for a refresh; plain values."""

    def live(
        self, type_: str, urn: str, id: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> Live | None: ...


@dataclass(frozen=True, kw_only=True)
class Refreshed:
    """What a stack looks like from outside."""

    before: Deployment
    after: Deployment
    """The state that says what is there: the next `up` finds the differences in it."""
    drifts: tuple[Drift, ...]
    """What concerns security first."""
    read: int
    """Resources that were read."""
    recorded: int
    """Resources that only the state knows: nothing emulates them."""
    unread: Mapping[str, tuple[str, ...]]
    """Given inputs that cannot be read back, by URN."""


def refresh(
    root: Path, name: str, console: Console, *, preview_only: bool, confirm: Callable[[str], bool]
) -> list[Drift]:
    """Reports everything that is not as the states say, and, if `confirm` agrees, writes it into the states.

    Changes nothing in the emulator. Raises UserError where nothing can be compared.
    """
    environment = local_environment(root, name)
    places = environment.places
    with state.locked(places.lock), running(places):
        endpoint = _endpoint(environment)
        found = [
            (config, refreshed) for config in environment.stacks if (refreshed := _read(environment, config, endpoint))
        ]
        if not found:
            console.print(f"{escape(name)}: nothing is provisioned")
        for config, refreshed in found:
            _report(config, refreshed, console)
        drifts = [one for _, refreshed in found for one in refreshed.drifts]
        if drifts and preview_only:
            console.print(
                f"\nThe state was left as it is. {typed('local refresh', name)}, then {typed('local up', name)} "
                "sets everything back."
            )
        elif drifts:
            if not confirm(f"Write {_count(len(drifts), 'difference')} into the state of {name!r}?"):
                raise UserError("the state was left as it is")
            for config, refreshed in found:
                settle(places, config.stack, refreshed.after)
            console.print(f"\nThe state says so now: {typed('local up', name)} sets everything back.")
    return drifts


def _endpoint(environment: LocalEnvironment) -> str:
    """The environment's emulator, if it holds what the states are about."""
    places, again = environment.places, typed("local up", environment.name)
    server = emulator.running(places)
    if server is None:
        raise UserError(
            f"the emulator of {environment.name!r} does not run, so there is nothing to compare the state with: "
            f"{again} starts it and provisions everything as the program says"
        )
    assert_emulator(server.endpoint, environment.account_id)
    if not emulator.holds_states(server.endpoint, places):
        raise UserError(
            f"the emulator of {environment.name!r} does not hold what the state is about (it was restarted or "
            f"emptied): everything would count as deleted. {again} provisions it again"
        )
    return server.endpoint


def _read(environment: LocalEnvironment, config: StackConfig, endpoint: str) -> Refreshed | None:
    places = environment.places
    before = state.read(places.state(config.stack), project=config.project, stack=config.stack)
    if places.journal(config.stack).exists() or (before and before.pending_operations):
        raise UserError(
            f"an earlier run of {config.stack} was interrupted, so its state is not complete: "
            f"{typed('local up', environment.name)} goes on from there"
        )
    if before is None:
        return None
    providers = embedded_providers(
        endpoint=endpoint,
        account_id=environment.account_id,
        region=environment.region,
        kubernetes_store=places.kubernetes_objects,
        kubernetes_version=environment.kubernetes_version,
        cluster=attached(places),
    )
    return compare(before, providers)


def compare(before: Deployment, readers: Mapping[str, Reader]) -> Refreshed:
    """Reads every resource of a state that can be read. Raises UserError if one of them gives no answer."""
    managed = [r for r in before if _is_read(r, readers)]
    lives = _read_all(managed, readers)
    gone = {urn for urn, live in lives.items() if live is None}
    followers = _followers(before, gone, {urn for urn, live in lives.items() if live and live.read})
    drifts: list[Drift] = []
    after: list[Resource] = []
    for resource in before:
        live = lives.get(resource.urn)
        if resource.urn in gone or resource.urn in followers:
            drifts.append(replace(drift.gone(resource), cause=followers.get(resource.urn, "")))
            continue
        resource = _without(resource, gone | followers.keys())
        if live and live.read:
            resource, found = _as_now(resource, live)
            drifts += found
        after.append(resource)
    return Refreshed(
        before=before,
        after=replace(before, resources=tuple(after)),
        drifts=tuple(drift.in_order(drifts)),
        read=sum(live is None or live.read for live in lives.values()),
        recorded=sum(r.recorded and r.urn not in lives for r in before),
        unread={urn: live.unread for urn, live in lives.items() if live and live.unread},
    )


def _is_read(resource: Resource, readers: Mapping[str, Reader]) -> bool:
    package = resource.type.partition(":")[0]
    if not resource.custom or resource.external or resource.type == STACK_TYPE or package not in readers:
        return False
    # What is recorded in AWS's place exists in the state alone; the object store holds its records.
    return package == _KUBERNETES or not resource.recorded


def _read_all(resources: list[Resource], readers: Mapping[str, Reader]) -> dict[str, Live | None]:
    failures: list[str] = []

    def one(resource: Resource) -> Live | None:
        reader = readers[resource.type.partition(":")[0]]
        try:
            return reader.live(resource.type, resource.urn, resource.id, sent(resource), plain(dict(resource.outputs)))
        except UserError as error:
            failures.append(str(error))
            return None

    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="read") as pool:
        lives = dict(zip((r.urn for r in resources), pool.map(one, resources), strict=True))
    if failures:
        raise UserError(
            f"{_count(len(failures), 'resource')} could not be read, so the state was left as it is:\n"
            + "\n".join(sorted(failures))
        )
    return lives


def _followers(before: Deployment, gone: set[str], seen: set[str]) -> dict[str, str]:
    """Resources that nothing shows and that take a property from what is gone, with the name of that."""
    found: dict[str, str] = {}
    names = {resource.urn: resource.name for resource in before}
    # A provider stays: what it manages may still be there.
    left = [r for r in before if r.custom and not r.is_provider and r.urn not in seen | gone]
    while True:
        lost = {
            r.urn: causes for r in left if r.urn not in found and (causes := _taken_from(r) & (gone | found.keys()))
        }
        if not lost:
            return found
        found |= {urn: names[min(causes)] for urn, causes in lost.items()}


def _taken_from(resource: Resource) -> set[str]:
    return {urn for urns in resource.property_dependencies.values() for urn in urns}


def _without(resource: Resource, lost: Iterable[str]) -> Resource:
    """The resource without references to what left the state."""
    lost = set(lost)
    if not lost & {*resource.dependencies, resource.deleted_with}:
        return resource
    properties = {
        name: tuple(urn for urn in urns if urn not in lost) for name, urns in resource.property_dependencies.items()
    }
    return replace(
        resource,
        dependencies=tuple(urn for urn in resource.dependencies if urn not in lost),
        property_dependencies=properties,
        deleted_with="" if resource.deleted_with in lost else resource.deleted_with,
    )


def _as_now(resource: Resource, live: Live) -> tuple[Resource, list[Drift]]:
    """The resource as the state should have it, and what is different."""
    given = sent(resource)
    now = apply_ignore_changes(given, live.inputs, resource.ignore_changes)
    names = sorted(name for name in {*given, *now} if given.get(name) != now.get(name))
    drifts = drift.changed(resource, {name: given.get(name) for name in names}, {name: now.get(name) for name in names})
    inputs, outputs = dict(resource.inputs), dict(resource.outputs)
    for name in names:
        if name == "tags" and "tagsAll" in outputs:
            _set_tags(inputs, outputs, now.get("tags") or {})
            continue
        _set(inputs, name, now.get(name))
        _set(outputs, name, now.get(name))
    if resource.type.startswith(_KUBERNETES):
        return replace(resource, inputs=inputs, outputs=outputs), drifts
    computed = {
        name: value
        for name, value in live.outputs.items()
        if name not in given and name not in now and name != "tagsAll" and plain(outputs.get(name)) != value
    }
    drifts += drift.changed(resource, {name: plain(outputs.get(name)) for name in computed}, computed, repaired=False)
    for name, value in computed.items():
        _set(outputs, name, value)
    return replace(resource, inputs=inputs, outputs=outputs), drifts


def _set(values: dict[str, Value], name: str, value: Value) -> None:
    """Sets or removes a property; what was secret stays secret."""
    secret = any(isinstance(entry, Secret) for _, entry in walk(values.get(name)))
    if value is None:
        values.pop(name, None)
    else:
        values[name] = Secret(value) if secret else value


def _set_tags(inputs: dict[str, Value], outputs: dict[str, Value], tags: Mapping[str, str]) -> None:
    """All tags are in `tagsAll`; among the inputs are those that the program gave itself, as far as they are left."""
    outputs["tagsAll"] = dict(tags)
    if isinstance(given := plain(inputs.get("tags")), Mapping):
        inputs["tags"] = outputs["tags"] = {name: tags[name] for name in given if name in tags}


def _report(config: StackConfig, refreshed: Refreshed, console: Console) -> None:
    different = len({one.urn for one in refreshed.drifts})
    read = _count(refreshed.read, "resource")
    if not refreshed.drifts:
        console.print(f"[bold]{escape(config.stack)}[/]: {read} read, nothing differs from the state")
    else:
        differences = _count(len(refreshed.drifts), "difference")
        console.print(f"[bold]{escape(config.stack)}[/]: {read} read, {differences} in {different} of them")
    for one in refreshed.drifts:
        style = "red" if one.rank is Rank.SECURITY else "yellow"
        note = "" if one.repaired else " (computed: `up` sets inputs back, not outputs)"
        console.print(f"  [{style}]{_LABELS[one.rank]:<8}[/]  {escape(str(one))}{note}")
    unread = sum(len(names) for names in refreshed.unread.values())
    console.print(
        f"  {_count(unread, 'property', 'properties')} of {_count(len(refreshed.unread), 'resource')} cannot be read "
        f"back from the emulator; {_count(refreshed.recorded, 'resource')} recorded, not emulated, and so never read"
    )


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
