"""Python, packages, settings, disk and folder: each wrong in turn."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from stackyard.local.doctor import files, installation
from stackyard.local.doctor.finding import Level, admit
from stackyard.local.places import Places
from stackyard.program import state
from tests.local.checkouts import ROOT
from tests.local.doctor.support import deployment, mend, mended, only

# Modes count for an ordinary user; root has to give up the capabilities that make them not count.
CAPABLE_OF_NOTHING = ["setpriv", "--securebits", "+noroot", "--inh-caps", "-all", "--bounding-set", "-all"]
ORDINARY = CAPABLE_OF_NOTHING if os.geteuid() == 0 else []


def test_a_python_that_is_too_new_is_named_with_what_is_needed(places):
    (finding,) = installation.python(admit(places), version="3.13.1")
    assert finding.level == Level.FAIL
    assert "Python 3.13.1" in finding.sentence and "<3.13,>=3.11" in finding.sentence.replace(
        ">=3.11,<3.13", "<3.13,>=3.11"
    )
    assert finding.command == "make -B .venv/.installed-local"
    assert only(places, installation.python).level == Level.OK, "ours is supported"


def test_the_install_command_reinstalls_although_the_stamp_says_installed():
    """Not carried out here, since it downloads: make says what it would run."""
    command = ["make", "-n", "-B", ".venv/.installed-local"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "tools/bootstrap.sh requirements/local.txt" in shown


def test_outside_the_checkout_the_install_command_says_where(places, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert admit(places).install == "make -C checkout -B .venv/.installed-local"
    places.root.rename(tmp_path / "a checkout")
    assert admit(Places(tmp_path / "a checkout", "local")).install == "make -C 'a checkout' -B .venv/.installed-local"


def test_packages_that_differ_from_the_lock_are_named_and_other_platforms_are_not_asked_for(places):
    lock = places.root / "requirements" / "local.txt"
    lock.write_text(
        "# inputs\nmoto==5.2.5 \\\n    --hash=sha256:00\n    # via stackyard\nnumpy==2.4.1 \\\n    --hash=sha256:00\n"
        "Typing_Extensions==4.1\npywin32==312 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
    )
    patient = admit(places)
    good = {"moto": "5.2.5", "numpy": "2.4.1", "typing-extensions": "4.1"}
    (finding,) = installation.packages(patient, installed=good)
    assert (finding.level, finding.command) == (Level.OK, ""), "pywin32 is for another platform"
    assert "All 3 packages" in finding.sentence

    (finding,) = installation.packages(patient, installed={"moto": "5.2.4", "typing-extensions": "4.1"})
    assert finding.level == Level.FAIL and finding.command == patient.install
    assert "2 of 3" in finding.sentence
    assert "moto 5.2.4 instead of 5.2.5, numpy 2.4.1 is missing" in finding.sentence


def test_the_packages_of_this_python_are_as_the_lock_says(places):
    finding = only(places, installation.packages)
    assert finding.level == Level.OK, finding.sentence


def test_the_code_of_another_checkout_is_noticed(places):
    assert only(places, installation.code).level == Level.WARN, "these tests run the repository's code"
    (finding,) = installation.code(admit(places), ours=places.root / "stackyard" / "__init__.py")
    assert finding.level == Level.OK


def test_bad_settings_are_a_finding_and_the_other_checks_go_on(made):
    file = made.root / "stacks" / "Pulumi.local.yaml"
    file.write_text(file.read_text().replace("10.0.0.0/16", "10.0.0.0/99"))
    finding = only(made, installation.settings)
    assert finding.level == Level.FAIL and "10.0.0.0/99" in finding.sentence
    assert finding.command == '"${EDITOR:-vi}" stacks/Pulumi.local.yaml'
    assert only(made, files.states).name == "state local", "known from its file"
    made.state("local").write_text(json.dumps(state.to_state(deployment(1, "prod-base"))))
    assert "is the state of stackyard/prod-base" in only(made, files.states).sentence, "the project is known as well"


def test_a_missing_package_is_told_with_the_command_that_installs_it(made, monkeypatch):
    # None makes the import fail, as if it were not installed.
    monkeypatch.setitem(sys.modules, "stackyard.local.environment", None)
    finding = only(made, installation.settings)
    assert finding.level == Level.FAIL and "not installed" in finding.sentence
    assert finding.command == admit(made).install
    assert only(made, files.states).level == Level.OK, "the others go on"


@pytest.mark.parametrize(
    ("free", "level", "figure"),
    [(5 << 30, Level.OK, "5.0 GiB"), (300 << 20, Level.WARN, "0.3 GiB"), (3 << 20, Level.FAIL, "3 MiB")],
)
def test_a_disk_that_fills_up_is_told_with_the_figure_and_where(places, free, level, figure):
    (finding,) = installation.disk(admit(places), free_bytes=free)
    assert finding.level == level and figure in finding.sentence
    if level != Level.OK:
        assert "where . lies" in finding.sentence
        mend(finding, places.root)


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root writes everywhere, without setpriv")
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_folder_that_cannot_be_written_is_named_and_its_owner_opens_it_again(places, mode):
    places.folder.mkdir(parents=True)
    places.folder.chmod(mode)
    script = (
        "import sys; from pathlib import Path; from stackyard.local.doctor import installation, finding\n"
        "from stackyard.local.places import Places\n"
        "found, = installation.writable(finding.admit(Places(Path(sys.argv[1]), 'local')))\n"
        "print(found.level, found.sentence, found.command, sep='\\n')"
    )

    def look() -> list[str]:
        command = [*ORDINARY, sys.executable, "-B", "-c", script, str(places.root)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    level, sentence, command = look()
    assert level == Level.FAIL and ".stackyard/local cannot be written by" in sentence and "its owner" in sentence
    assert command == "chmod -R u+rwX .stackyard"
    subprocess.run([*ORDINARY, "/bin/sh", "-c", command], check=True)
    assert look()[0] == Level.OK


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_that_root_left_is_given_back_with_sudo(places, monkeypatch):
    places.folder.mkdir(parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    finding = only(places, installation.writable)
    assert "it belongs to root" in finding.sentence
    assert finding.command == "sudo chown -R nobody .stackyard"


def test_a_file_in_the_place_of_the_folder_is_put_aside(places):
    places.folder.parent.mkdir()
    places.folder.write_text("")
    finding = only(places, installation.writable)
    assert "is a file" in finding.sentence
    mended(places, installation.writable, finding)
