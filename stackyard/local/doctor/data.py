"""Checks of the snapshots and of pipelines: what was computed, and what it is computed from."""

import json
import sys
from pathlib import Path

from stackyard.errors import UserError
from stackyard.local import emulator
from stackyard.local.doctor.finding import Finding, Patient, fail, listed, ok, quoted, sentence_of, typed, warn
from stackyard.local.places import Places


def snapshot(patient: Patient) -> list[Finding]:
    """Whether the snapshot that counts is whole: every content is there and is what was written."""
    from stackyard.local.snapshots import Store

    store = Store(typed(patient.places.mirror))
    if patient.busy:
        return [ok("snapshot", "The environment is at work: its snapshot is not looked at.")]
    try:
        current = store.current()
        if current is None:
            return [ok("snapshot", "No snapshot was taken yet.")]
        _verify(patient.places, current.generation)
    except UserError as error:
        return [_damaged(patient, sentence_of(error))]
    return [ok("snapshot", f"Snapshot {current.generation} is whole: {current.objects} objects.")]


def _verify(places: Places, generation: int) -> None:
    """Raises UserError unless the generation's file and all its contents are as they were written."""
    from stackyard.local.snapshots import Store, Version

    store = Store(typed(places.mirror))
    path = places.mirror / "generations" / f"{generation:08d}.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        contents = {document["database"]: "MLflow's database"} if document["database"] else {}
        for bucket, entries in document["buckets"].items():
            for version in (Version(**entry) for entry in entries):
                if not version.delete_marker:
                    contents.setdefault(version.sha256, f"the object s3://{bucket}/{version.key}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read ({error})") from error
    for sha256, what in contents.items():
        store.verified(sha256, what)


def _damaged(patient: Patient, problem: str) -> Finding:
    """The emulator itself is the best copy; without it, the newest whole snapshot."""
    places = patient.places
    aside = places.mirror.with_name("mirror.damaged")
    if _holds_contents(places):
        command = f"mv {quoted(places.mirror, aside)} && {patient.start_over}"
        sentence = f"{problem} The emulator still holds the data: this takes a new snapshot of it."
        return fail("snapshot", sentence, command)
    for path in sorted((places.mirror / "generations").glob("*.json"), reverse=True):
        try:
            _verify(places, int(path.stem))
        except (UserError, ValueError):
            continue
        command = f"echo {int(path.stem)} > {quoted(places.mirror / 'current')}"
        return fail("snapshot", f"{problem} The newest whole one is {int(path.stem)}.", command)
    sentence = f"{problem} None is whole: this begins without one, and keeps what is left of them in {aside.name}."
    return fail("snapshot", sentence, f"mv {quoted(places.mirror, aside)}")


def _holds_contents(places: Places) -> bool:
    server = emulator.running(places)
    if server is None or emulator.identity(server.endpoint, timeout_s=3) is None:
        return False
    try:
        return emulator.holds_states(server.endpoint, places)
    except OSError:
        return False


def runs(patient: Patient) -> list[Finding]:
    """Records of pipeline runs: a damaged one stops commands, a folder without one is left of a killed run."""
    from stackyard.local.runs import FILE_NAME, load

    damaged: list[Path] = []
    killed: list[Path] = []
    good = 0
    for folder in sorted(path for path in patient.places.runs.glob("*") if path.is_dir()):
        try:
            load(folder / FILE_NAME)
            good += 1
        except UserError:
            (damaged if (folder / FILE_NAME).exists() else killed).append(folder)
    findings: list[Finding] = []
    if damaged:
        sentence = f"The records of {len(damaged)} pipeline runs are damaged: {listed([p.name for p in damaged])}."
        findings.append(fail("runs", sentence, f"rm -r {quoted(*damaged)}"))
    if killed and not patient.running.held:
        names = listed([path.name for path in killed])
        sentence = f"{len(killed)} pipeline runs were killed and left only logs: {names}. Read them, then remove them."
        findings.append(warn("runs", sentence, f"rm -r {quoted(*killed)}"))
    return findings or [
        ok("runs", "One pipeline run is on record." if good == 1 else f"{good} pipeline runs are on record.")
    ]


def compiled(patient: Patient) -> list[Finding]:
    """Whether the pipelines' committed forms are what their sources compile to, and their code is on this machine."""
    from pipelines.compile.compiled import read_compiled, require_package
    from pipelines.compile.compiler import stale
    from pipelines.declaration import declarations

    root = patient.places.root
    command = f"{quoted(Path(sys.executable))} -m stackyard pipelines compile"
    try:
        files = [f"pipelines/{name}/compiled/{file}" for name in declarations() for file in stale(name, root=root)]
        if files:
            sentence = f"Pipelines changed since they were compiled; these files are stale: {listed(files)}."
            return [warn("pipelines", sentence, command)]
        # Before the first `up` nothing is missing yet: `make up` compiles first.
        if patient.exists:
            for name in declarations():
                require_package(read_compiled(name, root=root), root=root)
    except UserError as error:
        return [warn("pipelines", sentence_of(error), command)]
    return [ok("pipelines", f"Compiled from the sources as they are: {listed(list(declarations()))}.")]
