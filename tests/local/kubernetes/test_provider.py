"""The embedded Kubernetes provider."""

import re
from typing import Any

import pytest

from stackyard.errors import InvalidInput, UserError
from stackyard.local.kubernetes.provider import RELEASE_TYPE, KubernetesProvider
from stackyard.local.kubernetes.store import Store

NAMESPACE = "kubernetes:core/v1:Namespace"
ACCOUNT = "kubernetes:core/v1:ServiceAccount"
TEMPLATE = "kubernetes:argoproj.io/v1alpha1:WorkflowTemplate"


@pytest.fixture
def provider(tmp_path):
    return KubernetesProvider(store=Store(tmp_path / "objects.json"), kubernetes_version="1.35")


@pytest.fixture
def namespaced(provider):
    provider.create(NAMESPACE, "urn:ns", {"metadata": {"name": "pipelines"}})
    return provider


def account(name="training"):
    return {"metadata": {"name": name, "namespace": "pipelines"}}


def template() -> dict[str, Any]:
    spec = {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "python"}}]}
    return account() | {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "spec": spec}


def release(**inputs):
    usual = {"chart": "argo-workflows", "version": "1.0.18", "name": "argo", "namespace": "pipelines"}
    return usual | {"repositoryOpts": {"repo": "https://charts.example.com"}} | inputs


def test_ids_and_outputs_are_those_of_the_real_provider(namespaced):
    applied = namespaced.create(ACCOUNT, "urn:sa", account())
    assert applied.id == "pipelines/training"
    assert not applied.recorded
    assert applied.outputs["apiVersion"] == "v1"
    assert applied.outputs["kind"] == "ServiceAccount"
    assert applied.outputs["status"] == {}
    assert set(applied.outputs["metadata"]) == {"name", "namespace", "uid"}
    assert namespaced.create(NAMESPACE, "urn:x", {"metadata": {"name": "x"}}).id == "x"


def test_a_deployed_template_is_read_back_from_the_store_as_it_was_given(namespaced):
    namespaced.create(TEMPLATE, "urn:wt", template())
    stored = namespaced.store.get("argoproj.io/v1alpha1", "WorkflowTemplate", "training", "pipelines")
    assert stored["spec"] == template()["spec"]


def test_what_was_created_can_be_read_updated_and_deleted(namespaced):
    created = namespaced.create(ACCOUNT, "urn:sa", account())
    labelled = {"metadata": account()["metadata"] | {"labels": {"team": "ml"}}}
    updated = namespaced.update(ACCOUNT, "urn:sa", created.id, account(), created.outputs, labelled)
    assert updated.outputs["metadata"]["labels"] == {"team": "ml"}
    read = namespaced.read(ACCOUNT, "urn:sa", created.id, labelled, updated.outputs)
    assert read == updated.outputs, "a refresh finds no drift"
    namespaced.delete(ACCOUNT, "urn:sa", created.id, labelled, updated.outputs)
    assert namespaced.read(ACCOUNT, "urn:sa", created.id, labelled, updated.outputs) is None


def test_creating_again_for_the_same_resource_changes_nothing(namespaced):
    first = namespaced.create(ACCOUNT, "urn:sa", account())
    before = namespaced.store.path.read_bytes()
    assert namespaced.create(ACCOUNT, "urn:sa", account()) == first
    assert namespaced.store.path.read_bytes() == before


def test_a_resource_does_not_delete_an_object_of_another(namespaced):
    namespaced.create(ACCOUNT, "urn:sa", account())
    namespaced.delete(ACCOUNT, "urn:other", "pipelines/training", account(), {})
    assert namespaced.store.get("v1", "ServiceAccount", "training", "pipelines")


def test_a_renamed_object_must_be_replaced(namespaced):
    created = namespaced.create(ACCOUNT, "urn:sa", account())
    with pytest.raises(InvalidInput, match=r"cannot be renamed to pipelines/serving"):
        namespaced.update(ACCOUNT, "urn:sa", created.id, account(), created.outputs, account("serving"))


