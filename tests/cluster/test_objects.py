"""Objects of a captured stack, moved into namespaces of the tests' own."""

from tests.cluster.objects import Move, kubernetes_objects, named, of_kind
from tests.stack_captures import stack_capture

SERVICE_ACCOUNT = "system:serviceaccount:"


def test_a_stacks_objects_are_what_its_provider_sends():
    objects = kubernetes_objects(stack_capture("dev"))
    assert {"v1", "networking.k8s.io/v1"} <= {obj["apiVersion"] for obj in objects}, "core has no group"
    assert "ResourceQuota pipelines/quota" in map(named, objects)
    assert of_kind(objects, "Release") == []


def test_without_a_prefix_nothing_moves():
    objects = kubernetes_objects(stack_capture("dev"))
    move = Move.of(objects, "")
    assert [move(obj) for obj in objects] == objects


def test_with_a_prefix_every_namespace_and_every_shared_name_is_another():
    objects = kubernetes_objects(stack_capture("dev"))
    move = Move.of(objects, "try-")
    assert {"pipelines", "argo"} <= move.namespaces
    for obj in map(move, objects):
        metadata = obj["metadata"]
        assert metadata.get("namespace", metadata["name"]).startswith("try-"), named(obj)
    moved = repr([move(obj) for obj in objects])
    before = [f"{SERVICE_ACCOUNT}{name}:" for name in move.namespaces]
    assert not [text for text in before if text in moved]
    assert f"{SERVICE_ACCOUNT}try-pipelines:" in moved
    (binding, *_) = of_kind([move(obj) for obj in objects], "ValidatingAdmissionPolicyBinding")
    assert binding["spec"]["policyName"].startswith("try-"), "it binds the policy that moved with it"


def test_what_every_cluster_has_stays_where_it_is():
    rule = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    policy = {"kind": "NetworkPolicy", "metadata": {"name": "dns", "namespace": "pipelines"}, "spec": rule}
    assert Move("try-", frozenset({"pipelines"}))(policy)["spec"] == rule
