"""What the runner refuses before anything starts, and how it says so."""

import json
import re

import pytest

from stackyard.errors import InvalidInput
from stackyard.local.argo.checks import check
from stackyard.local.argo.model import parse


def workflow(*templates, **spec):
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {"name": "training"},
        "spec": {"entrypoint": "main", "templates": list(templates)} | spec,
    }


def main(**fields):
    return {"name": "main", "container": {"image": "any", "command": ["true"]} | fields}


def template(**fields):
    return main() | fields


def dag(*tasks, **fields):
    return {"name": "main", "dag": {"tasks": list(tasks)}} | fields


STEP = {"name": "step", "container": {"image": "any", "command": ["true"]}}
PATCH = {"containers": [{"name": "wait"}], "automountServiceAccountToken": False}


def refusal(obj):
    with pytest.raises(InvalidInput) as refused:
        check(parse(obj))
    return str(refused.value)


@pytest.mark.parametrize(
    ("obj", "sentence"),
    [
        (workflow(main(), suspend=True), "field spec.suspend"),
        (workflow(main(), hooks={"exit": {"template": "main"}}), "field spec.hooks"),
        (
            workflow(main(), volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]),
            "spec.volumes[v].pers",
        ),
        (workflow(main(), podSpecPatch=json.dumps({"containers": [{"name": "main"}]})), "field spec.podSpecPatch"),
        (workflow(main(), podSpecPatch="{"), "field spec.podSpecPatch"),
        (workflow(template(sidecars=[{"name": "s"}])), "template main: field sidecars"),
        (workflow(template(script={"source": "x"})), "template main: field script"),
        (workflow(template(memoize={"key": "x"})), "template main: field memoize"),
        (workflow(template(inputs={"artifacts": [{"name": "a"}]})), "template main: field inputs.artifacts"),
        (workflow(main(envFrom=[{"secretRef": {"name": "s"}}])), "template main: field container.envFrom"),
        (
            workflow(main(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}])),
            "template main: field container.env[A].valueFrom.secretKeyRef",
        ),
        (workflow(template(retryStrategy={"expression": "true"})), "template main: field retryStrategy.expression"),
        (workflow(STEP, dag({"name": "a", "template": "step", "hooks": {"exit": {}}})), "dag.tasks[a].hooks"),
        (workflow(STEP, dag({"name": "a", "template": "step", "continueOn": {"failed": True}})), "tasks[a].continueOn"),
    ],
)
def test_a_field_that_is_not_implemented_is_named_with_its_template(obj, sentence):
    assert sentence in refusal(obj)


@pytest.mark.parametrize(
    "obj",
    [
        workflow(main(), serviceAccountName="x", nodeSelector={"a": "b"}, ttlStrategy={"secondsAfterCompletion": 1}),
        workflow(main(securityContext={"runAsNonRoot": True}, resources={"limits": {"cpu": "1"}})),
        workflow(template(metadata={"annotations": {"a": "{{retries}}"}}, tolerations=[{"key": "gpu"}])),
        workflow(main(), hooks={}, suspend=None),
        workflow(main(), podSpecPatch=json.dumps(PATCH)),
    ],
)
def test_fields_without_effect_here_and_empty_ones_pass(obj):
    check(parse(obj))


