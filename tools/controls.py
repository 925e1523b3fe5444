"""docs/controls.md: every security control, how it is met, who judged it, and every exception.

Joined from the rows in controls_infrastructure.py and controls_workloads.py, the security tables on the components'
pages, and what the judges are asked in tests/judges. `python -m tools.controls --write`; `--check` for status 1 when
the page is stale.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.controls_infrastructure import INFRASTRUCTURE
from tools.controls_model import Control, Scanner
from tools.controls_workloads import WORKLOADS
from tools.generated_page import write_or_check
from tools.named_tests import node_id

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "controls.md"
COMPONENT_PAGES = ROOT / "docs" / "components"
WRITE = "python -m tools.controls --write"
CONTROLS = (*INFRASTRUCTURE, *WORKLOADS)
LAST = 95

# A row of a component's security table: numbers, then how.
ROW = re.compile(r"^\| ([0-9][0-9, ]*) \| (.+) \|$", re.MULTILINE)
EXCEPTION = re.compile(r"exception", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, order=True)
class Claim:
    """What a component's page says about a control."""

    component: str
    how: str

    @property
    def excepted(self) -> bool:
        return self.how.lower().startswith("exception")


def claims(folder: Path = COMPONENT_PAGES) -> dict[int, list[Claim]]:
    """By control, from the pages of the components."""
    found: dict[int, list[Claim]] = {}
    for page in sorted(folder.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        component = text.splitlines()[0].removeprefix("# ")
        for numbers, how in ROW.findall(text):
            for number in re.findall(r"[0-9]+", numbers):
                found.setdefault(int(number), []).append(Claim(component=component, how=_relinked(how.strip())))
    return found


def _relinked(how: str) -> str:
    """Links of a page below docs/components, seen from docs."""
    return re.sub(r"\]\((\.\./)?([^)]+)\)", lambda m: f"]({m[2] if m[1] else f'components/{m[2]}'})", how)


def components_in_stacks() -> set[str]:
    from tests.stack_captures import STACKS, stack_capture

    types = {resource.type for stack in STACKS for resource in stack_capture(stack)}
    return {type_.rsplit(":", 1)[1] for type_ in types if type_.startswith("stackyard:")}


def checkov_checks() -> dict[int, list[str]]:
    """By control: the checks of Checkov whose bad twin is shown to fail."""
    from tests.judges.planted import MUST_FAIL

    found: dict[int, list[str]] = {}
    for check, (_, number) in MUST_FAIL.items():
        found.setdefault(number, []).append(check)
    return {number: sorted(checks) for number, checks in found.items()}


def accepted() -> dict[int, list[str]]:
    """By control: findings of judges that stay, with their reasons."""
    from tests.judges.exceptions import CHECKOV, CLOUDSPLAINING, PARLIAMENT

    found: dict[int, list[str]] = {}
    for row in (*CHECKOV, *PARLIAMENT, *CLOUDSPLAINING):
        found.setdefault(row.control, []).append(f"{row.check} on `{row.resource}`{_in(row.stacks)}: {row.reason}")
    return found


def _in(stacks: tuple[str, ...]) -> str:
    return "" if stacks == ("*",) else f" ({', '.join(stacks)})"


# What a row comes to


def met_by(control: Control, found: Mapping[int, list[Claim]], present: set[str]) -> list[str]:
    """How it is met, a sentence each; only components that stand in some stack count."""
    said = [
        f"`{claim.component}`: {claim.how}"
        for claim in found.get(control.number, [])
        if not claim.excepted and claim.component in present
    ]
    return [control.met, *said] if control.met else said


def exceptions(control: Control, found: Mapping[int, list[Claim]], judged: Mapping[int, list[str]]) -> list[str]:
    said = [control.excepted] if control.excepted else []
    said += [
        f"`{claim.component}`: {EXCEPTION.sub('', claim.how, count=1).lstrip(': ')}"
        for claim in found.get(control.number, [])
        if claim.excepted
    ]
    return said + judged.get(control.number, [])


def judges(control: Control, checks: Mapping[int, list[str]]) -> list[str]:
    said = [f"Checkov {', '.join(checks[control.number])}"] if control.number in checks else []
    if control.scanner is not None and control.scanner is not Scanner.NOBODY:
        said.append(str(control.scanner))
    return said + [f"`{node_id(test)}`" for test in control.tests]


def is_open(control: Control, found: Mapping[int, list[Claim]], present: set[str]) -> bool:
    """Neither met nor excepted, and no component is named that will meet it."""
    excepted = control.excepted or any(claim.excepted for claim in found.get(control.number, []))
    return not (met_by(control, found, present) or excepted or control.later)


def waiting_for(control: Control, found: Mapping[int, list[Claim]], present: set[str]) -> list[str]:
    """Components that say they meet it, and that no committed stack has."""
    return sorted({claim.component for claim in found.get(control.number, [])} - present)


HEAD = f"""\
# Security controls

Generated by `{WRITE}` from the components' pages, the rows in `tools/` and the judges' tables in `tests/judges`; not
edited by hand. A control is met by default, or an exception says why not. Judges see captures of every committed
stack: Checkov as a Terraform plan, each named check shown to fail on a bad twin; the IAM tools every policy document.
A chart's objects are invisible to captures: controls that concern them are judged from the pinned values.
"""


def render(rows: Iterable[Control] = CONTROLS) -> str:
    """The page, the same bytes for the same sources."""
    return "\n".join([HEAD, *_table(rows)]) + "\n"


def _table(rows: Iterable[Control]) -> Iterator[str]:
    found, present, checks, judged = claims(), components_in_stacks(), checkov_checks(), accepted()
    yield "| # | Control | Asks for | Met by | Judged by | Exceptions |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for control in rows:
        met = met_by(control, found, present)
        if not met:
            later = control.later or ", ".join(waiting_for(control, found, present))
            met = [f"not yet: comes with {later}"] if later else []
        cells = (met, judges(control, checks), exceptions(control, found, judged))
        yield f"| {control.number} | {control.ids} | {control.asks} | " + " | ".join(map(_cell, cells)) + " |"


def _cell(said: list[str]) -> str:
    return "<br>".join(said).replace("|", "\\|") or "–"


def main() -> int:
    return write_or_check(PAGE, lambda current: render(), what="docs/controls.md", command=WRITE)


if __name__ == "__main__":
    sys.exit(main())
