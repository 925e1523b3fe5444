"""Rules between sections. Each runs on what is readable, so that one bad value does not hide the next."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from difflib import get_close_matches
from functools import partial
from typing import Any

from components.gpu_sharing import GpuSharingMode
from components.instance_types import GPU_TYPES
from pipelines.declaration import declarations
from stacks.draft import Draft
from stacks.examples import free_name, gpu_pool, home, name_for, other_region, partition
from stacks.naming import ACCESS_LOGS, BUCKET_NAME_LENGTH, CACHE_PREFIX_LENGTH, DATA, STATE, STATE_LOGS
from stacks.problems import MISSING, Problem, problem
from stacks.sections.environment import Environment, Layer
from stacks.sections.pools import GENERAL_POOL, NodePool
from stacks.versions import CACHED_UPSTREAMS

BASE, PLATFORM, ACCOUNT = Layer.BASE, Layer.PLATFORM, Layer.ACCOUNT
LAYERS_OF: Mapping[str, frozenset[Layer]] = {
    "network": frozenset({BASE}),
    # On both sides of a stack reference: names that follow from settings are not read from the other stack.
    "dataBuckets": frozenset({BASE, PLATFORM}),
    "registry": frozenset({BASE}),
    # The platform runs the registry's server, or names one that exists already to its pipelines.
    "tracking": frozenset({BASE, PLATFORM}),
    "notifications": frozenset({BASE}),
    # In the platform's stack too: whether the cluster's endpoint lets the runner in.
    "buildRunner": frozenset({BASE, PLATFORM}),
    "budget": frozenset({BASE}),
    "cluster": frozenset({PLATFORM}),
    "nodePools": frozenset({PLATFORM}),
    "teams": frozenset({PLATFORM}),
    "pipelines": frozenset({PLATFORM}),
    "serving": frozenset({PLATFORM}),
    "runners": frozenset({PLATFORM}),
    "monitoring": frozenset({PLATFORM}),
    "account": frozenset({ACCOUNT}),
    "ci": frozenset(Layer),
}
REQUIRED_BY: Mapping[Layer, tuple[str, ...]] = {
    BASE: ("network", "dataBuckets", "budget"),
    PLATFORM: ("dataBuckets", "cluster", "nodePools"),
    ACCOUNT: ("account", "ci"),
}
ZONE_REASON = "environment.region says where the stack lives, and zones of another region cannot be used"
NAME_PARTS = tuple(f"environment.{key}" for key in ("name", "prefix", "accountId", "region"))
"""What a bucket's physical name has beside its own one."""

OWN_BUCKETS = (ACCESS_LOGS, STATE, STATE_LOGS)
"""Buckets beside the configured ones: of components, and of `stackyard bootstrap`."""


def check(draft: Draft, examples: Callable[[str], Any]) -> Iterator[Problem]:
    """All problems between sections. `examples` gives a valid value for a missing section."""
    if draft.environment and draft.good("environment.layers"):
        layers = _layers_meant(draft, draft.environment)
        yield from _stack_name_problems(draft, draft.environment, layers)
        yield from _layer_problems(draft, layers, examples)
    if draft.environment and draft.good("environment.region"):
        yield from _zone_problems(draft, draft.environment.region)
    yield from _bucket_problems(draft)
    yield from _replica_problems(draft)
    yield from _cache_problems(draft)
    yield from _pool_problems(draft)
    yield from _team_problems(draft)
    yield from _pipeline_problems(draft)
    yield from _gpu_step_problems(draft)
    yield from _repository_problems(draft)


def _layer_problems(draft: Draft, given: Sequence[Layer], examples: Callable[[str], Any]) -> Iterator[Problem]:
    layers = set(given)
    needed = dict.fromkeys(name for layer in given for name in REQUIRED_BY[layer])
    for name in needed:
        if name not in draft.given:
            reason = f"the layer {' and '.join(sorted(layers & LAYERS_OF[name]))} needs it"
            yield problem(name, MISSING, "is missing and must be given", reason, examples(name))
    for name in sorted(draft.given & set(LAYERS_OF)):
        if not layers & LAYERS_OF[name]:
            belongs = " or ".join(sorted(LAYERS_OF[name]))
            yield problem(
                name,
                MISSING,
                f"must only be given in a stack with the layer {belongs}",
                f"nothing reads it in a stack with {' and '.join(given)} only",
            )


