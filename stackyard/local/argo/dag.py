"""Walks a DAG: which task may start, what it is given, and what its end means for the others."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stackyard.errors import InvalidInput
from stackyard.local.argo.expressions import Condition, substitute, true_or_false
from stackyard.local.argo.model import Task, Template, Workflow
from stackyard.local.argo.results import Phase

if TYPE_CHECKING:
    from stackyard.local.argo.steps import Steps

BAD = (Phase.FAILED, Phase.ERROR, Phase.INTERRUPTED)


@dataclass(frozen=True, kw_only=True)
class Node:
    """One call of a template."""

    path: str
    """Names of the tasks that led here, joined by dots; empty for the entrypoint."""
    template: Template
    inputs: Mapping[str, str]
    halt: "Halt"


class Halt:
    """Set by the first failure in a DAG: nothing new starts there. A failure inside is one outside as well."""

    def __init__(self, *, fail_fast: bool = False, outer: "Halt | None" = None):
        self._fail_fast = fail_fast
        self._outer = outer
        self._raised = False

    def set(self) -> None:
        self._raised = self._raised or self._fail_fast
        if self._outer:
            self._outer.set()

    def is_set(self) -> bool:
        """Asked when a task or a waiting process could start."""
        return self._raised or (self._outer is not None and self._outer.is_set())


class Halted(Exception):
    """The step waited for its turn, and a failure elsewhere came first."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    phase: Phase
    outputs: Mapping[str, str] = field(default_factory=dict)
    message: str = ""


