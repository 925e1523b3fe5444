"""The object store of the local cluster."""

import base64
import json

import pytest

from stackyard.errors import UserError
from stackyard.local.kubernetes.store import Key, Store


def namespace(name="pipelines"):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def account(name="training", in_namespace="pipelines"):
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": in_namespace}}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cluster" / "objects.json")


def test_an_object_is_found_again_by_another_process(store):
    store.put(namespace(), owner="urn:ns")
    stored = store.put(account(), owner="urn:sa")
    assert Store(store.path).get("v1", "ServiceAccount", "training", "pipelines") == stored
    assert stored["metadata"]["resourceVersion"] == "2"
    assert len(stored["metadata"]["uid"]) == 36


def test_writing_the_same_object_again_leaves_the_file_as_it_is(store):
    store.put(namespace(), owner="urn:ns")
    before = store.path.read_bytes(), store.path.stat().st_mtime_ns
    store.put(namespace(), owner="urn:ns")
    assert (store.path.read_bytes(), store.path.stat().st_mtime_ns) == before


def test_a_change_counts_the_version_up_and_keeps_the_uid(store):
    first = store.put(namespace(), owner="urn:ns")
    changed = namespace() | {"metadata": {"name": "pipelines", "labels": {"team": "ml"}}}
    second = store.put(changed, owner="urn:ns")
    assert [o["metadata"]["resourceVersion"] for o in (first, second)] == ["1", "2"]
    assert first["metadata"]["uid"] == second["metadata"]["uid"]


def test_the_same_writes_give_the_same_bytes(store, tmp_path):
    other = Store(tmp_path / "other.json")
    for each in (store, other):
        each.put(namespace(), owner="urn:ns")
        each.put(account(), owner="urn:sa")
    assert store.path.read_bytes() == other.path.read_bytes()


def test_an_object_needs_its_namespace_first(store):
    with pytest.raises(UserError, match=r"ServiceAccount pipelines/training.*no namespace pipelines"):
        store.put(account(), owner="urn:sa")
    assert not store.path.exists(), "nothing was written"


def test_the_namespaces_that_every_cluster_has_need_no_object(store):
    assert store.put(account(in_namespace="kube-system"), owner="urn:sa")["metadata"]["resourceVersion"] == "1"


def test_two_resources_cannot_share_one_object(store):
    store.put(namespace(), owner="urn:one")
    with pytest.raises(UserError, match="belongs to urn:one"):
        store.put(namespace(), owner="urn:two")


def test_a_namespace_goes_last(store):
    store.put(namespace(), owner="urn:ns")
    store.put(account(), owner="urn:sa")
    with pytest.raises(UserError, match=r"still holds 1 object\(s\): ServiceAccount pipelines/training"):
        store.delete("v1", "Namespace", "pipelines")
    assert store.delete("v1", "ServiceAccount", "training", "pipelines")
    assert store.delete("v1", "Namespace", "pipelines")
    assert store.list() == []


def test_deleting_what_is_not_there_says_so(store):
    assert store.delete("v1", "Namespace", "pipelines") is False


def test_lists_are_by_kind_and_namespace_and_in_order(store):
    for name in ("b", "a"):
        store.put(namespace(name), owner=f"urn:{name}")
    store.put(account(in_namespace="a"), owner="urn:sa")
    assert [Key.of(o).name for o in store.list(kind="Namespace")] == ["a", "b"]
    assert [Key.of(o).kind for o in store.list(namespace="a")] == ["ServiceAccount"]


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"objects": {"v1 Namespace - a": {}}, "revision": 1}'])
def test_a_damaged_file_is_named_with_the_way_out(store, text):
    store.path.parent.mkdir()
    store.path.write_text(text)
    with pytest.raises(UserError, match=r"objects\.json cannot be read.*stackyard local up"):
        store.list()


def test_only_its_owner_can_read_the_file(store):
    store.put(namespace(), owner="urn:ns")
    assert store.path.stat().st_mode & 0o777 == 0o600


def test_the_endpoint_leads_nowhere_and_the_authority_is_base64(store):
    assert store.endpoint == "https://127.0.0.1:0", "nothing can connect to port 0"
    assert b"no certificate authority" in base64.b64decode(store.ca, validate=True)
    assert json.dumps(store.ca)


def test_what_was_applied_is_known_by_its_cluster_namespaces_last(store):
    store.put(namespace(), owner="urn:ns", cluster="one")
    store.put(account(), owner="urn:sa", cluster="one")
    store.put(account("serving"), owner="urn:other")
    space, sa = Key("v1", "Namespace", "", "pipelines"), Key("v1", "ServiceAccount", "pipelines", "training")
    assert list(store.applied().items()) == [(sa, "one"), (space, "one")]
    assert store.cluster(sa) == "one"
    assert store.cluster(Key("v1", "ServiceAccount", "pipelines", "serving")) == ""


def test_another_cluster_changes_the_note_and_not_the_object(store):
    store.put(namespace(), owner="urn:ns")
    first = store.put(account(), owner="urn:sa", cluster="one")
    assert store.put(account(), owner="urn:sa", cluster="two") == first
    assert set(store.applied().values()) == {"two"}
    store.put(account(), owner="urn:sa")
    assert store.applied() == {}


def test_a_store_that_forgets_still_knows_what_is_in_a_cluster_until_it_is_put_or_taken_away(store):
    store.put(namespace(), owner="urn:ns", cluster="one")
    store.put(account(), owner="urn:sa", cluster="one")
    store.put(account("serving"), owner="urn:other")
    store.forget()
    space, sa = Key("v1", "Namespace", "", "pipelines"), Key("v1", "ServiceAccount", "pipelines", "training")
    assert store.list() == [] and store.left_over() == {space: "one", sa: "one"}
    store.put(namespace(), owner="urn:ns", cluster="one")
    assert store.left_over() == {sa: "one"} and store.applied() == {sa: "one", space: "one"}
    store.taken_away(sa)
    store.taken_away(space)
    assert store.applied() == {} and store.get("v1", "Namespace", "pipelines")


def test_a_store_without_a_cluster_forgets_everything_also_what_nobody_can_read(store):
    store.put(namespace(), owner="urn:ns")
    store.path.write_text("{")
    store.forget()
    assert not store.path.exists()