def _belongs(draft: Draft, environment: Environment) -> bool:
    """Whether the stack is called as its environment's name and layers say."""
    layers = environment.layers
    expected = f"{environment.name}-{layers[0]}" if len(layers) == 1 else environment.name
    return not draft.good("environment.name") or ACCOUNT in layers or draft.stack in ("", expected)


def _layers_meant(draft: Draft, environment: Environment) -> tuple[Layer, ...]:
    """The layers that the stack's name tells, where the given ones are what is wrong: the rest goes with them."""
    known, name = home(draft.stack), name_for(draft.stack, environment.layers)
    layers = tuple(map(Layer, known["layers"]))
    complete = {section for layer in layers for section in REQUIRED_BY[layer]} <= draft.given
    allowed = all(LAYERS_OF[section] & set(layers) for section in draft.given & set(LAYERS_OF))
    wrong = not _belongs(draft, environment) and known.get("name") == environment.name
    return layers if wrong and ((complete and allowed) or name is MISSING) else environment.layers


def _stack_name_problems(draft: Draft, environment: Environment, layers: tuple[Layer, ...]) -> Iterator[Problem]:
    reason = "the platform layer and the commands with --env find an environment's stacks by their names"
    if layers != environment.layers:
        rule = f"must be {' and '.join(layers)} in a stack called {draft.stack}"
        yield problem("environment.layers", list(environment.layers), rule, reason, list(layers))
    elif not _belongs(draft, environment):
        expected = f"{environment.name}-{layers[0]}" if len(layers) == 1 else environment.name
        rule = f"must belong to a stack called {expected}, and this one is called {draft.stack}"
        yield problem("environment.name", environment.name, rule, reason, name_for(draft.stack, layers))


def _zone_problems(draft: Draft, region: str) -> Iterator[Problem]:
    network = draft.network
    if network:
        yield from _zones_elsewhere("network.zones", dict(network.entries("zones")), region, ())
    for index, subnet in enumerate(network.existing.subnets if network and network.existing else ()):
        path, example = f"network.existing.subnets[{index}].zone", f"{region}{subnet.zone[-1]}"
        if draft.good(path) and subnet.zone[:-1] != region:
            yield problem(path, subnet.zone, f"must be a zone of {region}", ZONE_REASON, example)
    known = network.zone_names if network and draft.good("network") else ()
    known = known if all(zone[:-1] == region for zone in known) else ()
    for index, pool in draft.node_pools.items():
        yield from _zones_elsewhere(f"nodePools[{index}].zones", dict(pool.entries("zones")), region, known)


def _zones_elsewhere(path: str, zones: Mapping[int, str], region: str, known: Sequence[str]) -> Iterator[Problem]:
    """Zones of another region, or which the network does not have; it may be unknown which it has."""
    taken = set(zones.values())
    for index, zone in zones.items():
        if zone[:-1] != region:
            rule, reason = f"must be a zone of {region}", ZONE_REASON
        elif known and zone not in known:
            rule = f"must be one of the network's zones {', '.join(known)}"
            reason = "there is no subnet in another zone, so no node would ever start"
        else:
            continue
        names = known or [f"{region}{letter}" for letter in f"{zone[-1]}abcdef"]
        free = next((name for name in names if name not in taken), names[0])
        taken.add(free)
        yield problem(f"{path}[{index}]", zone, rule, reason, free)


