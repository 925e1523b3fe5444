"""The API server's lists, changes and deletes, against a server on loopback."""

import itertools

import pytest

from stackyard.drain.api import Api
from stackyard.drain.snapshot import look
from stackyard.local.kubernetes.api_server import Refusal
from stackyard.local.kubernetes.kubeconfig import read_kubeconfig
from tests.local.fake_api_server import TOKEN, serving

NODES, PODS, POOLS = "/api/v1/nodes", "/api/v1/namespaces/{}/pods", "/apis/karpenter.sh/v1/nodepools"


@pytest.fixture
def fake():
    with serving() as server:
        server.kinds["v1"] |= {"Node": ("nodes", False), "Pod": ("pods", True)}
        server.kinds["karpenter.sh/v1"] = {"NodePool": ("nodepools", False)}
        yield server


@pytest.fixture
def api(fake, tmp_path):
    return Api(read_kubeconfig(fake.kubeconfig(tmp_path / "kubeconfig")))


def put(fake, path, kind, **parts):
    name = path.rpartition("/")[2]
    fake.objects[path] = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "uid": f"u-{name}"}, **parts}


def test_a_list_holds_all_namespaces_and_says_what_its_entries_are(fake, api):
    for space in ("a", "b"):
        put(fake, f"{PODS.format(space)}/p-{space}", "Pod", spec={})
    put(fake, f"{NODES}/n1", "Node")
    assert [(obj["kind"], obj["metadata"]["name"]) for obj in api.list("v1", "Pod")] == [("Pod", "p-a"), ("Pod", "p-b")]
    assert [obj["metadata"]["name"] for obj in api.list("v1", "Node")] == ["n1"]


def test_kinds_that_the_server_does_not_know_have_no_objects(fake, api):
    seen = look(api)
    assert seen.runs == seen.schedules == seen.claims == seen.budgets == ()
    assert all(asked.method == "GET" for asked in fake.asked)


def test_a_change_is_made_in_the_name_that_pulumi_takes_over(fake, api):
    put(fake, f"{POOLS}/gpu", "NodePool", spec={"limits": {"nodes": "2", "nvidia.com/gpu": "8"}})
    pool = {**api.list("karpenter.sh/v1", "NodePool")[0]}
    fake.forget_requests()
    api.change(pool, {"spec": {"limits": {"nodes": "0"}}})
    assert fake.objects[f"{POOLS}/gpu"]["spec"]["limits"] == {"nodes": "0", "nvidia.com/gpu": "8"}
    (asked,) = fake.asked
    assert asked.method == "PATCH" and asked.query == {"fieldManager": "pulumi-kubernetes"}


def test_a_delete_is_about_the_object_that_was_seen(fake, api):
    put(fake, f"{NODES}/n1", "Node")
    seen = api.list("v1", "Node")[0]
    put(fake, f"{NODES}/n1", "Node")
    fake.objects[f"{NODES}/n1"]["metadata"]["uid"] = "another"
    api.ask_to_delete(seen)
    assert f"{NODES}/n1" in fake.objects, "another object of that name"
    api.ask_to_delete(api.list("v1", "Node")[0])
    assert f"{NODES}/n1" not in fake.objects
    api.ask_to_delete(seen)
    api.change(seen, {"spec": {}})


def test_other_refusals_are_not_swallowed(fake, api):
    put(fake, f"{NODES}/n1", "Node")
    seen = api.list("v1", "Node")[0]
    fake.refused[f"{NODES}/n1"] = (422, "Invalid", "no")
    for call in (lambda: api.ask_to_delete(seen), lambda: api.change(seen, {})):
        with pytest.raises(Refusal, match="422 Invalid: no"):
            call()


def test_who_may_not_is_told_whose_credentials_to_take(fake, tmp_path):
    tokens = itertools.chain([TOKEN], itertools.repeat("of-nobody"))
    access = read_kubeconfig(fake.kubeconfig(tmp_path / "kubeconfig", user={}))
    api = Api(access, token=lambda: next(tokens))
    assert api.version() == "v1.35.4"
    with pytest.raises(Refusal, match=r"401 Unauthorized.*one of cluster.adminRoleArns"):
        api.list("v1", "Node")
