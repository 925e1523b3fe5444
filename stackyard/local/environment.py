"""One environment as the local stack sees it: its stacks in order, the emulated account in place of the real one."""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stackyard.errors import InvalidInput
from stackyard.local.places import Places
from stackyard.local.safety import EMULATED_ACCOUNT_ID
from stackyard.program.capture import parse_settings
from stackyard.program.stackfiles import StackConfig, read_stack, stack_names, stack_path


@dataclass(frozen=True, kw_only=True)
class LocalEnvironment:
    places: Places
    stacks: tuple[StackConfig, ...]
    """Base before platform; the account id is the emulated one."""
    settings: Mapping[str, Any]
    """Typed settings by stack name."""
    declared_account: str
    """The account that the stack files name."""

    @property
    def name(self) -> str:
        return self.places.env

    @property
    def account_id(self) -> str:
        return self._environment_settings.account_id

    @property
    def region(self) -> str:
        return self._environment_settings.region

    @property
    def _environment_settings(self) -> Any:
        # The stacks of an environment agree on it.
        return next(iter(self.settings.values())).environment

    @property
    def kubernetes_version(self) -> str:
        versions = [s.cluster.kubernetes_version for s in self.settings.values() if s.cluster is not None]
        return str(versions[0]) if versions else ""


def local_environment(root: Path, name: str) -> LocalEnvironment:
    """The environment `name` of the checkout. Raises InvalidInput when there is none, or for bad settings."""
    found = stacks_of(root, name)
    declared = str(_environment(found[0]).get("accountId", ""))
    places = Places(root, name)
    stacks = tuple(_emulated(config, places) for config in found)
    settings = {config.stack: parse_settings(config) for config in stacks}
    return LocalEnvironment(places=places, stacks=stacks, settings=settings, declared_account=declared)


def known_environments(root: Path) -> list[str]:
    """Names of the environments that have stack files."""
    return sorted({_environment_name(read_stack(root, stack)) for stack in stack_names(root)})


def no_such_environment(name: str, known: Sequence[str]) -> InvalidInput:
    return InvalidInput(f"no stack file names the environment {name!r}: choose one of {', '.join(known)}")


def stacks_of(root: Path, name: str) -> list[StackConfig]:
    """The stacks of the environment `name` in order, base first, whatever their settings say.

    Raises InvalidInput when there is no such environment, and for a stack file of it that cannot be read.
    """
    readable, broken = _all_stacks(root)
    found = [config for config in readable if _environment_name(config) == name]
    for stack, error in broken.items():
        # Only half of an environment must not be taken for all of it; another's file is no concern of this one.
        if not found or _may_belong(root, stack, name):
            raise error
    if not found:
        raise no_such_environment(name, known_environments(root))
    return sorted(found, key=_layer_order)


def _all_stacks(root: Path) -> tuple[list[StackConfig], dict[str, InvalidInput]]:
    """The stacks of the checkout; second: why the others cannot be read, by name."""
    readable: list[StackConfig] = []
    broken: dict[str, InvalidInput] = {}
    for stack in stack_names(root):
        try:
            readable.append(read_stack(root, stack))
        except InvalidInput as error:
            broken[stack] = error
    return readable, broken


def _may_belong(root: Path, stack: str, name: str) -> bool:
    """Whether a file that cannot be read looks like one of the environment: by its name, or by a line in it."""
    if stack == name or stack.startswith(f"{name}-"):
        return True
    text = stack_path(root, stack).read_text(encoding="utf-8", errors="replace")
    return re.search(rf"""\bname["']?:\s*["']?{re.escape(name)}["']?\s*(?:[,}}#]|$)""", text, re.MULTILINE) is not None


def _environment(config: StackConfig) -> dict[str, Any]:
    section = config.config.get(f"{config.project}:environment")
    return section if isinstance(section, dict) else {}


def _environment_name(config: StackConfig) -> str:
    return str(_environment(config).get("name", ""))


def _layer_order(config: StackConfig) -> bool:
    return "base" not in _environment(config).get("layers", ())


def _emulated(config: StackConfig, places: Places) -> StackConfig:
    """The configuration with the emulated account in place of the real one, and MLflow's database of this machine."""
    declared = str(_environment(config).get("accountId", ""))
    values = _replaced(copy.deepcopy(config.config), declared) if len(declared) == 12 else copy.deepcopy(config.config)
    key = f"{config.project}:tracking"
    if isinstance(section := values.get(key), dict) and section:
        section["uri"] = places.tracking_uri
    return replace(config, config=values)


def _replaced(value: Any, account: str) -> Any:
    if isinstance(value, str):
        return value.replace(account, EMULATED_ACCOUNT_ID)
    if isinstance(value, list):
        return [_replaced(entry, account) for entry in value]
    if isinstance(value, dict):
        return {key: _replaced(entry, account) for key, entry in value.items()}
    return value
