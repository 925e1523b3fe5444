"""Argo Workflows: runs compiled pipelines in pods of the restricted profile."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi import Output, ResourceOptions

from components.chart_pin import ChartPin
from components.chart_release import chart_release
from components.namespaces import (
    NamespaceQuota,
    Rule,
    guard,
    restricted_namespace,
    to_aws_credentials,
    to_dns,
    to_https,
    to_namespace,
)
from components.workflow_admission import (
    admission_policy,
    from_namespaces,
    is_workflow,
    namespaced_template,
    only_a_reference,
)

ENGINE_NAMESPACE = "argo"
RELEASE_NAME = "argo-workflows"
CONTROLLER_ACCOUNT = "argo-workflow-controller"
# Controllers, and the next ones while they are replaced.
ENGINE_QUOTA = NamespaceQuota(cpus=4, memory_gb=8, pods=10)
RUNS_QUOTA = NamespaceQuota(cpus=64, memory_gb=256, pods=200)

# Finished runs live in etcd until then; what they made stays in the buckets and in the model registry.
SUCCEEDED_RUN_SECONDS = 7 * 24 * 3600
FAILED_RUN_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class PipelineEngineArgs:
    chart: ChartPin
    """Chart `argo-workflows`."""

    app_version: str
    """Version of Argo itself, for example `v4.0.6`: the tag of its three images."""

    namespaces: Sequence[str] = ("pipelines",)
    """Namespaces in which pipelines run; the component creates them. Default: `pipelines`."""

    replicas: int = 2
    """Controllers, one of which leads. Default: 2."""

    parallel_runs: int = 20
    """Runs that go on at once in one namespace; more wait. Default: 20."""

    run_deadline_seconds: int = 24 * 3600
    """Seconds after which a run is stopped, whatever its steps' own deadlines. Default: one day."""

    quota: NamespaceQuota = RUNS_QUOTA
    """The most that the runs of one namespace may request at once. Default: 64 CPUs, 256 GB, no GPU, 200 pods."""

    tracking: tuple[str, int] = ("tracking", 5000)
    """Namespace and port of the model registry, which runs may reach. Default: `tracking`, 5000."""

    after: Sequence[pulumi.Resource] = ()
    """What must be there before the pipelines' namespaces, and still be there when these go: the `JobQueue`, which
    holds on to waiting pods until it lets them go; without a queue the pools that the controllers run on. Default:
    nothing.
    """

    metrics: bool = False
    """Whether a ServiceMonitor is made. Its definition (monitoring.coreos.com) must be installed: else it is skipped
    silently. Default: no."""


