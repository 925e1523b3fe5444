"""Steps as the engine's event log (`pulumi preview --json` with streaming, or `--event-log`): one JSON object a line.

The shape is that of the recorded runs in tests/fixtures/engine. Two things differ by intent: the timestamp is a given
one, so that the same plan is the same bytes; and an update that may be a replacement says so in its metadata
(`replacementUnknown`), which no engine's event has.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from stackyard.program.deployment import PROVIDER_PREFIX, STACK_TYPE, Resource, urn_name, urn_type
from stackyard.program.evaluation import Step
from stackyard.program.inherited import NOTE
from stackyard.program.values import (
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN_STRING,
    Asset,
    Secret,
    Value,
    to_json,
)

Event = dict[str, Any]

BLINDED: Mapping[str, str] = {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": "[secret]"}
ELIDED = "<contents elided>"
"""Stands for the text of an asset; its hash says whether it changed."""
PHYSICAL = ("create-replacement", "delete-replaced")
"""Halves of a replacement. The `replace` step between them is the one that people see and that counts."""


class EventLog:
    """Turns one evaluation's steps into events, in their order.

    `start()` first, `add(step)` for each step, `finish()` last; each returns the events that it adds.
    """

    def __init__(self, *, preview: bool, timestamp: int = 0):
        self._preview, self._timestamp = preview, timestamp
        self._sequence = 0
        self._begun: set[tuple[str, str]] = set()
        self._superseded: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._stack_outputs: Step | None = None
        self._failed = self._stopped = False

    def start(self, config: Mapping[str, str] | None = None, secret_keys: Iterable[str] = ()) -> list[Event]:
        """The prelude. `config` are full keys and texts; those in `secret_keys` are blinded."""
        secret = set(secret_keys)
        shown = {key: "[secret]" if key in secret else value for key, value in sorted((config or {}).items())}
        return [self._event("preludeEvent", {"config": shown})]

    def add(self, step: Step) -> list[Event]:
        if self._hidden(step):
            return []
        match step.phase:
            case "start":
                return self._started(step)
            case "done":
                return self._done(step)
            case "outputs":
                return self._outputs_registered(step)
            case "failed":
                return self._failure(step)
            case _:
                return []

    def finish(self, *, error: str = "", duration_s: int = 0) -> list[Event]:
        """The stack's outputs, the closing error line, the summary. `error`: what the program itself refused."""
        events: list[Event] = []
        if error:
            self._failed = True
            events.append(self._error(error))
        if self._stack_outputs:
            events.append(self._resource("resOutputsEvent", self._stack_outputs))
        if self._failed and not self._stopped:
            events.append(self._error("preview failed" if self._preview else "update failed"))
        summary = {
            "maybeCorrupt": False,
            "durationSeconds": duration_s,
            "resourceChanges": dict(sorted(self._counts.items())),
            "PolicyPacks": {},
            "isPreview": self._preview,
            "result": "failed" if self._failed else "succeeded",
        }
        return [*events, self._event("summaryEvent", summary), self._event("cancelEvent", {})]

    # Steps

    def _hidden(self, step: Step) -> bool:
        # A preview says nothing of default providers.
        return self._preview and is_default_provider(step.resource.urn)

    def _started(self, step: Step) -> list[Event]:
        self._begun.add((step.op, step.resource.urn))
        return [self._resource("resourcePreEvent", step, began=True)]

    def _done(self, step: Step) -> list[Event]:
        self._count(step)
        if step.op == "create-replacement" and step.prior and not (step.decision and step.decision.delete_first):
            self._superseded.add(step.prior.urn)
        # `same` and `replace` take no time and have no start of their own.
        events = [] if self._ends(step) else [self._began_and_ended(step)]
        if self._preview or step.resource.custom or step.op.startswith("delete"):
            events.append(self._resource("resOutputsEvent", step))
        return events

    def _ends(self, step: Step) -> bool:
        """Whether the step had begun; from now on it has not."""
        key = step.op, step.resource.urn
        if key not in self._begun:
            return False
        self._begun.remove(key)
        return True

    def _began_and_ended(self, step: Step) -> Event:
        # The new side of a `replace` exists by then; that of a `same` is only asked for.
        return self._resource("resourcePreEvent", step, began=step.op != "replace")

    def _outputs_registered(self, step: Step) -> list[Event]:
        if step.resource.type == STACK_TYPE:
            self._stack_outputs = step
            return []
        return [self._resource("resOutputsEvent", step)]

    def _count(self, step: Step) -> None:
        if step.op not in PHYSICAL and not is_default_provider(step.resource.urn):
            self._counts[step.op] += 1

    def _failure(self, step: Step) -> list[Event]:
        self._failed = True
        if not self._ends(step):
            # Refused before it began. The engine stops there, except for a protected replacement in a preview.
            self._stopped = not (self._preview and step.op == "create-replacement")
            return [self._error(step.message, step.resource.urn)]
        if self._preview:
            return [self._error(f"Preview failed: {step.message}", step.resource.urn)]
        failed = self._resource("resOpFailedEvent", step, began=True)
        failed["resOpFailedEvent"] |= {"status": 0, "steps": self._counts.total()}
        return [self._error(step.message, step.resource.urn), failed]

    # Events

    def _event(self, kind: str, content: Event) -> Event:
        event = {"sequence": self._sequence, "timestamp": self._timestamp, kind: content}
        self._sequence += 1
        return event

    def _error(self, message: str, urn: str = "") -> Event:
        content = {"prefix": "error: ", "message": f"{message.rstrip()}\n", "color": "never", "severity": "error"}
        return self._event("diagnosticEvent", {"urn": urn, **content} if urn else content)

    def _resource(self, kind: str, step: Step, *, began: bool = False) -> Event:
        content: Event = {"metadata": self._metadata(step, began=began)}
        return self._event(kind, {**content, "planning": True} if self._preview else content)

    def _metadata(self, step: Step, *, began: bool) -> Event:
        decision, deletes = step.decision, step.op.startswith("delete")
        old = self._old(step) if step.prior and step.op != "create" else None
        metadata: Event = {
            "op": step.op,
            "urn": step.resource.urn,
            "type": step.resource.type,
            "old": old,
            "new": None if deletes else _state(step.resource, began=began),
            "keys": list(decision.keys) if decision else [],
            "diffs": list(decision.diffs) if decision else [],
            "detailedDiff": None,
            "logical": step.op not in PHYSICAL,
            "provider": _provider(step.resource),
        }
        if decision and decision.replacement_unknown:
            metadata["replacementUnknown"] = True
        return {key: value for key, value in metadata.items() if value or key not in ("keys", "diffs", "logical")}

    def _old(self, step: Step) -> Event:
        assert step.prior
        replaced = step.op in (*PHYSICAL, "replace") and step.prior.urn in self._superseded
        return _state(step.prior, replaced=replaced)


