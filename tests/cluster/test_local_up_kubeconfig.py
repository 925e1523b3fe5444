"""`stackyard local up --kubeconfig` against a real API server: applied, left alone, repaired, taken away again."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackyard.local.kubernetes.api_server import FIELD_MANAGER
from stackyard.local.kubernetes.cluster import OWNER_ANNOTATION
from stackyard.local.kubernetes.store import Key, Object, Store
from tests.cluster.argo_definitions import argo_definitions
from tests.cluster.control_plane import ControlPlane, started
from tests.cluster.site import Site
from tests.local.checkouts import Checkout, make_checkout
from tests.local.small_project import Project

pytestmark = pytest.mark.cluster

TEMPLATE = Key("argoproj.io/v1alpha1", "WorkflowTemplate", "pipelines", "training")
EGRESS = Key("networking.k8s.io/v1", "NetworkPolicy", "pipelines", "egress")


@pytest.fixture(scope="module")
def own_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane beside the tier's: what other tests have put there would be in the way, and we in theirs."""
    with started(tmp_path_factory.mktemp("own-plane")) as plane:
        yield plane


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    checkout = make_checkout(tmp_path / "checkout")
    yield checkout
    checkout.stop()


def run(checkout: Checkout, *arguments: str) -> str:
    result = checkout.run("local", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def applied(checkout: Checkout, plane: ControlPlane) -> dict[Key, Object]:
    """What the store says is in the cluster, as it is there."""
    keys = Store(checkout.places().kubernetes_objects).applied()
    found = {key: plane.api.get(key) for key in keys}
    assert all(found.values()), f"not in the cluster: {[str(key) for key, obj in found.items() if obj is None]}"
    return {key: obj for key, obj in found.items() if obj}


def applies(plane: ControlPlane) -> int:
    """Server-side applies that the server has counted since it started, dry runs aside."""
    text = plane.api._pool.urlopen("GET", "/metrics", headers=plane.api._pool.headers).data.decode()
    counts = re.findall(r'^apiserver_request_total\{.*dry_run="",.*verb="APPLY".*\} (\d+)$', text, re.MULTILINE)
    return sum(map(int, counts))


def test_an_environment_lives_on_a_real_cluster_until_it_is_destroyed(checkout: Checkout, own_plane: ControlPlane):
    first = run(checkout, "up", "--kubeconfig", str(own_plane.kubeconfig))
    objects = applied(checkout, own_plane)
    assert f"{len(objects)} applied to https://127.0.0.1:" in first and "(v1.35." in first
    assert {key.kind for key in objects} >= {"Namespace", "NetworkPolicy", "Role", "ValidatingAdmissionPolicy"}
    assert TEMPLATE not in objects, "nothing serves Argo's kinds yet: it is recorded"
    for obj in objects.values():
        managers = {(entry["manager"], entry["operation"]) for entry in obj["metadata"]["managedFields"]}
        assert (FIELD_MANAGER, "Apply") in managers
        assert obj["metadata"]["annotations"][OWNER_ANNOTATION].startswith("local-")

    before = applies(own_plane)
    assert before >= len(objects)
    assert "no changes" in run(checkout, "up")
    assert applies(own_plane) == before, "a second up applies nothing"

    Site(own_plane.api).define(argo_definitions())
    run(checkout, "up")
    assert set(applied(checkout, own_plane)) > {TEMPLATE, *objects}, "what is served by now is applied"

    refreshed = run(checkout, "refresh", "--preview-only")
    assert "(kubernetes:" not in refreshed, "what the server fills in is no drift"
    policy = own_plane.api.get(EGRESS)
    assert policy
    own_plane.api.patch(policy, {"spec": {"egress": [{}]}})
    own_plane.api.delete(TEMPLATE, applied(checkout, own_plane)[TEMPLATE]["metadata"]["uid"])
    drifted = run(checkout, "refresh", "--yes")
    assert "spec.egress" in drifted and "(kubernetes:argoproj.io/v1alpha1:WorkflowTemplate) is gone" in drifted
    run(checkout, "up")
    repaired = applied(checkout, own_plane)
    assert repaired[EGRESS]["spec"] == policy["spec"] and TEMPLATE in repaired

    run(checkout, "destroy", "--yes", "--include-data")
    assert [str(key) for key in repaired if own_plane.api.get(key)] == [], "namespaces with their finalizers as well"


def test_what_others_have_made_is_neither_changed_nor_deleted(own_plane: ControlPlane, tmp_path: Path):
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "default"}}
    made = own_plane.api.create({**theirs, "data": {"precious": "data"}})
    project = Project.make(tmp_path / "project")
    try:
        refused = project.run("local", "up", "--kubeconfig", str(own_plane.kubeconfig))
        assert refused.returncode == 1
        assert "ConfigMap default/settings exists already on https://127.0.0.1:" in refused.stdout
        assert project.run("local", "destroy", "--yes", "--include-data").returncode == 0
    finally:
        project.stop()
    now = own_plane.api.get(Key.of(theirs))
    assert now and now["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_a_refusal_of_the_server_fails_that_resource_in_the_servers_words(own_plane: ControlPlane, tmp_path: Path):
    project = Project.make(tmp_path / "project")
    # The object store's schemas let it pass; the server does not.
    project.edit("stacks/__main__.py", 'data={"role": role.arn, "version"', 'data={"no key/": "x", "version"')
    project.edit("stacks/__main__.py", '"namespace": "default"', '"namespace": "kube-public"')
    try:
        refused = project.run("local", "up", "--kubeconfig", str(own_plane.kubeconfig))
        assert refused.returncode == 1
        assert re.search(
            r"ConfigMap kube-public/settings: https://\S+ refused it \(422 Invalid: .*no key/", refused.stdout
        )
        assert project.run("local", "destroy", "--yes", "--include-data").returncode == 0
    finally:
        project.stop()
