"""What an `up` or `destroy` did so far: an intent before each call, a result after it. Folded into the state at last.

One JSON object a line. A line that a kill cut off is ignored: its call is an intent without result.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from stackyard.errors import NotWritten
from stackyard.program.deployment import Deployment, PendingOperation, Resource
from stackyard.program.ledger import Ledger
from stackyard.program.records import from_record, operation_from_record, operation_to_record, to_record


class Journal:
    """Appends to the journal of one state. Not thread-safe: the caller writes one line at a time.

    Raises NotWritten when the disk is full. Nothing may be done then: nobody would know of it.
    """

    def __init__(self, path: Path):
        self._path = path
        self._file: TextIO | None = None

    def intend(self, operation: PendingOperation) -> None:
        self._append({"intent": operation_to_record(operation)})

    def done(self, op: str, resource: Resource, prior: str = "") -> None:
        self._append({"done": op, "resource": to_record(resource), "prior": prior})

    def gone(self, op: str, resource: Resource) -> None:
        self._append({"gone": op, "urn": resource.urn, "id": resource.id})

    def refused(self, urn: str, id_: str) -> None:
        """The step failed, and it is known that it changed nothing."""
        self._append({"refused": urn, "id": id_})

    def _append(self, entry: dict[str, Any]) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._cut_torn_line()
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(descriptor, "a", encoding="utf-8")
        try:
            self._file.write(json.dumps(entry) + "\n")
            # The page cache survives a killed process, which is what a journal on a laptop is for.
            self._file.flush()
        except OSError as error:
            raise NotWritten(self._path, error) from None

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


def replay(prior: Deployment | None, path: Path, *, project: str, stack: str) -> Deployment | None:
    """The state after an interrupted run; calls whose result nobody knows are its pending operations."""
    if not path.exists():
        return prior
    ledger = Ledger(prior or Deployment(project=project, stack=stack))
    for entry in _entries(path):
        match entry:
            case {"intent": record}:
                ledger.begin(operation_from_record(record))
            case {"done": op, "resource": record, "prior": before}:
                ledger.done(op, from_record(record), before)
            case {"gone": op, "urn": urn, "id": id_}:
                ledger.gone(op, urn, id_)
            case {"refused": urn, "id": id_}:
                ledger.refused(urn, id_)
            case _:
                # Written by another version: what it meant is unknown, what follows would build on it.
                break
    return ledger.result()


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return