def is_default_provider(urn: str) -> bool:
    return urn_type(urn).startswith(PROVIDER_PREFIX) and urn_name(urn).startswith("default")


def _state(resource: Resource, *, began: bool = False, replaced: bool = False) -> Event:
    """A resource as events show it. `began`: asked for, but id and outputs are still to come."""
    inputs: Mapping[str, Value] = resource.inputs
    if resource.defaults:
        inputs = {**inputs, NOTE: list(resource.defaults)}
    id_ = resource.id or (UNKNOWN_STRING if resource.is_provider else "")
    state: Event = {
        "type": resource.type,
        "urn": resource.urn,
        "custom": resource.custom,
        "delete": replaced,
        "id": "" if began else id_,
        "parent": resource.parent,
        "protect": resource.protect,
        "retainOnDelete": resource.retain_on_delete,
        "inputs": shown(inputs),
        "outputs": {} if began else shown(resource.outputs),
        "provider": _provider(resource),
    }
    return {key: value for key, value in state.items() if value is not False}


def _provider(resource: Resource) -> str:
    # A provider that is only planned has no id yet.
    reference = resource.provider
    return f"{reference}{UNKNOWN_STRING}" if reference.endswith("::") else reference


def shown(value: Value) -> Any:
    """A value as events show it: secrets blinded, texts of assets left out."""
    match value:
        case Secret():
            return dict(BLINDED)
        case Asset():
            form = to_json(value, secret=lambda _: dict(BLINDED))
            return {**form, "text": ELIDED} if "text" in form else form
        case Mapping():
            return {key: shown(entry) for key, entry in value.items()}
        case list() | tuple():
            return [shown(entry) for entry in value]
        case _:
            return to_json(value)


def to_lines(events: Iterable[Event]) -> str:
    """The events as text, one JSON object a line."""
    return "".join(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n" for event in events)
