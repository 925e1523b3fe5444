"""Runs container templates: attempts, retries, deadlines, outputs; and keeps what is needed to stop them all."""

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stackyard.local.argo.container import Attempt, Ended, Pod
from stackyard.local.argo.dag import BAD, Halt, Halted, Node, Outcome
from stackyard.local.argo.expressions import seconds_of, substitute, substitute_all
from stackyard.local.argo.model import Template, Workflow
from stackyard.local.argo.results import EventKind, Phase, StepEvent, StepResult
from stackyard.local.argo.watchdog import Watchdog

BYTECODE = ".bytecode"
"""Compiled Python files of the code that the steps unpack: one run has one code package. No step has such a name."""

_USED = ("command", "args", "env", "volumeMounts", "workingDir")
_FILE_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


class Steps:
    """The container steps of one workflow, run in the threads that call `run`; at most `slots` at a time."""

    def __init__(
        self,
        *,
        workflow: Workflow,
        workflow_name: str,
        environment: Mapping[str, str],
        logs: Path,
        workdir: Path,
        kept: Sequence[Path],
        on_event: Callable[[StepEvent], None],
        slots: int,
        watchdog: Watchdog,
    ):
        self.results: list[StepResult] = []
        self._workflow = workflow
        self._workflow_name = workflow_name
        self._environment = environment
        self._logs = logs
        self._workdir = workdir
        self._kept = kept
        self._on_event = on_event
        self._slots = threading.BoundedSemaphore(slots)
        self._watchdog = watchdog
        self._lock = threading.Lock()
        self._running: set[Attempt] = set()
        self._stop = threading.Event()
        self._stop_phase = Phase.FAILED
        self._stop_reason = ""

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def stop_all(self, reason: str, phase: Phase, *, at_once: bool = False) -> None:
        """Ends every running step and starts no other."""
        with self._lock:
            self._stop_reason, self._stop_phase = reason, phase
            self._stop.set()
            running = list(self._running)
        for attempt in running:
            attempt.stop(reason, at_once=at_once)

    def reset(self) -> None:
        """Lets steps start again after a `stop_all`: for the exit handler."""
        self._stop.clear()

    def run(self, node: Node, scope: Mapping[str, str]) -> Outcome:
        """Runs one container step with its retries.

        Raises InvalidInput where its template cannot be filled in, Halted where it never came to its turn.
        """
        first = time.monotonic()
        attempts: list[Attempt] = []
        while True:
            number = len(attempts)
            attempt, ended, outputs, again = self._attempt(node, scope, number, first)
            attempts.append(attempt)
            if not again:
                break
            wait = node.template.retry.wait_before(number + 1) if node.template.retry else 0.0
            message = f"{ended.message}; attempt {number + 1} follows{f' in {wait:.0f} s' if wait >= 1 else ''}"
            self._tell(EventKind.RETRIED, node, number, time.monotonic() - first, message, attempt.log)
            if self._stop.wait(wait):
                break
        return self._ended(node, attempts, ended, outputs, time.monotonic() - first)

    def _ended(
        self, node: Node, attempts: list[Attempt], ended: Ended, outputs: Mapping[str, str], seconds: float
    ) -> Outcome:
        phase = self._phase(ended)
        logs = tuple(attempt.log for attempt in attempts if attempt.log.exists())
        bad = phase in BAD
        result = StepResult(
            step=_shown_path(node),
            template=node.template.name,
            phase=phase,
            attempts=len(logs),
            seconds=seconds,
            exit_code=ended.exit_code,
            message=ended.message,
            logs=logs,
            log_tail=attempts[-1].tail() if bad else "",
            outputs=outputs,
        )
        self._keep(result)
        kind = EventKind.FAILED if bad else EventKind.FINISHED
        self._tell(kind, node, len(attempts) - 1, seconds, ended.message, attempts[-1].log)
        return Outcome(phase=phase, outputs=outputs, message=ended.message)

    def refuse(self, node: Node, message: str) -> Outcome:
        """Records a step that could not even be prepared."""
        self._keep(StepResult(step=_shown_path(node), template=node.template.name, phase=Phase.ERROR, message=message))
        self._tell(EventKind.FAILED, node, 0, 0.0, message, None)
        return Outcome(phase=Phase.ERROR, message=message)

    def leave_out(self, path: str, template: Template, phase: Phase, reason: str) -> Outcome:
        """Records a task that does not run."""
        node = Node(path=path, template=template, inputs={}, halt=Halt())
        self._keep(StepResult(step=path, template=template.name, phase=phase, message=reason))
        self._tell(EventKind.SKIPPED, node, 0, 0.0, reason, None)
        return Outcome(phase=phase, message=reason)

    def _attempt(
        self, node: Node, scope: Mapping[str, str], number: int, first: float
    ) -> tuple[Attempt, Ended, dict[str, str], bool]:
        """Waits for a free slot and runs; the last part of the answer says whether another attempt follows."""
        template = node.template
        file_name = _FILE_NAME.sub("-", _shown_path(node)).strip("-")
        attempt = Attempt(
            self._workdir / file_name / str(number),
            self._logs / f"{file_name}.{number}.log",
            self._kept,
            bytecode=self._workdir / BYTECODE,
            watchdog=self._watchdog,
        )
        with self._slots:
            if number == 0 and node.halt.is_set():
                raise Halted
            if not self._register(attempt):
                return attempt, Ended(exit_code=None, message=self._stop_reason), {}, False
            try:
                ended, outputs = self._execute(attempt, node, scope, number)
            finally:
                with self._lock:
                    self._running.discard(attempt)
            phase = self._phase(ended)
            again = not self.stopping and _again(template, phase, number, time.monotonic() - first)
            if phase in BAD and not again:
                # Before the slot is free: whoever waits for it must not start.
                node.halt.set()
        return attempt, ended, outputs, again

    def _execute(
        self, attempt: Attempt, node: Node, scope: Mapping[str, str], number: int
    ) -> tuple[Ended, dict[str, str]]:
        template, pod = node.template, self._pod(node, number)
        scope = {**scope, "retries": str(number), "pod.name": pod.name, "node.name": _shown_path(node)}
        container = substitute_all({part: (template.container or {}).get(part) for part in _USED}, scope)
        seconds = seconds_of(substitute(template.deadline, scope)) if template.deadline else None
        self._tell(EventKind.STARTED, node, number, 0.0, "", attempt.log)
        ended = attempt.run(
            container,
            pod=pod,
            volumes=(*self._workflow.volumes, *template.volumes),
            environment=self._environment,
            deadline=None if seconds is None else time.monotonic() + seconds,
        )
        return _with_outputs(attempt, template, ended) if ended.exit_code == 0 else (ended, {})

    def _register(self, attempt: Attempt) -> bool:
        with self._lock:
            if self._stop.is_set():
                return False
            self._running.add(attempt)
            return True

    def _pod(self, node: Node, number: int) -> Pod:
        path = f"{self._workflow_name}.{node.path}" if node.path else self._workflow_name
        path = f"{path}({number})" if node.template.retry else path
        return Pod(
            # https://argo-workflows.readthedocs.io/en/latest/work-avoidance/ calls it v2: name, template, hash of node.
            name=f"{self._workflow_name}-{node.template.name}-{_fnv1a(path)}".lower(),
            namespace=self._workflow.namespace,
            service_account=node.template.service_account or self._workflow.service_account,
            labels={"workflows.argoproj.io/workflow": self._workflow_name},
            annotations={"workflows.argoproj.io/node-name": path},
        )

    def _phase(self, ended: Ended) -> Phase:
        if self.stopping and ended.exit_code is None and not ended.error:
            return self._stop_phase
        if ended.error:
            return Phase.ERROR
        return Phase.SUCCEEDED if ended.exit_code == 0 else Phase.FAILED

    def _keep(self, result: StepResult) -> None:
        with self._lock:
            self.results.append(result)

    def _tell(self, kind: EventKind, node: Node, attempt: int, seconds: float, message: str, log: Path | None) -> None:
        event = StepEvent(
            kind=kind,
            step=_shown_path(node),
            template=node.template.name,
            attempt=attempt,
            seconds=seconds,
            message=message,
            log=log,
        )
        with self._lock:
            self._on_event(event)


