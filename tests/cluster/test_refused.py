"""Planted bad objects are refused by a real API server, with the reason: a typo, a removed API, an unknown kind."""

import copy

import pytest

from stackyard.local.kubernetes.api_server import Refusal

pytestmark = pytest.mark.cluster

SPACE = "refused"
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "closed", "namespace": SPACE},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
}
NODE_CLASS = {
    "apiVersion": "karpenter.k8s.aws/v1",
    "kind": "EC2NodeClass",
    "metadata": {"name": "gpu"},
    "spec": {
        "role": "nodes",
        "amiSelectorTerms": [{"alias": "al2023@v20260724"}],
        "subnetSelectorTerms": [{"id": "subnet-0123456789abcdef0"}],
        "securityGroupSelectorTerms": [{"id": "sg-0123456789abcdef0"}],
    },
}
NODE_POOL = {
    "apiVersion": "karpenter.sh/v1",
    "kind": "NodePool",
    "metadata": {"name": "gpu"},
    "spec": {
        "template": {
            "spec": {
                "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "gpu"},
                "requirements": [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]}],
            }
        },
        "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "10m"},
    },
}


@pytest.fixture(scope="module")
def space(site):
    name = site.prefix + SPACE
    site.make([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
    return name


def changed(obj, *path, value, space=""):
    """A copy with one entry of its spec changed."""
    copied = copy.deepcopy(obj)
    target = copied["spec"]
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    if space:
        copied["metadata"]["namespace"] = space
    return copied


def test_the_good_twins_are_accepted(site, space, defined):
    site.api.apply(changed(POLICY, "ingress", value=[], space=space), dry_run=True)
    if defined:
        site.api.apply(NODE_CLASS, dry_run=True)
        site.api.apply(NODE_POOL, dry_run=True)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("podSelectors",), {}, ".spec.podSelectors: field not declared in schema"),
        (("podSelector", "matchLabel"), {"app": "x"}, ".spec.podSelector.matchLabel: field not declared"),
        (("policyTypes",), ["Outgress"], 'Unsupported value: "Outgress"'),
        (("policyTypes",), "Egress", "expected list"),
        (("egress",), [{"to": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}], "10.0.0.0/33"),
    ],
)
def test_a_typo_in_a_field_or_value_is_refused(site, space, path, value, sentence):
    with pytest.raises(Refusal) as refused:
        site.api.apply(changed(POLICY, *path, value=value, space=space), dry_run=True)
    assert sentence in str(refused.value)


def test_an_unknown_field_is_refused_on_creation_too(site, space):
    with pytest.raises(Refusal, match="unknown field"):
        site.api.create(changed(POLICY, "podSelectors", value={}, space=space), dry_run=True)


@pytest.mark.parametrize(
    ("api_version", "kind", "plural"),
    [("policy/v1beta1", "PodDisruptionBudget", "poddisruptionbudgets"), ("example.com/v1", "Pipeline", "pipelines")],
)
def test_a_removed_api_and_an_unknown_kind_are_not_there(site, space, api_version, kind, plural):
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": space}, "spec": {}}
    with pytest.raises(Refusal, match=f"does not serve {kind} of {api_version}"):
        site.api.apply(obj, dry_run=True)
    # What the client concludes from the server's list, the server itself says too.
    with pytest.raises(Refusal) as refused:
        site.api.post(f"/apis/{api_version}/namespaces/{space}/{plural}", obj)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("obj", "path", "value", "sentence"),
    [
        (NODE_CLASS, ("amiSelectorTerms",), [{"alias": "al2023@v1"}, {"id": "ami-0123456789abcdef0"}], "alias"),
        (NODE_CLASS, ("instanceProfile",), "nodes", "exactly one of"),
        (NODE_CLASS, ("metadataOptions",), {"httpTokens": "maybe"}, "Unsupported value"),
        (NODE_CLASS, ("blockDeviceMapping",), [], "field not declared in schema"),
        (NODE_POOL, ("disruption", "consolidationPolicy"), "WhenIdle", "Unsupported value"),
        (
            NODE_POOL,
            ("disruption", "budgets"),
            [{"nodes": "0", "schedule": "0 8 * * *"}],
            "'schedule' must be set with",
        ),
        (NODE_POOL, ("template", "spec", "nodeClassRef", "group"), "", "group may not be empty"),
        (
            NODE_POOL,
            ("template", "spec", "requirements"),
            [{"key": "karpenter.k8s.aws/instance-gpus", "operator": "Exists"}],
            'label domain "karpenter.k8s.aws" is restricted',
        ),
    ],
)
def test_karpenters_own_rules_are_enforced(site, defined, obj, path, value, sentence):
    if not defined:
        pytest.skip("Karpenter's definitions are not at hand: `make cluster-tools` fetches them")
    with pytest.raises(Refusal) as refused:
        site.api.apply(changed(obj, *path, value=value), dry_run=True)
    assert sentence in str(refused.value)
