"""The Prometheus operator's definitions: pinned, fixed names, a closed namespace, of the stack's operator version."""

from components.chart_pin import ChartPin
from components.monitoring_crds import MonitoringCrds, MonitoringCrdsArgs
from components.namespaces import RESTRICTED_LABELS
from stacks.versions import CHARTS
from stackyard.local.kubernetes.releases import validate_release

PIN = ChartPin(chart="oci://charts.example/prometheus-operator-crds", version="31.0.1")
RELEASE = "kubernetes:helm.sh/v3:Release"


def crds():
    return MonitoringCrds("crds", MonitoringCrdsArgs(chart=PIN))


def test_the_release_is_pinned_named_and_all_or_nothing(capture):
    release = capture(crds).only(RELEASE).inputs
    assert (release["name"], release["namespace"]) == ("prometheus-operator-crds", "monitoring")
    assert (release["chart"], release["version"], release["atomic"]) == (PIN.chart, "31.0.1", True)
    assert "values" not in release, "all definitions, as the chart has them"
    assert validate_release(release) == "", "the chart's values were read at this version"


def test_its_namespace_is_restricted_and_closed(capture):
    deployment = capture(crds)
    assert deployment.only("kubernetes:core/v1:Namespace").inputs["metadata"]["labels"] == RESTRICTED_LABELS
    policies = {r.name for r in deployment.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")}
    assert policies == {"crds-namespace-default-deny", "crds-namespace-egress"}


def test_definitions_and_operator_are_of_one_version():
    assert CHARTS["prometheus-operator-crds"].app_version == CHARTS["kube-prometheus-stack"].app_version


def test_outputs_are_registered(capture):
    outputs = capture(crds).only("stackyard:index:MonitoringCrds").outputs
    assert outputs == {"namespace": "monitoring", "releaseName": "prometheus-operator-crds"}
