"""Servers of the cluster tier end with the tests that started them, also when those are killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from stackyard.local.emulator import started_at
from tests.cluster.keeper import ROOT, Keeper, end

# Starts a server that ignores the terminal's Ctrl-C as ours do, tells its pid and waits to be killed.
TESTS = """
import signal, subprocess, sys, time
from tests.cluster.keeper import Keeper
# Started from a script's background, a process ignores Ctrl-C from its birth.
signal.signal(signal.SIGINT, signal.default_int_handler)
keeper = Keeper()
server = subprocess.Popen(["sleep", "600"], start_new_session=True)
keeper.watch(server.pid)
print(server.pid, flush=True)
time.sleep(600)
"""


def wait_until_gone(pid, started):
    deadline = time.monotonic() + 20
    while started_at(pid) == started and time.monotonic() < deadline:
        time.sleep(0.05)
    return started_at(pid) != started


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_server_does_not_outlive_the_tests_that_started_it(how):
    tests = subprocess.Popen(
        [sys.executable, "-c", TESTS], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert tests.stdout
    with tests.stdout:
        pid = int(tests.stdout.readline())
        started = started_at(pid)
        assert started, "the server runs"
        os.kill(tests.pid, how)
        tests.wait(timeout=30)
    assert wait_until_gone(pid, started)


def test_closing_ends_what_runs_at_once():
    keeper = Keeper()
    server = subprocess.Popen(["sleep", "600"], start_new_session=True)
    keeper.watch(server.pid)
    keeper.close()
    assert server.wait(timeout=10) == -signal.SIGTERM


def test_a_server_that_ignores_the_polite_signal_is_killed():
    stubborn = [
        sys.executable,
        "-c",
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(600)",
    ]
    server = subprocess.Popen([*stubborn[:1], "-u", *stubborn[1:]], stdout=subprocess.PIPE)
    assert server.stdout
    with server.stdout:
        server.stdout.readline()
    started = started_at(server.pid) or ""
    end({server.pid: started}, grace_s=0.3)
    assert wait_until_gone(server.pid, started)
    # Asking when it started has taken its exit status.
    server.wait(timeout=10)


def test_a_process_that_took_over_the_number_is_left_alone():
    other = subprocess.Popen(["sleep", "600"])
    try:
        end({other.pid: "an earlier process"}, grace_s=0.1)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
