"""The queues that pods of a namespace name: one for each team."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi import ResourceOptions

from components.invalid_argument import InvalidArgument
from components.job_queue import QUEUE_API_VERSION, JobQueue


@dataclass(frozen=True, kw_only=True)
class LocalQueuesArgs:
    queue: JobQueue
    """Has the teams' quotas."""

    namespaces: Sequence[str]
    """Namespaces of jobs, at least one of those that the queue is for."""

    after: Sequence[pulumi.Resource]
    """What makes these namespaces: the `PipelineEngine`."""


class LocalQueues(pulumi.ComponentResource):
    """Creates, for each namespace and team: a local queue, named after the team, before the team's cluster queue.

    Pods and Jobs name it in their label `kueue.x-k8s.io/queue-name`. Costs nothing.
    """

    names: Sequence[str]
    """`<namespace>/<team>`."""

    def __init__(self, name: str, args: LocalQueuesArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:LocalQueues", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        if not args.namespaces:
            raise InvalidArgument("queues need a namespace to stand in, for example 'pipelines'")

        for namespace in args.namespaces:
            for team in args.queue.teams:
                self._create_queue(namespace, team)

        self.names = [f"{namespace}/{team}" for namespace in args.namespaces for team in args.queue.teams]
        self.register_outputs({"names": self.names})

    def _create_queue(self, namespace: str, team: str) -> None:
        needed = [self._args.queue, *self._args.after]
        k8s.apiextensions.CustomResource(
            f"{self._name}-{namespace}-{team}",
            api_version=QUEUE_API_VERSION,
            kind="LocalQueue",
            metadata={"name": team, "namespace": namespace},
            spec={"clusterQueue": team},
            opts=ResourceOptions.merge(self._child, ResourceOptions(depends_on=needed)),
        )
