"""What is checked: an environment as its stack files describe it, and how far."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from stacks.sections.network import Network
from stacks.sections.platform import Cluster
from stacks.sections.pools import NodePool
from stacks.settings import Layer, Settings
from stackyard.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class Target:
    root: Path
    """The checkout."""
    environment: str
    stacks: Mapping[str, Settings]
    """Settings by stack, base before platform; of all layers, whichever are asked for."""
    layers: frozenset[Layer]
    """What is about to be deployed."""
    today: date
    emulated: bool = False
    """Whether the account is the local stack's emulator."""

    @property
    def _first(self) -> Settings:
        return next(iter(self.stacks.values()))

    @property
    def account_id(self) -> str:
        return self._first.environment.account_id

    @property
    def region(self) -> str:
        return self._first.environment.region

    @property
    def partition(self) -> str:
        return self._first.partition

    @property
    def stem(self) -> str:
        """Stem of fixed names, and the cluster's name."""
        from stacks.providers import stem_of

        return stem_of(self._first)

    @property
    def files(self) -> str:
        """The stack files, for a sentence."""
        return " and ".join(f"stacks/Pulumi.{stack}.yaml" for stack in self.stacks)

    @property
    def network(self) -> Network | None:
        return next((s.network for s in self.stacks.values() if s.network), None)

    @property
    def cluster(self) -> Cluster | None:
        return next((s.cluster for s in self.stacks.values() if s.cluster), None)

    @property
    def pools(self) -> tuple[NodePool, ...]:
        """Node pools of all stacks of the environment: they share the account's quotas."""
        return tuple(pool for settings in self.stacks.values() for pool in settings.node_pools)

    @property
    def zones(self) -> tuple[str, ...]:
        """Zones of the network; empty where no stack has one."""
        return self.network.zone_names if self.network else ()

    def zones_of(self, pool: NodePool) -> tuple[str, ...]:
        return pool.zones or self.zones

    def is_ours(self, tags: Mapping[str, str]) -> bool:
        """Whether a resource with these tags belongs to this environment: a redeployment needs no more room for it."""
        return all(tags.get(key) == self._first.default_tags[key] for key in ("environment", "managed-by"))


def target(root: Path, environment: str, *, layer: str | None, today: date, emulated: bool) -> Target:
    """What the command line asks for. Raises InvalidInput for an unknown environment or layer, and for bad settings."""
    stacks = _emulated(root, environment) if emulated else _declared(root, environment)
    known = [found for settings in stacks.values() for found in settings.environment.layers]
    if layer is not None and layer not in known:
        raise InvalidInput(
            f"--layer {layer!r} is not a layer of the environment {environment!r}: it has {', '.join(known)}, "
            f"for example --layer {known[0]}"
        )
    layers = frozenset([Layer(layer)] if layer else known)
    return Target(root=root, environment=environment, stacks=stacks, layers=layers, today=today, emulated=emulated)


def _declared(root: Path, environment: str) -> Mapping[str, Settings]:
    from stackyard.bootstrap.store import state_store
    from stackyard.program.capture import parse_settings
    from stackyard.program.stackfiles import read_stack

    store = state_store(root, environment)
    return {stack.name: parse_settings(read_stack(root, stack.name)) for stack in store.stacks}


def _emulated(root: Path, environment: str) -> Mapping[str, Settings]:
    from stackyard.local.environment import local_environment

    return local_environment(root, environment).settings


def tags_of(resource: Mapping[str, Any]) -> dict[str, str]:
    """Tags of something that EC2 describes, by key."""
    entries: Iterable[Mapping[str, str]] = resource.get("Tags") or ()
    return {entry["Key"]: entry["Value"] for entry in entries}
