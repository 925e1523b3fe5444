"""A stack's state, in the format of `pulumi stack export` version 3."""

import fcntl
import getpass
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stackyard.errors import InvalidInput, NotWritten, UserError
from stackyard.program.deployment import STACK_TYPE, Deployment, PendingOperation, Resource, urn_name
from stackyard.program.inherited import NOTE
from stackyard.program.values import Value, from_json, secret_as_plaintext, to_json

VERSION = 3
# The engine checks manifests by a hash of its version; a state that no CLI wrote says so.
MANIFEST = {"time": "0001-01-01T00:00:00Z", "magic": "", "version": ""}

BACKUPS = 5
"""How many former states are kept beside a state, the newest as `.1`."""

# The engine's words for operations whose result nobody knows.
_PENDING = {
    "create": "creating",
    "create-replacement": "creating",
    "update": "updating",
    "delete": "deleting",
    "delete-replaced": "deleting",
}

_NAMES = {
    "deleted_with": "deletedWith",
    "custom_timeouts": "customTimeouts",
    "additional_secret_outputs": "additionalSecretOutputs",
    "property_dependencies": "propertyDependencies",
    "retain_on_delete": "retainOnDelete",
    "ignore_changes": "ignoreChanges",
    "replace_on_changes": "replaceOnChanges",
}


_locks: set[int] = set()
"""Descriptors of the locks that this process holds."""


class Locked(UserError):
    """Somebody else works on this state."""


def to_state(deployment: Deployment) -> dict[str, Any]:
    """The state as `pulumi stack export --show-secrets` writes it, secrets in clear text: keep the file to yourself."""
    resources = [_resource_to_state(resource, deployment) for resource in deployment]
    resources += [{**_resource_to_state(r, deployment), "delete": True} for r in deployment.pending_deletes]
    content: dict[str, Any] = {"manifest": MANIFEST, "resources": resources}
    if deployment.pending_operations:
        content["pending_operations"] = [_pending_to_state(op, deployment) for op in deployment.pending_operations]
    return {"version": VERSION, "deployment": content}


def same_resources(one: Deployment, other: Deployment) -> bool:
    """Whether a state would hold the same resources, in whatever order; which one a program registers first varies."""
    ours, theirs = ({r.urn: _resource_to_state(r, each) for r in each} for each in (one, other))
    return ours == theirs


def _pending_to_state(operation: PendingOperation, deployment: Deployment) -> dict[str, Any]:
    return {
        "resource": _resource_to_state(operation.resource, deployment),
        "type": _PENDING[operation.op],
        "stackyard:step": {"op": operation.op, "prior": operation.prior, "attempt": operation.attempt},
    }


def _pending_from_state(entry: dict[str, Any]) -> PendingOperation:
    resource = _resource_from_state(entry["resource"])
    op = {"creating": "create", "updating": "update", "deleting": "delete"}.get(entry["type"], entry["type"])
    step = {"op": op, "prior": "" if op == "create" else resource.urn, **entry.get("stackyard:step", {})}
    return PendingOperation(resource=resource, **step)


def _resource_to_state(resource: Resource, deployment: Deployment) -> dict[str, Any]:
    inputs: Mapping[str, Value] = resource.inputs
    if resource.defaults:
        inputs = {**inputs, NOTE: list(resource.defaults)}
    outputs = deployment.outputs if resource.type == STACK_TYPE else resource.outputs
    fields: dict[str, Any] = {
        "urn": resource.urn,
        "custom": resource.custom,
        "id": resource.id,
        "type": resource.type,
        "inputs": to_json(inputs, secret=secret_as_plaintext),
        "outputs": to_json(outputs, secret=secret_as_plaintext),
        "parent": resource.parent,
        "protect": resource.protect,
        "external": resource.external,
        "dependencies": list(resource.dependencies),
        "provider": resource.provider,
        "propertyDependencies": {key: list(urns) for key, urns in resource.property_dependencies.items()},
    }
    for name in ("deleted_with", "custom_timeouts", "additional_secret_outputs", "retain_on_delete", "ignore_changes"):
        value = getattr(resource, name)
        fields[_NAMES[name]] = list(value) if isinstance(value, tuple) else value
    if resource.recorded:
        fields["stackyard:recorded"] = True
    return {key: value for key, value in fields.items() if value or key in ("urn", "custom", "type")}


