"""Version table: what runs with each Kubernetes minor. Every row has its date and source; nothing here is «latest».

Calendars are data, not decisions: support ends are compared with a date by review, preflight and policy.
The only place that names chart and image registries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A pinned Helm chart."""

    name: str
    """What `helm.v3.Release` gets as `chart`: a name inside `repository`, or an `oci://` address."""
    version: str
    app_version: str
    read_on: date
    """Day of the snapshot in which this version's values were read."""
    source: str
    repository: str = ""
    """Address of the chart repository; empty for `oci://` charts."""


@dataclass(frozen=True, kw_only=True)
class Addon:
    """A managed EKS add-on at one version."""

    version: str
    seen_on: date
    source: str


@dataclass(frozen=True, kw_only=True)
class NodeImage:
    """The pinned Amazon Linux 2023 image of nodes; one alias serves CPU and GPU types."""

    alias: str
    """Karpenter's `amiSelectorTerms.alias`."""
    release_version: str
    """Release version of managed node groups."""
    seen_on: date
    source: str


@dataclass(frozen=True, kw_only=True)
class Support:
    """Support calendar of one Kubernetes minor on EKS."""

    standard_ends: date
    extended_ends: date
    """After it AWS upgrades the control plane by itself. Extended support costs six times as much per hour."""


@dataclass(frozen=True, kw_only=True)
class KubernetesVersion:
    """All that is pinned for one Kubernetes minor."""

    version: str
    node_image: NodeImage
    addons: Mapping[str, Addon]


# AWS's calendar: 14 months of standard support, then 12 of extended.
# Authority: https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html; dates up to 1.35 from a copy of
# February 2026 of https://endoflife.date/amazon-eks, 1.36 from another third party in November 2026.
SUPPORT: Mapping[str, Support] = {
    "1.28": Support(standard_ends=date(2024, 11, 26), extended_ends=date(2025, 11, 26)),
    "1.29": Support(standard_ends=date(2025, 3, 23), extended_ends=date(2026, 3, 23)),
    "1.30": Support(standard_ends=date(2025, 7, 23), extended_ends=date(2026, 7, 23)),
    "1.31": Support(standard_ends=date(2025, 11, 26), extended_ends=date(2026, 11, 26)),
    "1.32": Support(standard_ends=date(2026, 3, 23), extended_ends=date(2027, 3, 23)),
    "1.33": Support(standard_ends=date(2026, 7, 29), extended_ends=date(2027, 7, 29)),
    "1.34": Support(standard_ends=date(2026, 12, 2), extended_ends=date(2027, 12, 2)),
    "1.35": Support(standard_ends=date(2027, 3, 27), extended_ends=date(2028, 3, 27)),
    "1.36": Support(standard_ends=date(2027, 8, 2), extended_ends=date(2028, 8, 2)),
}
# The day of this table: what AWS runs is fixed by it, so that settings do not depend on the day they are read.
AS_OF = date(2026, 11, 24)
RETIRED = frozenset(minor for minor, support in SUPPORT.items() if support.extended_ends <= AS_OF)

_AL2023 = "awslabs/amazon-eks-ami, release v20260724 and its changelog"
_PUBLIC = "version strings in public Terraform files for this minor; GetAddonVersion is the authority"


def _addons(seen_on: date, **versions: str) -> Mapping[str, Addon]:
    return {
        name.replace("_", "-"): Addon(version=version, seen_on=seen_on, source=_PUBLIC)
        for name, version in sorted(versions.items())
    }