def _bucket_problems(draft: Draft) -> Iterator[Problem]:
    yield from _duplicates(draft, "dataBuckets", draft.data_buckets)
    named = {bucket.name for bucket in draft.data_buckets.values()}
    if "dataBuckets" in draft.given and DATA not in named and draft.names_known("dataBuckets"):
        yield problem(
            "dataBuckets",
            MISSING,
            f"must have one called {DATA}",
            "pipelines read and write there",
            {"name": DATA},
            at=f"dataBuckets[{len(draft.data_buckets)}]",
        )
    yield from _physical_name_problems(draft)


def _physical_name_problems(draft: Draft) -> Iterator[Problem]:
    environment = draft.environment
    if not environment or not draft.good(*NAME_PARTS):
        return
    rest = len(f"{environment.prefix}-{environment.name}--{environment.account_id}-{environment.region}")
    most = BUCKET_NAME_LENGTH - rest
    proposed = {bucket.name for bucket in draft.data_buckets.values()}
    for index, bucket in draft.data_buckets.items():
        path = f"dataBuckets[{index}]"
        if not draft.good(f"{path}.name"):
            continue
        if bucket.name in OWN_BUCKETS:
            rule, reason = "must be another name", f"Stackyard itself creates a bucket {bucket.name}"
            free = free_name("data-logs", proposed, most)
            yield problem(f"{path}.name", bucket.name, rule, reason, free)
            proposed.add(free)
        elif len(bucket.name) > most:
            free = free_name(bucket.name, proposed, most)
            proposed.add(free)
            yield problem(
                f"{path}.name",
                bucket.name,
                f"must have at most {most} characters",
                f"with prefix, environment, account and region the bucket's name would have "
                f"{rest + len(bucket.name)}, and S3 allows {BUCKET_NAME_LENGTH}",
                free,
            )
    longest = max(map(len, OWN_BUCKETS))
    if draft.data_buckets and longest > most:
        yield problem(
            "environment.name",
            environment.name,
            f"must have at most {len(environment.name) + most - longest} characters with prefix {environment.prefix}",
            f"the bucket for access logs would have a name of {rest + longest} characters, "
            f"and S3 allows {BUCKET_NAME_LENGTH}",
            _shorter(environment.prefix, longest - most),
            at="environment.prefix",
        )


def _shorter(prefix: str, characters: int) -> Any:
    """A prefix without its last characters; MISSING when too few are left."""
    left = prefix[: max(0, len(prefix) - characters)].rstrip("-")
    return left if len(left) > 1 else MISSING


def _replica_problems(draft: Draft) -> Iterator[Problem]:
    environment = draft.environment
    if not environment or not draft.good("environment.region"):
        return
    named = {bucket.name for bucket in draft.data_buckets.values()}
    for index, bucket in draft.data_buckets.items():
        path = f"dataBuckets[{index}]"
        # What the copy would be called is known only with all parts of its name.
        known = draft.good(f"{path}.name", *NAME_PARTS)
        clashes = partial(_copy_clashes, environment, bucket.name, named if known else None)
        if region := bucket.replica_region:
            yield from _copy_problems(f"{path}.replicaRegion", region, environment.region, clashes)


def _copy_problems(path: str, region: str, own: str, clashes: Callable[[str], Mapping[str, str]]) -> Iterator[Problem]:
    if region == own:
        rule = "must be another region than environment.region"
        wrong: Mapping[str, str] = {rule: "a copy in the same region is lost together with the original"}
    elif partition(region) != partition(own):
        rule = f"must be a region of the partition {partition(own)}, as {own} is"
        wrong = {rule: "an AWS account lives in one partition, and has no buckets in another"}
    else:
        wrong = clashes(region)
    example = other_region(own, lambda one: one != region and not clashes(one)) if wrong else MISSING
    for rule, reason in wrong.items():
        yield problem(path, region, rule, reason, example)


