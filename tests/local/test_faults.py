"""Endpoints that throttle, break down, cut connections or are lost, full disks: a completed run, or a report first."""

import re
import resource
import socket
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stackyard import cli
from stackyard.errors import UserError
from stackyard.local import emulator, mirror, safety
from stackyard.local.up import UpFailed
from stackyard.program import state
from tests.local.faults import Act, microburst, nothing, times
from tests.local.small_project import RESOURCES, STACK, Project, Site, assert_equal

pytestmark = pytest.mark.local

Command = Callable[..., tuple[object, str]]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory):
    with Site.opened(tmp_path_factory.mktemp("faults")) as site:
        yield site


@pytest.fixture
def site(opened: Site):
    opened.begin()
    opened.printed()
    return opened


@pytest.fixture(scope="module")
def clean(opened: Site) -> dict[str, Any]:
    """What a run without faults leaves, and how many changing calls it makes."""
    opened.begin()
    opened.up()
    calls = sorted(opened.proxy.changes)
    return opened.found() | {"calls": calls}


def test_a_run_without_faults_makes_what_the_program_asks_for(site: Site, clean: dict[str, Any]):
    providers_and_stack = 3
    assert len(clean["state"]["resources"]) == RESOURCES + providers_and_stack
    assert clean["exists"]["kms key"] == ["<key>"]
    assert clean["settings"]["rotation"] == [True]
    assert len(clean["cluster"]) == 1


def test_three_throttles_in_a_row_are_waited_out(site: Site, clean: dict[str, Any], tmp_path: Path):
    codes = {
        ("ec2", "CreateVpc"): "RequestLimitExceeded",
        ("s3", "CreateBucket"): "SlowDown",
        ("kms", "CreateKey"): "ThrottlingException",
    }
    rules = [
        {"service": service, "operation": name, "times": 3, "error": {"code": code}}
        for (service, name), code in codes.items()
    ]
    with microburst(site.current.endpoint, rules, tmp_path) as burst:
        site.connect(burst.port)
        site.up()
        fired = [(fault["service"], fault["operation"]) for fault in burst.fired()]

    assert {call: fired.count(call) for call in codes} == dict.fromkeys(codes, 3)
    assert_equal(site.found(), clean)


def test_an_error_of_one_call_is_overcome(site: Site, clean: dict[str, Any], tmp_path: Path):
    rules = [
        {"service": "iam", "operation": "CreateRole", "times": 1, "error": {"code": "ServiceFailure", "status": 500}},
        {"service": "ec2", "operation": "CreateSubnet", "times": 1, "error": {"code": "InternalError", "status": 500}},
        {"service": "sqs", "operation": "CreateQueue", "times": 1, "reset": True},
    ]
    with microburst(site.current.endpoint, rules, tmp_path) as burst:
        site.connect(burst.port)
        site.up()
        assert len(burst.fired()) == len(rules)

    assert_equal(site.found(), clean)


def test_a_call_that_fails_throughout_is_named_with_what_exists_and_the_next_run_completes(
    site: Site, clean: dict[str, Any]
):
    site.proxy.set(times(Act.FAIL, "iam:CreateRole"))
    with pytest.raises(UpFailed, match="1 failed"):
        site.up()
    printed = site.printed()

    assert re.search(
        r"CreateRole \(iam, us-east-1\) with status 500 \(5 tries\): InternalError: It broke down", printed
    )
    assert "role (aws:iam/role:Role)" in printed
    assert re.search(r"bucket +created", printed), "what exists is listed"
    assert "skipped: settings" in printed
    site.proxy.set()
    site.up()
    assert_equal(site.found(), clean)


def test_the_command_ends_with_status_1_and_a_sentence(site: Site, clean: dict[str, Any]):
    site.proxy.set(times(Act.FAIL, "ec2:CreateVpc"))
    failed = site.project.run("local", "up")

    assert failed.returncode == 1
    assert "vpc (aws:ec2/vpc:Vpc in Site): AWS answered CreateVpc (ec2, us-east-1) with status 500" in failed.stdout
    assert "Traceback" not in failed.stdout + failed.stderr
    site.proxy.set()
    completed = site.project.run("local", "up")
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert_equal(site.found(), clean)