KUBERNETES_VERSIONS: Mapping[str, KubernetesVersion] = {
    "1.34": KubernetesVersion(
        version="1.34",
        node_image=NodeImage(
            alias="al2023@v20260724", release_version="1.34.9-20260714", seen_on=date(2026, 7, 24), source=_AL2023
        ),
        addons=_addons(
            date(2026, 9, 23),
            aws_ebs_csi_driver="v1.63.1-eksbuild.1",
            coredns="v1.13.2-eksbuild.11",
            eks_pod_identity_agent="v1.4.0-eksbuild.1",
            kube_proxy="v1.34.6-eksbuild.18",
            metrics_server="v0.9.0-eksbuild.5",
            vpc_cni="v1.23.0-eksbuild.1",
        ),
    ),
    "1.35": KubernetesVersion(
        version="1.35",
        node_image=NodeImage(
            alias="al2023@v20260724", release_version="1.35.6-20260714", seen_on=date(2026, 7, 24), source=_AL2023
        ),
        addons=_addons(
            date(2026, 9, 23),
            aws_ebs_csi_driver="v1.66.0-eksbuild.1",
            aws_mountpoint_s3_csi_driver="v2.7.0-eksbuild.1",
            aws_secrets_store_csi_driver_provider="v3.1.3-eksbuild.1",
            coredns="v1.14.6-eksbuild.4",
            eks_node_monitoring_agent="v1.6.5-eksbuild.1",
            eks_pod_identity_agent="v1.4.0-eksbuild.2",
            kube_proxy="v1.35.3-eksbuild.29",
            metrics_server="v0.9.0-eksbuild.11",
            vpc_cni="v1.23.1-eksbuild.1",
        ),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Database:
    """The PostgreSQL that the model registry's database runs."""

    engine_version: str
    """Major version: RDS keeps the newest minor by itself, and a pinned one would soon be a downgrade."""
    seen_on: date
    source: str


TRACKING_DATABASE = Database(
    engine_version="17",
    seen_on=date(2026, 5, 30),
    source="RDS for PostgreSQL release notes (authority: AWS's PostgreSQL release calendar): 17.7 and later are what "
    "older minors of 17 were upgraded to on 2026-05-31; parameter group family postgres17",
)

# Upstreams of the registry's pull-through caches, by a short name: those that AWS caches without credentials.
# Not so: Docker Hub, GHCR, GitLab, Azure's and Chainguard's, which need a secret each; NGC, which AWS does not cache.
# Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html, read 2026-11-24.
CACHED_UPSTREAMS: Mapping[str, str] = {
    "k8s": "registry.k8s.io",
    "public": "public.ecr.aws",
    "quay": "quay.io",
}

# Where registries that charts pull from keep image layers in a region: a gateway endpoint for S3 is on the way there.
# Sources: kubernetes/registry.k8s.io, cmd/archeio/internal/app/buckets.go at 012f74b (which asks nobody to rely on it:
# the caches above are the way without it); quay/quay, storage/cloud.py: clients in its own region get S3's addresses.
_LAYERS_OF_K8S = {"eu-west-2": "767373bbdcb8270361b96548387bf2a9ad0d48758c35-eu-west-2"}
_LAYERS_OF_QUAY = {"us-east-1": ("quayio-production-s3",)}


def image_layer_buckets(region: str) -> tuple[str, ...]:
    """Buckets of others from which the pinned charts' images come, in one region."""
    return _LAYERS_OF_K8S.get(region, f"prod-registry-k8s-io-{region}"), *_LAYERS_OF_QUAY.get(region, ())


_PROMETHEUS = "oci://ghcr.io/prometheus-community/charts"
_RUNNERS = "oci://ghcr.io/actions/actions-runner-controller-charts"
_KARPENTER = "aws/karpenter-provider-aws at tag v1.14.1"
CHARTS: Mapping[str, Chart] = {
    "karpenter": Chart(
        name="oci://public.ecr.aws/karpenter/karpenter",
        version="1.14.1",
        app_version="1.14.1",
        read_on=date(2026, 8, 20),
        source=_KARPENTER,
    ),
    "karpenter-crd": Chart(
        name="oci://public.ecr.aws/karpenter/karpenter-crd",
        version="1.14.1",
        app_version="1.14.1",
        read_on=date(2026, 8, 20),
        source=_KARPENTER,
    ),
    "nvidia-device-plugin": Chart(
        name="nvidia-device-plugin",
        repository="https://nvidia.github.io/k8s-device-plugin",
        version="0.20.0",
        app_version="0.20.0",
        read_on=date(2026, 8, 19),
        source="NVIDIA/k8s-device-plugin at tag v0.20.0",
    ),
    "dcgm-exporter": Chart(
        name="dcgm-exporter",
        repository="https://nvidia.github.io/dcgm-exporter/helm-charts",
        version="4.8.2",
        app_version="4.8.2",
        read_on=date(2026, 5, 6),
        source="NVIDIA/dcgm-exporter at tag 4.5.3-4.8.2",
    ),
    "aws-efa-k8s-device-plugin": Chart(
        name="aws-efa-k8s-device-plugin",
        repository="https://aws.github.io/eks-charts",
        version="v0.5.30",
        app_version="v0.5.20",
        read_on=date(2026, 7, 21),
        source="aws/eks-charts at commit bfe91c4",
    ),
    "kueue": Chart(
        name="oci://registry.k8s.io/kueue/charts/kueue",
        version="0.19.2",
        app_version="v0.19.2",
        read_on=date(2026, 8, 20),
        source="kubernetes-sigs/kueue at tag v0.19.2",
    ),
    "argo-workflows": Chart(
        name="argo-workflows",
        repository="https://argoproj.github.io/argo-helm",
        version="1.0.18",
        app_version="v4.0.6",
        read_on=date(2026, 7, 2),
        source="argoproj/argo-helm at commit af0a931",
    ),
    "kube-prometheus-stack": Chart(
        name=f"{_PROMETHEUS}/kube-prometheus-stack",
        version="88.5.3",
        app_version="v0.93.1",
        read_on=date(2026, 8, 22),
        source="prometheus-community/helm-charts at commit cf408a2",
    ),
    "prometheus-operator-crds": Chart(
        name=f"{_PROMETHEUS}/prometheus-operator-crds",
        version="31.0.1",
        app_version="v0.93.1",
        read_on=date(2026, 8, 22),
        source="prometheus-community/helm-charts at commit cf408a2",
    ),
    "prometheus-pushgateway": Chart(
        name=f"{_PROMETHEUS}/prometheus-pushgateway",
        version="3.8.0",
        app_version="v1.11.3",
        read_on=date(2026, 8, 7),
        source="prometheus-community/helm-charts at commit cf408a2",
    ),
    "gha-runner-scale-set-controller": Chart(
        name=f"{_RUNNERS}/gha-runner-scale-set-controller",
        version="0.14.2",
        app_version="0.14.2",
        read_on=date(2026, 5, 22),
        source="actions/actions-runner-controller at tag gha-runner-scale-set-0.14.2",
    ),
    "gha-runner-scale-set": Chart(
        name=f"{_RUNNERS}/gha-runner-scale-set",
        version="0.14.2",
        app_version="0.14.2",
        read_on=date(2026, 5, 22),
        source="actions/actions-runner-controller at tag gha-runner-scale-set-0.14.2",
    ),
}
# Controller and scale sets of one version only: actions/actions-runner-controller issues 3233 and 4227.


def next_allowed(version: str) -> tuple[str, str]:
    """Why a Kubernetes version has no row here, and the version to use instead."""
    wanted, allowed = _minor(version), sorted(KUBERNETES_VERSIONS, key=_minor)
    following = next((minor for minor in allowed if _minor(minor) > wanted), allowed[-1])
    if version in RETIRED or _NO_VERSION < wanted < min(map(_minor, SUPPORT)):
        ended = f" (extended support ended on {SUPPORT[version].extended_ends})" if version in SUPPORT else ""
        return f"AWS no longer runs {version}{ended}, and the next allowed version is {following}", following
    if version in SUPPORT:
        return (
            f"add-ons and node image are pinned for these, and stacks/versions.py has no row for {version}",
            following,
        )
    return f"EKS is not known to run {version}, and add-ons and node image are pinned for each of these", following


_NO_VERSION = (0, 0)


def _minor(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else _NO_VERSION