def _copy_clashes(environment: Environment, name: str, named: Set[str] | None, region: str) -> dict[str, str]:
    """Rules and reasons against the names that a copy and its log bucket would have in a region."""
    if named is None:
        return {}
    found = dict[str, str]()
    if taken := sorted({f"{one}-{region}" for one in (name, ACCESS_LOGS)} & named):
        rule = f"must be a region that no bucket is named after, and there is {taken[0]}"
        found[rule] = "the copy, or its log bucket, has that name in the stack"
    stem = len(f"{environment.prefix}-{environment.name}--{environment.account_id}-{region}")
    length = stem + max(len(name), len(ACCESS_LOGS))
    if length > BUCKET_NAME_LENGTH:
        rule = f"must be a region whose name is {length - BUCKET_NAME_LENGTH} characters shorter"
        reason = f"the names of the copy and of its log bucket end with it: {length} characters"
        found[rule] = f"{reason}, and S3 allows {BUCKET_NAME_LENGTH}"
    return found


def _cache_problems(draft: Draft) -> Iterator[Problem]:
    environment = draft.environment
    if not environment or not draft.good(*(f"environment.{key}" for key in ("name", "prefix", "layers"))):
        return
    longest = max(len(f"{environment.prefix}-{environment.name}/{cache}") for cache in CACHED_UPSTREAMS)
    if longest > CACHE_PREFIX_LENGTH and ACCOUNT not in environment.layers:
        most = len(environment.prefix) + CACHE_PREFIX_LENGTH - longest
        yield problem(
            "environment.prefix",
            environment.prefix,
            f"must have at most {most} characters with name {environment.name}",
            f"with both of them names of cached images would begin with {longest} characters, and ECR allows "
            f"{CACHE_PREFIX_LENGTH}",
            _shorter(environment.prefix, longest - CACHE_PREFIX_LENGTH),
        )


def _pool_problems(draft: Draft) -> Iterator[Problem]:
    yield from _duplicates(draft, "nodePools", draft.node_pools)
    if "nodePools" not in draft.given or not draft.names_known("nodePools"):
        return
    general = {index: pool for index, pool in draft.node_pools.items() if pool.name == GENERAL_POOL}
    if not general:
        example = {"name": "general", "instanceTypes": ["m7i.large"], "capacity": "on_demand", "maxNodes": 3}
        yield problem(
            "nodePools",
            MISSING,
            f"must have a CPU pool called {GENERAL_POOL}",
            "what is neither system nor GPU work runs there",
            example,
            at=f"nodePools[{len(draft.node_pools)}]",
        )
    # A second one must be called otherwise.
    for index, pool in list(general.items())[:1]:
        if pool.gpu:
            yield problem(
                f"nodePools[{index}].gpu",
                {"maxGpus": pool.gpu.max_gpus},
                f"must not be given for the pool {GENERAL_POOL}",
                "CPU work runs there and would keep GPU nodes busy",
            )


def _team_problems(draft: Draft) -> Iterator[Problem]:
    yield from _duplicates(draft, "teams", draft.teams)
    yield from _pipelines_twice(draft)
    teams = [team.name for team in draft.teams.values()]
    if not draft.names_known("teams"):
        return
    for index, pipeline in draft.pipelines.items():
        if pipeline.team not in teams and draft.good(f"pipelines[{index}].team"):
            yield problem(
                f"pipelines[{index}].team",
                pipeline.team,
                f"must be one of the teams {', '.join(teams)}" if teams else "must be a team, and there is none",
                "the pipeline's runs count for its team's quota",
                teams[0] if teams else [{"name": pipeline.team}],
                at="" if teams else "teams",
            )


def _pipeline_problems(draft: Draft) -> Iterator[Problem]:
    for index, pipeline in draft.pipelines.items():
        path, known = f"pipelines[{index}].name", sorted(declarations())
        if pipeline.name not in known and draft.good(path):
            named = {other.name for other in draft.pipelines.values()}
            free = get_close_matches(pipeline.name, [name for name in known if name not in named], n=1, cutoff=0)
            if free:
                reason = "it is deployed from its folder in pipelines/"
                yield problem(path, pipeline.name, f"must be one of the pipelines {', '.join(known)}", reason, *free)
            else:
                reason = f"there is no folder pipelines/{pipeline.name}, and {', '.join(known)} has its entry already"
                yield problem(f"pipelines[{index}]", pipeline.name, "must not be given", reason)


