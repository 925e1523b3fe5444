"""Which Workflows accounts of pipelines may create: the stack's own policies, on a real API server."""

from dataclasses import replace
from typing import Any

import pytest

from components.pipeline_engine import CONTROLLER_ACCOUNT, ENGINE_NAMESPACE
from stackyard.local.kubernetes.api_server import Refusal
from stackyard.program.run import capture_callable
from tests.cluster.argo_definitions import argo_definitions
from tests.cluster.objects import kubernetes_objects, of_kind
from tests.components.test_pipeline_deployment import DRIFT, deploy
from tests.stack_captures import stack_capture
from tests.waiting import eventually

pytestmark = pytest.mark.cluster

SPACE = "pipelines"
ADMISSION = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
RIGHTS = ("ServiceAccount", "Role", "RoleBinding")
STARTS_TRAINING = replace(DRIFT, may_start=("training",))


class Ground:
    """The namespaces of dev with its policies, a pipeline `drift` that may start `training`, and who calls."""

    def __init__(self, site):
        stack = kubernetes_objects(stack_capture("dev"))
        drift = [obj for obj in self._drift() if "drift" in obj["metadata"]["name"]]
        self.move = site.move(stack)
        self.space = self.move.namespace(SPACE)
        site.define(argo_definitions())
        site.make([self.move(obj) for obj in of_kind(stack, "Namespace", *RIGHTS, *ADMISSION)])
        site.make([self.move(obj) for obj in of_kind(drift, *RIGHTS, *ADMISSION)])
        # Whoever runs the cluster may have given them more than the stack does: the policies hold all the same.
        site.make(self._every_right())
        # The chart brings it, and no chart is installed here.
        engine = {"name": CONTROLLER_ACCOUNT, "namespace": self.move.namespace(ENGINE_NAMESPACE)}
        site.make([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": engine}])
        self._site = site
        self.drift, self.training, self.other = (
            self.caller(self.space, name) for name in ("pipeline-drift", "pipeline-training", "default")
        )
        self.engine = self.caller(self.move.namespace(ENGINE_NAMESPACE), CONTROLLER_ACCOUNT)

    def _drift(self):
        return kubernetes_objects(capture_callable(lambda: deploy(STARTS_TRAINING) and None))

    def _every_right(self):
        subjects = [
            {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": f"system:serviceaccounts:{space}"}
            for space in (self.space, self.move.namespace(ENGINE_NAMESPACE))
        ]
        rbac, metadata = "rbac.authorization.k8s.io", {"name": "every-right", "namespace": self.space}
        rule = {"apiGroups": ["argoproj.io"], "resources": ["*"], "verbs": ["*"]}
        role = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]}
        reference = {"apiGroup": rbac, "kind": "Role", "name": "every-right"}
        binding = {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": metadata}
        return [role, {**binding, "roleRef": reference, "subjects": subjects}]

    def caller(self, space: str, name: str):
        return self._site.api.of_account(space, name)

    def workflow(self, spec: Any = None, *, template: str = "training", kind: str = "Workflow") -> dict[str, Any]:
        metadata = {"generateName" if kind == "Workflow" else "name": "run-1", "namespace": self.space}
        spec = {"workflowTemplateRef": {"name": template}} if spec is None else spec
        return {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def ground(site):
    ground = Ground(site)

    def enforced():
        callers = (ground.other, ground.drift, ground.training)
        refused = [message(caller, ground.workflow(template="unknown", spec={})) for caller in callers]
        # Each pipeline's own policy comes into force when it likes.
        own = (message(ground.drift, ground.workflow(template="drift")), message(ground.training, ground.workflow()))
        return all("ValidatingAdmissionPolicy" in sentence for sentence in refused) and all(
            "may start" in sentence for sentence in own
        )

    eventually(enforced, "the policies are in force")
    return ground


def message(caller, obj) -> str:
    """What the server says against creating an object; nothing when it accepts it."""
    try:
        caller.create(obj, dry_run=True)
    except Refusal as refusal:
        return str(refusal)
    return ""


def test_a_pipeline_may_start_what_it_declared(ground):
    assert message(ground.drift, ground.workflow()) == ""
    arguments = {"parameters": [{"name": "train_to", "value": "2013-06"}]}
    spec = {"workflowTemplateRef": {"name": "training"}, "arguments": arguments}
    assert message(ground.drift, ground.workflow(spec)) == ""
    spec = {"workflowTemplateRef": {"name": "training", "clusterScope": False}}
    assert message(ground.drift, ground.workflow(spec)) == ""


def test_a_pipeline_may_start_nothing_that_it_did_not_declare(ground):
    assert "pipeline drift declares that it may start training" in message(
        ground.drift, ground.workflow(template="drift")
    )
    assert "pipeline training declares that it may start no pipeline" in message(ground.training, ground.workflow())


REFERENCE = {"workflowTemplateRef": {"name": "training"}}
STEP = {"name": "x", "container": {"image": "example.com/miner:1"}}


@pytest.mark.parametrize(
    "spec",
    [
        REFERENCE | {"serviceAccountName": "default"},
        REFERENCE | {"podSpecPatch": '{"hostNetwork": true}'},
        REFERENCE | {"templates": [STEP]},
        REFERENCE | {"hooks": {"exit": {"template": "x"}}},
        REFERENCE | {"volumes": []},
        {"entrypoint": "x", "templates": [STEP]},
        {"workflowTemplateRef": {"name": "training", "clusterScope": True}},
        {"arguments": {}},
        {},
    ],
    ids=lambda spec: "-".join(spec) or "empty",
)
@pytest.mark.parametrize("who", ["drift", "other"])
def test_a_workflow_that_says_more_than_template_and_arguments_is_refused(ground, who, spec):
    said = message(getattr(ground, who), ground.workflow(spec))
    assert "ValidatingAdmissionPolicy" in said and "denied request" in said


def test_a_workflow_without_a_spec_is_refused(ground):
    bare = ground.workflow()
    del bare["spec"]
    assert "ValidatingAdmissionPolicy" in message(ground.drift, bare)


@pytest.mark.parametrize("kind", ["WorkflowTemplate", "CronWorkflow", "WorkflowEventBinding"])
def test_a_pipeline_may_create_no_template_and_no_schedule(ground, kind):
    said = message(ground.drift, ground.workflow(kind=kind))
    assert "ValidatingAdmissionPolicy" in said and "denied request" in said


def test_a_run_cannot_be_turned_into_another_afterwards(ground):
    run = ground.drift.create(ground.workflow())
    with pytest.raises(Refusal, match="ValidatingAdmissionPolicy"):
        ground.drift.patch(run, {"spec": {"serviceAccountName": "default"}})
    with pytest.raises(Refusal, match="may start training"):
        ground.drift.patch(run, {"spec": {"workflowTemplateRef": {"name": "drift"}}})


def test_the_engine_itself_is_not_bound_by_it(ground):
    """Schedules start their runs as the controller's account, whatever these look like."""
    assert message(ground.engine, ground.workflow({"entrypoint": "x", "templates": [STEP]})) == ""


def test_who_administers_the_cluster_is_not_bound_by_it(site, ground):
    assert message(site.api, ground.workflow({"entrypoint": "x", "templates": [STEP]})) == ""


def test_the_server_finds_nothing_wrong_with_the_expressions(site, ground):
    for obj in of_kind(kubernetes_objects(stack_capture("dev")), "ValidatingAdmissionPolicy"):
        name = ground.move(obj)["metadata"]["name"]

        def type_checking(kind=(obj["apiVersion"], obj["kind"]), name=name):
            status = (site.api.find(*kind, name) or {}).get("status", {})
            return [status["typeChecking"]] if "typeChecking" in status else []

        (found,) = eventually(type_checking, f"{name} is type-checked")
        assert found.get("expressionWarnings", []) == []
