"""The pods that Argo makes of a compiled pipeline pass the Pod Security profile *restricted*."""

import copy
from dataclasses import replace

import pytest

from components.chart_pin import ChartPin
from components.pipeline_engine import PipelineEngineArgs, release_values
from pipelines.binding import bind
from pipelines.compile.compiled import read_compiled
from pipelines.compile.shape import SCRATCH, TOKEN_MOUNT, executor_token_patch
from tests.pipelines.contracts import contract
from tests.pipelines.pod_security import pods, violations
from tests.pipelines.projects import DECLARATION

ENGINE = PipelineEngineArgs(chart=ChartPin(chart="argo-workflows", version="1.0.18"), app_version="v4.0.6")
EXECUTOR = release_values(ENGINE)["executor"]


@pytest.fixture(scope="module")
def training_pods():
    template = bind(read_compiled("training").template, contract(), pipeline="training")
    made = list(pods(template, EXECUTOR))
    assert len(made) == 5, "one pod for each step"
    return made


def test_every_pod_passes_the_restricted_profile(training_pods):
    assert [violations(pod) for pod in training_pods] == [[]] * len(training_pods)


def _host_path(spec):
    spec["volumes"].append({"name": "docker", "hostPath": {"path": "/var/run"}})


def _host_network(spec):
    spec["hostNetwork"] = True


def _root(spec):
    spec["containers"][1]["securityContext"]["runAsUser"] = 0


def _maybe_root(spec):
    del spec["containers"][1]["securityContext"]["runAsNonRoot"]
    del spec["securityContext"]["runAsNonRoot"]


def _capabilities(spec):
    spec["containers"][0]["securityContext"]["capabilities"] = {}


def _added_capability(spec):
    spec["containers"][1]["securityContext"]["capabilities"]["add"] = ["SYS_ADMIN"]


def _escalation(spec):
    del spec["initContainers"][0]["securityContext"]["allowPrivilegeEscalation"]


def _no_seccomp(spec):
    del spec["containers"][1]["securityContext"]["seccompProfile"]
    del spec["securityContext"]["seccompProfile"]


def _privileged(spec):
    spec["containers"][1]["securityContext"]["privileged"] = True


BAD = [
    (_host_path, "volume docker is a hostPath"),
    (_host_network, "hostNetwork of the host"),
    (_root, "main: runs as root"),
    (_maybe_root, "main: may run as root"),
    (_capabilities, "wait: keeps capabilities"),
    (_added_capability, "main: adds capabilities"),
    (_escalation, "init: may escalate privileges"),
    (_no_seccomp, "main: has no seccomp profile"),
    (_privileged, "main: is privileged"),
]


@pytest.mark.parametrize(("harm", "finding"), BAD, ids=[finding for _, finding in BAD])
def test_the_checker_sees_a_bad_twin(training_pods, harm, finding):
    pod = copy.deepcopy(training_pods[0])
    harm(pod["spec"])
    assert violations(pod) == [finding]


def test_steps_can_write_to_scratch_tmp_and_results_and_nowhere_else(training_pods):
    for pod in training_pods:
        main = container(pod, "main")
        assert main["securityContext"]["readOnlyRootFilesystem"] is True
        assert main["workingDir"] == SCRATCH
        mounts = {mount["mountPath"]: mount["name"] for mount in main["volumeMounts"]}
        assert set(mounts) == {SCRATCH, "/tmp", "/mnt/out", "/var/run/argo"}
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        assert all("emptyDir" in volumes[name] for name in mounts.values())
        assert {entry["name"]: entry.get("value") for entry in main["env"]}["HOME"] == SCRATCH


def test_only_argos_own_containers_get_the_api_token(training_pods):
    for pod in training_pods:
        assert pod["spec"]["automountServiceAccountToken"] is False
        holders = [
            entry["name"]
            for entry in [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]
            if TOKEN_MOUNT in {mount["mountPath"] for mount in entry["volumeMounts"]}
        ]
        assert holders == ["init", "wait"], "the step itself does not call the Kubernetes API"


def test_a_pipeline_that_starts_others_gets_the_token_in_its_steps_too():
    patch = executor_token_patch(replace(DECLARATION, may_start=("training",)))
    assert [entry["name"] for entry in patch["containers"]] == ["wait", "main"]
    assert [entry["name"] for entry in executor_token_patch(DECLARATION)["containers"]] == ["wait"]


def test_every_pod_has_a_deadline_a_queue_a_pool_and_the_pipelines_account(training_pods):
    for pod in training_pods:
        assert 60 <= pod["spec"]["activeDeadlineSeconds"] <= 2 * 3600
        assert pod["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "flights"
        assert pod["spec"]["nodeSelector"] == {"stackyard.dev/pool": "general"}
        assert pod["spec"]["serviceAccountName"] == "pipeline-training"


def container(pod, name):
    (found,) = [entry for entry in pod["spec"]["containers"] if entry["name"] == name]
    return found
