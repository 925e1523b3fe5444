"""Locks, states, journals and leftovers: each damaged as a kill or a person damages it."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from stackyard.local.attachment import attach
from stackyard.local.doctor import files
from stackyard.local.doctor.command import examine
from stackyard.local.doctor.finding import Level, admit
from stackyard.local.runs import running
from stackyard.program import state
from stackyard.program.deployment import Deployment, PendingOperation
from tests.local.doctor.support import begin, deployment, end, holder, mend, mended, on_linux, only, resource, urn
from tests.local.fake_api_server import serving


def test_a_missing_environment_is_no_fault(places):
    finding = only(places, files.environment)
    assert finding.level == Level.OK and "no environment 'local' here yet" in finding.sentence


def test_states_that_others_can_read_are_named_and_closed(made):
    made.folder.chmod(0o755)
    made.state("local").chmod(0o644)
    by_name = {finding.name: finding for finding in examine(made.root, "local", [files.modes])}
    assert by_name.keys() == {"folder mode", "file modes"}
    assert "0755" in by_name["folder mode"].sentence
    assert ".stackyard/local/state/local.json" in by_name["file modes"].sentence
    for finding in by_name.values():
        mend(finding, made.root)
    assert only(made, files.modes).level == Level.OK


@on_linux
def test_a_held_lock_names_its_holder_and_an_interrupt_frees_it(made):
    process = holder(made)
    try:
        finding = only(made, files.locks, "lock")
        assert finding.level == Level.WARN and f"(pid {process.pid}), which is alive" in finding.sentence
        assert finding.command == f"kill -INT {process.pid}"
        assert process.poll() is None, "the doctor itself ends nothing"
        mend(finding, made.root)
        process.wait(timeout=20)
        assert only(made, files.locks, "lock").level == Level.OK
    finally:
        end(process)


@on_linux
def test_a_lock_that_a_dead_holder_left_to_a_child_names_the_child(made):
    process = holder(made, "child = os.fork(); print(child, flush=True) if child else time.sleep(60); os._exit(0)")
    assert process.stdout
    child = int(process.stdout.readline())
    try:
        process.wait(timeout=20)
        finding = only(made, files.locks, "lock")
        assert f"(pid {child})" in finding.sentence and finding.command == f"kill -INT {child}"
    finally:
        os.kill(child, signal.SIGKILL)
        end(process)


def test_the_name_that_a_killed_holder_left_is_told_to_stop_nobody(made):
    process = holder(made)
    end(process)
    finding = only(made, files.locks, "lock")
    assert finding.level == Level.WARN
    assert f"(pid {process.pid}), who was killed: nobody holds it" in finding.sentence
    mended(made, files.locks, finding)
    with state.locked(made.lock):
        pass


def test_a_pipeline_run_is_named(made):
    with running(made):
        finding = only(made, files.locks, "pipeline lock")
    assert f"A pipeline is running, started by {_me()}" in finding.sentence


def _me() -> str:
    import getpass

    return f"{getpass.getuser()} (pid {os.getpid()})"


def test_a_truncated_state_is_replaced_by_its_newest_good_backup(made):
    state.write(made.state("local"), deployment(3))
    for path in (made.state("local"), state.backups(made.state("local"))[0]):
        path.write_text(path.read_text()[:100])
    finding = only(made, files.states)
    assert finding.level == Level.FAIL and "is not readable JSON" in finding.sentence
    assert "local.json.2 is its newest good backup, with 2 resources" in finding.sentence
    copy, then, start_over = finding.command.partition(" && ")
    assert copy == "cp .stackyard/local/state/local.json.2 .stackyard/local/state/local.json"
    assert then and start_over == admit(made).start_over
    mended(made, files.states, replace(finding, command=copy))
    assert only(made, files.modes).level == Level.OK


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not readable JSON"),
        ("[]", "not an exported state"),
        ('{"version": 4, "deployment": {}}', "state version 4"),
        (json.dumps(state.to_state(deployment(1, "prod-base"))), "is the state of stackyard/prod-base"),
    ],
)
def test_a_state_without_a_good_backup_leads_to_a_new_emulator(made, content, words):
    for path in (made.state("local"), *state.backups(made.state("local"))):
        path.write_text(content)
    finding = only(made, files.states)
    assert finding.level == Level.FAIL and words in finding.sentence and "no good backup" in finding.sentence
    assert finding.command == admit(made).start_over
    assert " -m stackyard local down && " in finding.command and finding.command.endswith(" -m stackyard local up")


def test_a_half_done_journal_tells_what_is_known_and_which_calls_have_no_result(made):
    begin(made, "a", "b", done="a")
    finding = only(made, files.journals)
    assert finding.level == Level.FAIL and finding.command == admit(made).up
    assert f"4 resources are known, 1 calls have no known result ({urn('b')})" in finding.sentence

    with open(made.journal("local"), "a") as torn:
        torn.write('{"done": "crea')
    assert only(made, files.journals) == finding, "a line that a kill cut off is no news"


def test_a_call_of_unknown_result_in_the_state_counts_as_well(made):
    pending = PendingOperation(op="update", resource=resource("topic-0"), prior=urn("topic-0"))
    path = made.state("local")
    known = state.read(path)
    assert known
    state.write(path, Deployment(**{**vars(known), "pending_operations": (pending,)}))
    finding = only(made, files.journals)
    assert finding.level == Level.FAIL and urn("topic-0") in finding.sentence


def test_the_journal_of_an_up_that_runs_is_no_fault(made):
    begin(made, "a")
    with state.locked(made.lock):
        assert only(made, files.journals).level == Level.OK


def test_an_unreadable_journal_leads_to_a_new_emulator(made):
    made.journal("local").write_bytes(b"\xff\xfe")
    finding = only(made, files.journals)
    assert finding.level == Level.FAIL and "cannot be replayed" in finding.sentence
    assert finding.command == admit(made).start_over


def test_what_a_killed_writer_had_begun_is_removed_but_never_while_somebody_writes(made):
    script = (
        "import os, sys; from pathlib import Path; from stackyard.program import state\n"
        "Path.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "state.write_private(Path(sys.argv[1]), 'half')"
    )
    subprocess.run([sys.executable, "-c", script, str(made.state("local"))], check=False)
    before = made.state("local").read_bytes()
    with state.locked(made.lock):
        assert only(made, files.leftovers).level == Level.OK, "it may be the writer's"
    finding = only(made, files.leftovers)
    assert finding.level == Level.WARN and "1 half-written files" in finding.sentence and ".tmp" in finding.command
    mended(made, files.leftovers, finding)
    assert made.state("local").read_bytes() == before


def test_data_that_a_destroy_kept_is_told_until_an_up_takes_it_up(made):
    made.retained("local").write_text(json.dumps({"resources": [{}, {}]}))
    finding = only(made, files.retained)
    assert finding.level == Level.OK and "kept its data, 2 resources" in finding.sentence
    os.utime(made.retained("local"), ns=(0, 0))
    assert examine(made.root, "local", [files.retained]) == []

    made.retained("local").write_text("{")
    finding = only(made, files.retained)
    assert "is damaged" in finding.sentence
    mend(finding, made.root)
    assert examine(made.root, "local", [files.retained]) == []


def test_damaged_objects_of_the_cluster_lead_to_a_new_emulator(made):
    made.kubernetes.mkdir()
    made.kubernetes_objects.write_text('{"objects"')
    finding = only(made, files.cluster)
    assert finding.level == Level.FAIL and finding.command == admit(made).start_over


def test_a_cluster_that_is_gone_is_told_and_can_be_left(made, tmp_path):
    assert only(made, files.kubeconfig).level == Level.OK
    with serving() as fake:
        attach(made, fake.kubeconfig(tmp_path / "kube.yaml"), Console(quiet=True))
        finding = only(made, files.kubeconfig)
        assert finding.level == Level.OK and f"applied to {fake.url}" in finding.sentence
    finding = only(made, files.kubeconfig)
    assert finding.level == Level.FAIL and f"{fake.url} does not answer" in finding.sentence
    assert finding.command.endswith("local up --no-kubeconfig")
