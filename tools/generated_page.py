"""Pages of the docs that tools write: a whole page or a table between two marks, written or compared."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def between_marks(page: str, name: str, begin: str, end: str, table: str) -> str:
    """The page with the table between its two marks. Raises ValueError, naming the page, when a mark is missing."""
    before, opening, rest = page.partition(begin)
    _, closing, after = rest.partition(end)
    if not opening or not closing:
        raise ValueError(f"{name} must hold the marks {begin} and {end}, between which the table goes")
    return f"{before}{begin}\n{table}\n{end}{after}"


def write_or_check(page: Path, wanted: Callable[[str], str], *, what: str, command: str) -> int:
    """A tool's command line: `--write` writes the page, else a stale one is told and gives status 1.

    `wanted` makes the page from what stands there (empty for none); `what` names it, `command` writes it.
    """
    parser = argparse.ArgumentParser(description=f"Write or check {what}.")
    parser.add_argument("--write", action="store_true", help="write it")
    parser.add_argument("--check", action="store_true", help="status 1 when it is stale (the default)")
    write: bool = parser.parse_args().write
    current = page.read_text(encoding="utf-8") if page.is_file() else ""
    new = wanted(current)
    if new == current:
        return 0
    if not write:
        sys.stderr.write(f"{what} is stale: run `{command}`\n")
        return 1
    page.write_text(new, encoding="utf-8")
    return 0
