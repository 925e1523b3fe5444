"""Kubernetes: still supported, and node images and add-ons of the version table exist for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.instance_types import is_arm
from stacks.settings import present
from stacks.versions import KUBERNETES_VERSIONS, SUPPORT, KubernetesVersion, Support
from stackyard.preflight.account import Account
from stackyard.preflight.check import PLATFORM, Check
from stackyard.preflight.finding import Finding, Level, Unanswered, failed, listed, passed
from stackyard.preflight.target import Target

TABLE = "stacks/versions.py"
# 0.60 instead of 0.10 dollars an hour: https://aws.amazon.com/eks/pricing/
EXTENDED_FACTOR = 6
_IMAGES = "/aws/service/eks/optimized-ami"
# Of the managed node group in components/system_nodes.py.
_SYSTEM_ARCHITECTURE = "x86_64"


def pinned(target: Target) -> KubernetesVersion:
    return KUBERNETES_VERSIONS[present(target.cluster).kubernetes_version]


def fetch_support(account: Account, target: Target) -> Support | Unanswered:
    """AWS's own calendar of the version, or why it does not say."""
    version = present(target.cluster).kubernetes_version
    try:
        answer = account.call("eks", "describe_cluster_versions", clusterVersions=[version])
    except Unanswered as silence:
        return silence
    for entry in answer["clusterVersions"]:
        if entry["clusterVersion"] == version:
            ends = (entry["endOfStandardSupportDate"], entry["endOfExtendedSupportDate"])
            return Support(standard_ends=ends[0].date(), extended_ends=ends[1].date())
    return Unanswered(f"EKS says nothing of Kubernetes {version}")


def judge_support(found: Support | Unanswered, target: Target) -> Iterator[Finding]:
    version = present(target.cluster).kubernetes_version
    table = SUPPORT.get(version)
    if isinstance(found, Support) and table and found != table:
        yield failed(
            f"EKS ends standard support of {version} on {found.standard_ends} and extended on {found.extended_ends}, "
            f"{TABLE} says {table.standard_ends} and {table.extended_ends}",
            f"correct SUPPORT in {TABLE}",
            f"aws eks describe-cluster-versions --cluster-versions {version} --region {target.region}",
        )
    if isinstance(found, Unanswered):
        yield found.finding(f"whether EKS supports {version} as long as {TABLE} says")
    support = table if isinstance(found, Unanswered) else found
    if support is None:
        return
    source = TABLE if isinstance(found, Unanswered) else "EKS"
    left = (support.standard_ends - target.today).days
    newest = max(KUBERNETES_VERSIONS, key=lambda minor: tuple(map(int, minor.split("."))))
    upgrade = f"set cluster.kubernetesVersion to a newer one; {TABLE} knows up to {newest}"
    if support.extended_ends <= target.today:
        yield failed(f"EKS stopped running Kubernetes {version} on {support.extended_ends} ({source})", upgrade)
    elif left <= 0:
        yield failed(
            f"standard support of Kubernetes {version} ended on {support.standard_ends} ({source}): its control plane "
            f"costs {EXTENDED_FACTOR} times as much, and EKS upgrades a cluster that asks for standard support only",
            upgrade,
        )
    else:
        until = f"until {support.standard_ends}, {left} days from {target.today} ({source})"
        yield passed(f"Kubernetes {version} has standard support {until}")


@dataclass(frozen=True)
class ImageFacts:
    missing: tuple[str, ...]
    """SSM parameters of pinned images that are not there."""
    found: tuple[str, ...]
    recommended: str
    """Release that AWS recommends; empty if it does not say."""


def images_of(target: Target) -> list[str]:
    """SSM parameters of the images that the environment's nodes start from.

    Paths: https://docs.aws.amazon.com/eks/latest/userguide/retrieve-ami-id.html; Karpenter resolves a pinned alias
    to the same ones (aws/karpenter-provider-aws at v1.14.1, pkg/providers/amifamily/al2023.go).
    """
    version = pinned(target)
    node = version.node_image
    alias, release = node.alias.rpartition("@v")[2], node.release_version.rpartition("-")[2]
    kinds = {(_SYSTEM_ARCHITECTURE, "standard", release)}
    for pool in target.pools:
        arches = {"arm64" if is_arm(kind) else "x86_64" for kind in pool.instance_types}
        kinds |= {(arch, "nvidia" if pool.gpu else "standard", alias) for arch in arches}
    return sorted(_image(version.version, *kind) for kind in kinds)


