"""`stackyard doctor --local`: all checks, failures first."""

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from stackyard.errors import InvalidInput
from stackyard.local.doctor import data, emulation, files, installation
from stackyard.local.doctor.finding import Check, Finding, Level, Patient, admit, fail
from stackyard.local.places import Places

FORMATS = ("text", "json")
CHECKS: tuple[Check, ...] = (
    installation.python,
    installation.packages,
    installation.code,
    installation.settings,
    installation.disk,
    installation.writable,
    files.environment,
    files.modes,
    files.locks,
    emulation.process,
    emulation.port,
    emulation.contents,
    files.states,
    files.journals,
    files.cluster,
    files.kubeconfig,
    files.leftovers,
    files.retained,
    data.snapshot,
    data.runs,
    data.compiled,
)
"""In the order of what stands on what: the first failure is the one to mend first."""

_SIGNS = {Level.FAIL: "[red]✗[/]", Level.WARN: "[yellow]![/]", Level.OK: "[green]✓[/]"}
_NARROWEST = 40


def examine(root: Path, env: str, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Findings of all checks, failures first. Changes nothing. Raises InvalidInput for an unknown environment."""
    _require_known(root, env)
    patient = admit(Places(root, env))
    found = [finding for check in checks for finding in _made(check, patient)]
    return sorted(found, key=lambda finding: list(Level).index(finding.level))


def doctor(root: Path, env: str, console: Console, *, format: str = "text") -> int:
    """Prints what was found; returns the exit status: 0 if all is well, 1 if there is something to mend."""
    if format not in FORMATS:
        raise InvalidInput(
            f"--format {format!r} is not known: it is one of {', '.join(FORMATS)}, for example --format json"
        )
    findings = examine(root, env)
    sick = [finding for finding in findings if finding.level != Level.OK]
    if format == "json":
        console.out(to_json(env, findings), highlight=False)
    else:
        _print(env, findings, len(sick), console)
    return 1 if sick else 0


def to_json(env: str, findings: Sequence[Finding]) -> str:
    """`environment`, `well` and `findings`, each with `check`, `level` (fail, warn, ok), `sentence`, `command`."""
    entries = [{"check": f.name, "level": str(f.level), "sentence": f.sentence, "command": f.command} for f in findings]
    well = all(finding.level == Level.OK for finding in findings)
    return json.dumps({"environment": env, "well": well, "findings": entries}, indent=1, sort_keys=True)


def _print(env: str, findings: Sequence[Finding], sick: int, console: Console) -> None:
    verdict = f"something to mend in {sick} of {len(findings)} findings" if sick else "all is well"
    console.print(f"[bold]{escape(env)}[/]: {verdict}")
    for finding in findings:
        first, *rest = _wrapped(f"{finding.name}: {finding.sentence}", max(console.width - 4, _NARROWEST))
        console.print(f"  {_SIGNS[finding.level]} {escape(first)}", soft_wrap=True)
        for line in rest:
            console.print(f"    {escape(line)}", soft_wrap=True)
        if finding.command:
            console.print(f"    [bold]{escape(finding.command)}[/]", soft_wrap=True)


def _wrapped(text: str, width: int) -> list[str]:
    # Not by rich: it would cut a path that is longer than a line. Commands are never wrapped, since they are copied.
    paragraphs = (textwrap.wrap(t, width, break_long_words=False, break_on_hyphens=False) for t in text.splitlines())
    return [line for lines in paragraphs for line in lines]


def _made(check: Check, patient: Patient) -> list[Finding]:
    name = check.__name__
    try:
        return check(patient)
    except ImportError as missing:
        sentence = f"This could not be checked without a package that is not installed: {missing}."
        return [fail(name, sentence, patient.install)]
    except Exception as error:  # a check that breaks down must not hide what the others find
        sentence = f"This could not be checked ({type(error).__name__}: {error}): mend the rest, then look again."
        return [fail(name, sentence, patient.stackyard("doctor", "--local"))]


def _require_known(root: Path, env: str) -> None:
    try:
        from stackyard.local.environment import known_environments, no_such_environment
    except ImportError:
        # A missing package is a finding of its own.
        return
    try:
        known = known_environments(root)
    except InvalidInput:
        # A stack file that cannot be read is a finding of its own.
        return
    if env not in known:
        raise no_such_environment(env, known)