class Dag:
    """Runs templates in the scope of one workflow. Each task waits and runs in a thread of its own."""

    def __init__(self, *, workflow: Workflow, steps: "Steps", scope: Mapping[str, str]):
        self._workflow = workflow
        self._steps = steps
        self._scope = scope

    def run(self, node: Node) -> Outcome:
        """Runs a node to its end. Never raises for what a step does."""
        scope = {**self._scope, **{f"inputs.parameters.{name}": value for name, value in node.inputs.items()}}
        try:
            if node.template.container:
                return self._steps.run(node, scope)
            return self._run_tasks(node, scope)
        except InvalidInput as error:
            return self._steps.refuse(node, str(error))

    def _run_tasks(self, node: Node, scope: Mapping[str, str]) -> Outcome:
        board = _Board(Halt(fail_fast=node.template.fail_fast, outer=node.halt))
        threads = [
            threading.Thread(target=self._run_task, args=(node, task, board, scope), name=task.name)
            for task in node.template.tasks
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if bad := [name for name, outcome in board.outcomes.items() if outcome.phase in BAD]:
            return board.outcomes[bad[0]]
        inside = {**scope, **board.scope()}
        outputs: dict[str, str] = {}
        for output in node.template.outputs:
            try:
                outputs[output.name] = substitute(output.source or output.value or "", inside)
            except InvalidInput:
                # The task was skipped: its output has a default, or nothing may use it.
                if output.default is not None:
                    outputs[output.name] = output.default
        return Outcome(phase=Phase.SUCCEEDED, outputs=outputs)

    def _run_task(self, node: Node, task: Task, board: "_Board", scope: Mapping[str, str]) -> None:
        path = f"{node.path}.{task.name}" if node.path else task.name
        # Stays only if something of ours raises: then the run must fail, and nobody wait for this task.
        outcome = Outcome(phase=Phase.ERROR, message=f"the runner itself failed at {path}")
        try:
            outcome = self._reported(path, task, board, scope)
        finally:
            board.end(task.name, outcome)

    def _reported(self, path: str, task: Task, board: "_Board", scope: Mapping[str, str]) -> Outcome:
        called = self._workflow.templates[task.template]
        try:
            return self._outcome(path, task, board, scope)
        except InvalidInput as error:
            return self._steps.refuse(Node(path=path, template=called, inputs={}, halt=board.halt), str(error))
        except Halted:
            return self._steps.leave_out(path, called, Phase.OMITTED, "another step failed first")

    def _outcome(self, path: str, task: Task, board: "_Board", scope: Mapping[str, str]) -> Outcome:
        called = self._workflow.templates[task.template]
        board.wait_for(task.needs)
        stopped = board.halt.is_set() or self._steps.stopping
        if stopped or (task.depends and not task.depends.holds(board.result)):
            return self._steps.leave_out(path, called, Phase.OMITTED, "what it depends on did not succeed")
        scope = {**scope, **board.scope()}
        if not task.expanded:
            return self._one(path, task, called, scope, board.halt)
        items = _items(task, scope)
        if not items:
            return self._steps.leave_out(path, called, Phase.SKIPPED, "its list is empty")
        return self._each(path, task, scope, items, board.halt)

    def _one(self, path: str, task: Task, called: Template, scope: Mapping[str, str], halt: Halt) -> Outcome:
        if task.when and not Condition(substitute(task.when, scope)).holds(true_or_false):
            return self._steps.leave_out(path, called, Phase.SKIPPED, f"when {task.when} is false")
        # A default applies where the task gives nothing.
        inputs = {name: value for name, value in called.inputs.items() if value is not None}
        inputs |= {name: substitute(text, scope) for name, text in task.arguments.items() if name in called.inputs}
        return self.run(Node(path=path, template=called, inputs=inputs, halt=halt))

    def _each(self, path: str, task: Task, scope: Mapping[str, str], items: list[Any], halt: Halt) -> Outcome:
        """An expanded task succeeds when all of its items do; its outputs are lists of theirs, as JSON."""
        called = self._workflow.templates[task.template]
        outcomes: dict[int, Outcome] = {}

        def one(index: int, item: Any) -> None:
            here = {**scope, **_item_scope(item)}
            # Argo's name of an expanded node.
            name = f"{path}({index}:{_label(item)})"
            try:
                outcomes[index] = self._one(name, task, called, here, halt)
            except InvalidInput as error:
                halt.set()
                outcomes[index] = self._steps.refuse(
                    Node(path=name, template=called, inputs={}, halt=Halt()), str(error)
                )
            except Halted:
                outcomes[index] = self._steps.leave_out(name, called, Phase.OMITTED, "another item failed first")

        threads = [threading.Thread(target=one, args=pair, name=f"{task.name}-{pair[0]}") for pair in enumerate(items)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ended = [outcomes.get(index, Outcome(phase=Phase.ERROR)) for index in range(len(items))]
        if bad := [outcome for outcome in ended if outcome.phase in BAD]:
            return bad[0]
        names = [output.name for output in called.outputs]
        outputs = {name: json.dumps([o.outputs[name] for o in ended if name in o.outputs]) for name in names}
        return Outcome(phase=Phase.SUCCEEDED, outputs=outputs)


class _Board:
    """Where the tasks of one DAG read how the others ended."""

    def __init__(self, halt: Halt):
        self.halt = halt
        self.outcomes: dict[str, Outcome] = {}
        self._changed = threading.Condition()

    def end(self, task: str, outcome: Outcome) -> None:
        if outcome.phase in BAD:
            self.halt.set()
        with self._changed:
            self.outcomes[task] = outcome
            self._changed.notify_all()

    def wait_for(self, tasks: tuple[str, ...]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: all(task in self.outcomes for task in tasks))

    def result(self, word: str) -> bool:
        """Truth of one word of a `depends`. A bare task name means that it succeeded or was skipped."""
        task, _, result = word.partition(".")
        phase = self.outcomes[task].phase
        return phase == result if result else phase in (Phase.SUCCEEDED, Phase.SKIPPED)

    def scope(self) -> dict[str, str]:
        scope: dict[str, str] = {}
        for task, outcome in list(self.outcomes.items()):
            scope[f"tasks.{task}.status"] = str(outcome.phase)
            scope |= {f"tasks.{task}.outputs.parameters.{name}": value for name, value in outcome.outputs.items()}
        return scope


def _items(task: Task, scope: Mapping[str, str]) -> list[Any]:
    if task.items is not None:
        return [json.loads(substitute(json.dumps(item), scope)) for item in task.items]
    text = substitute(task.with_param, scope)
    try:
        items = json.loads(text)
    except ValueError:
        items = None
    if not isinstance(items, list):
        raise InvalidInput(f"withParam of task {task.name} is {text[:60]!r}: it must be a list in JSON.")
    return items


def _item_scope(item: Any) -> dict[str, str]:
    if isinstance(item, Mapping):
        return {"item": json.dumps(item), **{f"item.{key}": _shown(value) for key, value in item.items()}}
    return {"item": _shown(item)}


def _label(item: Any) -> str:
    if isinstance(item, Mapping):
        return ",".join(f"{key}:{_shown(value)}" for key, value in item.items())
    return _shown(item)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