def _image(kubernetes: str, arch: str, variant: str, day: str) -> str:
    name = f"amazon-eks-node-al2023-{arch}-{variant}-{kubernetes}-v{day}"
    return f"{_IMAGES}/{kubernetes}/amazon-linux-2023/{arch}/{variant}/{name}/image_id"


def fetch_images(account: Account, target: Target) -> ImageFacts:
    kubernetes = pinned(target).version
    recommended = f"{_IMAGES}/{kubernetes}/amazon-linux-2023/x86_64/standard/recommended/release_version"
    names = images_of(target)
    answer = account.call("ssm", "get_parameters", Names=[*names, recommended])
    values = {str(entry["Name"]): str(entry["Value"]) for entry in answer["Parameters"]}
    if account.emulated and not values:
        raise Unanswered("the emulator does not know AWS's images (ssm:GetParameters answers none of them)")
    return ImageFacts(
        missing=tuple(name for name in names if name not in values),
        found=tuple(name for name in names if name in values),
        recommended=values.get(recommended, ""),
    )


def judge_images(facts: ImageFacts, target: Target) -> Iterator[Finding]:
    version = pinned(target)
    recommended = f"; AWS recommends {facts.recommended}" if facts.recommended else ""
    for name in facts.missing:
        image = name.split("/")[-2]
        yield failed(
            f"{target.region} has no node image {image}, which {TABLE} pins for Kubernetes "
            f"{version.version}{recommended}",
            f"pin a release that exists in {TABLE} (alias and release_version), then review and preview it",
            f"aws ssm get-parameters-by-path --recursive --region {target.region} --query 'Parameters[].Name' --path "
            + name.rpartition("/")[0].rpartition("/")[0],
        )
    if not facts.missing:
        yield passed(f"{listed([name.split('/')[-2] for name in facts.found])}{recommended}")


@dataclass(frozen=True)
class AddonFacts:
    offered: tuple[str, ...]
    """Versions for the environment's Kubernetes, newest first as AWS lists them; empty if the add-on has none."""
    default: str = ""


def fetch_addons(account: Account, target: Target) -> Mapping[str, AddonFacts | Unanswered]:
    """What EKS offers, by add-on of the version table."""
    return {name: _addon(account, name, pinned(target).version) for name in sorted(pinned(target).addons)}


def _addon(account: Account, name: str, kubernetes: str) -> AddonFacts | Unanswered:
    try:
        answer = account.call(
            "eks",
            "describe_addon_versions",
            missing=frozenset({"ResourceNotFoundException", "InvalidParameterException"}),
            addonName=name,
            kubernetesVersion=kubernetes,
        )
    except Unanswered as silence:
        return silence
    addons: list[Any] = answer["addons"] if answer else []
    entries = [version for addon in addons for version in addon["addonVersions"]]
    defaults = [
        str(entry["addonVersion"])
        for entry in entries
        if any(
            match.get("defaultVersion") and match.get("clusterVersion") == kubernetes
            for match in entry.get("compatibilities", [])
        )
    ]
    return AddonFacts(tuple(str(entry["addonVersion"]) for entry in entries), defaults[0] if defaults else "")


def judge_addons(facts: Mapping[str, AddonFacts | Unanswered], target: Target) -> Iterator[Finding]:
    version, good = pinned(target), list[str]()
    silent = {name: found for name, found in facts.items() if isinstance(found, Unanswered)}
    for name, found in facts.items():
        wanted = version.addons[name].version
        if isinstance(found, Unanswered):
            continue
        if wanted in found.offered:
            good.append(f"{name} {wanted}")
            continue
        newest = f"the newest is {found.offered[0]}" if found.offered else "it offers none"
        default = f", the default {found.default}" if found.default else ""
        yield failed(
            f"EKS does not offer {name} {wanted} for Kubernetes {version.version}: {newest}{default}",
            f"pin one that it offers in {TABLE}",
            f"aws eks describe-addon-versions --addon-name {name} --kubernetes-version {version.version} "
            f"--region {target.region}",
        )
    if silent:
        first = next(iter(silent.values()))
        yield Finding(level=Level.UNKNOWN, sentence=f"{listed(sorted(silent), 12)}: {first}", remedy=first.remedy)
    if good:
        yield passed(f"EKS offers {listed(good, 12)}")


CHECKS: tuple[Check[Any], ...] = (
    Check(name="Kubernetes version", layers=PLATFORM, fetch=fetch_support, judge=judge_support),
    Check(name="node images", layers=PLATFORM, fetch=fetch_images, judge=judge_images),
    Check(name="add-ons", layers=PLATFORM, fetch=fetch_addons, judge=judge_addons),
)
