"""Objects are refused where a cluster would refuse them."""

import re

import pytest

from stackyard.errors import InvalidInput
from stackyard.local.kubernetes.schemas import schema_version, validate


def obj(api_version="v1", kind="ConfigMap", **rest):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "training"}} | rest


def pod(**container):
    return obj(kind="Pod", spec={"containers": [{"name": "main", "image": "python"} | container]})


def workflow_template(**spec):
    container = {"image": "python", "command": ["true"]}
    template = {"name": "main", "container": container}
    return obj("argoproj.io/v1alpha1", "WorkflowTemplate", spec={"entrypoint": "main", "templates": [template]} | spec)


@pytest.mark.parametrize("good", [obj(data={"a": "b"}), pod(), workflow_template()])
def test_a_right_object_passes_with_the_clusters_own_schemas(good):
    assert validate(good, "1.35").version == "1.35"
    assert validate(good, "1.35").note == ""


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (obj(dta={}), "dta: ConfigMap has no field 'dta': did you mean 'data'?"),
        (pod(imagePolicy="Always"), "spec.containers[0].imagePolicy: Pod has no field"),
        (pod(image=5), "spec.containers[0].image is 5: it must be of type string"),
        (pod(ports=[{"containerPort": "http"}]), 'spec.containers[0].ports[0].containerPort is "http"'),
        (pod(resources={"limits": {"memory": "1Gib"}}), 'limits.memory is "1Gib": a quantity is'),
        (obj("batch/v1", "Job", spec={}), "spec lacks template"),
        (obj("policy/v1beta1", "PodDisruptionBudget"), "was removed in Kubernetes 1.25: use apiVersion policy/v1"),
        (obj("policy/v1beta1", "PodSecurityPolicy"), "removed in Kubernetes 1.25: use Pod Security Admission"),
        (obj("apps/v1beta7", "Deployment"), "does not serve Deployment as apps/v1beta7: use apiVersion apps/v1"),
        (obj("rbac.example.com/v1", "Role"), "does not serve Role as rbac.example.com/v1"),
        (obj(kind="Container"), "has no kind Container in v1"),
        (obj("cert-manager.io/v1", "Certificate"), "no model of that custom kind"),
        (obj("argoproj.io/v1alpha1", "Sensor"), "kind Sensor of argoproj.io/v1alpha1 has no model here"),
        (workflow_template(entrypint="x"), "spec.entrypint: Argo's WorkflowSpec has no field 'entrypint'"),
        (workflow_template(service_account_name="x"), "did you mean 'serviceAccountName'?"),
        (workflow_template(parallelism="4"), 'spec.parallelism is "4": input should be a valid integer'),
        (workflow_template(templates=[{"name": "a", "container": {"image": "x", "cmd": []}}]), "container.cmd"),
    ],
)
def test_a_wrong_object_is_refused_with_path_value_and_way_out(bad, sentence):
    with pytest.raises(InvalidInput, match=re.escape(sentence)):
        validate(bad, "1.35")


@pytest.mark.parametrize(
    ("kind", "metadata", "sentence"),
    [
        ("ConfigMap", {}, "metadata.name is missing"),
        ("ConfigMap", {"name": "Training"}, "RFC 1123 subdomain"),
        ("ConfigMap", {"name": "a" * 254}, "at most 253"),
        ("Namespace", {"name": "a.b"}, "RFC 1123 label"),
        ("Namespace", {"name": "a", "namespace": "b"}, "lives in no namespace"),
        ("ConfigMap", {"name": "a", "namespace": "a.b"}, "metadata.namespace"),
        ("ConfigMap", {"name": "a", "labels": {"team": "machine learning"}}, "metadata.labels[team]"),
        ("ConfigMap", {"name": "a", "labels": {"a b": "c"}}, "metadata.labels has the key"),
        ("ConfigMap", {"name": "a", "annotations": {"/x": "c"}}, "metadata.annotations has the key"),
    ],
)
def test_names_and_labels_follow_kubernetes_rules(kind, metadata, sentence):
    with pytest.raises(InvalidInput, match=re.escape(sentence)):
        validate({"apiVersion": "v1", "kind": kind, "metadata": metadata}, "1.35")


def test_a_dotted_name_is_right_where_a_label_is_not_needed():
    assert validate({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a.b"}}, "1.35")


def test_role_names_may_hold_colons():
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "stackyard:runner"}}
    assert validate(role, "1.35")


def test_a_cron_workflows_name_leaves_room_for_what_argo_appends():
    cron = workflow_template() | {"kind": "CronWorkflow", "metadata": {"name": "a" * 53}}
    cron["spec"] = {"schedules": ["0 6 * * *"], "workflowSpec": {"workflowTemplateRef": {"name": "training"}}}
    with pytest.raises(InvalidInput, match="at most 52"):
        validate(cron, "1.35")


def test_all_problems_of_an_object_are_reported_together():
    bad = pod(image=5, nme="x") | {"metadata": {"name": "A"}}
    with pytest.raises(InvalidInput) as refused:
        validate(bad, "1.35")
    assert str(refused.value).count("\n  - ") == 3


def test_a_version_without_schemas_takes_the_nearest_and_says_so():
    assert "the nearest to 1.99" in validate(obj(), "1.99").note
    assert schema_version("1.99") == schema_version("v1.99.3") != "1.99"
    assert schema_version("1.20") == "1.25", "the oldest there is"


def test_what_is_no_version_is_refused():
    with pytest.raises(InvalidInput, match="'latest' is not a Kubernetes version"):
        validate(obj(), "latest")
