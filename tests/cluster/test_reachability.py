"""Who reaches whom in the namespaces of every stack, computed from its network policies: declared, not measured."""

import copy

import pytest

from components.namespaces import POD_IDENTITY_AGENT
from tests.cluster.objects import kubernetes_objects, of_kind
from tests.cluster.reachability import Host, Network, Pod
from tests.stack_captures import STACKS, stack_capture

DNS = Pod("kube-system", "10.16.40.2", {"k8s-app": "kube-dns"})
TARGETS = {
    "cluster DNS": (DNS, 53, "UDP"),
    "another pod of kube-system by TLS": (Pod("kube-system", "10.16.40.3"), 443, "TCP"),
    "the internet by TLS": (Host("198.51.100.7"), 443, "TCP"),
    "the internet in clear": (Host("198.51.100.7"), 80, "TCP"),
    "a database": (Host("10.16.64.9"), 5432, "TCP"),
    "the node's metadata": (Host("169.254.169.254"), 80, "TCP"),
    "the Pod Identity agent": (Host(POD_IDENTITY_AGENT.partition("/")[0]), 80, "TCP"),
    "the model registry": (Pod("tracking", "10.16.40.5"), 5000, "TCP"),
    "a run of another pipeline": (Pod("pipelines", "10.16.40.6"), 8080, "TCP"),
    "the engine": (Pod("argo", "10.16.40.7"), 9090, "TCP"),
    "Kueue's webhook": (Pod("kueue-system", "10.16.40.10"), 9443, "TCP"),
    "the exporter of GPU metrics": (Pod("gpu-runtime", "10.16.40.11"), 9400, "TCP"),
    "a node's DCGM": (Host("10.16.50.1"), 5555, "TCP"),
    "a pod elsewhere": (Pod("default", "10.16.40.8"), 8080, "TCP"),
    "a pod elsewhere by TLS": (Pod("default", "10.16.40.8"), 443, "TCP"),
}
# TLS to anywhere is also TLS to pods of namespaces that nothing closes: addresses alone cannot tell those from the
# endpoints of S3 and of the Kubernetes API inside the VPC.
TLS = {"the internet by TLS", "another pod of kube-system by TLS", "a pod elsewhere by TLS"}
# What pods of each closed namespace may reach; nothing else of the above.
REACHES = {
    "argo": {"cluster DNS", *TLS},
    "gpu-runtime": {"cluster DNS", "a node's DCGM", *TLS},
    "kueue-system": {"cluster DNS", *TLS},
    "monitoring": {"cluster DNS", *TLS},
    "pipelines": {"cluster DNS", "the Pod Identity agent", "the model registry", *TLS},
}
# The API server calls Kueue's webhooks and its view of queues; it has no address that a policy could name.
OPEN_TO_ALL = {"kueue-system": {8082, 9443}}
PORTS = (22, 80, 443, 5000, 5432, 8080, 8082, 9090, 9400, 9443)
STACKS_WITH_POLICIES = ["dev", "local", "prod-platform", "staging-platform"]


def network(stack):
    return Network.of(kubernetes_objects(stack_capture(stack)))


def test_every_stack_with_policies_is_judged_here():
    captures = {stack: kubernetes_objects(stack_capture(stack)) for stack in STACKS}
    assert sorted(stack for stack in STACKS if of_kind(captures[stack], "NetworkPolicy")) == STACKS_WITH_POLICIES


def reached(net, source):
    return {name for name, (target, port, protocol) in TARGETS.items() if net.reaches(source, target, port, protocol)}


@pytest.mark.parametrize("stack", STACKS_WITH_POLICIES)
def test_pods_of_the_closed_namespaces_reach_what_the_table_says_and_nothing_else(stack):
    net = network(stack)
    closed = {policy["metadata"]["namespace"] for policy in net.policies}
    assert closed <= set(REACHES), "a closed namespace has its row in REACHES"
    assert {name: reached(net, Pod(name, "10.16.40.99")) for name in closed} == {n: REACHES[n] for n in closed}