def test_a_half_made_resource_is_taken_back(site: Site, clean: dict[str, Any]):
    site.proxy.set(times(Act.FAIL, "kms:EnableKeyRotation"))
    with pytest.raises(UpFailed):
        site.up()
    assert "What was made of it was taken back" in site.printed()
    assert "kms key" not in site.found()["exists"]

    site.proxy.set()
    site.up()
    # A key that was deleted waits out its period.
    assert_equal(site.found(), clean, but=("waiting",))


def test_a_half_made_resource_that_cannot_be_taken_back_is_finished_by_the_next_run(site: Site, clean: dict[str, Any]):
    broken = {"kms:EnableKeyRotation", "kms:ScheduleKeyDeletion"}
    site.proxy.set(lambda call: Act.FAIL if call.operation in broken else Act.PASS)
    with pytest.raises(UpFailed):
        site.up()
    assert "unfinished: taking it back failed too" in site.printed()

    site.proxy.set()
    site.up()
    assert_equal(site.found(), clean)


def test_an_undo_whose_answer_was_lost_does_not_deceive_the_next_run(site: Site, clean: dict[str, Any]):
    faults = {"kms:EnableKeyRotation": Act.FAIL, "kms:ScheduleKeyDeletion": Act.CUT_AFTER}
    site.proxy.set(lambda call: faults.get(call.operation, Act.PASS))
    with pytest.raises(UpFailed):
        site.up()

    site.proxy.set()
    site.up()
    assert_equal(site.found(), clean, but=("waiting",))


CREATES = ("ec2:CreateVpc", "ec2:CreateSubnet", "s3:PUT bucket", "kms:CreateKey", "sqs:CreateQueue", "iam:CreateRole")


def test_connections_that_are_cut_after_the_creates_were_accepted_leave_nothing_twice(
    site: Site, clean: dict[str, Any]
):
    faults = [times(Act.CUT_AFTER, name, 1) for name in CREATES]
    site.proxy.set(lambda call: next((act for fault in faults if (act := fault(call)) is not Act.PASS), Act.PASS))
    site.up()

    assert len(site.proxy.changes) == len(clean["calls"]) + len(CREATES), "each was sent again"
    assert sum(site.carried_out().values()) == len(clean["calls"]), "and carried out once"
    assert_equal(site.found(), clean)


@pytest.mark.parametrize("name", ["ec2:CreateVpc", "kms:CreateKey", "s3:PUT bucket"])
def test_a_create_that_never_gets_an_answer_is_reported_and_finished_by_the_next_run(
    site: Site, clean: dict[str, Any], name: str
):
    site.proxy.set(times(Act.CUT_AFTER, name))
    with pytest.raises(UpFailed):
        site.up()
    assert "Nobody knows whether it was carried out" in site.printed()
    assert len(pending(site)) == 1

    site.proxy.set()
    site.up()
    assert site.carried_out()[name] == 1
    assert_equal(site.found(), clean)


def pending(site: Site) -> list[str]:
    deployment = state.read(site.project.state_file)
    assert deployment
    return [operation.resource.name for operation in deployment.pending_operations]


def test_a_destroy_after_an_unanswered_create_leaves_no_orphan(site: Site):
    site.proxy.set(times(Act.CUT_AFTER, "ec2:CreateVpc"))
    with pytest.raises(UpFailed):
        site.up()
    site.proxy.set()
    site.destroy()

    assert site.found()["exists"] == {}


def test_an_unanswered_delete_is_reported_and_finished_by_the_next_run(site: Site, clean: dict[str, Any]):
    site.up()
    site.proxy.set(times(Act.CUT_AFTER, "ec2:DeleteVpc"))
    with pytest.raises(UserError, match="1 resources would not go"):
        site.destroy()
    site.proxy.set()
    site.destroy()

    assert site.found()["exists"] == {}


def test_an_emulator_that_dies_within_a_run_is_reported_and_the_next_run_completes(site: Site, clean: dict[str, Any]):
    site.proxy.set(lambda call: Act.CUT_BEFORE if call.number > 8 else Act.PASS)
    with pytest.raises(UserError):
        site.up()
    site.proxy.set()
    site.up()

    assert_equal(site.found(), clean)


