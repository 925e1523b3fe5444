"""The child in which a program runs: one that dies early, and one that is interrupted."""

import json
import signal
import subprocess
import sys

import pytest

from stackyard.program.child import Request
from stackyard.program.process import Crashed, Refused, run_child
from tests.stack_captures import ROOT

pytestmark = pytest.mark.local

INTERRUPTED = """
import sys
from stackyard.program import child

def interrupted(request, emit):
    raise KeyboardInterrupt

child._serve = interrupted
sys.exit(child.main())
"""


def request(mode, **fields) -> Request:
    names = {"root": "/", "main": "/", "project": "p", "stack": "s", "account_id": "123456789012"}
    return Request(**names, region="us-east-1", mode=mode, **fields)


def test_a_child_that_dies_before_it_read_its_request_is_told_of_by_its_status(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(Crashed, match="ended with status 1 before it reported a result"):
        run_child(request("capture", prior={"more than a pipe holds": "x" * 1_000_000}), {})


def test_an_interrupt_that_meets_the_childs_imports_is_reported_like_any_other(monkeypatch):
    start = subprocess.Popen

    def interrupted(*arguments, **options):
        process = start(*arguments, **options)
        process.send_signal(signal.SIGINT)
        return process

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(Refused, match="Nothing was changed here") as refused:
        run_child(request("capture"), {"PYTHONPATH": str(ROOT)})
    assert refused.value.exit_status == 130


@pytest.mark.parametrize(
    ("mode", "told"),
    [("capture", "Nothing was changed here"), ("plan", "Nothing was changed here"), ("up", "is in the journal")],
)
def test_an_interrupted_child_speaks_of_a_journal_only_where_there_is_one(mode, told):
    command = [sys.executable, "-c", INTERRUPTED]
    ended = subprocess.run(command, input=request(mode).to_json(), capture_output=True, text=True, check=False)
    event = json.loads(ended.stdout)
    assert (ended.returncode, event["event"], event["status"]) == (130, "refused", 130)
    assert told in event["message"] and ("journal" in event["message"]) == (mode == "up")
