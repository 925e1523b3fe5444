"""The doctor on a whole environment: well after `up`, and the command that it prints makes a broken one well again."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from stackyard.local import emulator, mirror
from stackyard.local.doctor import data, installation
from stackyard.local.doctor.command import CHECKS, examine
from stackyard.local.doctor.finding import Finding, Level
from stackyard.local.snapshots import Store
from stackyard.program import state
from tests.local.checkouts import Checkout, make_checkout

pytestmark = pytest.mark.local

# This process runs the repository's code, and compiling takes longer than all other checks.
QUICK = [check for check in CHECKS if check not in (installation.code, data.compiled)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    checkout = make_checkout(tmp_path_factory.mktemp("doctor") / "checkout")
    compiled = checkout.run("pipelines", "compile")
    assert compiled.returncode == 0, compiled.stderr
    yield checkout
    checkout.stop()


@pytest.fixture(scope="module")
def provisioned(checkout) -> Checkout:
    result = checkout.run("local", "up")
    assert result.returncode == 0, result.stdout + result.stderr
    return checkout


@pytest.fixture(autouse=True)
def _in_the_checkout(checkout, monkeypatch):
    monkeypatch.chdir(checkout.root)


def faults(checkout: Checkout) -> dict[str, Finding]:
    return {f.name: f for f in examine(checkout.root, "local", QUICK) if f.level != Level.OK}


def mend(checkout: Checkout, finding: Finding) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", finding.command],
        cwd=checkout.root,
        env={"PATH": os.environ["PATH"], "HOME": str(checkout.root), "PYTHONPATH": str(checkout.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{finding.command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def files_of(checkout: Checkout) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in checkout.places().folder.rglob("*")
    }


def test_a_checkout_without_an_environment_is_well_and_says_so(checkout):
    result = checkout.run("doctor", "--local")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "local: all is well" in result.stdout and "There is no environment 'local' here yet" in result.stdout
    assert not checkout.places().folder.exists(), "a doctor makes nothing"


def test_doctor_wants_to_be_told_what_to_look_at(checkout):
    result = checkout.run("doctor")
    assert result.returncode == 2 and "--local" in result.stderr


def test_an_environment_after_up_is_well_and_the_doctor_leaves_it_alone(provisioned):
    emulator.reset_requests(provisioned.endpoint())
    before = files_of(provisioned)
    result = provisioned.run("doctor", "--local", "--format", "json")
    document = json.loads(result.stdout)
    sick = [entry for entry in document["findings"] if entry["level"] != "ok"]
    assert (sick, document["well"], result.returncode) == ([], True, 0), result.stderr
    assert {"emulator", "contents", "state local", "snapshot"} <= {entry["check"] for entry in document["findings"]}
    assert files_of(provisioned) == before
    assert emulator.requests(provisioned.endpoint()).mutating == {}


def test_an_emulator_that_hangs_is_ended_and_replaced_by_the_command(provisioned):
    server = emulator.running(provisioned.places())
    assert server
    os.kill(server.pid, signal.SIGSTOP)
    found = faults(provisioned)
    assert found.keys() == {"emulator"} and "does not answer" in found["emulator"].sentence
    assert emulator.running(provisioned.places()), "the doctor itself ends nothing"
    mend(provisioned, found["emulator"])
    assert faults(provisioned) == {}


def test_one_new_emulator_mends_a_lost_state_and_a_damaged_snapshot(provisioned):
    path, store = provisioned.places().state("local"), Store(provisioned.places().mirror)
    mirror.snapshot(provisioned.endpoint(), provisioned.places())
    for kept in state.backups(path):
        kept.unlink()
    path.write_text(path.read_text()[:1000])
    kept = store.current()
    assert kept and kept.objects, "the code package"
    blob = store.blob(next(iter(kept.buckets.values()))[0].sha256)
    blob.write_bytes(blob.read_bytes()[:-1])

    found = faults(provisioned)
    assert found.keys() == {"state local", "snapshot"}, found
    assert "The emulator still holds the data" in found["snapshot"].sentence
    mend(provisioned, found["snapshot"])
    assert faults(provisioned) == {}
    restored = store.current()
    assert restored and restored.objects == kept.objects


def test_an_up_that_was_killed_half_way_is_completed_by_the_command(provisioned):
    places = provisioned.places()
    emulator.empty(provisioned.endpoint())
    assert faults(provisioned).keys() == {"contents"}
    up = subprocess.Popen(
        [sys.executable, "-m", "stackyard", "local", "up"],
        cwd=provisioned.root,
        env={"PATH": os.environ["PATH"], "HOME": str(provisioned.root), "PYTHONPATH": str(provisioned.root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (places.journal("local").exists() and places.journal("local").read_bytes().count(b"\n") > 20):
        assert up.poll() is None and time.monotonic() < deadline, "it did not get as far"
        time.sleep(0.02)
    os.killpg(up.pid, signal.SIGKILL)
    up.wait()
    found = faults(provisioned)
    assert {"lock", "journal local"} <= found.keys() <= {"lock", "pipeline lock", "journal local", "leftovers"}
    assert f"(pid {up.pid}), who was killed" in found["lock"].sentence
    assert (
        "was interrupted" in found["journal local"].sentence
        and "have no known result" in found["journal local"].sentence
    )
    mend(provisioned, found["journal local"])
    assert faults(provisioned).keys() <= {"leftovers"}
