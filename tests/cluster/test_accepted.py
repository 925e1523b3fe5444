"""Every Kubernetes object of every committed stack is accepted by a real API server."""

from collections import Counter

import pytest

from stackyard.local.kubernetes import schemas
from stackyard.local.kubernetes.api_server import Refusal
from tests.cluster.objects import kubernetes_objects, named, of_kind
from tests.stack_captures import STACKS, stack_capture

pytestmark = pytest.mark.cluster

# Their definitions come as charts only, not as Go modules: the object store's models judge their objects.
JUDGED_BY_MODELS = frozenset({"argoproj.io/v1alpha1", "kueue.x-k8s.io/v1beta2"})
KARPENTER = frozenset({"karpenter.sh/v1", "karpenter.sh/v1alpha1", "karpenter.k8s.aws/v1"})
KUBERNETES = "1.35"
WITHOUT_A_CLUSTER = ("account", "prod-base", "staging-base")
WITH_A_CLUSTER = sorted(set(STACKS) - set(WITHOUT_A_CLUSTER))


def test_the_stacks_without_a_cluster_have_no_kubernetes_objects():
    assert [obj for stack in WITHOUT_A_CLUSTER for obj in kubernetes_objects(stack_capture(stack))] == []


@pytest.mark.parametrize("stack", WITH_A_CLUSTER)
def test_every_object_of_a_stack_is_accepted(site, defined, stack):
    objects = kubernetes_objects(stack_capture(stack))
    move = site.move(objects)
    # A dry run of what lives in a namespace needs the namespace.
    site.make([move(obj) for obj in of_kind(objects, "Namespace")])
    by_models = [obj for obj in objects if obj["apiVersion"] in judged_by_models(defined)]
    by_server = [obj for obj in objects if obj not in by_models]
    refused: dict[str, str] = {}
    for obj in by_server:
        try:
            site.api.apply(move(obj), dry_run=True)
        except Refusal as refusal:
            refused[named(obj)] = str(refusal)
    assert refused == {}, "of a kind that is not served: bring its definition, or list who else judges it"
    kinds = Counter(obj["kind"] for obj in by_server)
    assert kinds["Namespace"] and kinds["NetworkPolicy"] and kinds["ValidatingAdmissionPolicy"], kinds
    # Raises with everything that is wrong.
    assert [schemas.validate(obj, KUBERNETES).version for obj in by_models] == [KUBERNETES] * len(by_models)
    print(f"{stack}: {len(by_server)} objects accepted by the API server, {len(by_models)} by models of their kinds")


def judged_by_models(defined):
    """Where nothing could be fetched, a server of somebody else's may lack Karpenter's definitions."""
    return JUDGED_BY_MODELS if defined else JUDGED_BY_MODELS | KARPENTER


def test_the_tiers_own_server_is_of_the_stacks_kubernetes_version(plane):
    assert plane.api.version().startswith(f"v{KUBERNETES}.")
    versions = {
        cluster.inputs["version"]
        for stack in STACKS
        for cluster in stack_capture(stack).of_type("aws:eks/cluster:Cluster")
    }
    assert versions == {KUBERNETES}, "pin the control plane of the stacks' version in tests/cluster/tools/kubernetes"
