"""tools/bootstrap.sh names the program that cannot be used as Python, and the way out, before it writes anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bootstrap(tmp_path):
    """The script in a folder of its own, with PYTHON, or with nothing but the programs in `bin`; what it wrote."""
    (tmp_path / "project" / "tools").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "tools" / "bootstrap.sh", tmp_path / "project" / "tools")
    for name in ("sh", "dirname"):
        (tmp_path / "bin" / name).symlink_to(Path(str(shutil.which(name))).resolve())

    def run(python: str = "") -> str:
        result = subprocess.run(
            [str(tmp_path / "project" / "tools" / "bootstrap.sh"), "requirements/local.txt"],
            env={"PATH": str(tmp_path / "bin"), "PYTHON": python},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert result.returncode == 1 and result.stdout == "", result.stdout
        assert os.listdir(tmp_path / "project") == ["tools"], "something was installed"
        return result.stderr

    return run


def program(folder: Path, name: str, body: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


WAY_OUT = "Stackyard needs Python 3.11 or 3.12. Name one with make PYTHON=/path/to/python3.11 up"


@pytest.mark.parametrize(
    "body", ["exit 0", "exit 1", 'echo "$@"', "echo supported; exit 1"], ids=["true", "false", "echo", "breaks"]
)
def test_a_program_that_is_no_python_is_named_with_the_way_out(bootstrap, tmp_path, body):
    path = program(tmp_path, "snake", body)
    assert f"PYTHON={path}: {path} is not a Python that runs, and {WAY_OUT}" in bootstrap(path)


def test_a_program_that_does_not_exist_is_named_as_such(bootstrap):
    said = bootstrap("/does/not/exist")
    assert f"PYTHON=/does/not/exist: /does/not/exist is not there, or cannot be run, and {WAY_OUT}" in said


def test_a_python_that_is_too_old_is_named_with_its_version(bootstrap, tmp_path):
    path = program(tmp_path, "old", "case $2 in *platform*) echo Python 3.9.2 ;; esac")
    assert f"{path} is Python 3.9.2, and {WAY_OUT}" in bootstrap(path)


def test_without_python_on_path_the_way_out_is_to_install_or_to_name_one(bootstrap):
    said = bootstrap()
    assert "needs Python 3.11 or 3.12, and python3 is not there, or cannot be run: install one of them" in said
    assert "make PYTHON=/path/to/python3.11 up" in said
