"""Processes of a step, by the numbers that they left in files."""

import os
from contextlib import suppress
from pathlib import Path


def pid_in(file: Path) -> int:
    """AssertionError as long as nobody has written it."""
    text = file.read_text() if file.exists() else ""
    assert text.endswith("\n"), f"{file} holds {text!r}"
    return int(text)


def ended(pid: int) -> bool:
    """Whether the process is gone, or only waits for its parent to take note."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # Without /proc it counts as long as it has a number.
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False
