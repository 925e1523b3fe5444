"""The Prometheus operator's resource definitions, as a release of their own: what is monitored needs only these."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi import Output, ResourceOptions

from components.chart_pin import ChartPin
from components.chart_release import chart_release
from components.namespaces import NamespaceQuota, guard, restricted_namespace, to_dns, to_https

MONITORING_NAMESPACE = "monitoring"
RELEASE_NAME = "prometheus-operator-crds"
DEFAULT_QUOTA = NamespaceQuota(cpus=8, memory_gb=32)


@dataclass(frozen=True, kw_only=True)
class MonitoringCrdsArgs:
    chart: ChartPin
    """Chart `prometheus-operator-crds`, of the operator version that will run."""

    quota: NamespaceQuota = DEFAULT_QUOTA
    """The most that monitoring's pods may request. Default: 8 CPUs, 32 GB."""


class MonitoringCrds(pulumi.ComponentResource):
    """Creates, always:

    - the namespace `monitoring`, restricted and closed;
    - the definitions of `monitoring.coreos.com` as a Helm release, which upgrades them; ServiceMonitors depend on it.

    Deleting it deletes every ServiceMonitor and rule with the definitions. Costs nothing: no pod runs.
    """

    namespace: Output[str]
    release_name: Output[str]
    """Known once the definitions are there."""

    def __init__(self, name: str, args: MonitoringCrdsArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:MonitoringCrds", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)

        namespace = self._create_namespace()
        release = self._create_release(namespace)

        self.namespace = namespace.metadata.name
        self.release_name = release.status.name
        self.register_outputs({"namespace": self.namespace, "releaseName": self.release_name})

    def _create_namespace(self) -> k8s.core.v1.Namespace:
        namespace = restricted_namespace(f"{self._name}-namespace", MONITORING_NAMESPACE, self._child)
        guard(
            f"{self._name}-namespace",
            namespace,
            quota=self._args.quota,
            egress=[to_dns(), to_https()],
            opts=self._child,
        )
        return namespace

    def _create_release(self, namespace: k8s.core.v1.Namespace) -> k8s.helm.v3.Release:
        return chart_release(
            f"{self._name}-release",
            self._args.chart,
            release_name=RELEASE_NAME,
            namespace=namespace.metadata.name,
            opts=self._child,
        )
