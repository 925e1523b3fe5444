"""Argo's semantics: which steps run, in which order, with what, and what a failure means for the others."""

import json
import time

import pytest

from stackyard.errors import InvalidInput
from stackyard.local.argo.results import EventKind, Phase
from tests.local.argo.support import container, dag, inputs, output, phases, task, workflow

pytestmark = pytest.mark.local


def test_a_container_runs_its_command_and_leaves_its_log(start):
    result = start(workflow(container("echo hello; echo there >&2")))
    assert result.succeeded
    assert result.name == "training-abcde"
    assert start.log("main") == "hello\nthere\n"
    assert [event.kind for event in start.events] == [EventKind.STARTED, EventKind.FINISHED]


def test_variables_are_filled_in(start):
    command = "echo {{workflow.name}} {{workflow.namespace}} {{workflow.parameters.month}} {{pod.name}}"
    arguments = {"parameters": [{"name": "month", "value": "2013-01"}]}
    start(workflow(container(command), arguments=arguments), {"month": "2013-02"})
    name, namespace, month, pod = start.log("main").split()
    assert (name, namespace, month) == ("training-abcde", "pipelines", "2013-02")
    assert pod.startswith("training-abcde-main-")


def test_a_parameters_default_holds_where_none_is_given(start):
    arguments = {"parameters": [{"name": "month", "value": "2013-01"}]}
    start(workflow(container("echo {{=toBase64(workflow.parameters['month'])}} | base64 -d"), arguments=arguments))
    assert start.log("main") == "2013-01"


def test_outputs_go_to_the_tasks_that_depend_on_them(start):
    write = container("echo 42 > /tmp/out", "write", outputs=output())
    read = container("echo got {{inputs.parameters.x}}", "read", inputs=inputs("x"))
    tasks = task("a", "write"), task("b", "read", "a.Succeeded", give={"x": "{{tasks.a.outputs.parameters.value}}"})
    result = start(workflow(write, read, dag(*tasks)))
    assert start.log("b") == "got 42\n", "one newline at the end is not part of the value"
    assert result.steps[0].outputs == {"value": "42"}


def test_tasks_wait_for_all_that_they_depend_on(start):
    slow = container("sleep 0.3; date +%s%N", "slow")
    quick = container("date +%s%N", "quick")
    start(workflow(slow, quick, dag(task("a", "slow"), task("b", "quick"), task("c", "quick", "a && b.Succeeded"))))
    assert int(start.log("b")) < int(start.log("a")) < int(start.log("c"))


def test_plain_dependencies_mean_the_same(start):
    tasks = {"name": "a", "template": "step"}, {"name": "b", "template": "step", "dependencies": ["a"]}
    result = start(workflow(container("true", "step"), dag(*tasks)))
    assert [step.step for step in result.steps] == ["a", "b"]


def test_a_failure_stops_what_depends_on_it(start):
    fail = container("echo broken; exit 3", "fail")
    result = start(workflow(fail, container("true", "step"), dag(task("a", "fail"), task("b", "step", "a"))))
    assert result.phase is Phase.FAILED
    assert phases(result) == {"a": "Failed", "b": "Omitted"}
    (failed,) = result.failed_steps
    assert failed.exit_code == 3
    assert failed.log_tail == "broken"
    assert failed.message == "exit status 3"
    assert failed.logs[0].read_text() == "broken\n"


def test_a_failure_lets_running_branches_end_but_starts_no_new_ones(start):
    templates = container("exit 1", "fail"), container("sleep 2", "slow"), container("true", "step")
    tasks = task("a", "fail"), task("b", "slow"), task("c", "step", "b")
    assert phases(start(workflow(*templates, dag(*tasks)))) == {"a": "Failed", "b": "Succeeded", "c": "Omitted"}


