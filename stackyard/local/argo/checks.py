"""Is a workflow one that can end well? Asked before the first process starts; Argo asks much the same of it."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from stackyard.errors import InvalidInput
from stackyard.local.argo.expressions import Condition, references
from stackyard.local.argo.model import Task, Template, Workflow

# https://argo-workflows.readthedocs.io/en/latest/variables/
WORKFLOW_VARIABLES = frozenset(
    f"workflow.{name}" for name in ("name", "namespace", "uid", "serviceAccountName", "creationTimestamp")
)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
POD_VARIABLES = frozenset({"pod.name", "node.name"})

_TAG = re.compile(r"\{\{.*?\}\}")
PRIVATE_TMP = "/tmp"
"""Every container has its own, mounted or not."""


def check(workflow: Workflow) -> None:
    """Raises InvalidInput with everything that is wrong: missing templates, tasks, parameters and variables, cycles."""
    if problems := list(_problems(workflow)):
        lines = "".join(f"\n  - {problem}" for problem in problems)
        raise InvalidInput(f"WorkflowTemplate {workflow.name} is not valid:{lines}")


def _problems(workflow: Workflow) -> Iterator[str]:
    if workflow.entrypoint not in workflow.templates:
        yield f"entrypoint {workflow.entrypoint!r} is no template"
    if workflow.on_exit and workflow.on_exit not in workflow.templates:
        yield f"onExit {workflow.on_exit!r} is no template"
    if cycle := _cycle({name: tuple(t.template for t in each.tasks) for name, each in workflow.templates.items()}):
        yield f"the templates {' → '.join(cycle)} call each other, which the local runner does not implement"
    for template in workflow.templates.values():
        if bool(template.container) == bool(template.tasks):
            yield f"template {template.name}: exactly one of container and dag is needed"
        elif template.container:
            yield from _container_problems(workflow, template)
        else:
            yield from _dag_problems(workflow, template)


def _scope(workflow: Workflow, template: Template) -> set[str]:
    return {
        *WORKFLOW_VARIABLES,
        *(f"workflow.parameters.{name}" for name in workflow.parameters),
        *(f"inputs.parameters.{name}" for name in template.inputs),
        *(("workflow.status",) if template.name == workflow.on_exit else ()),
    }


def _container_problems(workflow: Workflow, template: Template) -> Iterator[str]:
    where = f"template {template.name}"
    container = template.container or {}
    if not container.get("command"):
        yield f"{where}: container.command is missing: the image's own entry point is not known on this machine"
    known = _scope(workflow, template) | POD_VARIABLES | ({"retries"} if template.retry else set())
    parts = [*(container.get(part) or () for part in ("command", "args", "env")), template.deadline]
    yield from (f"{where}: {text}" for text in _unresolved(parts, known))
    yield from (f"{where}: {text}" for text in _endpoints(container))
    declared = {*template.volumes, *workflow.volumes}
    mounts = container.get("volumeMounts") or ()
    for mount in mounts:
        if mount["name"] not in declared:
            yield f"{where}: volumeMount {mount['name']} has no volume of that name"
    paths = [mount["mountPath"].rstrip("/") for mount in mounts] + [PRIVATE_TMP]
    for output in template.outputs:
        if not output.path and output.value is None:
            yield f"{where}: output parameter {output.name} has no valueFrom.path"
        elif output.path and not any(output.path.startswith(f"{path}/") for path in paths):
            yield f"{where}: output parameter {output.name}: {output.path} lies in no emptyDir mount and not in /tmp"


def _endpoints(container: Mapping[str, Any]) -> Iterator[str]:
    """A deployed template of another stack names real endpoints; steps on this machine must not reach them."""
    for entry in container.get("env") or ():
        value = entry.get("value") or ""
        if "ENDPOINT_URL" in entry["name"] and value and urlsplit(value).hostname not in LOOPBACK:
            yield f"env {entry['name']} is {value!r}: local steps reach only {', '.join(LOOPBACK)}"


def _dag_problems(workflow: Workflow, template: Template) -> Iterator[str]:
    tasks = {task.name: task for task in template.tasks}
    where = f"template {template.name}"
    if template.retry or template.deadline:
        yield f"{where}: retryStrategy and activeDeadlineSeconds of a DAG are not implemented: set them on its steps"
    if len(tasks) != len(template.tasks):
        yield f"{where}: two tasks have the same name"
    strangers = [(task.name, need) for task in template.tasks for need in task.needs if need not in tasks]
    yield from (f"{where}: task {name} depends on {need}, which is no task of this DAG" for name, need in strangers)
    if strangers:
        return
    if cycle := _cycle({task.name: task.needs for task in template.tasks}):
        yield f"{where}: the tasks {' → '.join(cycle)} wait for each other"
        return
    for task in template.tasks:
        yield from (f"{where}: task {task.name}: {text}" for text in _task_problems(workflow, template, task, tasks))
    known = _scope(workflow, template) | _outputs_of(workflow, tasks, list(tasks))
    for output in template.outputs:
        if output.path:
            yield f"{where}: output parameter {output.name}: a DAG writes no files; take it from a task"
        yield from (f"{where}: output {output.name}: {t}" for t in _unresolved([output.source, output.value], known))


def _task_problems(workflow: Workflow, template: Template, task: Task, tasks: Mapping[str, Task]) -> Iterator[str]:
    called = workflow.templates.get(task.template)
    if called is None:
        near = difflib.get_close_matches(task.template, workflow.templates, n=1)
        yield f"there is no template {task.template!r}{f': did you mean {near[0]!r}?' if near else ''}"
        return
    for name, default in called.inputs.items():
        if default is None and name not in task.arguments:
            yield f"template {called.name} needs the parameter {name}, which the task does not give"
    # Arguments that the called template has no input for are ignored, as Argo does: Metaflow gives some.
    known = _scope(workflow, template) | _outputs_of(workflow, tasks, _ancestors(task.name, tasks))
    if task.when:
        yield from _bad_condition(task.when)
    yield from _unresolved([task.with_param, task.items], known)
    for text in _unresolved([*task.arguments.values(), task.when], known | ({"item"} if task.expanded else set())):
        if not (task.expanded and text.startswith("{{item.")):
            yield text


def _outputs_of(workflow: Workflow, tasks: Mapping[str, Task], names: list[str]) -> set[str]:
    known: set[str] = set()
    for name in names:
        known.add(f"tasks.{name}.status")
        if called := workflow.templates.get(tasks[name].template):
            known |= {f"tasks.{name}.outputs.parameters.{output.name}" for output in called.outputs}
    return known


def _ancestors(name: str, tasks: Mapping[str, Task]) -> list[str]:
    found: dict[str, None] = {}
    waiting = list(tasks[name].needs)
    while waiting:
        need = waiting.pop()
        if need not in found:
            found[need] = None
            waiting.extend(tasks[need].needs)
    return list(found)


def _cycle(graph: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names along a cycle, the first one again at the end; empty when there is none."""
    done: set[str] = set()

    def follow(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for after in graph.get(name, ()):
            if found := follow(after, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in graph if (found := follow(name, []))), [])


def _unresolved(value: Any, known: set[str]) -> Iterator[str]:
    if isinstance(value, str):
        for name in references(value):
            if name not in known:
                yield f"{{{{{name}}}}} has no value there"
    elif isinstance(value, Mapping):
        yield from _unresolved(list(value.values()), known)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _unresolved(entry, known)


def _bad_condition(text: str) -> Iterator[str]:
    try:
        Condition(_TAG.sub("x", text))
    except InvalidInput as error:
        yield f"when: {error}"
