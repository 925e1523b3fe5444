"""What an `up` or `destroy` did so far: an intent before each call, a result after it. Folded into the state at last.

One JSON object a line. A line that a kill cut off is ignored: its call is an intent without result.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from stackyard.program.deployment import Deployment, Resource
from stackyard.program.records import from_record, to_record


class Journal:
    """Appends to the journal of one state. Not thread-safe: the caller writes one line at a time."""

    def __init__(self, path: Path):
        self._path = path
        self._file: TextIO | None = None

    def intend(self, op: str, urn: str) -> None:
        self._append({"intent": op, "urn": urn})

    def keep(self, resource: Resource) -> None:
        self._append({"done": to_record(resource)})

    def drop(self, urn: str) -> None:
        self._append({"dropped": urn})

    def _append(self, entry: dict[str, Any]) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._cut_torn_line()
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(descriptor, "a", encoding="utf-8")
        self._file.write(json.dumps(entry) + "\n")
        # The page cache survives a killed process, which is what a journal on a laptop is for.
        self._file.flush()

    def _cut_torn_line(self) -> None:
        # What comes after a line that a kill cut off would never be read.
        if self._path.exists() and (content := self._path.read_bytes()) and not content.endswith(b"\n"):
            os.truncate(self._path, content.rfind(b"\n") + 1)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        self.close()
        self._path.unlink(missing_ok=True)


def replay(prior: Deployment | None, path: Path, *, project: str, stack: str) -> tuple[Deployment | None, list[str]]:
    """The state after an interrupted run, and the URNs of calls whose result nobody knows."""
    if not path.exists():
        return prior, []
    resources = dict(prior.by_urn()) if prior else {}
    open_intents: dict[str, str] = {}
    for entry in _entries(path):
        if "intent" in entry:
            open_intents[entry["urn"]] = entry["intent"]
        elif "dropped" in entry:
            resources.pop(entry["dropped"], None)
            open_intents.pop(entry["dropped"], None)
        else:
            resource = from_record(entry["done"])
            resources[resource.urn] = resource
            open_intents.pop(resource.urn, None)
    outputs = prior.outputs if prior else {}
    after = Deployment(project=project, stack=stack, resources=tuple(resources.values()), outputs=outputs)
    return after, sorted(open_intents)


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return
