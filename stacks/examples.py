"""Examples that help where they stand: following one as it is written mends its problem in this very stack."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import islice
from typing import Any

from components.instance_types import GPU_TYPES, architectures
from pipelines.declaration import declarations
from stacks.domain import LONGEST_NAME, EnvironmentName, InstanceType, Zone
from stacks.draft import Draft
from stacks.plain import is_list, is_mapping
from stacks.problems import MISSING, Example, Problem
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
    """The problem with an example that the rest of the configuration takes, as far as that could be read.

    What the person wrote stays as it is; an example that cannot be made to fit is left out.
    """
    way = problem.way
    if not way or way.own:
        return problem
    value = way.value
    for fit in (_at_home, _in_place, _in_zones, _in_list, _of_team, _of_gpus):
        value = value if value is MISSING else fit(way.at, value, draft)
    for fit in (_of_pool, _apart):
        value = value if value is MISSING else fit(way, value, draft)
    return replace(problem, way=None if value is MISSING else replace(way, value=value))


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
    return next(_free_names(name, taken, limit), MISSING)


def _free_names(name: str, taken: Collection[str], limit: int) -> Iterator[str]:
    for end in ("", *(f"-{number}" for number in range(2, 100))):
        free = f"{name[: limit - len(end)].rstrip('-')}{end}"
        if free not in taken and re.match("[a-z]", free):
            yield free


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
    known: dict[str, Any] = home(draft.stack) if draft.stack else {}
    if draft.environment and draft.good("environment.layers"):
        named = name_for(draft.stack, draft.environment.layers) if draft.stack else MISSING
        known = known | {"name": named} if named is not MISSING else known
    zones = draft.network.zone_names if draft.network and draft.good("network") else ()
    known |= {"region": zones[0][:-1]} if zones else {}
    if at == "environment" and is_mapping(example):
        return example | known
    if at.startswith("environment.layers[") and "layers" in known:
        layers: list[str] = known["layers"]
        return example if example in layers else layers[min(_index(at), len(layers) - 1)]
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


def _apart(way: Example, example: Any, draft: Draft) -> Any:
    """An entry of a list is none of the others; MISSING where no such is known."""
    if not way.beside:
        return example
    if way.at.startswith("environment.layers["):
        choices = [example, *home(draft.stack)["layers"]]
    elif re.match(r"(network|nodePools\[\d+\])\.zones\[", way.at):
        known = draft.network.zone_names if draft.network and draft.good("network") else ()
        choices = known if example in known else [f"{example[:-1]}{letter}" for letter in "abcdef"]
        bad = [one for one in way.beside[: _index(way.at)] if not accepts(Zone, one)]
        free = [zone for zone in choices if zone not in way.beside]
        return next(islice(free, len(bad), None), MISSING)
    else:
        choices = [] if way.later and isinstance(example, str) else [example]
    return next((one for one in choices if one not in way.beside), MISSING)


def _index(at: str) -> int:
    return int(at.rpartition("[")[2].rstrip("]"))


def _in_list(at: str, example: Any, draft: Draft) -> Any:
    """An entry is called otherwise than the others, bad ones before it too, and a pipeline as its folder."""
    place = re.fullmatch(r"(?P<section>\w+)\[(?P<index>\d+)\](?P<name>\.name)?", at)
    if not place or (not place["name"] and not is_mapping(example)):
        return example
    section, index = place["section"], int(place["index"])
    names = _names(draft, section)
    taken = {name for other, name in names.items() if other != index}
    name = str(example if place["name"] else example.get("name", ""))
    if not name:
        return example
    known = declarations() if section == "pipelines" else None
    free = _free_names(name, taken, LONGEST_NAME) if known is None else iter(sorted(set(known) - taken))
    earlier = sum(not draft.good(f"{section}[{other}].name") for other in range(index))
    chosen = next(islice(free, earlier, None), MISSING)
    return chosen if place["name"] or chosen is MISSING else example | {"name": chosen}


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


def _of_pool(way: Example, example: Any, draft: Draft) -> Any:
    """Instance types have GPUs where the pool has a gpu part, and none elsewhere; all have one architecture."""
    place = re.fullmatch(r"(nodePools\[(?P<index>\d+)\]\.instanceTypes)(?:\[(?P<position>\d+)\])?", way.at)
    pool = draft.node_pools.get(int(place["index"])) if place else None
    if not place or not pool:
        return example
    given = enumerate(pool.instance_types if draft.good(place[1]) else ())
    beside = way.beside or [kind for position, kind in given if str(position) != place["position"]]
    # Those that stay: each other one is told by itself.
    others = [kind for kind in beside if accepts(InstanceType, kind) and (kind in GPU_TYPES) == bool(pool.gpu)]
    fits = [kind for kind in _texts(example) if (kind in GPU_TYPES) == bool(pool.gpu)]
    if fits and len(architectures([*fits, *others])) == 1 and not set(fits) & set(others):
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
