"""Checks of what lies in the environment's folder: locks, states, journals, leftovers."""

import json
import stat
from pathlib import Path

from stackyard.errors import UserError
from stackyard.local.doctor.finding import Finding, Patient, fail, listed, ok, quoted, sentence_of, shown, typed, warn
from stackyard.local.doctor.processes import Lock

LEFTOVERS = (
    "*.new",
    "*.tmp",
    "*.restoring",
    "state/*.tmp",
    "kubernetes/*.tmp",
    "mirror/*.new",
    "mirror/generations/*.new",
    "mirror/blobs/new-*",
    "runs/*/*.tmp",
)
"""Names under which our writers begin a file, before they put it in its place as a whole."""


def environment(patient: Patient) -> list[Finding]:
    name, folder = patient.places.env, shown(patient.places.folder)
    if not patient.exists:
        return [ok("environment", f"There is no environment {name!r} here yet: `make up` or `local up` makes it.")]
    return [ok("environment", f"The environment {name!r} lies in {folder}.")]


def locks(patient: Patient) -> list[Finding]:
    changing = _lock(patient, patient.changing, "lock", "The environment is being changed")
    return [changing, _lock(patient, patient.running, "pipeline lock", "A pipeline is running, started")]


def _lock(patient: Patient, lock: Lock, name: str, what: str) -> Finding:
    if lock.held:
        # Ctrl-C's signal: a command of ours then ends in order.
        command = f"kill -INT {lock.pid}" if lock.pid else patient.stackyard("doctor", "--local")
        return warn(name, f"{what} by {lock.holder}, which is alive: wait until it is done, or interrupt it.", command)
    if lock.note:
        # Emptied, not removed: a removed file would let a second one in beside one who has just locked it.
        sentence = f"{shown(lock.path)} names {lock.note}, who was killed: nobody holds it, so it stops nobody."
        return warn(name, sentence, f": > {quoted(lock.path)}")
    return ok(name, f"Nobody holds {shown(lock.path)}.")


def states(patient: Patient) -> list[Finding]:
    return [_state(patient, stack) for stack in patient.stacks]


def _state(patient: Patient, stack: str) -> Finding:
    from stackyard.program import state

    path, name = typed(patient.places.state(stack)), f"state {stack}"
    try:
        found = state.read(path, project=patient.project, stack=stack)
    except (UserError, OSError) as error:
        return _damaged_state(patient, stack, error)
    if found is None:
        return ok(name, f"{stack} has no state: nothing is provisioned.")
    return ok(name, f"The state of {stack} is readable: {len(found.resources)} resources.")


def _damaged_state(patient: Patient, stack: str, error: Exception) -> Finding:
    from stackyard.program import state

    path, name = typed(patient.places.state(stack)), f"state {stack}"
    for backup in state.backups(path):
        try:
            good = state.read(backup, project=patient.project, stack=stack)
        except (UserError, OSError):
            continue
        count = len(good.resources) if good else 0
        sentence = (
            f"{sentence_of(error)} {backup.name} is its newest good backup, with {count} resources; a new emulator "
            "then gets what was made after it, too, and the data of a last snapshot."
        )
        # The copy alone does not know what the running emulator got since: an `up` would make that twice.
        return fail(name, sentence, f"cp {quoted(backup, path)} && {patient.start_over}")
    sentence = (
        f"{sentence_of(error)} There is no good backup of it: a new emulator, provisioned from nothing and with the "
        "data of a last snapshot, needs none."
    )
    return fail(name, sentence, patient.start_over)


def journals(patient: Patient) -> list[Finding]:
    return [_journal(patient, stack) for stack in patient.stacks]


