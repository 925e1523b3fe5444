"""Karpenter's objects of a pool as resources: class of nodes, pool, overlay. Plain functions."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi import ResourceOptions

from components.node_pool_spec import GROUP, NODE_CLASS_GROUP, NODE_CLASS_KIND

# Karpenter ends a pool's nodes first, and AWS takes its time with large ones; the provider would wait ten minutes.
NODES_END = ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(delete="60m"))


def after_autoscaler(child: ResourceOptions, ready: Sequence[pulumi.Resource]) -> ResourceOptions:
    """Deleted after Karpenter, these would keep their finalizers, and their nodes would run on unseen."""
    return ResourceOptions.merge(child, ResourceOptions(depends_on=list(ready)))


def node_class(
    name: str, pool_name: str, spec: Mapping[str, Any], opts: ResourceOptions
) -> k8s.apiextensions.CustomResource:
    return k8s.apiextensions.CustomResource(
        name,
        api_version=f"{NODE_CLASS_GROUP}/v1",
        kind=NODE_CLASS_KIND,
        metadata={"name": pool_name},
        spec=dict(spec),
        opts=ResourceOptions.merge(opts, NODES_END),
    )


def node_pool(
    name: str,
    pool_name: str,
    spec: Mapping[str, Any],
    *,
    after: Sequence[pulumi.Resource],
    annotations: Mapping[str, str] | None = None,
    opts: ResourceOptions,
) -> k8s.apiextensions.CustomResource:
    """`after`: its class of nodes, which outlives it, and the overlays without which it would start wrong nodes."""
    return k8s.apiextensions.CustomResource(
        name,
        api_version=f"{GROUP}/v1",
        kind="NodePool",
        metadata={"name": pool_name, **({"annotations": dict(annotations)} if annotations else {})},
        spec=dict(spec),
        opts=ResourceOptions.merge(opts, ResourceOptions.merge(NODES_END, ResourceOptions(depends_on=list(after)))),
    )


def node_overlay(
    name: str, overlay_name: str, spec: Mapping[str, Any], opts: ResourceOptions
) -> k8s.apiextensions.CustomResource:
    return k8s.apiextensions.CustomResource(
        name,
        api_version=f"{GROUP}/v1alpha1",
        kind="NodeOverlay",
        metadata={"name": overlay_name},
        spec=dict(spec),
        opts=opts,
    )
