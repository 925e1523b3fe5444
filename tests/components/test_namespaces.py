"""Namespaces: closed by default, opened by rules, bounded by a quota."""

import pulumi
import pytest

from components.namespaces import (
    EXCEPTION_ANNOTATION,
    RESTRICTED_LABELS,
    NamespaceQuota,
    admit,
    guard,
    privileged_namespace,
    restricted_namespace,
    to_aws_credentials,
    to_dns,
    to_https,
    to_namespace,
    to_nodes,
)
from stackyard.errors import InvalidInput
from stackyard.local.kubernetes.provider import KubernetesProvider
from stackyard.local.kubernetes.store import Store
from stackyard.program.values import plain
from tests.stack_captures import STACKS, stack_capture

POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
QUOTA = "kubernetes:core/v1:ResourceQuota"
LIMITS = "kubernetes:core/v1:LimitRange"
NAMESPACE = "kubernetes:core/v1:Namespace"
QUOTA_OF_FOUR = NamespaceQuota(cpus=4, memory_gb=8)
# Agents of GPU nodes: components/gpu_runtime.py.
NOT_RESTRICTED = ("gpu-runtime",)


def make(quota=QUOTA_OF_FOUR, egress=()):
    opts = pulumi.ResourceOptions()
    guard("space", restricted_namespace("space", "flights", opts), quota=quota, egress=egress, opts=opts)


def named(deployment, name):
    return next(r for r in deployment if r.name == name)


def test_nothing_comes_in_or_goes_out_by_default(capture):
    policy = named(capture(make), "space-default-deny").inputs
    assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}, "all pods, no rules"
    assert policy["metadata"] == {"name": "default-deny", "namespace": "flights"}


def test_only_the_given_rules_open_the_way_out(capture):
    rules = [to_dns(), to_aws_credentials(), to_https(), to_namespace("tracking", 5000)]
    spec = named(capture(make, egress=rules), "space-egress").inputs["spec"]
    assert spec["policyTypes"] == ["Egress"]
    dns, credentials, https, tracking = spec["egress"]
    assert [port["port"] for port in dns["ports"]] == [53, 53]
    assert dns["to"][0]["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    assert credentials["to"] == [{"ipBlock": {"cidr": "169.254.170.23/32"}}]
    assert https["ports"] == [{"port": 443, "protocol": "TCP"}]
    assert tracking["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tracking"}}}]
    assert tracking["ports"] == [{"port": 5000, "protocol": "TCP"}]


def test_a_quota_names_gpus_even_when_there_are_none(capture):
    hard = capture(make).only(QUOTA).inputs["spec"]["hard"]
    assert hard == {
        "pods": "100",
        "requests.cpu": "4",
        "requests.memory": "8Gi",
        "requests.nvidia.com/gpu": "0",
        "requests.nvidia.com/gpu.shared": "0",
    }


def test_a_quota_of_gpus_holds_for_their_shares_too():
    hard = NamespaceQuota(cpus=1, memory_gb=1, gpus=2, shares={"nvidia.com/mig-1g.10gb": 7}).hard()
    assert (hard["requests.nvidia.com/gpu"], hard["requests.nvidia.com/mig-1g.10gb"]) == ("2", "14")


def test_a_pod_that_requests_nothing_gets_a_little(capture):
    (limit,) = capture(make).only(LIMITS).inputs["spec"]["limits"]
    assert limit["defaultRequest"] == {"cpu": "100m", "memory": "128Mi"}


def test_namespaces_are_restricted(capture):
    assert capture(make).only(NAMESPACE).inputs["metadata"]["labels"] == RESTRICTED_LABELS


def test_a_namespace_that_is_not_restricted_says_why(capture):
    made = capture(lambda: privileged_namespace("space", "agents", pulumi.ResourceOptions(), reason="reads devices"))
    metadata = made.only(NAMESPACE).inputs["metadata"]
    assert metadata["labels"] == dict.fromkeys(RESTRICTED_LABELS, "privileged")
    assert metadata["annotations"] == {EXCEPTION_ANNOTATION: "reads devices"}


def test_one_namespace_is_let_in_to_one_port(capture):
    def make_and_admit():
        space = restricted_namespace("space", "flights", pulumi.ResourceOptions())
        admit("space", space, source="monitoring", port=9400, opts=pulumi.ResourceOptions())

    policy = capture(make_and_admit).only(POLICY).inputs
    assert policy["metadata"] == {"name": "from-monitoring", "namespace": "flights"}
    assert policy["spec"]["policyTypes"] == ["Ingress"], "the way out stays as it was"
    (rule,) = policy["spec"]["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert rule["ports"] == [{"port": 9400, "protocol": "TCP"}]


def test_nodes_are_reached_at_private_addresses(capture):
    (rule,) = named(capture(make, egress=[to_nodes(5555)]), "space-egress").inputs["spec"]["egress"]
    blocks = [peer["ipBlock"]["cidr"] for peer in rule["to"]]
    assert blocks == ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
    assert rule["ports"] == [{"port": 5555, "protocol": "TCP"}]


@pytest.mark.parametrize(
    ("quota", "sentence"), [({"cpus": 0}, "0 cpus"), ({"memory_gb": 0}, "0 memory_gb"), ({"gpus": -1}, "-1 gpus")]
)
def test_a_quota_that_lets_nothing_run_is_refused(quota, sentence):
    with pytest.raises(ValueError, match=sentence):
        NamespaceQuota(**({"cpus": 1, "memory_gb": 1} | quota))


@pytest.mark.parametrize("stack", STACKS)
def test_every_namespace_of_every_stack_is_closed_bounded_and_restricted(stack):
    deployment = stack_capture(stack)
    for space in deployment.of_type(NAMESPACE):
        name = space.inputs["metadata"]["name"]
        level = space.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        reason = space.inputs["metadata"].get("annotations", {}).get(EXCEPTION_ANNOTATION, "")
        assert (level, bool(reason)) == (("privileged", True) if name in NOT_RESTRICTED else ("restricted", False))
        for type_, wanted in ((POLICY, "default-deny"), (QUOTA, "quota"), (LIMITS, "limits")):
            found = {r.inputs["metadata"]["name"] for r in deployment.of_type(type_) if _space(r) == name}
            assert wanted in found, f"{name} has no {wanted}"


@pytest.mark.parametrize("stack", STACKS)
def test_every_object_fits_the_schemas_of_its_clusters_version(stack, tmp_path):
    deployment = stack_capture(stack)
    objects = [r for r in deployment if r.type.startswith("kubernetes:")]
    for cluster in deployment.of_type("aws:eks/cluster:Cluster"):
        provider = KubernetesProvider(store=Store(tmp_path / "s"), kubernetes_version=cluster.inputs["version"])
        for resource in objects:
            provider.validate(resource.type, resource.urn, plain(resource.inputs))
        assert not provider.notes, "checked against its own version"


def test_an_object_that_the_api_would_refuse_is_noticed(capture, tmp_path):
    policy = named(capture(make), "space-egress")
    wrong = plain(policy.inputs) | {"spec": {"podSelector": {}, "egres": []}}
    provider = KubernetesProvider(store=Store(tmp_path / "s"), kubernetes_version="1.35")
    with pytest.raises(InvalidInput, match="egres"):
        provider.validate(policy.type, policy.urn, wrong)


def _space(resource):
    return resource.inputs["metadata"]["namespace"]
