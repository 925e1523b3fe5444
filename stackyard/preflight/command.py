"""`stackyard preflight`: all checks, failures on top, and what to do about each."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from stackyard.errors import InvalidInput
from stackyard.preflight.account import Account, Clients, emulator_clients, own_clients
from stackyard.preflight.check import examine
from stackyard.preflight.checks import CHECKS
from stackyard.preflight.finding import Finding, Level
from stackyard.preflight.target import Target, target

FORMATS = ("text", "json")
LOCAL = "local"
_WORDS = {
    Level.FAIL: ("[red]fail[/]", "failed"),
    Level.UNKNOWN: ("[yellow]could not check[/]", "could not be checked"),
    Level.SKIPPED: ("[dim]skipped[/]", "skipped"),
    Level.PASS: ("[green]pass[/]", "passed"),
}


def preflight(
    root: Path,
    env: str,
    console: Console,
    *,
    layer: str | None = None,
    today: date,
    format: str = "text",
    local: bool = False,
    clients: Clients | None = None,
    progress: Console | None = None,
) -> int:
    """Prints what was found; returns the exit status: 0 all passed, 1 something failed, 3 something is unknown.

    `local` asks the environment's emulator, as for `local` itself. `clients` is for tests. Raises InvalidInput.
    """
    if format not in FORMATS:
        raise InvalidInput(
            f"--format {format!r} is not known: it is one of {', '.join(FORMATS)}, for example --format json"
        )
    emulated = local or env == LOCAL
    asked = target(root, env, layer=layer, today=today, emulated=emulated)
    account = Account(clients or _clients(asked), asked.region, emulated=emulated)
    with told(progress) as tell:
        findings = examine(CHECKS, account, asked, tell)
    if format == "json":
        console.out(to_json(asked, findings), highlight=False)
    else:
        _print(asked, findings, console)
    return status(findings)


def status(findings: Sequence[Finding]) -> int:
    levels = {finding.level for finding in findings}
    return 1 if Level.FAIL in levels else 3 if Level.UNKNOWN in levels else 0


def to_json(asked: Target, findings: Sequence[Finding]) -> str:
    """What was asked, `counts` by level, and `findings`: `check`, `level`, `sentence`, `remedy`, `command`."""
    counts = Counter(str(finding.level) for finding in findings)
    document = {
        "environment": asked.environment,
        "layers": sorted(map(str, asked.layers)),
        "account": asked.account_id,
        "region": asked.region,
        "today": str(asked.today),
        "emulated": asked.emulated,
        "status": status(findings),
        "counts": {str(level): counts[str(level)] for level in Level},
        "findings": [
            {
                "check": finding.check,
                "level": str(finding.level),
                "sentence": finding.sentence,
                "remedy": finding.remedy,
                "command": finding.command,
            }
            for finding in findings
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False)


def parsed_day(text: str | None) -> date:
    """The day of `--today`, this one by default. Raises InvalidInput."""
    if text is None:
        return date.today()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"--today {text!r} is not a day, for example --today 2026-11-24") from None


def _clients(asked: Target) -> Clients:
    if not asked.emulated:
        from stackyard.bootstrap.command import own_session

        return own_clients(lambda: own_session(asked.region))
    from stackyard.local import emulator
    from stackyard.local.places import Places, typed

    server = emulator.running(Places(asked.root, asked.environment))
    if server is None:
        raise InvalidInput(
            f"the emulator of {asked.environment!r} does not run, so there is nothing to look at: "
            f"{typed('local up', asked.environment)} starts it"
        )
    return emulator_clients(server.endpoint)


def told(progress: Console | None) -> "AbstractContextManager[Callable[[str], None]]":
    """Names of checks as they are made, on a terminal."""
    if progress is None or not progress.is_terminal:
        return nullcontext(lambda name: None)
    return _Telling(progress)


class _Telling:
    def __init__(self, console: Console):
        self._status = Status("…", console=console)

    def __enter__(self) -> Callable[[str], None]:
        self._status.start()
        return lambda name: self._status.update(f"checking: {name}")

    def __exit__(self, *_: Any) -> None:
        self._status.stop()


def _print(asked: Target, findings: Sequence[Finding], console: Console) -> None:
    where = "the emulator" if asked.emulated else f"account {asked.account_id}"
    console.print(
        f"[bold]{escape(asked.environment)}[/] ({', '.join(sorted(asked.layers))}) in {where}, {asked.region}: "
        + verdict(findings)
    )
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    table.add_column("result", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("why", overflow="fold")
    for finding in findings:
        table.add_row(_WORDS[finding.level][0], escape(finding.check), escape(finding.sentence))
    console.print(table)
    print_remedies(findings, console)


def verdict(findings: Sequence[Finding]) -> str:
    """For example `1 failed, 2 could not be checked, 14 passed`."""
    counts = Counter(finding.level for finding in findings)
    return ", ".join(f"{counts[level]} {_WORDS[level][1]}" for level in Level if counts[level])


def print_remedies(findings: Sequence[Finding], console: Console) -> None:
    """Commands stand alone and are never wrapped, since they are copied; the same remedy is told once."""
    remedies: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        if finding.remedy or finding.command:
            names = remedies.setdefault((finding.remedy, finding.command), [])
            if finding.check not in names:
                names.append(finding.check)
    if remedies:
        console.print("\n[bold]What to do[/]")
    for number, ((remedy, command), names) in enumerate(remedies.items(), 1):
        console.print(f"{number}. {escape(', '.join(names))}: {escape(remedy)}")
        if command:
            console.out(f"   {command}", highlight=False)
