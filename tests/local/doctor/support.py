"""Faults that are planted for the doctor, and his commands carried out."""

import subprocess
import sys
from pathlib import Path

import pytest

from stackyard.local import emulator
from stackyard.local.doctor.command import examine
from stackyard.local.doctor.finding import Level
from stackyard.local.runs import PipelineRun
from stackyard.local.snapshots import Store, Version
from stackyard.program.deployment import STACK_TYPE, Deployment, PendingOperation, Resource
from stackyard.program.journal import Journal

# What a real Linux tells about processes and sockets.
on_linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc to read")


def urn(name: str, type_: str = "aws:sns/topic:Topic") -> str:
    return f"urn:pulumi:local::stackyard::{type_}::{name}"


def resource(name: str) -> Resource:
    return Resource(urn=urn(name), type="aws:sns/topic:Topic", name=name, custom=True, id=f"id-{name}")


def deployment(count: int, stack: str = "local") -> Deployment:
    root = Resource(
        urn=f"urn:pulumi:{stack}::stackyard::{STACK_TYPE}::stackyard-{stack}",
        type=STACK_TYPE,
        name=f"stackyard-{stack}",
    )
    topics = [resource(f"topic-{number}") for number in range(count)]
    return Deployment(project="stackyard", stack=stack, resources=(root, *topics))


def only(places, check, name: str = ""):
    """The finding of a check; of the several of a check the one that is named."""
    found = [finding for finding in examine(places.root, places.env, [check]) if not name or finding.name == name]
    assert len(found) == 1, found
    return found[0]


def mend(finding, cwd: Path) -> None:
    """Runs the finding's command as a person does who copies it."""
    assert finding.level != Level.OK and finding.command
    done = subprocess.run(["/bin/sh", "-c", finding.command], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{finding.command}: {done.stdout}{done.stderr}"


def mended(places, check, finding) -> None:
    mend(finding, places.root)
    after = only(places, check, finding.name)
    assert after.level == Level.OK, after


def holder(places, code: str = "time.sleep(60)") -> subprocess.Popen[str]:
    """A process that holds the environment's lock, while it does what `code` says."""
    script = (
        "import os, signal, sys, time; from pathlib import Path; from stackyard.program import state\n"
        # A CI that runs in a shell's background hands down that Ctrl-C is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with state.locked(Path(sys.argv[1])):\n"
        f"    print('locked', flush=True); {code}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(places.lock)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout and process.stdout.readline() == "locked\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def begin(places, *names: str, done: str = "") -> None:
    """A journal in which calls were begun, and one of them ended."""
    journal = Journal(places.journal("local"))
    for name in names:
        journal.intend(PendingOperation(op="create", resource=resource(name)))
    if done:
        journal.done("create", resource(done))
    journal.close()


def write_record(places, *, pid: int, started: str, owner: str = "") -> None:
    owner = owner or places.owner
    emulator.write_record(places.emulator_record, emulator.Record(pid=pid, port=1, started=started, owner=owner))


def take(store: Store, text: str) -> str:
    digest, size = store.put([text.encode()])
    store.take({"data": [Version("k", digest, size)]}, "")
    return digest


def save(places, run_id: str) -> Path:
    return PipelineRun(
        pipeline="training", run_id=run_id, started_at="2026-11-24T12:00:00+00:00",
        finished_at="2026-11-24T12:01:00+00:00", status="Succeeded", parameters={}, steps=(), package_sha256="a" * 64,
        image="image@sha256:0",
    ).save(places)  # fmt: skip