def test_a_missing_namespace_stops_the_create(provider):
    with pytest.raises(UserError, match="no namespace pipelines"):
        provider.create(ACCOUNT, "urn:sa", account())


def test_a_refused_object_is_not_stored(namespaced):
    bad = template()
    bad["spec"]["templates"][0]["containr"] = {}
    with pytest.raises(InvalidInput, match=re.escape("spec.templates[0].containr")):
        namespaced.create(TEMPLATE, "urn:wt", bad)
    assert not namespaced.store.list(kind="WorkflowTemplate")


def test_an_older_schema_is_noted_once(tmp_path):
    provider = KubernetesProvider(store=Store(tmp_path / "o.json"), kubernetes_version="1.99")
    for name in ("a", "b"):
        provider.create(NAMESPACE, f"urn:{name}", {"metadata": {"name": name}})
    assert len(provider.notes) == 1


def test_a_release_is_recorded_and_says_so(namespaced):
    applied = namespaced.create(RELEASE_TYPE, "urn:argo", release(values={"controller": {"replicas": 2}}))
    assert applied.recorded
    assert applied.id == "pipelines/argo"
    assert applied.outputs["status"]["status"] == "deployed"
    assert applied.outputs["values"] == {"controller": {"replicas": 2}}
    namespaced.delete(RELEASE_TYPE, "urn:argo", applied.id, release(), applied.outputs)
    assert namespaced.read(RELEASE_TYPE, "urn:argo", applied.id, release(), applied.outputs) is None


def test_another_version_of_a_known_chart_is_noted(namespaced):
    namespaced.create(RELEASE_TYPE, "urn:argo", release(version="1.1.1"))
    assert namespaced.notes == {"chart argo-workflows 1.1.1: values checked against those of 1.0.18"}


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"version": None}, "version is missing"),
        ({"version": "~1.0"}, 'version is "~1.0", a range'),
        ({"name": None}, "name is missing"),
        ({"name": "Argo"}, 'name is "Argo"'),
        ({"namespace": None}, "namespace is missing"),
        ({"repositoryOpts": {}}, "without repositoryOpts.repo"),
        ({"createNamespace": True}, "createNamespace is true"),
        ({"valueYamlFiles": ["a"]}, "values in files are not checked"),
        ({"chart": "mystery"}, "chart mystery is not known here"),
        ({"valuess": {}}, "a Release has no field 'valuess': did you mean 'values'?"),
        ({"values": {"controler": {}}}, "values.controler: chart argo-workflows 1.0.18 has no field 'controler': did"),
        ({"values": {"server": {"sso": {"clientId": {"nam": "x"}}}}}, "values.server.sso.clientId.nam"),
        ({"values": {"server": {"pdb": True}}}, "values.server.pdb is true: chart argo-workflows 1.0.18 reads a map"),
        ({"values": {"singleNamespace": {"a": 1}}}, "reads a single value or a list there"),
    ],
)
def test_a_wrong_release_is_refused(namespaced, inputs, sentence):
    with pytest.raises(InvalidInput, match=re.escape(sentence)):
        namespaced.create(RELEASE_TYPE, "urn:argo", release(**inputs))
    assert not namespaced.store.list(kind="Release")


def test_free_form_values_may_hold_anything(namespaced):
    values = {"controller": {"workflowDefaults": {"spec": {"podGC": {}}}, "nodeSelector": {"pool": "general"}}}
    assert namespaced.create(RELEASE_TYPE, "urn:argo", release(values=values)).recorded


@pytest.mark.parametrize("type_", ["kubernetes:helm.sh/v4:Chart", "kubernetes:yaml/v2:ConfigGroup"])
def test_charts_and_yaml_bundles_are_refused_with_the_way_out(provider, type_):
    with pytest.raises(InvalidInput, match=r"helm\.v3\.Release"):
        provider.create(type_, "urn:x", {})
