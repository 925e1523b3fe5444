"""Namespaces that are closed until opened: Pod Security, default-deny network, quota and limits, from one helper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi_kubernetes as k8s
from pulumi import Input, ResourceOptions

from components.address_plan import PRIVATE_RANGES, SHARED_RANGE
from components.gpu_sharing import SHARED_GPU, WHOLE_GPU
from components.invalid_argument import InvalidArgument

NETWORKING = k8s.networking.v1

# https://kubernetes.io/docs/concepts/security/pod-security-admission/
RESTRICTED_LABELS: Mapping[str, str] = {
    "pod-security.kubernetes.io/audit": "restricted",
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}
PRIVILEGED_LABELS: Mapping[str, str] = dict.fromkeys(RESTRICTED_LABELS, "privileged")
# Says at a namespace that is not restricted why it is not.
EXCEPTION_ANNOTATION = "stackyard.dev/pod-security-exception"
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
    """GPUs, whole or in shares."""
    pods: int = 100
    """Pods that are not finished."""
    shares: dict[str, int] = field(default_factory=lambda: {SHARED_GPU: 1})
    """Names by which pods ask for shares of a GPU (`GpuSharing.resource_name`), with the shares that one GPU has. A
    resource that a quota does not name is unlimited."""

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
            # Written down even when it is none.
            **{
                f"requests.{name}": str(self.gpus * each)
                for name, each in sorted({WHOLE_GPU: 1, **self.shares}.items())
            },
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


def to_nodes(port: int) -> Rule:
    """One port of the nodes themselves: they have private addresses, and policies know no nodes."""
    peers = [_addresses(str(block)) for block in (*PRIVATE_RANGES, SHARED_RANGE)]
    return NETWORKING.NetworkPolicyEgressRuleArgs(to=peers, ports=[_port(port)])


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


def privileged_namespace(name: str, space: str, opts: ResourceOptions, *, reason: str) -> k8s.core.v1.Namespace:
    """A namespace whose pods may do anything to their node: for agents of nodes alone. `reason` stands at it."""
    return k8s.core.v1.Namespace(
        name,
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=space, labels=dict(PRIVILEGED_LABELS), annotations={EXCEPTION_ANNOTATION: reason}
        ),
        opts=opts,
    )


def admit(
    name: str, namespace: k8s.core.v1.Namespace, *, source: str, port: int, opts: ResourceOptions
) -> NETWORKING.NetworkPolicy:
    """Lets pods of the namespace `source` reach one port of all pods of a closed namespace."""
    peer = NETWORKING.NetworkPolicyPeerArgs(namespace_selector=_labelled(NAME_LABEL, source))
    rule = NETWORKING.NetworkPolicyIngressRuleArgs(from_=[peer], ports=[_port(port)])
    return NETWORKING.NetworkPolicy(
        f"{name}-from-{source}",
        metadata=_metadata(f"from-{source}", namespace.metadata.name),
        spec=NETWORKING.NetworkPolicySpecArgs(
            pod_selector=k8s.meta.v1.LabelSelectorArgs(), policy_types=["Ingress"], ingress=[rule]
        ),
        opts=opts,
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
