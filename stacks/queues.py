"""Queues of jobs: where there are GPUs to wait for. Elsewhere a quota of the namespace is enough."""

from collections.abc import Sequence

from pulumi import Resource, ResourceOptions

from components.capacity import RESERVED
from components.gpu_node_pool import shares_of_a_gpu
from components.gpu_sharing import WHOLE_GPU
from components.instance_types import GPU_TYPES
from components.job_queue import JobQueue, JobQueueArgs
from components.local_queues import LocalQueues, LocalQueuesArgs
from components.namespaces import NamespaceQuota
from components.node_pool_spec import POOL_NAME_LABEL, gpu_taints
from components.pipeline_engine import RUNS_QUOTA, PipelineEngine
from components.queue_quotas import NodeTaint, QueuePool, QueueTeam
from stacks.nodes import sharing_of
from stacks.pins import chart_of
from stacks.sections.pools import GpuPart, NodePool
from stacks.sections.teams import Team
from stacks.settings import Settings

# Pods that wait in a queue have requested already, so they count for the namespace's quota too.
WAITING = 10


def job_queue(
    settings: Settings, namespaces: Sequence[str], *, after: Sequence[Resource], opts: ResourceOptions
) -> JobQueue | None:
    """None without a GPU pool or a team. `after`: what the managers run on, the pool `general`."""
    pools = _queue_pools(settings)
    if not pools or not settings.teams:
        return None
    return JobQueue(
        "job-queue",
        JobQueueArgs(
            chart=chart_of("kueue"),
            teams=[_queue_team(team) for team in settings.teams],
            pools=pools,
            namespaces=namespaces,
            # Where nothing is protected, one manager is enough.
            replicas=2 if settings.profile.deletion_protection else 1,
            after=after,
        ),
        opts,
    )


def local_queues(
    queue: JobQueue | None, namespaces: Sequence[str], engine: PipelineEngine, opts: ResourceOptions
) -> list[Resource]:
    """What a pipeline waits for: its team's queue. Nothing where there is none."""
    if queue is None:
        return []
    return [LocalQueues("local-queues", LocalQueuesArgs(queue=queue, namespaces=namespaces, after=[engine]), opts)]


def runs_quota(settings: Settings, queue: JobQueue | None) -> NamespaceQuota:
    """All teams together, since their pipelines share a namespace; the default for a team without a quota.

    Where a queue decides who starts, this only bounds how much may wait.
    """
    quotas, default = [team.quota for team in settings.teams], RUNS_QUOTA
    factor = WAITING if queue else 1
    gpus = sum(_gpus_of(team, settings) if queue else (team.quota.gpus if team.quota else 0) for team in settings.teams)
    return NamespaceQuota(
        cpus=factor * (sum(quota.cpus if quota else default.cpus for quota in quotas) or default.cpus),
        memory_gb=factor
        * (sum(quota.memory_gb if quota else default.memory_gb for quota in quotas) or default.memory_gb),
        gpus=factor * gpus,
        pods=default.pods,
        shares=default.shares | _shares(settings),
    )


def _shares(settings: Settings) -> dict[str, int]:
    """Names of shares of GPUs that pools offer; with the most that a GPU of any of them has."""
    shares: dict[str, int] = {}
    for pool in settings.node_pools:
        if pool.gpu and (sharing := sharing_of(pool.gpu)).resource_name != WHOLE_GPU:
            each = shares_of_a_gpu(sharing, pool.instance_types)
            shares[sharing.resource_name] = max(each, shares.get(sharing.resource_name, 0))
    return shares


def _queue_team(team: Team) -> QueueTeam:
    if team.quota is None:
        # What the pools have: of GPUs that is known, of CPUs it is what others leave idle.
        return QueueTeam(name=team.name, cpus=RUNS_QUOTA.cpus, memory_gb=RUNS_QUOTA.memory_gb, borrows=True)
    return QueueTeam(name=team.name, cpus=team.quota.cpus, memory_gb=team.quota.memory_gb, gpus=team.quota.gpus)


def _gpus_of(team: Team, settings: Settings) -> int:
    return team.quota.gpus if team.quota else sum(pool.max_gpus for pool in _queue_pools(settings))


def _gpus_at_least(pool: NodePool, gpu: GpuPart) -> int:
    """What fits whichever types the pool's nodes are of: more would be admitted, find no node and fail in the end."""
    return min(gpu.max_gpus, pool.max_nodes * min(GPU_TYPES[kind].count for kind in pool.instance_types))


def _queue_pools(settings: Settings) -> list[QueuePool]:
    """Pools that are paid for anyway come first, then in the order of the settings."""
    gpu_pools = [(pool, pool.gpu) for pool in settings.node_pools if pool.gpu]
    gpu_pools.sort(key=lambda entry: entry[0].capacity not in RESERVED)
    return [
        QueuePool(
            name=pool.name,
            node_labels={POOL_NAME_LABEL: pool.name},
            max_gpus=_gpus_at_least(pool, gpu),
            resource=sharing_of(gpu).resource_name,
            shares=shares_of_a_gpu(sharing_of(gpu), pool.instance_types),
            taints=[NodeTaint(**taint) for taint in gpu_taints()],
        )
        for pool, gpu in gpu_pools
    ]
