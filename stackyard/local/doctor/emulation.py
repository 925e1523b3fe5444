"""Checks of the emulator: its process, its port, what it holds."""

import json
from pathlib import Path

from stackyard.local import emulator
from stackyard.local.doctor.finding import Finding, Patient, fail, ok, quoted, shown, warn
from stackyard.local.doctor.processes import listener, named_process, port_is_free
from stackyard.local.places import Places

ANSWER_TIMEOUT_S = 3.0


def process(patient: Patient) -> list[Finding]:
    """The record of the running emulator, and whether that process is it and answers."""
    places = patient.places
    if not places.emulator_record.exists():
        return [ok("emulator", "The emulator does not run, and none is on record: `local up` starts one.")]
    record = _record(places.emulator_record)
    if record is None:
        return [warn("emulator", f"{shown(places.emulator_record)} is damaged: `up` writes it anew.", patient.up)]
    if record.owner != places.owner:
        sentence = (
            f"{shown(places.emulator_record)} is about the emulator of another checkout (this one was copied or "
            "moved): `up` starts one for this checkout and brings the data back from the snapshot."
        )
        return [warn("emulator", sentence, patient.up)]
    if emulator.running(places) is None:
        return [warn("emulator", _why_not(record), patient.up)]
    return [_answer(patient, record)]


def _why_not(record: emulator.Record) -> str:
    rest = "so what it held is lost; `up` provisions again and brings the data back from the last snapshot."
    if emulator.started_at(record.pid) is None:
        return f"The emulator (pid {record.pid}) has died, {rest}"
    return f"The emulator has died: {named_process(record.pid)} is another process by now, {rest}"


def _answer(patient: Patient, record: emulator.Record) -> Finding:
    endpoint = f"http://127.0.0.1:{record.port}"
    found = emulator.identity(endpoint, timeout_s=ANSWER_TIMEOUT_S)
    if found is None:
        sentence = (
            f"The emulator (pid {record.pid}) lives, but does not answer at {endpoint} within "
            f"{ANSWER_TIMEOUT_S:.0f} s: end it; `up` starts another and brings the data back from the last snapshot."
        )
        return fail("emulator", sentence, f"kill -KILL {record.pid} && {patient.up}")
    if found.get("owner") != patient.places.owner:
        sentence = (
            f"The emulator at {endpoint} belongs to another checkout or environment (pid {found.get('pid')}), although "
            "this one's record names it: forget the record, and `up` starts one of its own."
        )
        return fail("emulator", sentence, f"rm -f {quoted(patient.places.emulator_record)} && {patient.up}")
    return ok("emulator", f"The emulator answers at {endpoint} (pid {record.pid}).")


def port(patient: Patient) -> list[Finding]:
    """The port that this environment's emulator tries first."""
    places = patient.places
    number = emulator.default_port(places)
    if server := emulator.running(places):
        if server.endpoint.endswith(f":{number}"):
            return [ok("port", f"Port {number} is the emulator's own.")]
        return [ok("port", f"Port {number} was taken when the emulator started, so it uses {server.endpoint}.")]
    if port_is_free(number):
        return [ok("port", f"Port {number} is free.")]
    found = emulator.identity(f"http://127.0.0.1:{number}", timeout_s=ANSWER_TIMEOUT_S)
    if found and found.get("owner") == places.owner:
        sentence = f"This environment's emulator (pid {found.get('pid')}) runs at port {number}, but its record is lost"
        return [warn("port", f"{sentence}: `up` writes it again.", patient.up)]
    who = f"the emulator of another checkout or environment (pid {found.get('pid')})" if found else listener(number)
    sentence = f"Port {number}, which this environment's emulator tries first, is taken by {who}"
    return [warn("port", f"{sentence}: `up` lets it listen on a free one.", patient.up)]


def contents(patient: Patient) -> list[Finding]:
    """Whether the emulator holds what the states describe."""
    places = patient.places
    server = emulator.running(places)
    if server is None or emulator.identity(server.endpoint, timeout_s=ANSWER_TIMEOUT_S) is None:
        return [ok("contents", "There is no emulator to be asked what it holds.")]
    described = any(places.state(stack).exists() or places.journal(stack).exists() for stack in patient.stacks)
    held = emulator.marker(server.endpoint)
    if held and held == _state_id(places):
        return [ok("contents", "The emulator holds what the states describe.")]
    if held is None and not described:
        return [ok("contents", "The emulator is empty, and no state says otherwise.")]
    if held is None:
        sentence = (
            "The emulator was restarted or emptied: it no longer holds what the states describe; `up` provisions again "
            "and brings the data back from the last snapshot."
        )
        return [fail("contents", sentence, patient.up)]
    sentence = (
        "The emulator holds the resources of another state than the one in this folder: `up` empties it, provisions "
        "again and brings the data back from the last snapshot."
    )
    return [fail("contents", sentence, patient.up)]


def _state_id(places: Places) -> str:
    try:
        return places.state_id.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _record(path: Path) -> emulator.Record | None:
    try:
        return emulator.Record(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