def _again(template: Template, phase: Phase, number: int, seconds: float) -> bool:
    """Whether another attempt follows attempt `number`, `seconds` after the first one's start."""
    retry = template.retry
    if retry is None or (retry.limit is not None and number >= retry.limit):
        return False
    if retry.max_seconds is not None and seconds + retry.wait_before(number + 1) > retry.max_seconds:
        return False
    wanted = {"Always": BAD, "OnFailure": (Phase.FAILED,), "OnError": (Phase.ERROR,)}[retry.policy]
    return phase in wanted


def _with_outputs(attempt: Attempt, template: Template, ended: Ended) -> tuple[Ended, dict[str, str]]:
    """Reads what a successful attempt wrote, and removes its directories."""
    outputs: dict[str, str] = {}
    for output in template.outputs:
        value = attempt.output(output.path) if output.path else output.value
        value = output.default if value is None else value
        if value is None:
            message = f"output parameter {output.name}: the command did not write {output.path}"
            return Ended(exit_code=0, message=message, error=True), {}
        outputs[output.name] = value
    attempt.remove()
    return ended, outputs


def _shown_path(node: Node) -> str:
    return node.path or node.template.name


def _fnv1a(text: str) -> int:
    """32-bit FNV-1a, the hash in Argo's pod names."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value
