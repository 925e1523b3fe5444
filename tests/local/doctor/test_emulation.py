"""The emulator's record and port, without an emulator."""

import os
import socket
import subprocess
import sys

import pytest

from stackyard.local import emulator
from stackyard.local.doctor import emulation
from stackyard.local.doctor.finding import Level, admit
from tests.local.doctor.support import end, ended_pid, on_linux, only, write_record


def test_a_dead_emulator_is_told(made):
    pid = ended_pid()
    write_record(made, pid=pid, started="before")
    finding = only(made, emulation.process)
    assert finding.level == Level.WARN and f"(pid {pid}) has died" in finding.sentence
    assert finding.command == admit(made).up


def test_a_process_id_that_is_somebody_elses_by_now_is_told_and_left_alone(made):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        write_record(made, pid=process.pid, started="an earlier boot/1")
        finding = only(made, emulation.process)
        assert f"(pid {process.pid}) is another process by now" in finding.sentence
        assert "kill" not in finding.command
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_the_record_of_another_checkouts_emulator_is_told(made):
    write_record(made, pid=os.getpid(), started=emulator.started_at(os.getpid()) or "", owner="0" * 16)
    assert "another checkout" in only(made, emulation.process).sentence


def test_a_damaged_record_is_told(made):
    made.emulator_record.write_text('{"pid":')
    assert "emulator.json is damaged" in only(made, emulation.process).sentence


@pytest.fixture
def impatient(monkeypatch):
    """What takes the port in these tests only accepts connections."""
    monkeypatch.setattr(emulation, "ANSWER_TIMEOUT_S", 0.2)


@on_linux
def test_a_taken_port_names_who_listens_there(made, impatient):
    number = emulator.default_port(made)
    listen = f"import socket, time; s = socket.create_server(('127.0.0.1', {number}))"
    script = f"{listen}; print('on', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout and process.stdout.readline() == "on\n"
        finding = only(made, emulation.port)
        assert finding.level == Level.WARN and f"Port {number}" in finding.sentence
        assert f"(pid {process.pid})" in finding.sentence
        assert finding.command == admit(made).up
        assert process.poll() is None
    finally:
        end(process)
    assert only(made, emulation.port).level == Level.OK


def test_a_port_taken_by_nobody_that_can_be_seen_is_told_as_well(made, impatient, monkeypatch):
    monkeypatch.setattr("stackyard.local.doctor.processes._PROC", made.root / "no proc")
    with socket.create_server(("127.0.0.1", emulator.default_port(made))):
        assert "is taken by another program" in only(made, emulation.port).sentence
