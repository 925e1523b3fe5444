"""The recorded runs of the real engine, and the stand-in provider that they were recorded with."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from stackyard.program.decide import Forces
from stackyard.program.deployment import PROVIDER_PREFIX, Resource
from stackyard.program.executor import Done

FOLDER = Path(__file__).parent.parent / "fixtures" / "engine" / "cases"
# tests/fixtures/engine/README.md lists what the stand-in provider replaces on.
FORCING = ("bucket", "cidrBlock", "name", "identifier", "capacityType", "availabilityZone")

Event = tuple[str, ...]


def forces(type_: str) -> Forces:
    return Forces(paths=("region",) if type_.startswith(PROVIDER_PREFIX) else FORCING)


class StandIn:
    """Answers as the stand-in did: ids are `<name>-id`; in a preview the arn and id of what is created are unknown."""

    asks_provider = True

    def __init__(self, *, planning: bool):
        self.planning = planning

    def create(self, goal: Resource, attempt: str = "") -> Done:
        if goal.is_provider:
            return Done(id="" if self.planning else "provider", outputs=_provider_outputs(goal))
        computed = {} if self.planning else {"arn": f"arn:aws:svc:us-east-1:123456789012:{goal.name}"}
        return Done(id="" if self.planning else f"{goal.name}-id", outputs={**computed, **goal.inputs})

    def update(self, prior: Resource, goal: Resource, attempt: str = "") -> Done:
        if goal.is_provider:
            return Done(id=prior.id, outputs=_provider_outputs(goal))
        kept = {"arn": prior.outputs["arn"]} if "arn" in prior.outputs else {}
        return Done(id=prior.id, outputs={**kept, **goal.inputs})

    def delete(self, resource: Resource, attempt: str = "") -> None:
        pass


def _provider_outputs(goal: Resource) -> dict[str, Any]:
    return {key: value for key, value in goal.inputs.items() if key != "__internal"}


def cases() -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
    spec = importlib.util.spec_from_file_location("engine_cases_programs", FOLDER / "cases.py")
    assert spec and spec.loader
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


def case_names() -> list[str]:
    return sorted(folder.name for folder in FOLDER.iterdir() if folder.is_dir() and folder.name != "__pycache__")


def recorded_events(case: str, phase: str) -> Iterator[Event]:
    """Operations and errors of a recorded run, in their order: (op, urn, diffs, keys) and ("error", text)."""
    for line in (FOLDER / case / f"{phase}.events.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if "resourcePreEvent" in event:
            data = event["resourcePreEvent"]["metadata"]
            if not _bookkeeping(data["urn"]):
                yield (data["op"], data["urn"], ",".join(data.get("diffs") or ()), ",".join(data.get("keys") or ()))
        elif event.get("diagnosticEvent", {}).get("severity") == "error" and "urn" in event["diagnosticEvent"]:
            yield ("error", event["diagnosticEvent"]["message"].removeprefix("Preview failed: ").strip())


def _bookkeeping(urn: str) -> bool:
    # The engine shows the stack and default providers in some runs and not in others, by timing.
    return urn.endswith("pulumi:pulumi:Stack::cases-dev") or "pulumi:providers:aws::default" in urn


def our_event(step: Any) -> Event | None:
    """The same form of one of our steps; None for phases that the recording does not show."""
    if step.phase == "failed":
        return ("error", step.message.strip())
    shown = step.phase == "start" or (step.phase == "done" and step.op in ("same", "replace"))
    if not shown or _bookkeeping(step.resource.urn):
        return None
    diffs, keys = (step.decision.diffs, step.decision.keys) if step.decision else ((), ())
    return (step.op, step.resource.urn, ",".join(diffs), ",".join(keys))
