"""What queues count: GPUs of each pool, shared fairly between teams; CPUs, memory and GPUs of a team over all pools.

Pure arithmetic, and the specs of Kueue's kinds that hold it. Fields as in `config/components/crd/bases` of
kubernetes-sigs/kueue at tag v0.19.2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm
from typing import Any

from components.invalid_argument import InvalidArgument
from components.namespaces import NAME_LABEL

# CPUs and memory are counted for all pools together: their nodes differ in nothing that a quota is about.
ANY_POOL = "any-pool"
# What Kueue counts beside a pod's own request, for GPUs of whatever pool (see `transformations`): quotas are kept by
# pool, and this keeps a team's sum. Source: https://kueue.sigs.k8s.io/docs/tasks/manage/share_quotas_across_flavors/
TEAM_GPUS = "stackyard.dev/gpus"
COHORT = "teams"
MOST_TAINTS_AND_LABELS = 8


@dataclass(frozen=True, kw_only=True)
class NodeTaint:
    key: str
    value: str = ""
    effect: str = "NoSchedule"


@dataclass(frozen=True, kw_only=True)
class QueuePool:
    """A pool of GPU nodes, as far as a queue has to know it."""

    name: str

    node_labels: Mapping[str, str]
    """Labels by which a pod lands on its nodes and on no others; an admitted pod gets them as its node selector."""

    max_gpus: int
    """Most GPUs at once, over all nodes of the pool."""

    resource: str = "nvidia.com/gpu"
    """What its pods ask for: whole GPUs, or the name of a share. Default: `nvidia.com/gpu`."""

    shares: int = 1
    """How many of `resource` one GPU makes. Default: 1, whole GPUs."""

    taints: Sequence[NodeTaint] = ()
    """Taints of its nodes: pods that do not tolerate them never wait for this pool. Default: none."""

    @property
    def devices(self) -> int:
        """Most of `resource` at once."""
        return self.max_gpus * self.shares


@dataclass(frozen=True, kw_only=True)
class QueueTeam:
    """What a team's pods may request at once, over all pools."""

    name: str
    """Name of the team and of its queues."""

    cpus: int
    memory_gb: int

    gpus: int | None = None
    """GPUs; a share counts for its part of one. Default: as many as the pools have."""

    borrows: bool = False
    """Whether it may use CPUs and memory beyond that which other teams leave idle. Default: no."""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """A team's part of one pool."""

    nominal: int
    """Its own: what it gets before others may borrow it."""

    borrowing: int = 0
    """What it may use beyond, as long as others leave it idle."""


def gpu_quotas(teams: Sequence[QueueTeam], pool: QueuePool) -> dict[str, Quota]:
    """Each team's part of a pool's devices: in all at most what it has, each at most what the team may have."""
    caps = [pool.devices if team.gpus is None else min(pool.devices, team.gpus * pool.shares) for team in teams]
    shares = fair_shares(pool.devices, caps)
    return {
        team.name: Quota(nominal=share, borrowing=cap - share)
        for team, cap, share in zip(teams, caps, shares, strict=True)
    }


