"""Who reaches whom by the network policies of a cluster, computed from the objects as the API describes them.

Semantics: https://kubernetes.io/docs/concepts/services-networking/network-policies/ (2026-11). Where the API leaves it
open whether an address block covers pods, it does here, as with the VPC CNI: no hole is overlooked for it.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.namespaces import NAME_LABEL

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    namespace: str
    address: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Host:
    """Anything that is no pod: a service of AWS, the internet, the node itself."""

    address: str


@dataclass(frozen=True)
class Network:
    """The policies of a cluster, and the labels of its namespaces."""

    policies: Sequence[Object]
    namespaces: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, objects: Iterable[Object]) -> "Network":
        """Namespaces carry the label with their name, as the API server sees to."""
        seen = list(objects)
        labelled = {
            obj["metadata"]["name"]: {**obj["metadata"].get("labels", {}), NAME_LABEL: obj["metadata"]["name"]}
            for obj in seen
            if obj["kind"] == "Namespace"
        }
        return cls([obj for obj in seen if obj["kind"] == "NetworkPolicy"], labelled)

    def reaches(self, source: Pod | Host, target: Pod | Host, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection to that port may be opened: neither side's policies are against it."""
        leaves = not isinstance(source, Pod) or self._allows("Egress", source, target, port, protocol)
        return leaves and (not isinstance(target, Pod) or self._allows("Ingress", target, source, port, protocol))

    def _allows(self, direction: str, pod: Pod, other: Pod | Host, port: int, protocol: str) -> bool:
        policies = [policy for policy in self.policies if self._concerns(policy, direction, pod)]
        if not policies:
            # A pod that no policy selects is open.
            return True
        rules, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
        return any(
            _port_matches(rule.get("ports"), port, protocol) and self._peer_matches(policy, rule.get(peers), other)
            for policy in policies
            for rule in policy["spec"].get(rules) or ()
        )

    def _concerns(self, policy: Object, direction: str, pod: Pod) -> bool:
        spec = policy["spec"]
        # Without policyTypes: Ingress, and Egress if it has rules for it.
        types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
        same = policy["metadata"].get("namespace", "default") == pod.namespace
        return same and direction in types and _selects(spec.get("podSelector") or {}, pod.labels)

    def _peer_matches(self, policy: Object, peers: Sequence[Object] | None, other: Pod | Host) -> bool:
        # A rule without peers means everybody.
        return not peers or any(self._is_peer(policy, peer, other) for peer in peers)

    def _is_peer(self, policy: Object, peer: Object, other: Pod | Host) -> bool:
        if block := peer.get("ipBlock"):
            return _inside(other.address, block["cidr"]) and not any(
                _inside(other.address, hole) for hole in block.get("except") or ()
            )
        if not isinstance(other, Pod):
            return False
        if "namespaceSelector" in peer:
            labels = self.namespaces.get(other.namespace, {NAME_LABEL: other.namespace})
            near = _selects(peer["namespaceSelector"] or {}, labels)
        else:
            near = other.namespace == policy["metadata"].get("namespace", "default")
        return near and _selects(peer.get("podSelector") or {}, other.labels)


def _port_matches(ports: Sequence[Object] | None, port: int, protocol: str) -> bool:
    if not ports:
        return True
    for entry in ports:
        if entry.get("protocol", "TCP") != protocol:
            continue
        first = entry.get("port")
        if isinstance(first, str):
            raise ValueError(f"port {first!r} has a name: which number that is, only the pods' containers say")
        if first is None or first <= port <= entry.get("endPort", first):
            return True
    return False


def _inside(address: str, cidr: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(cidr)


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """A label selector; the empty one selects everything."""
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions") or ()
    )


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case other:
            raise ValueError(f"operator {other!r} is none of a label selector")