# What the commands find is not what they left


def test_an_emulator_that_was_restarted_empty_is_filled_again(site: Site, clean: dict[str, Any]):
    site.up()
    emulator.empty(site.current.endpoint)
    site.up()

    assert "has forgotten this environment" in site.printed()
    assert_equal(site.found(), clean)


def test_an_emulator_that_holds_the_resources_of_another_state_is_emptied_first(site: Site, clean: dict[str, Any]):
    site.up()
    emulator.mark(site.current.endpoint, "somebody else's")
    site.up()

    assert "has forgotten this environment" in site.printed()
    assert_equal(site.found(), clean)


def test_an_emulator_on_a_taken_port_listens_on_another_one(tmp_path: Path):
    project = Project.make(tmp_path / "project")
    with socket.create_server(("127.0.0.1", emulator.default_port(project.places()))):
        try:
            completed = project.run("local", "up")
            assert completed.returncode == 0, completed.stdout + completed.stderr
            assert "is taken by another program" in completed.stdout
        finally:
            project.stop()
    assert state.read(project.state_file), STACK


def test_an_emulator_that_is_another_environments_is_never_written_to(site: Site):
    # Its process lives and our record names it, but a program answers that is not an emulator.
    with socket.create_server(("127.0.0.1", 0)) as other:
        site.connect(other.getsockname()[1])
        other.close()
        with pytest.raises(UserError, match="is not Stackyard's emulator"):
            site.up()
    assert site.carried_out() == {}
    site.proxy.set(nothing)


# A disk that is full


@pytest.fixture
def command(site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The command line in this process, where no file may grow beyond `room` bytes: a write fails as on a full disk."""
    monkeypatch.chdir(site.project.root)
    # Python would rename a bytecode file into place of which only the beginning could be written.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def run(*arguments: str, room: int, children: bool = True) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["stackyard", *arguments])
        site.forks.room = room if children else 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        try:
            cli.run()
            status: object = 0
        except SystemExit as end:
            status = end.code
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            site.forks.room = 0
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return run


def assert_says_so(failed: tuple[object, str], file: str) -> None:
    status, said = failed
    assert status == 1, said
    assert "Traceback" not in said
    assert file in said
    assert "File too large" in said, "the system's reason is named"


def test_a_journal_that_cannot_be_written_stops_the_run_and_the_next_one_completes(
    site: Site, clean: dict[str, Any], command: Command
):
    assert_says_so(command("local", "up", room=4096), "journal")

    site.up()
    assert site.carried_out() == Counter(clean["calls"])
    assert_equal(site.found(), clean)


def test_a_state_that_cannot_be_written_stays_as_it_was_and_the_next_run_completes(
    site: Site, clean: dict[str, Any], command: Command
):
    site.up()
    before = site.project.state_file.read_bytes()
    program = site.project.root / "stacks" / "__main__.py"
    program.write_text(program.read_text().replace("retention_in_days=7", "retention_in_days=14"))

    assert_says_so(command("local", "up", room=8192, children=False), site.project.state_file.name)

    assert site.project.state_file.read_bytes() == before
    assert site.project.journal_file.exists(), "what was done is not forgotten"
    site.project.version(1)
    site.up()
    assert_equal(site.found(), clean)
    assert not list(site.project.state_file.parent.glob("*.tmp*"))


def test_a_snapshot_that_cannot_be_written_leaves_the_last_one_and_the_emulator(site: Site, command: Command):
    site.up()
    s3 = safety.client("s3", endpoint=site.proxy.endpoint)
    s3.put_object(Bucket="faults-data", Key="small", Body=b"kept")
    places = site.project.places()
    before = mirror.snapshot(site.proxy.endpoint, places)
    s3.put_object(Bucket="faults-data", Key="large", Body=b"x" * 65536)

    assert_says_so(command("local", "down", room=8192), "mirror")

    assert mirror.current(places) == before
    assert s3.get_object(Bucket="faults-data", Key="large")["ContentLength"] == 65536
    assert mirror.snapshot(site.proxy.endpoint, places).objects == 2
