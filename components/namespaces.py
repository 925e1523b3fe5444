"""Namespaces that are closed until opened: Pod Security, default-deny network, quota and limits, from one helper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi_kubernetes as k8s
from pulumi import Input, ResourceOptions

from components.invalid_argument import InvalidArgument

NETWORKING = k8s.networking.v1

# https://kubernetes.io/docs/concepts/security/pod-security-admission/
RESTRICTED_LABELS: Mapping[str, str] = {
    "pod-security.kubernetes.io/audit": "restricted",
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}
# https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name
NAME_LABEL = "kubernetes.io/metadata.name"
# https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html: same address on every node.
POD_IDENTITY_AGENT = "169.254.170.23/32"

Rule = NETWORKING.NetworkPolicyEgressRuleArgs
"""One egress rule of a NetworkPolicy."""


@dataclass(frozen=True, kw_only=True)
class NamespaceQuota:
    """The most that a namespace's pods may request at once."""

    cpus: int
    memory_gb: int
    gpus: int = 0
    pods: int = 100
    """Pods that are not finished."""

    def __post_init__(self) -> None:
        for name in ("cpus", "memory_gb", "pods"):
            if getattr(self, name) < 1:
                raise InvalidArgument(f"a quota of {getattr(self, name)} {name} lets nothing run: give 1 or more")
        if self.gpus < 0:
            raise InvalidArgument(f"a quota of {self.gpus} gpus is not possible: give 0 or more")

    def hard(self) -> dict[str, str]:
        return {
            "pods": str(self.pods),
            "requests.cpu": str(self.cpus),
            "requests.memory": f"{self.memory_gb}Gi",
            # Written down even when it is none: a resource that a quota does not name is unlimited.
            "requests.nvidia.com/gpu": str(self.gpus),
        }


def to_dns() -> Rule:
    """The cluster's own DNS."""
    peer = NETWORKING.NetworkPolicyPeerArgs(
        namespace_selector=_labelled(NAME_LABEL, "kube-system"), pod_selector=_labelled("k8s-app", "kube-dns")
    )
    return _rule(peer, _port(53), _port(53, "UDP"))


def to_aws_credentials() -> Rule:
    """The Pod Identity agent of the node, which hands out a pod's role."""
    return _rule(_addresses(POD_IDENTITY_AGENT), _port(80))


def to_https() -> Rule:
    """TLS to anywhere: S3, STS and the Kubernetes API have no fixed addresses, and policies know no host names."""
    return _rule(_addresses("0.0.0.0/0"), _port(443))


def to_namespace(namespace: str, port: int) -> Rule:
    """One port of all pods of another namespace."""
    return _rule(NETWORKING.NetworkPolicyPeerArgs(namespace_selector=_labelled(NAME_LABEL, namespace)), _port(port))


def _rule(peer: NETWORKING.NetworkPolicyPeerArgs, *ports: NETWORKING.NetworkPolicyPortArgs) -> Rule:
    return NETWORKING.NetworkPolicyEgressRuleArgs(to=[peer], ports=list(ports))


def _labelled(key: str, value: str) -> k8s.meta.v1.LabelSelectorArgs:
    return k8s.meta.v1.LabelSelectorArgs(match_labels={key: value})


def _addresses(cidr: str) -> NETWORKING.NetworkPolicyPeerArgs:
    return NETWORKING.NetworkPolicyPeerArgs(ip_block=NETWORKING.IPBlockArgs(cidr=cidr))


def _port(number: int, protocol: str = "TCP") -> NETWORKING.NetworkPolicyPortArgs:
    return NETWORKING.NetworkPolicyPortArgs(port=number, protocol=protocol)


def restricted_namespace(name: str, space: str, opts: ResourceOptions) -> k8s.core.v1.Namespace:
    """A namespace that enforces, audits and warns at the Pod Security profile *restricted*."""
    return k8s.core.v1.Namespace(
        name, metadata=k8s.meta.v1.ObjectMetaArgs(name=space, labels=dict(RESTRICTED_LABELS)), opts=opts
    )


def guard(
    name: str,
    namespace: k8s.core.v1.Namespace,
    *,
    quota: NamespaceQuota,
    egress: Sequence[Rule],
    opts: ResourceOptions,
) -> list[NETWORKING.NetworkPolicy | k8s.core.v1.ResourceQuota | k8s.core.v1.LimitRange]:
    """What closes a namespace: no traffic in or out but `egress`, a quota, and requests for pods that name none.

    `name` starts the children's names. Control 55, 61.
    """
    space = namespace.metadata.name
    return [
        NETWORKING.NetworkPolicy(
            f"{name}-default-deny",
            metadata=_metadata("default-deny", space),
            spec=NETWORKING.NetworkPolicySpecArgs(
                pod_selector=k8s.meta.v1.LabelSelectorArgs(), policy_types=["Ingress", "Egress"]
            ),
            opts=opts,
        ),
        NETWORKING.NetworkPolicy(
            f"{name}-egress",
            metadata=_metadata("egress", space),
            spec=NETWORKING.NetworkPolicySpecArgs(
                pod_selector=k8s.meta.v1.LabelSelectorArgs(), policy_types=["Egress"], egress=list(egress)
            ),
            opts=opts,
        ),
        k8s.core.v1.ResourceQuota(
            f"{name}-quota",
            metadata=_metadata("quota", space),
            spec=k8s.core.v1.ResourceQuotaSpecArgs(hard=quota.hard()),
            opts=opts,
        ),
        k8s.core.v1.LimitRange(
            f"{name}-limits",
            metadata=_metadata("limits", space),
            # A quota refuses pods that request nothing: these get a little.
            spec=k8s.core.v1.LimitRangeSpecArgs(
                limits=[
                    k8s.core.v1.LimitRangeItemArgs(
                        type="Container",
                        default_request={"cpu": "100m", "memory": "128Mi"},
                        default={"memory": "512Mi"},
                    )
                ]
            ),
            opts=opts,
        ),
    ]


def _metadata(name: str, space: Input[str]) -> k8s.meta.v1.ObjectMetaArgs:
    return k8s.meta.v1.ObjectMetaArgs(name=name, namespace=space)