def _gpu_step_problems(draft: Draft) -> Iterator[Problem]:
    """A step that asks for GPUs that its team or its stack does not have would wait for ever."""
    if not draft.pipelines or not {"nodePools", "teams"} <= draft.given:
        return
    known, teams = declarations(), {team.name: (index, team) for index, team in draft.teams.items()}
    largest = max((_whole_gpus(pool) for pool in draft.node_pools.values()), default=0)
    for index, pipeline in draft.pipelines.items():
        if pipeline.name not in known or not draft.good(f"pipelines[{index}].name"):
            continue
        declared = known[pipeline.name]
        wanted = max(r.gpu for r in (declared.resources, *declared.step_resources.values()))
        reason = f"a step of pipeline {pipeline.name} asks for {wanted}, and would wait for ever"
        if wanted > largest and draft.good("nodePools"):
            example = gpu_pool(wanted, {pool.name for pool in draft.node_pools.values()})
            rule = f"must have a pool with a type of {wanted} or more GPUs that are not shared"
            at = f"nodePools[{len(draft.node_pools)}]"
            yield problem("nodePools", f"{largest} GPUs at most", rule, reason, example, at=at)
        at, team = teams.get(pipeline.team, (0, None))
        if (
            team
            and draft.good(f"pipelines[{index}].team", f"teams[{at}].name", f"teams[{at}].quota.gpus")
            and team.quota
            and team.quota.gpus < wanted
        ):
            yield problem(f"teams[{at}].quota.gpus", team.quota.gpus, f"must be at least {wanted}", reason, wanted)


def _whole_gpus(pool: NodePool) -> int:
    """The most GPUs that one pod gets in the pool: those of its largest type, as far as the queue counts on them."""
    counts = [GPU_TYPES[kind].count for kind in pool.instance_types if kind in GPU_TYPES]
    if not pool.gpu or not counts or pool.gpu.sharing != GpuSharingMode.NONE:
        return 0
    return min(max(counts), pool.gpu.max_gpus, pool.max_nodes * min(counts))


def _repository_problems(draft: Draft) -> Iterator[Problem]:
    needs = "buildRunner.connection" if draft.build_runner and draft.build_runner.enabled else ""
    needs = needs or ("runners" if draft.runners else "")
    if needs and "ci" not in draft.given:
        reason = f"with {needs} somebody runs jobs for one GitHub repository, and this says for which"
        yield problem("ci.repository", MISSING, "is missing and must be given", reason, "example-org/stackyard")


def _duplicates(draft: Draft, section: str, entries: Mapping[int, Any]) -> Iterator[Problem]:
    readable = {index: entry for index, entry in entries.items() if draft.good(f"{section}[{index}].name")}
    taken = {entry.name for entry in readable.values()}
    seen: set[str] = set()
    for index, entry in readable.items():
        if entry.name in seen:
            free = free_name(entry.name, taken)
            rule = f"must be another name than that of an earlier entry of {section}"
            yield problem(f"{section}[{index}].name", entry.name, rule, "it names one resource", free)
            taken.add(free)
        seen.add(entry.name)


def _pipelines_twice(draft: Draft) -> Iterator[Problem]:
    readable = {i: entry.name for i, entry in draft.pipelines.items() if draft.good(f"pipelines[{i}].name")}
    free = iter(sorted(set(declarations()) - set(readable.values())))
    seen: set[str] = set()
    for index, name in readable.items():
        if name in seen:
            other = next(free, MISSING)
            path = f"pipelines[{index}]" + ("" if other is MISSING else ".name")
            rule = "must not be given twice" if other is MISSING else "must be another pipeline"
            reason = (
                f"an earlier entry deploys {name}, and each pipeline is deployed once, from its folder in pipelines/"
            )
            yield problem(path, name, rule, reason, other)
        seen.add(name)
