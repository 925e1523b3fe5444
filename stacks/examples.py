"""Examples that help where they stand: following one as it is written mends its problem in this very stack."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import yaml

from components.instance_types import GPU_TYPES
from pipelines.declaration import declarations
from stacks.domain import LONGEST_NAME, EnvironmentName
from stacks.draft import Draft
from stacks.plain import is_list, is_mapping
from stacks.problems import MISSING, Problem, flow
from stacks.sections.data import DataBucket
from stacks.sections.environment import Layer
from stacks.sections.pools import NodePool, fitting_type, shared_profiles
from stacks.sections.teams import Pipeline, Team
from stacks.translate import accepts

WRITTEN_FOR = "us-east-1"
"""Region of the examples that stand beside the fields."""

WRITTEN_IN = "111122223333"
"""Account of these examples."""

# Two of each partition, since a stack may live in one; not WRITTEN_FOR, which _in_place replaces.
OTHER_REGIONS = ("us-west-2", "us-east-2", "cn-northwest-1", "cn-north-1", "us-gov-west-1", "us-gov-east-1")


def fitted(problem: Problem, draft: Draft) -> Problem:
    """The problem with an example that the rest of the configuration takes, as far as that could be read."""
    at, _, text = problem.example.partition(": ")
    try:
        example = yaml.safe_load(text)
    except yaml.YAMLError:  # a mapping's own key may contain anything
        return problem
    fitting = example
    for fit in (_at_home, _in_place, _in_zones, _in_list, _of_team, _of_pool, _of_gpus):
        fitting = fit(at, fitting, draft)
    return problem if fitting == example else replace(problem, example=f"{at}: {flow(fitting)}")


def home(stack: str) -> dict[str, Any]:
    """Name and layers of the environment whose stack is called so, as far as the stack's name tells them."""
    if stack == Layer.ACCOUNT:
        return {"layers": [str(Layer.ACCOUNT)]}
    for layer in (Layer.BASE, Layer.PLATFORM):
        if stack.endswith(f"-{layer}"):
            return _named(stack.removesuffix(f"-{layer}")) | {"layers": [str(layer)]}
    return _named(stack) | {"layers": [str(Layer.BASE), str(Layer.PLATFORM)]}


def _named(name: str) -> dict[str, Any]:
    return {"name": name} if accepts(EnvironmentName, name) else {}


def name_for(stack: str, layers: Sequence[str]) -> Any:
    """The environment's name that goes with the stack's; MISSING when none does."""
    suffix = f"-{layers[0]}" if len(layers) == 1 else ""
    return _named(stack.removesuffix(suffix)).get("name", MISSING) if stack.endswith(suffix) else MISSING


def free_name(name: str, taken: Collection[str], limit: int = LONGEST_NAME) -> Any:
    """The name, or it with a number, such that nobody else has it; MISSING when there is no room for that."""
    names = (
        f"{name[: limit - len(end)].rstrip('-')}{end}" for end in ("", *(f"-{number}" for number in range(2, 100)))
    )
    return next((free for free in names if free not in taken and re.match("[a-z]", free)), MISSING)


def other_region(region: str, fits: Callable[[str], bool]) -> Any:
    """Another region of the same partition; MISSING when none fits."""
    same = (other for other in OTHER_REGIONS if partition(other) == partition(region) and other != region)
    return next((other for other in same if fits(other)), MISSING)


def partition(region: str) -> str:
    """First part of the ARNs in a region."""
    return next((known for known in ("aws-cn", "aws-us-gov") if region.startswith(known.removeprefix("aws-"))), "aws")


def gpu_pool(gpus: int, taken: Collection[str]) -> Any:
    """A pool with so many GPUs on one node; MISSING when no node has them."""
    kinds = sorted((gpu.count, kind != "g5.xlarge", kind) for kind, gpu in GPU_TYPES.items() if gpu.count >= gpus)
    if not kinds:
        return MISSING
    count, _, kind = kinds[0]
    shared = {"instanceTypes": [kind], "capacity": "on_demand", "maxNodes": 1, "gpu": {"maxGpus": count}}
    return {"name": free_name("gpu", taken), **shared}


def _at_home(at: str, example: Any, draft: Draft) -> Any:
    """Name, layers and region of the environment go with the stack's name and the network's zones."""
    if not at.startswith("environment"):
        return example
    known = home(draft.stack) if draft.stack else {}
    if draft.environment and draft.good("environment.layers"):
        named = name_for(draft.stack, draft.environment.layers) if draft.stack else MISSING
        known = known | {"name": named} if named is not MISSING else known
    zones = draft.network.zone_names if draft.network and draft.good("network") else ()
    known |= {"region": zones[0][:-1]} if zones else {}
    if at == "environment" and is_mapping(example):
        return example | known
    return known.get(at.removeprefix("environment."), example)