def test_without_fail_fast_other_branches_go_on(start):
    templates = container("exit 1", "fail"), container("sleep 0.3", "slow"), container("true", "step")
    tasks = task("a", "fail"), task("b", "slow"), task("c", "step", "b")
    result = start(workflow(*templates, dag(*tasks, dag={"failFast": False})))
    assert phases(result) == {"a": "Failed", "b": "Succeeded", "c": "Succeeded"}
    assert result.phase is Phase.FAILED


def test_a_failed_attempt_is_retried_until_it_succeeds(start):
    template = container("echo attempt {{retries}}; test {{retries}} = 2", retryStrategy={"limit": 2})
    result = start(workflow(template))
    assert result.succeeded
    assert result.steps[0].attempts == 3
    assert [start.log("main", n) for n in range(3)] == [f"attempt {n}\n" for n in range(3)]
    assert [e.kind for e in start.events].count(EventKind.RETRIED) == 2


def test_exhausted_retries_fail_the_step(start):
    result = start(workflow(container("exit 7", retryStrategy={"limit": "1", "retryPolicy": "Always"})))
    assert result.phase is Phase.FAILED
    assert (result.steps[0].attempts, result.steps[0].exit_code) == (2, 7)


def test_retries_wait_as_the_backoff_says(start):
    backoff = {"duration": "0.2", "factor": 2}
    started = time.monotonic()
    result = start(workflow(container("exit 1", retryStrategy={"limit": 2, "backoff": backoff})))
    assert time.monotonic() - started >= 0.2 + 0.4
    assert result.steps[0].attempts == 3


def test_a_failure_is_not_retried_where_only_errors_are(start):
    result = start(workflow(container("exit 1", retryStrategy={"limit": 3, "retryPolicy": "OnError"})))
    assert result.steps[0].attempts == 1


def test_a_missing_command_is_an_error_not_a_failure(start):
    template = container("", retryStrategy={"limit": 1, "retryPolicy": "OnError"})
    template["container"]["command"] = ["no-such-program"]
    result = start(workflow(template))
    assert result.phase is Phase.ERROR
    assert result.steps[0].attempts == 2
    assert "no-such-program could not be started" in result.steps[0].message


def test_a_missing_output_is_an_error(start):
    result = start(workflow(container("true", outputs=output())))
    assert result.phase is Phase.ERROR
    assert "did not write /tmp/out" in result.steps[0].message


def test_a_missing_output_takes_its_default(start):
    result = start(workflow(container("true", outputs=output(default="none"))))
    assert result.steps[0].outputs == {"value": "none"}


def test_the_workflows_deadline_ends_every_step(start):
    template = workflow(container("sleep 30", "slow"), dag(task("a", "slow"), task("b", "slow", "a")))
    template["spec"]["activeDeadlineSeconds"] = 1
    result = start(template)
    assert result.phase is Phase.FAILED
    assert result.seconds < 10
    assert phases(result) == {"a": "Failed", "b": "Omitted"}


def test_a_list_runs_the_task_once_an_item(start):
    each = container("echo {{inputs.parameters.x}} > /tmp/out", "each", inputs=inputs("x"), outputs=output())
    listing = container("echo '[1, 2]' > /tmp/out", "listing", outputs=output())
    join = container("echo '{{inputs.parameters.all}}'", "join", inputs=inputs("all"))
    tasks = (
        task("l", "listing"),
        task("e", "each", "l", give={"x": "{{item}}"}, withParam="{{tasks.l.outputs.parameters.value}}"),
        task("j", "join", "e", give={"all": "{{tasks.e.outputs.parameters.value}}"}),
    )
    result = start(workflow(each, listing, join, dag(*tasks)))
    assert {"e(0:1)", "e(1:2)"} <= set(phases(result))
    assert json.loads(start.log("j")) == ["1", "2"]