@pytest.mark.parametrize("stack", STACKS_WITH_POLICIES)
def test_nothing_reaches_into_the_closed_namespaces_but_what_the_table_says(stack):
    net = network(stack)
    outsiders = [Pod("default", "10.16.40.8"), Host("198.51.100.7"), Host("10.16.50.1"), DNS]
    for space in {policy["metadata"]["namespace"] for policy in net.policies}:
        target = Pod(space, "10.16.40.99")
        for source in [*outsiders, Pod(space, "10.16.40.98")]:
            open_ports = {port for port in PORTS if net.reaches(source, target, port)}
            # What leaves a closed namespace is judged above.
            expected = set() if isinstance(source, Pod) and source.namespace == space else OPEN_TO_ALL.get(space, set())
            assert open_ports == expected, f"{source} to {space}"


def planted(stack, change):
    """The stack's network with one policy of its own or a changed one."""
    objects = copy.deepcopy(kubernetes_objects(stack_capture(stack)))
    change(objects)
    return Network.of(objects)


def _policy(objects, space, name):
    (found,) = [
        obj
        for obj in of_kind(objects, "NetworkPolicy")
        if (obj["metadata"]["namespace"], obj["metadata"]["name"]) == (space, name)
    ]
    return found


def _open_egress(objects):
    _policy(objects, "pipelines", "egress")["spec"]["egress"].append({})


def _no_default_deny(objects):
    objects.remove(_policy(objects, "pipelines", "default-deny"))


def _every_port(objects):
    for rule in _policy(objects, "pipelines", "egress")["spec"]["egress"]:
        if rule["to"][0].get("ipBlock", {}).get("cidr") == "0.0.0.0/0":
            del rule["ports"]


def _all_namespaces(objects):
    for rule in _policy(objects, "pipelines", "egress")["spec"]["egress"]:
        for peer in rule["to"]:
            if "namespaceSelector" in peer:
                peer["namespaceSelector"] = {}
                rule["ports"] = [{"port": 1, "endPort": 65535}, {"port": 53, "protocol": "UDP"}]


def test_a_planted_hole_outwards_is_found():
    source = Pod("pipelines", "10.16.40.99")
    shut = {"a run of another pipeline", "the engine", "the exporter of GPU metrics"}
    assert reached(planted("dev", _open_egress), source) == set(TARGETS) - shut
    found = reached(planted("dev", _every_port), source) - REACHES["pipelines"]
    assert {"the internet in clear", "a database", "the node's metadata"} <= found
    found = reached(planted("dev", _all_namespaces), source) - REACHES["pipelines"]
    assert "a pod elsewhere" in found


def test_a_planted_hole_inwards_is_found():
    """Without the policy that denies, the other one says nothing about traffic in."""
    net = planted("dev", _no_default_deny)
    assert net.reaches(Pod("default", "10.16.40.8"), Pod("pipelines", "10.16.40.99"), 8080)


def policy(**spec):
    return {"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "a"}, "spec": {"podSelector": {}, **spec}}


@pytest.mark.parametrize(
    ("spec", "port", "expected"),
    [
        ({"ingress": [{"ports": [{"port": 80}]}]}, 80, True),
        ({"ingress": [{"ports": [{"port": 80}]}]}, 81, False),
        ({"ingress": [{"ports": [{"port": 80, "endPort": 90}]}]}, 90, True),
        ({"ingress": [{"ports": [{"port": 80, "protocol": "UDP"}]}]}, 80, False),
        ({"ingress": [{"from": [{"podSelector": {}}]}]}, 80, False),
        ({"ingress": [{"from": [{"namespaceSelector": {}}]}]}, 80, True),
        ({"ingress": [{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"x": "y"}}}]}]}, 80, False),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]}, 80, False),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.2.0.0/16"]}}]}]}, 80, True),
        ({"podSelector": {"matchExpressions": [{"key": "x", "operator": "Exists"}]}}, 80, True),
        ({"podSelector": {"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}}, 80, False),
        ({"policyTypes": ["Egress"]}, 80, True),
        ({"egress": [{}]}, 80, False),
    ],
)
def test_rules_mean_what_the_api_says(spec, port, expected):
    """From a pod of namespace b to one of namespace a, where the policy stands."""
    net = Network([policy(**spec)], {})
    assert net.reaches(Pod("b", "10.1.0.1"), Pod("a", "10.1.0.2"), port) is expected


def test_what_cannot_be_computed_is_not_guessed():
    net = Network([policy(ingress=[{"ports": [{"port": "http"}]}])], {})
    with pytest.raises(ValueError, match="'http' has a name"):
        net.reaches(Pod("b", "10.1.0.1"), Pod("a", "10.1.0.2"), 80)