def _journal(patient: Patient, stack: str) -> Finding:
    from stackyard.program import state
    from stackyard.program.journal import replay

    path, name = patient.places.journal(stack), f"journal {stack}"
    if patient.changing.held and path.exists():
        return ok(name, f"The journal of {stack} is being written by {patient.changing.holder}.")
    try:
        before = state.read(typed(patient.places.state(stack)), project=patient.project, stack=stack)
        known = replay(before, path, project=patient.project, stack=stack)
    except (UserError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if not path.exists():
            return ok(name, f"{stack} has no journal: no run of it was interrupted.")
        sentence = f"The journal of an interrupted run of {stack} cannot be replayed: {sentence_of(error)}"
        return fail(name, f"{sentence} A new emulator, provisioned from nothing, needs none.", patient.start_over)
    pending = [operation.resource.urn for operation in known.pending_operations] if known else []
    if not path.exists() and not pending:
        return ok(name, f"{stack} has no journal: no run of it was interrupted.")
    resources = len(known.resources) if known else 0
    unknown = f"{len(pending)} calls have no known result" + (f" ({listed(pending)})" if pending else "")
    sentence = f"A run of {stack} was interrupted: {resources} resources are known, {unknown}; `up` goes on from there."
    return fail(name, sentence, patient.up)


def modes(patient: Patient) -> list[Finding]:
    """Secrets stand in states, and data lies in the folder: both are their owner's alone."""
    folder = patient.places.folder
    if not folder.is_dir():
        return []
    findings: list[Finding] = []
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode != 0o700:
        sentence = f"{shown(folder)} has the mode {mode:04o}: others on this machine can get at data and states."
        findings.append(fail("folder mode", sentence, f"chmod 700 {quoted(folder)}"))
    private = [*(folder / "state").glob("*"), patient.places.state_id, *patient.places.kubernetes.glob("*.json")]
    wide = sorted(path for path in private if path.is_file() and stat.S_IMODE(path.stat().st_mode) != 0o600)
    if wide:
        sentence = f"Files that may hold secrets do not have the mode 0600: {listed([shown(path) for path in wide])}."
        findings.append(fail("file modes", sentence, f"chmod 600 {quoted(*wide)}"))
    return findings or [ok("modes", "The folder and its states are their owner's alone.")]


def leftovers(patient: Patient) -> list[Finding]:
    """Files that a killed process had begun."""
    found = sorted({path for pattern in LEFTOVERS for path in patient.places.folder.glob(pattern) if path.is_file()})
    if patient.busy or not found:
        return [ok("leftovers", "No half-written file lies about.")]
    names = listed([shown(path) for path in found])
    sentence = f"{len(found)} half-written files of a killed process lie about, of no use: {names}."
    return [warn("leftovers", sentence, f"rm -f {quoted(*found)}")]


def retained(patient: Patient) -> list[Finding]:
    """What a destroy left on purpose."""
    return [finding for stack in patient.stacks if (finding := _retained(patient, stack))]


def _retained(patient: Patient, stack: str) -> Finding | None:
    path, name = patient.places.retained(stack), f"retained {stack}"
    if not path.exists():
        return None
    try:
        count = len(json.loads(path.read_text(encoding="utf-8"))["resources"])
    except (OSError, ValueError, KeyError, TypeError):
        sentence = f"{shown(path)} is damaged; the next destroy that keeps data writes it anew."
        return warn(name, sentence, f"rm -f {quoted(path)}")
    if not _was_destroyed(patient, path, stack):
        return None
    up, destroy = patient.up, patient.stackyard("local", "destroy", "--include-data")
    kept = f"{stack} was destroyed and kept its data, {count} resources"
    return ok(name, f"{kept}: `{up}` takes it up, `{destroy}` removes it.")


def _was_destroyed(patient: Patient, path: Path, stack: str) -> bool:
    # A destroy writes the list after the state; an `up` writes the state after the list.
    state = patient.places.state(stack)
    return state.exists() and state.stat().st_mtime <= path.stat().st_mtime


def cluster(patient: Patient) -> list[Finding]:
    """The file that stands for the Kubernetes cluster."""
    from stackyard.local.kubernetes.store import Store

    path = patient.places.kubernetes_objects
    try:
        objects = len(Store(path).list())
    except (UserError, OSError, KeyError, TypeError, AttributeError):
        sentence = f"The local cluster's objects in {shown(path)} cannot be read: a new emulator writes them all again."
        return [fail("cluster", sentence, patient.start_over)]
    return [ok("cluster", f"The local cluster holds {objects} objects.")]


def kubeconfig(patient: Patient) -> list[Finding]:
    """The cluster that objects are applied to as well, if the environment has one."""
    from stackyard.local.attachment import attached, remembered

    try:
        known = remembered(patient.places)
        cluster = attached(patient.places)
    except UserError as error:
        sentence = f"The environment's cluster cannot be reached: {sentence_of(error)} Start it, or go on without it."
        return [fail("kubeconfig", sentence, patient.stackyard("local", "up", "--no-kubeconfig"))]
    if known is None or cluster is None:
        return [ok("kubeconfig", "Kubernetes objects are in the object store only.")]
    return [ok("kubeconfig", f"Kubernetes objects are applied to {known}, which answers ({cluster.version}).")]
