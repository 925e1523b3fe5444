"""What a pipeline run leaves behind for people: one `run.json` beside its logs, in `runs/<run id>/`."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from stackyard.errors import InvalidInput
from stackyard.local.places import Places
from stackyard.program import state

FILE_NAME = "run.json"
FORMAT = 1
# It becomes a folder's name.
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
FIELDS = ("pipeline", "run_id", "started_at", "finished_at", "status", "parameters", "steps", "package_sha256", "image")


@dataclass(frozen=True, kw_only=True)
class StepRun:
    name: str
    """Path of the step below the workflow, for example `train`."""
    status: str
    """How it ended, in Argo's words: `Succeeded`, `Failed`, `Error`, `Skipped`, `Omitted`; or `Interrupted`."""
    attempts: int
    """Processes started for it; 0 for a step that was skipped or omitted."""
    seconds: float
    """From the first attempt's start to the last one's end."""
    log: str = ""
    """Log file of the last attempt, relative to the checkout; empty for a step without a process."""


@dataclass(frozen=True, kw_only=True)
class PipelineRun:
    pipeline: str
    run_id: str
    """The Workflow's name, for example `training-x7k2p`, which is also the run that the model's lineage names."""
    started_at: str
    """ISO 8601 with its offset, for example 2026-11-24T15:00:00+00:00."""
    finished_at: str
    status: str
    """As a step's; `Succeeded` only if every step did."""
    parameters: dict[str, str]
    steps: tuple[StepRun, ...]
    """In the order in which they ended."""
    package_sha256: str
    """Code package that the steps ran from."""
    image: str

    def __post_init__(self) -> None:
        if not _RUN_ID.fullmatch(self.run_id):
            raise InvalidInput(
                f"run id {self.run_id!r}: letters, digits and . _ - only, up to 200, since it becomes a folder's name, "
                "for example training-x7k2p"
            )
        for name in ("started_at", "finished_at"):
            _moment(getattr(self, name), name)

    @property
    def succeeded(self) -> bool:
        return self.status == "Succeeded"

    @property
    def seconds(self) -> float:
        return (_moment(self.finished_at, "finished_at") - _moment(self.started_at, "started_at")).total_seconds()

    def save(self, places: Places) -> Path:
        """Writes `runs/<run id>/run.json`, as a whole or not at all, and returns its path."""
        path = run_folder(places, self.run_id) / FILE_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".json.tmp")
        partial.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True) + "\n", "utf-8")
        partial.replace(path)
        return path


@contextmanager
def running(places: Places) -> Iterator[None]:
    """Held while a pipeline runs, and by what would pull the environment from under it. Raises Locked."""
    with state.locked(places.run_lock, busy="a pipeline of this environment runs, started by {holder}"):
        yield


def run_folder(places: Places, run_id: str) -> Path:
    """Folder of a run: its `run.json` and its logs."""
    return places.runs / run_id


def load(path: Path) -> PipelineRun:
    """The run in a `run.json`. Raises InvalidInput, naming the file, for anything else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return _parsed(document)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(
            f"{path} is not the record of a pipeline run ({error!r}): it was left as it is. Remove that folder, or run "
            "the pipeline again."
        ) from None


def latest(places: Places, pipeline: str) -> PipelineRun | None:
    """The run of a pipeline that was started last, None without any. A damaged record raises InvalidInput."""
    found = [run for path in sorted(places.runs.glob(f"*/{FILE_NAME}")) if (run := load(path)).pipeline == pipeline]
    return max(found, key=lambda run: (_moment(run.started_at, "started_at"), run.run_id), default=None)


def succeeded_as_declared(places: Places, pipeline: str, package_sha256: str) -> PipelineRun | None:
    """A run that succeeded with the code and with the declared parameters, None without any."""
    runs = (load(path) for path in sorted(places.runs.glob(f"*/{FILE_NAME}")))
    fitting = (r for r in runs if (r.pipeline, r.package_sha256, r.parameters) == (pipeline, package_sha256, {}))
    return next((run for run in fitting if run.succeeded), None)


def _parsed(document: dict[str, Any]) -> PipelineRun:
    if document.get("format") != FORMAT:
        raise ValueError(f"format {document.get('format')!r}, this Stackyard reads {FORMAT}")
    values = {name: document[name] for name in FIELDS}
    values["steps"] = tuple(StepRun(**step) for step in document["steps"])
    values["parameters"] = {str(name): str(value) for name, value in document["parameters"].items()}
    return PipelineRun(**values)


def _moment(text: str, field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput(
            f"{field} {text!r} is not an ISO 8601 time with an offset, such as 2026-11-24T15:00:00+00:00"
        )
    return moment