class PipelineEngine(pulumi.ComponentResource):
    """Creates, always:

    - the namespaces of the engine and of the pipelines, all of them enforcing the Pod Security profile *restricted*,
      with a quota, default requests, and no traffic in or out but to DNS, TLS, the node's Pod Identity agent and the
      model registry;
    - Argo Workflows: its controller with a service account and roles of its own, no web server, no archive, no
      credentials in Secrets, Workflows from templates only;
    - an admission policy: accounts of the pipelines' namespaces may create Workflows that start a template as it is,
      and nothing else of Argo's. Which templates, each `PipelineDeployment` adds.

    The engine calls no AWS API, so it has no IAM role. It costs what two small pods cost.
    """

    namespaces: Output[Sequence[str]]
    """Names of the pipelines' namespaces, known once they are there."""
    release_name: Output[str]

    def __init__(self, name: str, args: PipelineEngineArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:PipelineEngine", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)

        engine = self._create_namespace(
            "engine-namespace", ENGINE_NAMESPACE, ENGINE_QUOTA, [to_dns(), to_https()], self._child
        )
        after = ResourceOptions.merge(self._child, ResourceOptions(depends_on=list(args.after)))
        pipelines = [
            self._create_namespace(f"{space}-namespace", space, args.quota, self._egress_of_runs(), after)
            for space in args.namespaces
        ]
        release = self._create_release(engine, pipelines)
        self._create_policy()

        self.namespaces = Output.all(*(space.metadata.name for space in pipelines)).apply(list)
        self.release_name = release.status.name
        self.register_outputs({"namespaces": self.namespaces, "releaseName": self.release_name})

    def _create_namespace(
        self, noun: str, space: str, quota: NamespaceQuota, egress: Sequence[Rule], opts: ResourceOptions
    ) -> k8s.core.v1.Namespace:
        name = f"{self._name}-{noun}"
        namespace = restricted_namespace(name, space, opts)
        guard(name, namespace, quota=quota, egress=egress, opts=self._child)
        return namespace

    def _egress_of_runs(self) -> list[Rule]:
        return [to_dns(), to_https(), to_aws_credentials(), to_namespace(*self._args.tracking)]

    def _create_release(
        self, engine: k8s.core.v1.Namespace, pipelines: Sequence[k8s.core.v1.Namespace]
    ) -> k8s.helm.v3.Release:
        return chart_release(
            f"{self._name}-release",
            self._args.chart,
            release_name=RELEASE_NAME,
            namespace=engine.metadata.name,
            values=release_values(self._args),
            # The chart puts a role into each namespace of the pipelines.
            opts=ResourceOptions.merge(self._child, ResourceOptions(depends_on=list(pipelines))),
        )

    def _create_policy(self) -> None:
        admission_policy(
            self._name,
            object_name="stackyard-pipelines",
            applies_to=from_namespaces(self._args.namespaces),
            rules=[
                (is_workflow(), "a pipeline may start Workflows; templates and schedules come with the stack"),
                (
                    f"!({is_workflow()}) || ({only_a_reference()})",
                    "a pipeline may start a template as it is, with arguments, not with steps, accounts or patches",
                ),
                (
                    f"!({is_workflow()}) || !has(object.spec.workflowTemplateRef) || ({namespaced_template()})",
                    "a pipeline may start templates of its own namespace, not cluster-wide ones",
                ),
            ],
            opts=self._child,
        )


def release_values(args: PipelineEngineArgs) -> dict[str, Any]:
    """Values of the chart. Keys as in its values.yaml, argoproj/argo-helm at commit af0a931."""
    return {
        "images": {"tag": args.app_version, "pullPolicy": "IfNotPresent"},
        # The full definitions come by a job that downloads them from the internet with rights on all definitions.
        "crds": {"install": True, "full": False, "keep": True},
        "useStaticCredentials": False,
        "artifactRepository": {"archiveLogs": False},
        # Each pipeline brings its own account and role.
        "workflow": {"serviceAccount": {"create": False}, "rbac": {"create": False}},
        "server": {"enabled": False},
        "controller": _controller_values(args),
        "executor": {
            "resources": _amounts("100m", "128Mi"),
            "securityContext": container_security_context(),
        },
    }


def _controller_values(args: PipelineEngineArgs) -> dict[str, Any]:
    return {
        "workflowNamespaces": sorted(args.namespaces),
        "workflowDefaults": {"spec": workflow_defaults(args)},
        # Runs from templates alone: https://argo-workflows.readthedocs.io/en/release-4.0/workflow-restrictions/
        "workflowRestrictions": {"templateReferencing": "Strict"},
        "namespaceParallelism": args.parallel_runs,
        "serviceAccount": {"create": True, "name": CONTROLLER_ACCOUNT},
        "clusterWorkflowTemplates": {"enabled": False},
        "rbac": {"create": True, "accessAllSecrets": False, "writeConfigMaps": False},
        "metricsConfig": {"enabled": args.metrics},
        "serviceMonitor": {"enabled": args.metrics},
        "replicas": args.replicas,
        "pdb": {"enabled": args.replicas > 1, **({"minAvailable": 1} if args.replicas > 1 else {})},
        "resources": _amounts("200m", "512Mi"),
        "podSecurityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
    }


def workflow_defaults(args: PipelineEngineArgs) -> dict[str, Any]:
    """What every Workflow gets unless its template says otherwise."""
    return {
        "activeDeadlineSeconds": args.run_deadline_seconds,
        "podGC": {"strategy": "OnPodSuccess"},
        "ttlStrategy": {"secondsAfterSuccess": SUCCEEDED_RUN_SECONDS, "secondsAfterFailure": FAILED_RUN_SECONDS},
    }


def container_security_context() -> dict[str, Any]:
    """What the profile *restricted* asks of Argo's own containers in a pod; their user is the pod's.

    Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    """
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _amounts(cpu: str, memory: str) -> dict[str, Any]:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}
