"""Kueue: pods of pipelines wait until their team's quota and a GPU pool have room for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import yaml
from pulumi import Output, ResourceOptions

from components.chart_pin import ChartPin
from components.chart_release import chart_release
from components.invalid_argument import InvalidArgument
from components.namespaces import NamespaceQuota, guard, restricted_namespace, to_dns, to_https
from components.queue_quotas import (
    ANY_POOL,
    QueuePool,
    QueueTeam,
    check_quotas,
    cluster_queue_spec,
    flavor_spec,
    named,
    transformations,
)

NETWORKING = k8s.networking.v1

QUEUE_API_VERSION = "kueue.x-k8s.io/v1beta2"
QUEUE_NAMESPACE = "kueue-system"
RELEASE_NAME = "kueue"
# Managers, and the next ones while they are replaced.
QUEUE_QUOTA = NamespaceQuota(cpus=4, memory_gb=16, pods=10)
# Of webhooks and of the list of who waits, both of which the API server asks for.
API_SERVER_PORTS = (8082, 9443)
# EFA interfaces and huge pages come with the node, and scratch with its disk: no quota is about them.
NOT_COUNTED = ("ephemeral-storage", "hugepages-", "vpc.amazonaws.com/")
# Namespaces in which a waiting pod could stop the cluster itself.
NEVER_QUEUED = ("kube-system", QUEUE_NAMESPACE)


@dataclass(frozen=True, kw_only=True)
class JobQueueArgs:
    chart: ChartPin
    """Chart `kueue`."""

    teams: Sequence[QueueTeam]
    """Teams and their quotas, at least one."""

    pools: Sequence[QueuePool]
    """Pools of GPU nodes, at least one, in the order in which they are tried: those that are paid for anyway first."""

    namespaces: Sequence[str] = ("pipelines",)
    """Namespaces whose pods and Jobs wait in queues, all of them. Default: `pipelines`."""

    replicas: int = 2
    """Managers, one of which leads. Default: 2."""

    ready_minutes: int = 60
    """Minutes until all pods of an admitted job must run, and run again after one was lost. What takes longer is taken
    back: a Job waits once more, a single pod of a pipeline is deleted and its step fails. Default: 60, for nodes that
    are hard to get and images that are large.
    """

    after: Sequence[pulumi.Resource] = ()
    """What the managers need to run: the pool `general`. Default: nothing."""


class JobQueue(pulumi.ComponentResource):
    """Creates, always:

    - the namespace `kueue-system`, restricted and closed but for the API server's calls;
    - Kueue, for pods and Jobs of `namespaces` alone: a job starts when its quota has room for all of its pods;
    - a flavor for each GPU pool, which an admitted pod selects, and one for CPUs and memory of whatever pool;
    - for each team a cluster queue: CPUs, memory and GPUs over all pools, and its fair share of each GPU pool; idle
      shares are lent; all in one cohort. Nothing that runs is stopped for what waits.

    Pods reach it through `LocalQueues`. It costs what two small pods cost.
    """

    release_name: Output[str]
    """Known once Kueue runs."""
    teams: Sequence[str]
    """Names of the teams, and of their cluster queues."""

    def __init__(self, name: str, args: JobQueueArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:JobQueue", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        _check(args)

        namespace = self._create_namespace()
        release = self._create_release(namespace)
        flavors = [self._create_flavor(pool.name, flavor_spec(pool), release) for pool in args.pools]
        flavors.append(self._create_flavor(ANY_POOL, {}, release))
        for team in args.teams:
            self._create_cluster_queue(team, flavors)

        self.release_name = release.status.name
        self.teams = [team.name for team in args.teams]
        self.register_outputs({"releaseName": self.release_name, "teams": self.teams})

    def _create_namespace(self) -> k8s.core.v1.Namespace:
        name = f"{self._name}-namespace"
        namespace = restricted_namespace(name, QUEUE_NAMESPACE, self._child)
        guard(name, namespace, quota=QUEUE_QUOTA, egress=[to_dns(), to_https()], opts=self._child)
        NETWORKING.NetworkPolicy(
            f"{name}-api-server",
            metadata=k8s.meta.v1.ObjectMetaArgs(name="api-server", namespace=namespace.metadata.name),
            spec=NETWORKING.NetworkPolicySpecArgs(
                pod_selector=k8s.meta.v1.LabelSelectorArgs(),
                policy_types=["Ingress"],
                # From anywhere: EKS's API server has no fixed addresses and is no pod that a policy could select.
                ingress=[
                    NETWORKING.NetworkPolicyIngressRuleArgs(
                        ports=[NETWORKING.NetworkPolicyPortArgs(port=port, protocol="TCP") for port in API_SERVER_PORTS]
                    )
                ],
            ),
            opts=self._child,
        )
        return namespace

    def _create_release(self, namespace: k8s.core.v1.Namespace) -> k8s.helm.v3.Release:
        return chart_release(
            f"{self._name}-release",
            self._args.chart,
            release_name=RELEASE_NAME,
            namespace=namespace.metadata.name,
            values=release_values(self._args),
            opts=ResourceOptions.merge(self._child, ResourceOptions(depends_on=list(self._args.after))),
        )

    def _create_flavor(
        self, flavor: str, spec: dict[str, Any], release: pulumi.Resource
    ) -> k8s.apiextensions.CustomResource:
        return self._custom_resource("ResourceFlavor", "flavor", flavor, spec, [release])

    def _create_cluster_queue(self, team: QueueTeam, flavors: Sequence[pulumi.Resource]) -> None:
        spec = cluster_queue_spec(team, self._args.teams, self._args.pools, self._args.namespaces)
        # Kueue keeps a flavor until no queue names it, and a queue until nothing runs by it.
        self._custom_resource("ClusterQueue", "queue", team.name, spec, flavors)

    def _custom_resource(
        self, kind: str, noun: str, object_name: str, spec: dict[str, Any], needed: Sequence[pulumi.Resource]
    ) -> k8s.apiextensions.CustomResource:
        return k8s.apiextensions.CustomResource(
            f"{self._name}-{noun}-{object_name}",
            api_version=QUEUE_API_VERSION,
            kind=kind,
            metadata={"name": object_name},
            spec=spec,
            # Kueue's definitions, and the manager that lets go of its objects: both come and go with the release.
            opts=ResourceOptions.merge(self._child, ResourceOptions(depends_on=list(needed))),
        )


def release_values(args: JobQueueArgs) -> dict[str, Any]:
    """Values of the chart. Keys as in its values.yaml, kubernetes-sigs/kueue at tag v0.19.2."""
    return {
        "controllerManager": {
            "replicas": args.replicas,
            "manager": {
                "priorityClassName": "system-cluster-critical",
                "resources": {
                    "requests": {"cpu": "250m", "memory": "512Mi"},
                    # The chart's 512Mi are not enough for thousands of waiting pods.
                    "limits": {"memory": "2Gi"},
                },
            },
            "podDisruptionBudget": {
                "enabled": args.replicas > 1,
                **({"minAvailable": 1} if args.replicas > 1 else {}),
            },
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/instance": RELEASE_NAME}},
                }
            ],
        },
        # A text to the chart, which replaces its own: what has no line here has Kueue's default.
        "managerConfig": {"controllerManagerConfigYaml": yaml.safe_dump(configuration(args), sort_keys=True)},
        "enableCertManager": False,
        "enableKueueViz": False,
        "enablePrometheus": False,
    }


def configuration(args: JobQueueArgs) -> dict[str, Any]:
    """Kueue's Configuration: https://kueue.sigs.k8s.io/docs/reference/kueue-config.v1beta2/."""
    minutes = f"{args.ready_minutes}m"
    return {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "health": {"healthProbeBindAddress": ":8081"},
        "metrics": {"bindAddress": ":8443", "enableClusterQueueResources": True},
        "webhook": {"port": 9443},
        "leaderElection": {"leaderElect": True, "resourceName": "c1f6bfd2.kueue.x-k8s.io"},
        "clientConnection": {"qps": 300, "burst": 500},
        # Pods of a pipeline are plain pods to Kueue. What other operators make would be counted twice or not at all.
        "integrations": {"frameworks": ["batch/job", "pod"]},
        # The chart's webhooks have the same selector: pods elsewhere start even when Kueue is down.
        "managedJobsNamespaceSelector": named(args.namespaces),
        # A pod without a queue never starts, rather than starting beside every quota.
        "manageJobsWithoutQueueName": True,
        "waitForPodsReady": {
            "timeout": minutes,
            "recoveryTimeout": minutes,
            # One after the other would mean one node after the other.
            "blockAdmission": False,
            "requeuingStrategy": {"timestamp": "Eviction", "backoffBaseSeconds": 60, "backoffMaxSeconds": 3600},
        },
        "resources": {
            "excludeResourcePrefixes": list(NOT_COUNTED),
            "transformations": transformations(args.pools),
        },
        # Records of what has finished; the pods themselves are Argo's to remove.
        "objectRetentionPolicies": {"workloads": {"afterFinished": "168h"}},
    }


def _check(args: JobQueueArgs) -> None:
    check_quotas(args.teams, args.pools)
    system = sorted(set(args.namespaces) & set(NEVER_QUEUED))
    if system or not args.namespaces:
        raise InvalidArgument(
            f"queues for {', '.join(system) or 'no namespace'} are not possible: name namespaces of jobs, for example "
            f"'pipelines'; a pod that waits in {' or '.join(NEVER_QUEUED)} could be one that lets others start"
        )
    if args.ready_minutes < 1:
        raise InvalidArgument(
            f"{args.ready_minutes} minutes to start in are not possible: nodes need several, for example 60"
        )
