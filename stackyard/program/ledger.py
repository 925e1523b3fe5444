"""What the results of steps make of a deployment: one rule for a journal that is read and for calls made again."""

from dataclasses import replace

from stackyard.program.deployment import Deployment, PendingOperation, Resource
from stackyard.program.identity import follow_renames


class Ledger:
    """Starts with a deployment; every step is entered before it begins and when it ended."""

    def __init__(self, before: Deployment):
        self._before = before
        self._resources = before.by_urn()
        self._pending_deletes = list(before.pending_deletes)
        self._renamed: dict[str, str] = {}
        self._open = {key(operation): operation for operation in before.pending_operations}

    def begin(self, operation: PendingOperation) -> None:
        self._open[key(operation)] = operation

    def done(self, op: str, resource: Resource, prior: str) -> None:
        """The resource is there. `prior`: URN of what it was before, or of what it replaces."""
        self._open.pop((resource.urn, ""), None)
        before = self._resources.pop(prior, None) if prior else None
        if prior not in ("", resource.urn):
            self._renamed[prior] = resource.urn
        if op == "create-replacement" and before is not None:
            self._pending_deletes.append(before)
        self._resources[resource.urn] = resource

    def gone(self, op: str, urn: str, id_: str) -> None:
        """The resource was deleted; a replaced one goes beside its replacement or before it."""
        self._open.pop((urn, id_), None)
        replaced = [r for r in self._pending_deletes if (r.urn, r.id) == (urn, id_)]
        if op == "delete-replaced" and replaced:
            self._pending_deletes.remove(replaced[0])
        else:
            self._resources.pop(urn, None)

    def refused(self, urn: str, id_: str) -> None:
        """The step failed, and it is known that it changed nothing."""
        self._open.pop((urn, id_), None)

    def result(self) -> Deployment:
        return replace(
            self._before,
            resources=tuple(follow_renames(self._resources.values(), self._renamed)),
            pending_deletes=tuple(follow_renames(self._pending_deletes, self._renamed)),
            pending_operations=tuple(self._open.values()),
        )


def key(operation: PendingOperation) -> tuple[str, str]:
    """URN and, for a delete, the id: a replaced resource and its replacement share the URN."""
    return operation.resource.urn, operation.resource.id if operation.op.startswith("delete") else ""