def fair_shares(total: int, caps: Sequence[int]) -> list[int]:
    """Parts of `total` in proportion to `caps`, none above its cap; a division's remainder goes to the largest rests.

    >>> fair_shares(16, [16, 8, 8])
    [8, 4, 4]
    """
    wanted = sum(caps)
    if wanted <= total:
        return list(caps)
    shares = [total * cap // wanted for cap in caps]
    by_rest = sorted(range(len(caps)), key=lambda index: (-(total * caps[index] % wanted), index))
    for index in by_rest[: total - sum(shares)]:
        shares[index] += 1
    return shares


def flavor_spec(pool: QueuePool) -> dict[str, Any]:
    """`spec` of the ResourceFlavor of a pool."""
    return {
        "nodeLabels": dict(pool.node_labels),
        "nodeTaints": [{"key": t.key, "value": t.value, "effect": t.effect} for t in pool.taints],
    }


def cluster_queue_spec(
    team: QueueTeam, teams: Sequence[QueueTeam], pools: Sequence[QueuePool], namespaces: Sequence[str]
) -> dict[str, Any]:
    """`spec` of the ClusterQueue of a team. Pools are tried in the order given."""
    resources = dict.fromkeys(pool.resource for pool in pools)
    return {
        "cohortName": COHORT,
        "namespaceSelector": named(namespaces),
        # A job that waits for GPUs must not hold up steps that need none.
        "queueingStrategy": "BestEffortFIFO",
        # What runs is never stopped for what waits: who lent GPUs gets them back when the job ends.
        "preemption": {
            "withinClusterQueue": "Never",
            "reclaimWithinCohort": "Never",
            "borrowWithinCohort": {"policy": "Never"},
        },
        # Rather borrow in a pool that is paid for than start nodes in the next one.
        "flavorFungibility": {"whenCanBorrow": "MayStopSearch", "whenCanPreempt": "TryNextFlavor"},
        "resourceGroups": [_team_group(team, pools), *(_pool_group(r, team, teams, pools) for r in resources)],
    }


def named(namespaces: Sequence[str]) -> dict[str, Any]:
    """Selector of namespaces by their names."""
    return {"matchExpressions": [{"key": NAME_LABEL, "operator": "In", "values": sorted(namespaces)}]}


def transformations(pools: Sequence[QueuePool]) -> list[dict[str, Any]]:
    """Kueue's `resources.transformations`: what a pod requests of a pool counts for its team too.

    Kueue counts in whole numbers, so a team's GPUs are counted in parts that every share is a multiple of.
    """
    shares: dict[str, int] = {}
    for pool in pools:
        # Of pools that cut GPUs differently under one name the larger part counts: a team gets less rather than more.
        shares[pool.resource] = min(pool.shares, shares.get(pool.resource, pool.shares))
    return [
        {"input": resource, "strategy": "Retain", "outputs": {TEAM_GPUS: str(parts_of_a_gpu(pools) // each)}}
        for resource, each in sorted(shares.items())
    ]


def parts_of_a_gpu(pools: Sequence[QueuePool]) -> int:
    """In how many parts a GPU is counted for its team."""
    return lcm(*(pool.shares for pool in pools))


def _team_group(team: QueueTeam, pools: Sequence[QueuePool]) -> dict[str, Any]:
    gpus = sum(pool.max_gpus for pool in pools) if team.gpus is None else team.gpus
    shared = None if team.borrows else 0
    amounts = {"cpu": _amount(str(team.cpus), shared), "memory": _amount(f"{team.memory_gb}Gi", shared)}
    amounts[TEAM_GPUS] = _amount(str(gpus * parts_of_a_gpu(pools)), 0)
    return _group({ANY_POOL: amounts})


def _pool_group(
    resource: str, team: QueueTeam, teams: Sequence[QueueTeam], pools: Sequence[QueuePool]
) -> dict[str, Any]:
    flavors: dict[str, dict[str, dict[str, str]]] = {}
    for pool in pools:
        if pool.resource == resource:
            quota = gpu_quotas(teams, pool)[team.name]
            flavors[pool.name] = {resource: _amount(str(quota.nominal), quota.borrowing)}
    return _group(flavors)


def _amount(nominal: str, borrowing: int | None) -> dict[str, str]:
    """None: as much as others leave idle."""
    limit = {} if borrowing is None else {"borrowingLimit": str(borrowing)}
    return {"nominalQuota": nominal, **limit}


def _group(flavors: Mapping[str, Mapping[str, Mapping[str, str]]]) -> dict[str, Any]:
    covered = list(next(iter(flavors.values())))
    return {
        "coveredResources": covered,
        "flavors": [
            {"name": flavor, "resources": [{"name": name, **amount} for name, amount in amounts.items()]}
            for flavor, amounts in flavors.items()
        ],
    }


def check_quotas(teams: Sequence[QueueTeam], pools: Sequence[QueuePool]) -> None:
    """Raises ValueError for queues that nothing could pass."""
    if not teams or not pools:
        raise InvalidArgument(
            "queues need a team and a pool of GPU nodes at least: without one of them nobody waits, and the quota of "
            "the namespace is enough"
        )
    for what, names in (("team", [team.name for team in teams]), ("pool", [pool.name for pool in pools])):
        if len(set(names)) != len(names):
            raise InvalidArgument(f"a {what} is named twice: {', '.join(names)}; its queue would have two quotas")
    for pool in pools:
        _check_pool(pool)
    for team in teams:
        if team.cpus < 1 or team.memory_gb < 1 or (team.gpus or 0) < 0:
            raise InvalidArgument(
                f"team {team.name} with {team.cpus} CPUs, {team.memory_gb} GB and {team.gpus} GPUs could run nothing: "
                "give 1 CPU and 1 GB or more, for example cpus=32, memory_gb=128, gpus=1"
            )


def _check_pool(pool: QueuePool) -> None:
    if pool.name == ANY_POOL:
        raise InvalidArgument(f"a pool cannot be called {ANY_POOL!r}: CPUs and memory are counted there; say 'gpu'")
    if not 1 <= len(pool.node_labels) <= MOST_TAINTS_AND_LABELS or len(pool.taints) > MOST_TAINTS_AND_LABELS:
        raise InvalidArgument(
            f"pool {pool.name} has {len(pool.node_labels)} labels and {len(pool.taints)} taints: pods find its nodes "
            f"by a label at least, and Kueue knows {MOST_TAINTS_AND_LABELS} of each at most"
        )
    if pool.max_gpus < 1 or pool.shares < 1:
        raise InvalidArgument(
            f"pool {pool.name} with {pool.max_gpus} GPUs of {pool.shares} shares admits nothing: give 1 or more of "
            "each, or leave it out"
        )
