"""A Helm release that is there whole or not at all, of a pinned chart."""

from collections.abc import Mapping
from typing import Any

import pulumi_kubernetes as k8s
from pulumi import Input, ResourceOptions

from components.chart_pin import ChartPin

# Room for nodes that must start first, and for large images.
RELEASE_TIMEOUT_SECONDS = 600


def chart_release(
    name: str,
    pin: ChartPin,
    *,
    release_name: str,
    namespace: Input[str],
    values: Mapping[str, Any] | None = None,
    skip_crds: bool | None = None,
    opts: ResourceOptions,
) -> k8s.helm.v3.Release:
    """`release_name`: without one a release gets a random name, and what charts make is named after it."""
    return k8s.helm.v3.Release(
        name,
        name=release_name,
        namespace=namespace,
        chart=pin.chart,
        version=pin.version,
        repository_opts=pin.repository_opts(),
        values=values,
        skip_crds=skip_crds,
        # Never leave half of it behind: the next `up` would meet a failed release.
        atomic=True,
        cleanup_on_fail=True,
        timeout=RELEASE_TIMEOUT_SECONDS,
        opts=opts,
    )
