"""What the version table pins for a stack."""

from components.chart_pin import ChartPin
from stacks.settings import Settings, present
from stacks.versions import CHARTS, KUBERNETES_VERSIONS, KubernetesVersion


def pinned(settings: Settings) -> KubernetesVersion:
    return KUBERNETES_VERSIONS[present(settings.cluster).kubernetes_version]


def chart_of(name: str) -> ChartPin:
    chart = CHARTS[name]
    return ChartPin(chart=chart.name, version=chart.version, repository=chart.repository)
