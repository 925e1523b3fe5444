"""The process in which a program runs: reads one request from standard input, writes events as JSON lines.

The program's own prints go to standard error, so that they cannot be mistaken for events.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from stackyard.errors import UserError
from stackyard.program.deployment import Deployment, in_canonical_order
from stackyard.program.evaluation import Evaluation, Step
from stackyard.program.executor import Deriving, Executor, Planning
from stackyard.program.values import Value, from_json

INTERRUPTED = 130
"""Exit status of a shell for Ctrl-C."""
Emit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the child is to do. Everything in it is JSON."""

    root: str
    main: str
    project: str
    stack: str
    mode: Literal["capture", "plan", "up", "destroy", "resume"]
    """`resume` carries out again what an interrupted `up` or `destroy` left open; it runs no program."""
    account_id: str
    region: str
    prior: dict[str, Any] | None = None
    """A document (`records.to_document`)."""
    references: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Outputs of other stacks by their full name."""
    disabled_default_providers: tuple[str, ...] = ()
    engine_events: bool = False
    """For `plan`: also report every step in the engine's own shape (events.py), each as an `engine` event."""
    local: dict[str, Any] = field(default_factory=dict)
    """For `up`, `destroy` and `resume`: what stackyard/local/executor.py needs."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def step_event(step: Step) -> dict[str, Any]:
    decision = step.decision
    return {
        "event": "step",
        "op": step.op,
        "phase": step.phase,
        "urn": step.resource.urn,
        "type": step.resource.type,
        "name": step.resource.name,
        "custom": step.resource.custom,
        "recorded": step.resource.recorded,
        "retained": step.resource.retain_on_delete,
        "diffs": list(decision.diffs) if decision else [],
        "keys": list(decision.keys) if decision else [],
        "delete_first": bool(decision and decision.delete_first),
        "replacement_unknown": bool(decision and decision.replacement_unknown),
        "message": step.message,
    }


def main() -> int:
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def emit(event: dict[str, Any]) -> None:
        # A parent that was killed reads no more; the work goes on to its end.
        with suppress(BrokenPipeError):
            events.write(json.dumps(event) + "\n")
            events.flush()

    request = None
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        request = Request(**json.loads(sys.stdin.read()))
        return _serve(request, emit)
    except UserError as error:
        emit({"event": "refused", "message": str(error), "status": error.exit_status})
    except KeyboardInterrupt:
        emit({"event": "refused", "message": f"interrupted. {_what_remains(request)}", "status": INTERRUPTED})
        return INTERRUPTED
    except Exception:
        emit({"event": "crashed", "message": traceback.format_exc()})
    return 1


def _what_remains(request: Request | None) -> str:
    if request and request.mode in ("up", "destroy", "resume"):
        return "What exists is in the journal: the same command goes on from there."
    return "Nothing was changed here, so the same command begins anew."


def _serve(request: Request, emit: Emit) -> int:
    # These two import the SDK; everything before them is quick.
    from stackyard.program.records import from_document, to_document
    from stackyard.program.run import program_file, run

    prior = from_document(request.prior) if request.prior else None
    executor, observe, workers = _executor(request, emit)
    log = EngineLog(emit) if request.engine_events else None
    if log:
        observe = log.beside(observe)
    evaluation = Evaluation(
        project=request.project, stack=request.stack, executor=executor, prior=prior, observe=observe
    )
    try:
        if request.mode == "resume":
            return _resume(prior, executor, observe, emit)
        if request.mode == "destroy":
            evaluation.finish(workers)
        else:
            run(
                program_file(Path(request.main)),
                evaluation,
                dry_run=executor.planning,
                workers=workers,
                stack_outputs=_references(request.references),
                disabled_default_providers=tuple(request.disabled_default_providers),
                log=lambda severity, message: emit({"event": "log", "severity": severity, "message": message}),
            )
    except UserError as error:
        if log:
            log.finish(str(error))
        raise
    if log:
        log.finish()
    result: Deployment = evaluation.result()
    if request.mode == "capture":
        result = in_canonical_order(result)
    emit({"event": "result", "failures": evaluation.failures, "deployment": to_document(result)})
    return 1 if evaluation.failures else 0


def _resume(prior: Deployment | None, executor: Executor, observe: Callable[[Step], None], emit: Emit) -> int:
    from stackyard.program.records import to_document
    from stackyard.program.resume import roll_forward

    assert prior, "there is nothing to go on with"
    result, failures = roll_forward(prior, executor, observe)
    emit({"event": "result", "failures": failures, "deployment": to_document(result)})
    return 1 if failures else 0


class EngineLog:
    """Hands the parent the steps in the engine's shape, one by one: secrets are blinded before they leave."""

    def __init__(self, emit: Emit):
        from stackyard.program.events import EventLog

        self._emit, self._log = emit, EventLog(preview=True)
        config = json.loads(os.environ.get("PULUMI_CONFIG", "{}"))
        self._hand_over(self._log.start(config, json.loads(os.environ.get("PULUMI_CONFIG_SECRET_KEYS", "[]"))))

    def beside(self, observe: Callable[[Step], None]) -> Callable[[Step], None]:
        def both(step: Step) -> None:
            observe(step)
            self._hand_over(self._log.add(step))

        return both

    def finish(self, error: str = "") -> None:
        self._hand_over(self._log.finish(error=error))

    def _hand_over(self, events: Iterable[dict[str, Any]]) -> None:
        for event in events:
            self._emit({"event": "engine", "line": event})


def _executor(request: Request, emit: Emit) -> tuple[Executor, Callable[[Step], None], int]:
    def report(step: Step) -> None:
        # Outputs that a component registers are no operation of their own.
        if step.phase != "outputs":
            emit(step_event(step))

    match request.mode:
        case "capture":
            from stackyard.program.derived import Place

            return Deriving(Place(request.account_id, request.region)), lambda step: None, 1
        case "plan":
            return Planning(), report, 1
        case _:
            from stackyard.local.executor import local_executor

            def stop(error: UserError) -> None:
                emit({"event": "refused", "message": str(error), "status": error.exit_status})
                # Calls of other threads stay without a result in the journal, and are made again.
                os._exit(error.exit_status)

            return local_executor(request, report, stop)


def _references(references: Mapping[str, Any]) -> Callable[[str], Mapping[str, Value]]:
    def outputs(name: str) -> Mapping[str, Value]:
        if name not in references:
            raise UserError(f"the program refers to the stack {name}, whose outputs nobody knows: deploy it first")
        return from_json(references[name])

    return outputs


if __name__ == "__main__":
    sys.exit(main())
