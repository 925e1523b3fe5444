"""What a run says while it goes on, and what it leaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Phase(StrEnum):
    """How a step ended, in Argo's words; INTERRUPTED is ours: somebody stopped the run."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    """The command's exit status was not 0, or its deadline passed."""
    ERROR = "Error"
    """The command could not be run, or an output is missing."""
    SKIPPED = "Skipped"
    OMITTED = "Omitted"
    INTERRUPTED = "Interrupted"


class EventKind(StrEnum):
    STARTED = "started"
    RETRIED = "retried"
    """The attempt failed and another follows."""
    FINISHED = "finished"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class StepEvent:
    """Progress of one attempt of one step. Comes from several threads, one at a time."""

    kind: EventKind
    step: str
    """Path of the step below the workflow, for example `start` or `each-items(0:2013-01).each`."""
    template: str
    attempt: int = 0
    """Counts from 0, as Argo's `retries` does."""
    seconds: float = 0.0
    message: str = ""
    log: Path | None = None


@dataclass(frozen=True, kw_only=True)
class StepResult:
    step: str
    template: str
    phase: Phase
    attempts: int = 0
    """Processes started for it. 0 for steps that were skipped or omitted."""
    seconds: float = 0.0
    """From the first attempt's start to the last one's end, waiting between them included."""
    exit_code: int | None = None
    """Of the last attempt; negative is a signal. None where no process ended by itself."""
    message: str = ""
    logs: tuple[Path, ...] = ()
    """One file an attempt."""
    log_tail: str = ""
    """Last lines of the last log, for a step that failed."""
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WorkflowResult:
    name: str
    """Name of the Workflow that Argo would have made, for example `training-x7k2p`."""
    phase: Phase
    steps: tuple[StepResult, ...]
    """In the order in which they ended."""
    seconds: float
    created: str
    """`workflow.creationTimestamp`, RFC 3339 in UTC."""
    message: str = ""
    """Why it did not succeed."""

    @property
    def succeeded(self) -> bool:
        return self.phase is Phase.SUCCEEDED

    @property
    def failed_steps(self) -> tuple[StepResult, ...]:
        return tuple(s for s in self.steps if s.phase in (Phase.FAILED, Phase.ERROR, Phase.INTERRUPTED))
