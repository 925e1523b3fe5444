"""Runs a deployed WorkflowTemplate: the steps of its DAG as local processes, in Argo's order."""

import os
import secrets
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackyard.errors import InvalidInput
from stackyard.local.argo.checks import check
from stackyard.local.argo.dag import Dag, Halt, Node, Outcome
from stackyard.local.argo.model import Workflow, parse
from stackyard.local.argo.paths import plain_directory
from stackyard.local.argo.results import Phase, StepEvent, StepResult, WorkflowResult
from stackyard.local.argo.steps import Steps
from stackyard.local.argo.watchdog import Watchdog
from stackyard.local.kubernetes.problems import unknown_field

# The alphabet of Kubernetes' generated names: no vowels, no look-alikes.
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
POLL_SECONDS = 0.1


def run(
    template: Mapping[str, Any],
    *,
    parameters: Mapping[str, str],
    environment: Mapping[str, str],
    logs: Path,
    workdir: Path,
    on_event: Callable[[StepEvent], None],
    name: str | None = None,
    kept: Sequence[Path] = (),
    max_processes: int | None = None,
) -> WorkflowResult:
    """Runs a WorkflowTemplate object (as the cluster's store holds it) and returns how it ended.

    `parameters` are those of the submission, as text in the form that the template expects (Metaflow: JSON).
    `environment` is all that steps get besides what the template declares, which wins except for names in AWS_.
    `logs` gets a file per attempt, `workdir` the directories of the steps; those of failed attempts stay.
    `name` is the Workflow's, else the template's with a random suffix. `kept` are directories that steps use by their
    own names although they lie below /tmp or a mount path. `max_processes` defaults to the number of processors.
    Raises InvalidInput, before anything starts, for a template or parameters that cannot be run. SIGINT and
    SIGTERM end the processes and give a result whose phase is INTERRUPTED; a SIGKILL of this process ends them too.
    """
    workflow = parse(template)
    check(workflow)
    values = _arguments(workflow, parameters)
    workdir.mkdir(parents=True, exist_ok=True)
    plain, link = plain_directory(workdir.resolve())
    try:
        here = Run(
            workflow=workflow,
            name=name or f"{workflow.name}-{''.join(secrets.choice(_SUFFIX_LETTERS) for _ in range(5))}",
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            parameters=values,
        )
        slots = min(filter(None, (workflow.parallelism, max_processes or os.cpu_count() or 1)))
        with Watchdog() as watchdog:
            steps = Steps(
                workflow=workflow,
                workflow_name=here.name,
                environment=environment,
                logs=logs.resolve(),
                workdir=plain,
                kept=[*kept, *_own_directories(environment), workdir.resolve(), logs.resolve(), plain],
                on_event=on_event,
                slots=slots,
                watchdog=watchdog,
            )
            return _execute(here, steps)
    finally:
        if link:
            shutil.rmtree(link)


@dataclass(frozen=True, kw_only=True)
class Run:
    workflow: Workflow
    name: str
    created: str
    parameters: Mapping[str, str]

    def scope(self) -> dict[str, str]:
        """The `workflow.…` variables."""
        return {
            "workflow.name": self.name,
            "workflow.namespace": self.workflow.namespace,
            "workflow.uid": self.name,
            "workflow.serviceAccountName": self.workflow.service_account,
            "workflow.creationTimestamp": self.created,
            **{f"workflow.parameters.{name}": value for name, value in self.parameters.items()},
        }


def _arguments(workflow: Workflow, given: Mapping[str, str]) -> dict[str, str]:
    problems = [
        unknown_field("", name, list(workflow.parameters), f"pipeline {workflow.name}")
        for name in given
        if name not in workflow.parameters
    ]
    values = {**workflow.parameters, **given}
    problems += [f"parameter {name} has no default: give it a value" for name in values if values[name] is None]
    if problems:
        raise InvalidInput(f"Pipeline {workflow.name} cannot be started: {'; '.join(problems)}.")
    return {name: value for name, value in values.items() if value is not None}


def _own_directories(environment: Mapping[str, str]) -> list[Path]:
    """What of this machine a step must still find: the interpreter, the project, paths in its environment."""
    named = [Path(part) for value in environment.values() for part in value.split(os.pathsep) if part.startswith("/")]
    usual = [Path(sys.prefix), Path(sys.base_prefix), Path.cwd(), Path(__file__).parents[3]]
    # The whole of /tmp, or of the disk, is nobody's own.
    return [path for path in (*usual, *named) if len(path.parts) > 2 and path.exists()]


def _execute(run: Run, steps: Steps) -> WorkflowResult:
    started = time.monotonic()
    workflow = run.workflow
    entry = workflow.templates[workflow.entrypoint]
    end = None if workflow.deadline_seconds is None else started + workflow.deadline_seconds
    outcome = _watched(
        run, steps, Node(path="", template=entry, inputs=dict(_defaults(entry.inputs)), halt=Halt()), {}, end
    )
    if workflow.on_exit and outcome.phase is not Phase.INTERRUPTED:
        handler = workflow.templates[workflow.on_exit]
        steps.reset()
        node = Node(path="onExit", template=handler, inputs=dict(_defaults(handler.inputs)), halt=Halt())
        after = _watched(run, steps, node, {"workflow.status": str(outcome.phase)}, None)
        if after.phase is not Phase.SUCCEEDED:
            outcome = after
    return WorkflowResult(
        name=run.name,
        phase=outcome.phase,
        steps=tuple(steps.results),
        seconds=time.monotonic() - started,
        created=run.created,
        message=outcome.message,
    )


def _defaults(inputs: Mapping[str, str | None]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in inputs.items() if value is not None]


def _watched(run: Run, steps: Steps, node: Node, more: Mapping[str, str], end: float | None) -> Outcome:
    """Runs a node in a thread, while this one waits for it, for the workflow's deadline and for an interrupt."""
    outcomes: list[Outcome] = []
    dag = Dag(workflow=run.workflow, steps=steps, scope=run.scope() | dict(more))
    thread = threading.Thread(target=lambda: outcomes.append(dag.run(node)), name="workflow")
    late = False
    with _interrupts() as interrupts:
        thread.start()
        seen = 0
        while thread.is_alive():
            thread.join(POLL_SECONDS)
            if len(interrupts) > seen:
                seen = len(interrupts)
                # The second interrupt does not wait for processes that ignore the first.
                steps.stop_all("interrupted", Phase.INTERRUPTED, at_once=seen > 1)
            elif end is not None and time.monotonic() > end and not late:
                late = True
                steps.stop_all("the workflow ran longer than its activeDeadlineSeconds", Phase.FAILED)
    outcome = outcomes[0] if outcomes else Outcome(phase=Phase.ERROR, message="the runner failed")
    if seen:
        return replace(outcome, phase=Phase.INTERRUPTED, message="interrupted")
    return replace(outcome, phase=Phase.FAILED) if late else outcome


@contextmanager
def _interrupts() -> Generator[list[int]]:
    """Counts SIGINT, SIGTERM and SIGHUP (a closed terminal) instead of raising: the list grows by one each time."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda got, _: received.append(got)) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


__all__ = ["StepEvent", "StepResult", "WorkflowResult", "run"]