def test_items_with_keys_and_nested_dags(start):
    leaf = container("echo {{inputs.parameters.m}} > /tmp/out", "leaf", inputs=inputs("m"), outputs=output())
    outputs = {"parameters": [{"name": "v", "valueFrom": {"parameter": "{{tasks.leaf.outputs.parameters.value}}"}}]}
    inner = dag(task("leaf", give={"m": "{{inputs.parameters.m}}"}), name="inner", inputs=inputs("m"), outputs=outputs)
    outer = dag(task("i", "inner", withItems=[{"month": "2013-01"}], give={"m": "{{item.month}}"}))
    result = start(workflow(leaf, inner, outer))
    assert phases(result) == {"i(0:month:2013-01).leaf": "Succeeded"}
    assert result.steps[0].outputs == {"value": "2013-01"}


def test_an_empty_list_skips_the_task_and_goes_on(start):
    tasks = task("e", "step", withItems=[]), task("after", "step", "e")
    assert phases(start(workflow(container("true", "step"), dag(*tasks)))) == {"e": "Skipped", "after": "Succeeded"}


def test_what_is_no_list_is_an_error(start):
    listing = container("echo nothing > /tmp/out", "listing", outputs=output())
    tasks = task("l", "listing"), task("e", "step", "l", withParam="{{tasks.l.outputs.parameters.value}}")
    result = start(workflow(listing, container("true", "step"), dag(*tasks)))
    assert result.phase is Phase.ERROR
    assert "withParam of task e is 'nothing'" in result.failed_steps[0].message


def test_items_that_wait_for_their_turn_do_not_start_after_a_failure(start):
    each = container("test {{inputs.parameters.x}} != 0", "each", inputs=inputs("x"))
    tasks = task("e", "each", give={"x": "{{item}}"}, withItems=[0, 0, 0, 0])
    result = start(workflow(each, dag(tasks)), max_processes=1)
    assert sorted(phases(result).values()) == ["Failed", "Omitted", "Omitted", "Omitted"]


def test_when_decides_whether_a_task_runs(start):
    choose = container("echo left > /tmp/out", "choose", outputs=output())
    chosen = "{{tasks.c.outputs.parameters.value}}"
    tasks = (
        task("c", "choose"),
        task("left", "step", "c", when=f"{chosen} == left"),
        task("right", "step", "c", when=f"{chosen} == right || {chosen} == 'both'"),
    )
    result = start(workflow(choose, container("true", "step"), dag(*tasks)))
    assert phases(result) == {"c": "Succeeded", "left": "Succeeded", "right": "Skipped"}


def test_the_exit_handler_runs_after_a_failure_and_knows_of_it(start):
    handler = container("echo {{workflow.status}}", "handler")
    result = start(workflow(container("exit 1"), handler, onExit="handler"))
    assert start.log("onExit") == "Failed\n"
    assert result.phase is Phase.FAILED


def test_parallelism_limits_processes(start):
    command = "date +%s%N; sleep 0.2; date +%s%N"
    tasks = [task(name, "slow") for name in "ab"]
    start(workflow(container(command, "slow"), dag(*tasks), parallelism=1))
    (a0, a1), (b0, b1) = ([int(t) for t in start.log(n).split()] for n in "ab")
    assert a1 <= b0 or b1 <= a0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_of_the_runner_itself_ends_the_run_as_an_error(start, monkeypatch):
    monkeypatch.setattr("stackyard.local.argo.steps.Steps.run", lambda *_: 1 / 0)
    result = start(workflow(container("true", "step"), dag(task("a", "step"), task("b", "step", "a"))))
    assert result.phase is Phase.ERROR
    assert result.message == "the runner itself failed at a"
    assert phases(result) == {"b": "Omitted"}


def test_names_are_new_for_each_run(start):
    names = {start(workflow(container("true")), name=None).name for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("training-") and len(name) == len("training-") + 5 for name in names)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [({"mnth": "x", "month": "y"}, "did you mean 'month'"), ({}, "parameter month has no default")],
)
def test_wrong_parameters_are_refused_before_anything_starts(start, parameters, sentence):
    template = workflow(container("echo {{workflow.parameters.month}}"), arguments={"parameters": [{"name": "month"}]})
    with pytest.raises(InvalidInput, match=sentence):
        start(template, parameters)
    assert not start.events