def from_state(data: Any, *, source: str = "the state") -> Deployment:
    """A deployment from an exported state. Raises InvalidInput, naming `source`, for anything else."""
    if not isinstance(data, dict) or not isinstance(data.get("deployment"), dict):
        raise InvalidInput(
            f"{source} is not an exported state: it has no `deployment`; `pulumi stack export` writes one"
        )
    if data.get("version") != VERSION:
        raise InvalidInput(
            f"{source} has state version {data.get('version')!r}, but this Stackyard reads {VERSION}: "
            "it was left as it is; use the release that wrote it"
        )
    try:
        return _deployment(data["deployment"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"{source} is not an exported state: its entries do not have that form "
            f"({type(error).__name__}: {error}); it was left as it is"
        ) from None


def _deployment(content: dict[str, Any]) -> Deployment:
    # `pendingReplacement`: deleted already, and its replacement was not created.
    entries = [entry for entry in content.get("resources") or [] if not entry.get("pendingReplacement")]
    resources = tuple(_resource_from_state(entry) for entry in entries if not entry.get("delete"))
    stack = next((r for r in resources if r.type == STACK_TYPE), None)
    project, name = _identity(stack, resources)
    return Deployment(
        project=project,
        stack=name,
        resources=resources,
        outputs=stack.outputs if stack else {},
        pending_deletes=tuple(_resource_from_state(entry) for entry in entries if entry.get("delete")),
        pending_operations=tuple(_pending_from_state(entry) for entry in content.get("pending_operations") or []),
    )


def _identity(stack: Resource | None, resources: tuple[Resource, ...]) -> tuple[str, str]:
    first = stack or next(iter(resources), None)
    if first is None:
        return "", ""
    head, project, *_ = first.urn.split("::")
    return project, head.removeprefix("urn:pulumi:")


def _resource_from_state(entry: dict[str, Any]) -> Resource:
    inputs = from_json(entry.get("inputs") or {})
    # An empty note stays where it is: without one, the bridge takes every old value for a default.
    defaults = tuple(inputs.pop(NOTE)) if inputs.get(NOTE) else ()
    return Resource(
        urn=entry["urn"],
        type=entry["type"],
        name=urn_name(entry["urn"]),
        custom=bool(entry.get("custom")),
        external=bool(entry.get("external")),
        id=entry.get("id", ""),
        inputs=inputs,
        defaults=defaults,
        outputs=from_json(entry.get("outputs") or {}),
        parent=entry.get("parent", ""),
        provider=entry.get("provider", ""),
        dependencies=tuple(entry.get("dependencies") or ()),
        property_dependencies={k: tuple(v or ()) for k, v in (entry.get("propertyDependencies") or {}).items()},
        protect=bool(entry.get("protect")),
        retain_on_delete=bool(entry.get("retainOnDelete")),
        deleted_with=entry.get("deletedWith", ""),
        ignore_changes=tuple(entry.get("ignoreChanges") or ()),
        additional_secret_outputs=tuple(entry.get("additionalSecretOutputs") or ()),
        custom_timeouts=entry.get("customTimeouts") or {},
        recorded=bool(entry.get("stackyard:recorded")),
    )


def read(path: Path, *, project: str = "", stack: str = "") -> Deployment | None:
    """The state in a file; None when there is none. A file that is damaged is refused and left as it is.

    So is the state of another stack than `stack` of `project`, where they are given.
    """
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not readable JSON ({error}): it was left as it is; {_way_out(path)}") from None
    found = from_state(data, source=str(path))
    wanted = (project, stack)
    if project and found.resources and (found.project, found.stack) != wanted:
        raise InvalidInput(
            f"{path} is the state of {found.project}/{found.stack}, not of {project}/{stack}: it was left as it is; "
            f"{_way_out(path)}"
        )
    return found


def _way_out(path: Path) -> str:
    kept = backups(path)
    if kept:
        return f"a copy of {kept[0].name}, the state before it, can take its place"
    return "put a copy of a good state there, or move it away to begin anew"


def backups(path: Path) -> list[Path]:
    """The former states that are kept beside a state, newest first."""
    return [kept for number in range(1, BACKUPS + 1) if (kept := _backup(path, number)).exists()]


def write(path: Path, deployment: Deployment) -> None:
    """Replaces the file at once or not at all; only its owner may read it, since secrets stand in it.

    The state that was there is kept as a backup, unless nothing changed.
    """
    text = json.dumps(to_state(deployment), indent=1, sort_keys=True) + "\n"
    if path.exists():
        if path.read_text(encoding="utf-8", errors="replace") == text:
            return
        try:
            _back_up(path)
        except OSError as error:
            raise NotWritten(path, error) from None
    write_private(path, text)


def _back_up(path: Path) -> None:
    for number in range(BACKUPS, 1, -1):
        if (older := _backup(path, number - 1)).exists():
            older.replace(_backup(path, number))
    try:
        # A second name for the same content: the state itself is never missing.
        os.link(path, _backup(path, 1))
    except OSError:
        # Some file systems give a file one name only.
        write_private(_backup(path, 1), path.read_text(encoding="utf-8", errors="replace"))


def _backup(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def write_private(path: Path, text: str) -> None:
    """Writes a file of mode 0600 atomically. Raises NotWritten, and leaves what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f"{path.suffix}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise NotWritten(path, error) from None


@contextmanager
def locked(path: Path, *, busy: str = "{name} is being changed by {holder}") -> Iterator[None]:
    """Holds the lock beside a state file; a second holder is told who the first is.

    A killed holder's lock is gone once the children that `held_locks` was passed on to have ended, too. `busy` is what
    the second one reads, with the name and the holder filled in.
    """
    lock = path.with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            told = busy.format(name=path.name, holder=_holder(file.read().strip()))
            raise Locked(f"{told}: wait until it is done, then run this again") from None
        file.truncate(0)
        file.write(f"{_user()} (pid {os.getpid()})")
        file.flush()
        _locks.add(file.fileno())
        try:
            yield
        finally:
            _locks.discard(file.fileno())
            file.truncate(0)


def held_locks() -> tuple[int, ...]:
    """For a child that works under this process's locks: they stay held while anybody has these descriptors open."""
    return tuple(_locks)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have a number only; until Python 3.13 that is a KeyError.
        return f"user {os.getuid()}"


def _holder(note: str) -> str:
    named = re.search(r"\(pid (\d+)\)", note)
    try:
        if named:
            os.kill(int(named[1]), 0)
    except ProcessLookupError:
        return f"a child of {note}, who was killed"
    except PermissionError:
        pass
    return note or "another process"
