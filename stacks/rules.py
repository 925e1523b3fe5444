"""Rules between sections. Each runs on what is readable, so that one bad value does not hide the next."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from difflib import get_close_matches
from typing import Any

from components.gpu_sharing import GpuSharingMode
from components.instance_types import GPU_TYPES
from pipelines.declaration import declarations
from stacks.draft import Draft
from stacks.examples import free_name, gpu_pool, home, name_for, other_region
from stacks.naming import ACCESS_LOGS, BUCKET_NAME_LENGTH, CACHE_PREFIX_LENGTH, DATA, STATE, STATE_LOGS
from stacks.problems import MISSING, Problem, problem
from stacks.sections.data import DataBucket
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
OWN_BUCKETS = (ACCESS_LOGS, STATE, STATE_LOGS)
"""Buckets beside the configured ones: of components, and of `stackyard bootstrap`."""


def check(draft: Draft, examples: Callable[[str], Any]) -> Iterator[Problem]:
    """All problems between sections. `examples` gives a valid value for a missing section."""
    if draft.environment and draft.good("environment.layers"):
        yield from _layer_problems(draft, draft.environment, examples)
    if draft.environment and draft.good("environment.name", "environment.layers"):
        yield from _stack_name_problems(draft, draft.environment)
    if draft.environment and draft.good("environment.region"):
        yield from _zone_problems(draft, draft.environment.region)
    yield from _bucket_problems(draft)
    yield from _cache_problems(draft)
    yield from _pool_problems(draft)
    yield from _team_problems(draft)
    yield from _pipeline_problems(draft)
    yield from _gpu_step_problems(draft)
    yield from _repository_problems(draft)


def _layer_problems(draft: Draft, environment: Environment, examples: Callable[[str], Any]) -> Iterator[Problem]:
    layers = set(environment.layers)
    needed = dict.fromkeys(name for layer in environment.layers for name in REQUIRED_BY[layer])
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
                f"this stack has {' and '.join(environment.layers)} only, where nothing reads it",
            )


def _stack_name_problems(draft: Draft, environment: Environment) -> Iterator[Problem]:
    stack, layers = draft.stack, set(environment.layers)
    expected = f"{environment.name}-{environment.layers[0]}" if len(layers) == 1 else environment.name
    if ACCOUNT in layers or stack in ("", expected):
        return
    at, example = _stack_example(draft, environment)
    yield problem(
        "environment.name",
        environment.name,
        f"must belong to a stack called {expected}, and this one is called {stack}",
        "the platform layer and the commands with --env find an environment's stacks by their names",
        example,
        at=at,
    )


def _stack_example(draft: Draft, environment: Environment) -> tuple[str, Any]:
    """Path and value that make the environment belong to its stack: other layers, where those need no other section."""
    known, name = home(draft.stack), name_for(draft.stack, environment.layers)
    layers = set(map(Layer, known["layers"]))
    complete = {section for layer in layers for section in REQUIRED_BY[layer]} <= draft.given
    allowed = all(LAYERS_OF[section] & layers for section in draft.given & set(LAYERS_OF))
    if known.get("name") == environment.name and ((complete and allowed) or name is MISSING):
        return "environment.layers", known["layers"]
    return "environment.name", name


def _zone_problems(draft: Draft, region: str) -> Iterator[Problem]:
    network = draft.network
    if network and network.zones and draft.good("network.zones"):
        yield from _zones_elsewhere("network.zones", network.zones, region, ())
    if network and network.existing and draft.good("network.existing"):
        for index, subnet in enumerate(network.existing.subnets):
            if subnet.zone[:-1] != region:
                path, example = f"network.existing.subnets[{index}].zone", f"{region}{subnet.zone[-1]}"
                yield problem(path, subnet.zone, f"must be a zone of {region}", ZONE_REASON, example)
    known = network.zone_names if network and draft.good("network") else ()
    known = known if all(zone[:-1] == region for zone in known) else ()
    for index, pool in draft.node_pools.items():
        yield from _zones_elsewhere(f"nodePools[{index}].zones", pool.zones or (), region, known)


def _zones_elsewhere(path: str, zones: Sequence[str], region: str, known: Sequence[str]) -> Iterator[Problem]:
    """Zones of another region, or which the network does not have; it may be unknown which it has."""
    taken = set(zones)
    for index, zone in enumerate(zones):
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
    if not environment or not draft.good(*(f"environment.{key}" for key in ("name", "prefix", "accountId", "region"))):
        return
    rest = len(f"{environment.prefix}-{environment.name}--{environment.account_id}-{environment.region}")
    most = BUCKET_NAME_LENGTH - rest
    named = {bucket.name for bucket in draft.data_buckets.values()}
    proposed = set(named)
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
        yield from _replica_problems(path, bucket, environment, named)
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


def _replica_problems(path: str, bucket: DataBucket, environment: Environment, named: Set[str]) -> Iterator[Problem]:
    if bucket.replica_region is None:
        return
    region = bucket.replica_region

    def too_long(region: str) -> int:
        stem = len(f"{environment.prefix}-{environment.name}--{environment.account_id}-{region}")
        return stem + max(len(bucket.name), len(ACCESS_LOGS)) - BUCKET_NAME_LENGTH

    def taken(region: str) -> list[str]:
        return sorted({f"{name}-{region}" for name in (bucket.name, ACCESS_LOGS)} & named)

    if region == environment.region:
        rule = "must be another region than environment.region"
        reasons = {rule: "a copy in the same region is lost together with the original"}
    else:
        reasons = dict[str, str]()
        if names := taken(region):
            rule = f"must be a region that no bucket is named after, and there is {names[0]}"
            reasons[rule] = "the copy, or its log bucket, has that name in the stack"
        if (excess := too_long(region)) > 0:
            reasons[f"must be a region whose name is {excess} characters shorter"] = (
                f"the names of the copy and of its log bucket end with it: {BUCKET_NAME_LENGTH + excess} characters, "
                f"and S3 allows {BUCKET_NAME_LENGTH}"
            )
    example = other_region(environment.region, lambda one: one != region and not taken(one) and too_long(one) <= 0)
    for rule, reason in reasons.items():
        yield problem(f"{path}.replicaRegion", region, rule, reason, example)


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
