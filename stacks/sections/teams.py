"""Teams, and the pipelines that they run."""

from typing import ClassVar

from stacks.domain import Cron, Name
from stacks.sections.section import Section, setting


class Quota(Section):
    """The most that a team's pods may request at once; without a GPU pool, and so no queues, all teams together."""

    cpus: int = setting("CPUs.", 32, ge=1, le=1_000_000)
    memory_gb: int = setting("Memory in GB.", 128, ge=1, le=10_000_000)
    gpus: int = setting(
        "GPUs. Default 0: none, and a pipeline of the team whose step asks for one is refused.",
        1,
        default=0,
        ge=0,
        le=100_000,
    )


class Team(Section):
    """Teams and their quotas; pipelines of all share the namespace `pipelines`. With a GPU pool each has a queue."""

    read_by: ClassVar = "`JobQueue`, `PipelineEngine`"

    name: Name = setting("Name of the team, and of its queue.", "flights")
    quota: Quota | None = setting(
        "What its pods may request at once. Default: what the pools have.", {"cpus": 32, "memoryGb": 128}, default=None
    )


class Pipeline(Section):
    """Pipelines that are deployed, with their schedules."""

    read_by: ClassVar = "`PipelineDeployment`"

    name: Name = setting("Folder of the pipeline under pipelines/.", "training")
    team: Name = setting("Team it belongs to; one of `teams`.", "flights")
    schedule: Cron | None = setting(
        "When it starts, as cron in UTC. Default: what the pipeline itself declares.", "0 3 2 * *", default=None
    )
    suspended: bool = setting("Whether the schedule is switched off.", True, default=False)
