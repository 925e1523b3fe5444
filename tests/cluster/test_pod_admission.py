"""What the namespaces of a stack let in, judged by a real API server: Pod Security, quota, default requests."""

import copy
import re
from typing import Any

import pytest

from components.namespaces import EXCEPTION_ANNOTATION
from stackyard.local.kubernetes.api_server import Refusal
from tests.cluster.objects import RELEASE, kubernetes_objects, named, of_kind
from tests.pipelines.pod_security import pods
from tests.stack_captures import stack_capture
from tests.waiting import eventually

pytestmark = pytest.mark.cluster

STACK = "dev"
CLOSING = ("Namespace", "ResourceQuota", "LimitRange", "ServiceAccount")
SPACE = "pipelines"
# Device plugin and exporter mount devices of the node.
EXCEPTED = ["gpu-runtime"]


@pytest.fixture(scope="module")
def objects():
    return kubernetes_objects(stack_capture(STACK))


@pytest.fixture(scope="module")
def space(site, objects):
    """Name of the pipelines' namespace, closed as the stack closes it."""
    move = site.move(objects)
    site.make([move(obj) for obj in of_kind(objects, *CLOSING)])
    name = move.namespace(SPACE)

    def counts():
        quota = site.api.find("v1", "ResourceQuota", "quota", name)
        return quota and quota.get("status", {}).get("used")

    eventually(counts, "the quota counts what is there")
    return name


@pytest.fixture(scope="module")
def run_pods(objects):
    """The pods that Argo makes of the stack's pipelines, by step."""
    engine = stack_capture(STACK).named("pipeline-engine-release", RELEASE)
    templates = of_kind(objects, "WorkflowTemplate")
    found = [pod for template in templates for pod in pods(template, engine.inputs["values"]["executor"])]
    assert found, "the stack has a pipeline"
    return found


def as_pod(made: dict[str, Any], space: str) -> dict[str, Any]:
    """A step's pod as the API takes it; Argo fills `{{…}}` in before."""
    spec = {key: value for key, value in made["spec"].items() if value is not None}
    metadata = {"generateName": "step-", "namespace": space, **made["metadata"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def plain_pod(space: str, **container: Any) -> dict[str, Any]:
    """The smallest pod that the restricted profile lets in."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    main = {"name": "main", "image": "example.com/main:1", "securityContext": security} | container
    metadata = {"generateName": "plain-", "namespace": space}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [main]}}


def test_every_pod_of_every_pipeline_is_let_in(site, space, run_pods):
    for made in run_pods:
        site.api.create(as_pod(made, space), dry_run=True)


def _root(spec):
    spec["containers"][-1].setdefault("securityContext", {})["runAsUser"] = 0


def _privileged(spec):
    spec["containers"][-1].setdefault("securityContext", {}).update(privileged=True, allowPrivilegeEscalation=True)


def _host_path(spec):
    spec["volumes"].append({"name": "docker", "hostPath": {"path": "/var/run"}})


def _host_network(spec):
    spec["hostNetwork"] = True


def _capabilities(spec):
    spec["containers"][0]["securityContext"]["capabilities"] = {"add": ["NET_ADMIN"]}


@pytest.mark.parametrize(
    ("plant", "sentence"),
    [
        (_root, "runAsUser=0"),
        (_privileged, "privileged"),
        (_host_path, "hostPath"),
        (_host_network, "host namespaces"),
        (_capabilities, "unrestricted capabilities"),
    ],
)
def test_a_pod_that_breaks_the_restricted_profile_is_refused(site, space, run_pods, plant, sentence):
    made = copy.deepcopy(run_pods[0])
    plant(made["spec"])
    with pytest.raises(Refusal, match='violates PodSecurity "restricted:') as refused:
        site.api.create(as_pod(made, space), dry_run=True)
    assert sentence in str(refused.value) and refused.value.status == 403


def test_every_namespace_is_closed_to_a_plain_root_pod_unless_it_names_its_exception(site, space, objects):
    move = site.move(objects)
    root = {"runAsUser": 0}
    spaces = of_kind(objects, "Namespace")
    excepted = [obj for obj in spaces if EXCEPTION_ANNOTATION in obj["metadata"].get("annotations", {})]
    assert [obj["metadata"]["name"] for obj in excepted] == EXCEPTED
    closed = [obj for obj in spaces if obj not in excepted]
    assert len(closed) >= 3
    for obj in closed:
        with pytest.raises(Refusal, match="violates PodSecurity"):
            site.api.create(plain_pod(move(obj)["metadata"]["name"], securityContext=root), dry_run=True)


def test_a_pod_that_asks_for_nothing_gets_the_default_requests_and_memory_limit(site, space):
    seen = site.api.create(plain_pod(space), dry_run=True)["spec"]["containers"][0]["resources"]
    assert seen == {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}


def test_no_pod_gets_a_token_of_the_pipelines_account(site, space, objects):
    (account,) = [obj for obj in of_kind(objects, "ServiceAccount") if obj["metadata"]["namespace"] == SPACE]
    pod = plain_pod(space)
    pod["spec"]["serviceAccountName"] = account["metadata"]["name"]
    spec = site.api.create(pod, dry_run=True)["spec"]
    assert spec.get("volumes", []) == [], named(account)


@pytest.mark.parametrize("resource", ["cpu", "memory", "nvidia.com/gpu"])
def test_a_pod_above_the_quota_of_the_namespace_is_refused(site, space, objects, resource):
    (quota,) = [obj for obj in of_kind(objects, "ResourceQuota") if obj["metadata"]["namespace"] == SPACE]
    ceiling = quota["spec"]["hard"][f"requests.{resource}"]
    more = re.sub(r"^\d+", lambda amount: str(int(amount[0]) + 1), ceiling)
    asked = {"requests": {resource: more}, "limits": {resource: more}}
    with pytest.raises(Refusal, match="exceeded quota: quota") as refused:
        site.api.create(plain_pod(space, resources=asked), dry_run=True)
    assert f"requests.{resource}={more}" in str(refused.value)
    inside = {"requests": {resource: ceiling}, "limits": {resource: ceiling}}
    site.api.create(plain_pod(space, resources=inside), dry_run=True)


def test_a_gpu_outside_the_pipelines_namespace_is_refused(site, space, objects):
    name = site.move(objects).namespace("argo")
    gpu = {"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}}
    with pytest.raises(Refusal, match="exceeded quota"):
        site.api.create(plain_pod(name, resources=gpu), dry_run=True)
