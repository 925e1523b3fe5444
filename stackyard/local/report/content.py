"""What the report tells, as plain values: gathered here from states, runs and the model registry, drawn elsewhere."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackyard.local import emulator
from stackyard.local.environment import LocalEnvironment, local_environment
from stackyard.local.places import Places
from stackyard.local.registered_models import Registry, read_registry
from stackyard.local.report.stack_facts import BucketFacts, Fact, buckets_of, security_facts
from stackyard.local.runs import PipelineRun, latest
from stackyard.program import state
from stackyard.program.deployment import Deployment, Resource
from stackyard.program.values import secret_blinded, to_json

# Pipelines that train a model begin with this one; others get their own place in the report when they exist.
PIPELINE = "training"


@dataclass(frozen=True, kw_only=True)
class ResourceLine:
    type: str
    name: str
    id: str
    recorded: bool


@dataclass(frozen=True, kw_only=True)
class Component:
    kind: str
    """Class of the component, for example `DataBucket`; empty for what belongs to the stack itself."""
    name: str
    resources: tuple[ResourceLine, ...]

    @property
    def recorded(self) -> int:
        return sum(resource.recorded for resource in self.resources)

    @property
    def emulated(self) -> int:
        return len(self.resources) - self.recorded


@dataclass(frozen=True, kw_only=True)
class StackOutput:
    name: str
    value: str
    """One line, or indented JSON; secrets are blinded."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    name: str
    written_at: str
    """When its state was written last, ISO 8601 in UTC."""
    components: tuple[Component, ...]
    outputs: tuple[StackOutput, ...]

    @property
    def resources(self) -> int:
        return sum(len(component.resources) for component in self.components)

    @property
    def recorded(self) -> int:
        return sum(component.recorded for component in self.components)


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    environment: str
    region: str
    account: str
    """The emulated one."""
    declared_account: str
    """The account that the stack files name; equal to `account` where they name the emulated one."""
    kubernetes_version: str
    protection: str
    emulator_runs: bool
    stacks: tuple[Stack, ...]
    """Provisioned stacks, base before platform."""
    absent_stacks: tuple[str, ...]
    """Stacks of the environment without a state."""
    buckets: tuple[BucketFacts, ...]
    facts: tuple[Fact, ...]
    run: PipelineRun | None
    registry: Registry

    @property
    def resources(self) -> int:
        return sum(stack.resources for stack in self.stacks)

    @property
    def recorded(self) -> int:
        return sum(stack.recorded for stack in self.stacks)


def collect(root: Path, env: str) -> ReportContent:
    """Reads all that the report tells about an environment. Changes nothing; what is not there yet is empty.

    Raises InvalidInput for an environment that does not run locally, and for states or records that are damaged.
    """
    environment = local_environment(root, env)
    places = environment.places
    deployments = {config.stack: state.read(places.state(config.stack)) for config in environment.stacks}
    there = {stack: found for stack, found in deployments.items() if found is not None}
    server = emulator.running(places)
    first = next(iter(environment.settings.values())).environment
    return ReportContent(
        environment=env,
        region=environment.region,
        account=str(first.account_id),
        declared_account=environment.declared_account,
        kubernetes_version=environment.kubernetes_version,
        protection=str(first.protection),
        emulator_runs=server is not None,
        stacks=tuple(_stack(stack, found, places) for stack, found in there.items()),
        absent_stacks=tuple(stack for stack, found in deployments.items() if found is None),
        buckets=_buckets(environment, there, server),
        facts=security_facts([resource for found in there.values() for resource in found]),
        run=latest(places, PIPELINE),
        registry=read_registry(places, environment.region),
    )


def _stack(name: str, deployment: Deployment, places: Places) -> Stack:
    written = datetime.fromtimestamp(places.state(name).stat().st_mtime, UTC)
    return Stack(
        name=name,
        written_at=written.isoformat(timespec="seconds"),
        components=components_of(deployment),
        outputs=tuple(StackOutput(name=key, value=_shown(value)) for key, value in sorted(deployment.outputs.items())),
    )


def components_of(deployment: Deployment) -> tuple[Component, ...]:
    """The stack's components by class and name, each with all resources below it; what has no component comes last."""
    by_urn = deployment.by_urn()
    owned: dict[tuple[str, str], list[Resource]] = {}
    for resource in deployment:
        if resource.type.startswith("stackyard:"):
            owned.setdefault((_kind(resource), resource.name), [])
        elif resource.custom and not resource.is_provider and not resource.external:
            owned.setdefault(_owner(resource, by_urn), []).append(resource)
    return tuple(
        Component(kind=kind, name=name, resources=tuple(map(_line, sorted(owned[kind, name], key=_place))))
        for kind, name in sorted(owned, key=lambda owner: (not owner[0], owner))
    )


def _owner(resource: Resource, by_urn: dict[str, Resource]) -> tuple[str, str]:
    """The nearest component above a resource."""
    above = by_urn.get(resource.parent)
    while above is not None and not above.type.startswith("stackyard:"):
        above = by_urn.get(above.parent)
    return ("", "") if above is None else (_kind(above), above.name)


def _kind(component: Resource) -> str:
    return component.type.rsplit(":", 1)[-1]


def _place(resource: Resource) -> tuple[str, str]:
    return resource.name, resource.type


def _line(resource: Resource) -> ResourceLine:
    return ResourceLine(type=resource.type, name=resource.name, id=resource.id, recorded=resource.recorded)


def _shown(value: object) -> str:
    blinded = to_json(value, secret=secret_blinded)
    return blinded if isinstance(blinded, str) else json.dumps(blinded, indent=1, sort_keys=True, ensure_ascii=False)


def _buckets(
    environment: LocalEnvironment, deployments: dict[str, Deployment], server: emulator.Emulator | None
) -> tuple[BucketFacts, ...]:
    from stackyard.local.safety import client

    s3: Any = None if server is None else client("s3", endpoint=server.endpoint, region=environment.region)
    return tuple(facts for found in deployments.values() for facts in buckets_of(found, s3))