def _in_place(at: str, example: Any, draft: Draft) -> Any:
    """Account, region and partition are the stack's."""
    environment = draft.environment
    if not environment or at.startswith("environment"):
        return example
    words: dict[str, str] = {}
    if draft.good("environment.region"):
        words |= {WRITTEN_FOR: environment.region, "arn:aws:": f"arn:{partition(environment.region)}:"}
    if draft.good("environment.accountId"):
        words |= {WRITTEN_IN: environment.account_id}
    return _each_text(example, lambda text: reduce(lambda said, word: said.replace(word, words[word]), words, text))


def _in_zones(at: str, example: Any, draft: Draft) -> Any:
    """A pool's zone is one of the network's."""
    known = draft.network.zone_names if draft.network and draft.good("network") else ()
    here = draft.environment.region if draft.environment and draft.good("environment.region") else ""
    if not known or not re.match(r"nodePools\[\d+\]\.zones", at) or any(zone[:-1] != here for zone in known):
        return example
    return _each_text(example, lambda text: text if text in known else known[0])


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if is_mapping(value):
        return {key: _each_text(entry, change) for key, entry in value.items()}
    if is_list(value):
        return [_each_text(entry, change) for entry in value]
    return change(value) if isinstance(value, str) else value


def _in_list(at: str, example: Any, draft: Draft) -> Any:
    """An entry is called otherwise than the others, and a pipeline as its folder."""
    place = re.fullmatch(r"(?P<section>\w+)\[(?P<index>\d+)\](?P<name>\.name)?", at)
    if not place or (not place["name"] and not is_mapping(example)):
        return example
    names = _names(draft, place["section"])
    taken = {name for index, name in names.items() if index != int(place["index"])}
    name = str(example if place["name"] else example.get("name", ""))
    known = sorted(declarations()) if place["section"] == "pipelines" else [name, free_name(name, taken)]
    free = next((one for one in known if isinstance(one, str) and one not in taken), name)
    return free if place["name"] else example | {"name": free} if name else example


def _names(draft: Draft, section: str) -> dict[int, str]:
    lists: dict[str, Mapping[int, DataBucket | NodePool | Team | Pipeline]] = {
        "dataBuckets": draft.data_buckets,
        "nodePools": draft.node_pools,
        "teams": draft.teams,
        "pipelines": draft.pipelines,
    }
    entries = lists.get(section, {}).items()
    return {index: entry.name for index, entry in entries if draft.good(f"{section}[{index}].name")}


def _of_team(at: str, example: Any, draft: Draft) -> Any:
    teams = [team.name for index, team in draft.teams.items() if draft.good(f"teams[{index}].name")]
    if not teams or not at.startswith("pipelines"):
        return example
    if at.endswith(".team"):
        return example if example in teams else teams[0]
    if is_list(example):
        return [_of_team(f"{at}[{index}]", entry, draft) for index, entry in enumerate(example)]
    return example | {"team": teams[0]} if is_mapping(example) and example.get("team") not in teams else example


def _of_pool(at: str, example: Any, draft: Draft) -> Any:
    """Instance types have GPUs where the pool has a gpu part, and none elsewhere."""
    place = re.fullmatch(r"nodePools\[(?P<index>\d+)\]\.instanceTypes(?:\[(?P<position>\d+)\])?", at)
    pool = draft.node_pools.get(int(place["index"])) if place else None
    if not place or not pool:
        return example
    given = pool.instance_types if draft.good(at.partition(".instanceTypes")[0] + ".instanceTypes") else ()
    others = [kind for position, kind in enumerate(given) if str(position) != place["position"]]
    fits = [kind for kind in _texts(example) if (kind in GPU_TYPES) == bool(pool.gpu)]
    if fits:
        return example
    kind = fitting_type(pool.gpu, others)
    return kind if place["position"] else [kind]


def _of_gpus(at: str, example: Any, draft: Draft) -> Any:
    """What a gpu part says goes with the types of its pool."""
    place = re.fullmatch(r"nodePools\[(?P<index>\d+)\]\.gpu(?:\.(?P<key>maxGpus|migProfile))?", at)
    pool = draft.node_pools.get(int(place["index"])) if place else None
    if not place or not pool or not draft.good(at.partition(".gpu")[0] + ".instanceTypes"):
        return example
    known = [GPU_TYPES[kind] for kind in pool.instance_types if kind in GPU_TYPES]
    if place["key"] == "migProfile":
        fits = shared_profiles(known)
        return example if not fits or example in fits else fits[0]
    least = max((kind.count for kind in known), default=1)
    if is_mapping(example):
        return example | {"maxGpus": max(least, int(example.get("maxGpus", 1)))}
    return max(least, example) if isinstance(example, int) else example


def _texts(value: Any) -> Iterator[str]:
    yield from [entry for entry in (value if is_list(value) else [value]) if isinstance(entry, str)]
