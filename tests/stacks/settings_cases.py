"""A small valid configuration, and ways to spoil it."""

import copy
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import yaml

from stacks.problems import Problem
from stacks.settings import Settings, SettingsError, parse
from stackyard.program.stackfiles import read_stack
from tests.stacks.places import ROOT

BASE = """
environment:
  name: dev
  layers: [base, platform]
  accountId: "111122223333"
  region: us-east-1
  protection: standard
  owner: machine-learning
  costCentre: ml-1001
network: {cidr: 10.16.0.0/16, zones: [us-east-1a, us-east-1b]}
dataBuckets: [{name: data}]
cluster: {kubernetesVersion: "1.35", adminRoleArns: [arn:aws:iam::111122223333:role/admin]}
nodePools:
  - {name: general, instanceTypes: [m7i.large], capacity: spot, maxNodes: 3}
  - {name: gpu, instanceTypes: [g5.xlarge], capacity: spot, maxNodes: 1, gpu: {maxGpus: 1}}
teams: [{name: flights}]
pipelines: [{name: training, team: flights}]
budget: {monthlyUsd: 400}
"""
_VALID = yaml.safe_load(BASE)
TRACEBACK_WORDS = ("pydantic", "validation error", "input_value", "input_type", "Traceback", "Input should", "type=")


def valid() -> dict[str, Any]:
    return copy.deepcopy(_VALID)


def stack_sections(stack: str) -> dict[str, Any]:
    """The sections of a committed stack file."""
    config = read_stack(ROOT, stack)
    prefix = f"{config.project}:"
    return {key.removeprefix(prefix): value for key, value in config.config.items() if key.startswith(prefix)}


def with_value(path: str, value: Any) -> dict[str, Any]:
    """The valid configuration with one value put in at a dotted path."""
    return put(valid(), path, value)


def put(config: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    config = copy.deepcopy(config)
    parts = _parts(path)
    node: Any = config
    for part, following in pairwise(parts):
        default: Any = [] if isinstance(following, int) else {}
        node = node[part] if isinstance(node, list) else node.setdefault(part, default)
    if isinstance(node, list) and parts[-1] == len(node):
        node.append(value)
    else:
        node[parts[-1]] = value
    return config


def without(path: str) -> dict[str, Any]:
    config = valid()
    *outer, last = path.split(".")
    node = config
    for part in outer:
        node = node[part]
    del node[last]
    return config


def problems(config: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Path to problem; empty for a configuration that parses."""
    error = _error(config, options)
    if error is None:
        return {}
    assert not any(word in str(error) for word in TRACEBACK_WORDS), f"the validator's own words: {error}"
    assert all(str(problem) in str(error) for problem in error.problems), "everything is said at once"
    return {problem.path: problem for problem in error.problems}


def _error(config: dict[str, Any], options: dict[str, Any]) -> SettingsError | None:
    try:
        parse(config, **options)
    except SettingsError as error:
        return error
    return None


def errors(config: dict[str, Any], stack: str = "") -> tuple[Problem, ...]:
    """All problems, several at one path included; none for a configuration that parses."""
    error = _error(config, {"stack": stack})
    return error.problems if error else ()


def followed(config: dict[str, Any], found: Sequence[Problem]) -> dict[str, Any]:
    """What the configuration becomes when the way out of each problem is followed as it is written."""
    for problem in found:
        if problem.example:
            path, _, value = problem.example.partition(": ")
            config = put(config, path, yaml.safe_load(value))
    removed = [
        problem.path for problem in found if str(problem).endswith("Remove it.") or "in its place" in str(problem)
    ]
    for path in sorted(removed, reverse=True):
        config = _removed(config, path)
    return config


def _removed(config: dict[str, Any], path: str) -> dict[str, Any]:
    config = copy.deepcopy(config)
    *outer, last = _parts(path)
    node: Any = config
    for part in outer:
        node = node[part]
    node.pop(last)
    return config


def has_way_out(problem: Problem) -> bool:
    return bool(problem.example) or str(problem).endswith("Remove it.")


def _parts(path: str) -> list[Any]:
    return [int(part) if part.isdecimal() else part for part in re.findall(r"[^.\[\]]+", path)]


def repaired(config: dict[str, Any], example: str) -> Settings:
    """What the configuration becomes when a problem's example is followed."""
    path, _, value = example.partition(": ")
    return parse(put(config, path, yaml.safe_load(value)))