@pytest.mark.parametrize(
    ("obj", "sentence"),
    [
        (workflow(STEP), "entrypoint 'main' is no template"),
        (workflow(main(), onExit="gone"), "onExit 'gone' is no template"),
        (workflow({"name": "main"}), "exactly one of container and dag"),
        (workflow(main(command=[])), "container.command is missing"),
        (workflow(main(args=["{{retries}}"])), "{{retries}} has no value there"),
        (workflow(main(args=["{{inputs.parameters.x}}"])), "{{inputs.parameters.x}} has no value there"),
        (workflow(main(args=["{{workflow.parameters.x}}"])), "{{workflow.parameters.x}} has no value there"),
        (workflow(main(args=["{{workflow.status}}"])), "{{workflow.status}} has no value there"),
        (workflow(main(args=["{{=1 + 1}}"])), "expression {{=1 + 1}} is not implemented"),
        (workflow(main(volumeMounts=[{"name": "v", "mountPath": "/v"}])), "volumeMount v has no volume"),
        (
            workflow(main(env=[{"name": "AWS_ENDPOINT_URL", "value": "https://s3.example.com"}])),
            "local steps reach only",
        ),
        (
            workflow(template(outputs={"parameters": [{"name": "o", "valueFrom": {"path": "/mnt/x"}}]})),
            "/mnt/x lies in no emptyDir mount",
        ),
        (workflow(STEP, dag({"name": "a", "template": "stp"})), "no template 'stp': did you mean 'step'?"),
        (workflow(STEP, dag({"name": "a", "template": "step", "depends": "b"})), "depends on b, which is no task"),
        (
            workflow(
                STEP,
                dag(
                    {"name": "a", "template": "step", "depends": "c"},
                    {"name": "b", "template": "step", "depends": "a"},
                    {"name": "c", "template": "step", "depends": "b"},
                ),
            ),
            "the tasks a → c → b → a wait for each other",
        ),
        (workflow(dag({"name": "a", "template": "main"})), "the templates main → main call each other"),
        (
            workflow(STEP | {"inputs": {"parameters": [{"name": "x"}]}}, dag({"name": "a", "template": "step"})),
            "template step needs the parameter x",
        ),
        (
            workflow(STEP, dag({"name": "a", "template": "step", "when": "{{tasks.b.outputs.parameters.x}} == 1"})),
            "{{tasks.b.outputs.parameters.x}} has no value there",
        ),
        (workflow(STEP, dag({"name": "a", "template": "step", "when": "a =="})), "is not a condition"),
        (workflow(STEP, dag({"name": "a", "template": "step", "depends": "a.Failed"})), "not Failed"),
        (workflow(STEP, dag({"name": "a", "template": "step"}, {"name": "a", "template": "step"})), "same name"),
        (workflow(STEP, dag({"name": "a", "template": "step"}, retryStrategy={"limit": 1})), "of a DAG are not"),
        (
            workflow(template(retryStrategy={"retryPolicy": "OnTransientError"})),
            "'OnTransientError' is not implemented",
        ),
        (workflow(template(retryStrategy={"backoff": {"duration": "soon"}})), "'soon' is not a duration"),
        (workflow(main()) | {"kind": "CronWorkflow"}, "is no WorkflowTemplate"),
    ],
)
def test_what_could_not_end_well_is_refused(obj, sentence):
    assert sentence in refusal(obj)


@pytest.mark.parametrize(
    ("obj", "sentence"),
    [
        (workflow(template(retryStrategy={"limit": "many"})), "template main: retryStrategy.limit is 'many': "),
        (workflow(template(retryStrategy={"backoff": {"factor": []}})), "template main: retryStrategy.backoff.factor"),
        (workflow(main(), parallelism="two"), "spec.parallelism is 'two': the local runner needs a whole number"),
        (workflow(main(), activeDeadlineSeconds="soon"), "spec.activeDeadlineSeconds is 'soon'"),
    ],
)
def test_what_must_be_a_number_is_named_where_it_is_none(obj, sentence):
    assert sentence in refusal(obj)


def test_all_problems_are_reported_together():
    text = refusal(workflow(main(args=["{{retries}}"], volumeMounts=[{"name": "v", "mountPath": "/v"}])))
    assert len(re.findall(r"\n  - ", text)) == 2


def test_arguments_that_a_template_has_no_input_for_are_ignored_as_argo_does():
    arguments = {"parameters": [{"name": "input-paths", "value": ""}]}
    check(parse(workflow(STEP, dag({"name": "a", "template": "step", "arguments": arguments}))))
