"""What the command line itself does: where a capture goes, and what a machine refuses told as a sentence."""

import errno
import os
import stat
import sys
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stackyard import cli
from stackyard.errors import InvalidInput


@pytest.fixture
def captured(monkeypatch):
    """`stackyard capture --output FILE` of a text that is there already."""
    monkeypatch.setattr("stackyard.program.capture.capture", lambda *given, **options: None)
    monkeypatch.setattr("stackyard.program.capture.render", lambda *given: "a capture\n")

    def run(output):
        result = CliRunner().invoke(cli.app, ["capture", "--stack", "dev", "--output", str(output)])
        assert result.exit_code == 0, result.output

    return run


def test_a_capture_replaces_what_a_link_leads_to_and_only_its_owner_reads_it(captured, tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("before")
    link.symlink_to(target)
    captured(link)
    assert link.is_symlink(), "the link was replaced, and its target left as it was"
    assert target.read_text() == "a capture\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_capture_goes_through_a_pipe_and_leaves_it_there(captured, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    captured(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    reader.join(5)
    assert read == ["a capture\n"]


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="descriptors have no names here")
def test_a_capture_is_added_to_a_file_that_the_shell_opened(captured, tmp_path):
    log = tmp_path / "log"
    log.write_text("before\n")
    with log.open("a") as opened:  # as `--output /dev/stdout >> log` does
        captured(f"/dev/fd/{opened.fileno()}")
    assert log.read_text() == "before\na capture\n"


@pytest.mark.parametrize(("output", "reason"), [("{}", "is a folder"), ("{}/no/x", "no folder"), ("", "is a folder")])
def test_a_capture_needs_a_file_in_a_folder_that_exists(captured, tmp_path, output, reason):
    arguments = ["capture", "--stack", "dev", "--output", output.format(tmp_path)]
    refused = CliRunner().invoke(cli.app, arguments).exception
    assert isinstance(refused, InvalidInput) and reason in str(refused)
    assert list(tmp_path.iterdir()) == [], "nothing is made on the way"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(errno.EPERM, "Operation not permitted", "/p/.stackyard/local"), "/p/.stackyard/local cannot"),
        (PermissionError(errno.EACCES, "Permission denied", "s.json"), "s.json cannot be read or written: Permission"),
        (OSError(errno.ENOSPC, "No space left on device"), "a file cannot be read or written: No space left"),
    ],
)
def test_what_the_machine_refuses_is_a_sentence_with_the_way_out(monkeypatch, capsys, error, sentence):
    monkeypatch.setattr(sys, "argv", ["stackyard", "doctor", "--local"])
    monkeypatch.setattr("stackyard.cli._root", lambda: (_ for _ in ()).throw(error))
    with pytest.raises(SystemExit) as end:
        cli.run()
    told = capsys.readouterr().err
    assert end.value.code == 1 and sentence in told and "stackyard doctor --local" in told


def test_a_defect_of_ours_keeps_its_stack_trace(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stackyard", "doctor", "--local"])
    monkeypatch.setattr("stackyard.cli._root", Path("/nowhere/at/all").read_text)
    with pytest.raises(FileNotFoundError):
        cli.run()
