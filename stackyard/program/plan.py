"""`stackyard plan`: what `pulumi up` of a stack would do, without the Pulumi CLI, credentials or network."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.errors import InvalidInput, UserError
from stackyard.program import state
from stackyard.program.capture import parse_settings, read_any, request_for
from stackyard.program.deployment import Deployment
from stackyard.program.events import Event, is_default_provider, to_lines
from stackyard.program.process import Refused, capture_environment, run_child
from stackyard.program.stackfiles import StackConfig, read_stack, to_environment

if TYPE_CHECKING:
    from rich.console import Console

RISK = ("delete", "replace", "update", "create")
"""What a plan shows, the most dangerous first; of creates it gives the number only."""
WORDS: Mapping[str, str] = {
    "delete": "to delete",
    "replace": "to replace",
    "update": "to update",
    "create": "to create",
    "same": "unchanged",
}
STYLES: Mapping[str, str] = {"delete": "red", "replace": "magenta", "update": "yellow"}


class PlanFailed(UserError):
    """An `up` would be refused: a protected resource, a URN used twice, or what the program itself says."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One resource that an `up` would touch."""

    op: str
    """`delete`, `replace`, `update` or `create`."""
    urn: str
    type: str
    name: str
    diffs: tuple[str, ...] = ()
    """Top-level inputs that change."""
    keys: tuple[str, ...] = ()
    """Those of them that force the replacement."""
    delete_first: bool = False
    retained: bool = False
    """Deleted from the state only; AWS keeps it."""
    replacement_unknown: bool = False
    """Nobody knows whether this update replaces the resource."""

    @property
    def risk(self) -> tuple[int, bool, str]:
        """Sorts the most dangerous change first."""
        return RISK.index(self.op), not self.replacement_unknown, self.urn


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an `up` would do. Counts are of resources, explicit providers among them; components are not counted."""

    stack: str
    compared_with: str
    """The prior, in words."""
    changes: tuple[Change, ...]
    """The most dangerous first."""
    counts: Mapping[str, int]
    """By operation, `same` included."""
    failures: tuple[str, ...]
    events: tuple[Event, ...]
    """In the engine's shape (events.py)."""


def plan(root: Path, stack: str, *, prior_file: Path | None = None, base_from: Path | None = None) -> Plan:
    """Plans the stack's program against `prior_file` (a state or a capture), else its local state, else nothing.

    What an `up` would refuse is in `failures`. Raises InvalidInput for bad settings and files, before anything runs.
    """
    source = _source(root, stack, prior_file)
    request = request_for(
        root, source.config, mode="plan", prior=source.prior, base_from=base_from, base=source.base, engine_events=True
    )
    steps: list[dict[str, Any]] = []
    events: list[Event] = []

    def receive(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            steps.append(event)
        elif event["event"] == "engine":
            events.append(event["line"])

    with tempfile.TemporaryDirectory(prefix="stackyard-") as home:
        environment = capture_environment(to_environment(source.config), home)
        try:
            failures = run_child(request, environment, receive).failures
        except Refused as refused:
            if refused.exit_status != PlanFailed.exit_status:
                raise
            failures = [str(refused)]
    shown = [step for step in steps if _counts(step)]
    return Plan(
        stack=stack,
        compared_with=source.words,
        changes=tuple(sorted(map(_change, _changing(shown)), key=lambda change: change.risk)),
        counts=dict(sorted(Counter(step["op"] for step in shown).items())),
        failures=tuple(failures),
        events=tuple(events),
    )


# The prior


@dataclass(frozen=True, kw_only=True)
class _Source:
    config: StackConfig
    words: str
    prior: Deployment | None = None
    base: Deployment | None = None


def _source(root: Path, stack: str, prior_file: Path | None) -> _Source:
    config = read_stack(root, stack)
    if prior_file is not None:
        prior = read_any(prior_file)
        _refuse_other_stack(prior, config, prior_file)
        return _Source(config=config, words=str(prior_file), prior=prior)
    return _local(root, config) or _Source(config=config, words="nothing: this stack has no local state, and no --from")


def _refuse_other_stack(prior: Deployment, config: StackConfig, path: Path) -> None:
    if prior.stack and (prior.project, prior.stack) != (config.project, config.stack):
        raise InvalidInput(
            f"{path} holds the stack {prior.stack!r} of the project {prior.project!r}, but the plan is for "
            f"{config.stack!r} of {config.project!r}: every resource would be deleted and made anew; "
            f"give the file of {config.stack!r}, or plan --stack {prior.stack}"
        )


def _local(root: Path, config: StackConfig) -> _Source | None:
    """The stack as `local up` left it: its settings there name the emulated account."""
    from stackyard.local.environment import local_environment
    from stackyard.local.places import Places

    name = parse_settings(config).environment.name
    places = Places(root, name)
    path = places.state(config.stack)
    if not path.exists():
        return None
    stacks = {emulated.stack: emulated for emulated in local_environment(root, name).stacks}
    emulated = stacks.pop(config.stack)
    others = list(stacks.values())
    base = state.read(places.state(others[0].stack)) if others else None
    return _Source(config=emulated, words=f"the local state of {config.stack}", prior=state.read(path), base=base)


# Steps to changes


def _counts(step: Mapping[str, Any]) -> bool:
    shown = step["phase"] == "done" and step["op"] in WORDS
    return shown and step["custom"] and not is_default_provider(step["urn"])


def _changing(steps: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return (step for step in steps if step["op"] in RISK)


def _change(step: Mapping[str, Any]) -> Change:
    return Change(
        op=step["op"],
        urn=step["urn"],
        type=step["type"],
        name=step["name"],
        diffs=tuple(step["diffs"]),
        keys=tuple(step["keys"]),
        delete_first=step["delete_first"],
        retained=step["retained"] and step["op"] == "delete",
        replacement_unknown=step["replacement_unknown"],
    )


# The terminal


def run_command(
    root: Path, stack: str, console: "Console", *, prior_file: Path | None, base_from: Path | None, output: Path | None
) -> None:
    """Plans, prints, writes the events. Raises PlanFailed after that when an `up` would be refused."""
    if output is not None and not output.absolute().parent.is_dir():
        raise InvalidInput(f"--output {output} cannot be written: there is no folder {output.absolute().parent}")
    if output is not None and output.is_dir():
        raise InvalidInput(f"--output {output} is a folder: name a file in it, for example {output / 'plan.jsonl'}")
    planned = plan(root, stack, prior_file=prior_file, base_from=base_from)
    print_plan(planned, console)
    if output is not None:
        output.write_text(to_lines(planned.events), encoding="utf-8")
        console.print(f"Wrote {len(planned.events)} events to {output}", markup=False)
    if planned.failures:
        raise PlanFailed(f"an `up` of {stack} would be refused:\n" + "\n".join(planned.failures))


def print_plan(planned: Plan, console: "Console") -> None:
    """The changes as a table, the most dangerous first, then the counts."""
    from rich.markup import escape

    console.print(f"[bold]{escape(planned.stack)}[/] compared with {escape(planned.compared_with)}")
    listed = [change for change in planned.changes if change.op != "create"]
    op, type_, name = (max((len(text) for text in column), default=0) for column in _columns(listed))
    for change in listed:
        style = STYLES[change.op]
        # Padded by hand: rich's table would cut names off where the output is a file or a narrow terminal.
        row = f"[{style}]{change.op:<{op}}[/]  {escape(change.type):<{type_}}  {escape(change.name):<{name}}"
        console.print(f"  {row}  {escape(reason(change))}", soft_wrap=True)
    console.print(f"[bold]{counted(planned.counts)}[/]")


def _columns(changes: Iterable[Change]) -> tuple[list[str], list[str], list[str]]:
    listed = list(changes)
    return [c.op for c in listed], [c.type for c in listed], [c.name for c in listed]


def counted(counts: Mapping[str, int]) -> str:
    """For example `1 to delete, 2 to update, 40 unchanged`; of a plan without any change `no changes, 40 unchanged`."""
    parts = [f"{counts[op]} {words}" for op, words in WORDS.items() if counts.get(op)]
    if not any(counts.get(op) for op in RISK):
        parts.insert(0, "no changes")
    return ", ".join(parts)


def reason(change: Change) -> str:
    """Why, in a few words: the inputs, what forces the replacement, what nobody knows."""
    parts = [f"{', '.join(change.keys)} forces it"] if change.keys else []
    if others := [diff for diff in change.diffs if diff not in change.keys]:
        parts.append(f"changes: {', '.join(others)}")
    if change.op == "replace" and not change.keys:
        parts.append("it depends on what is replaced")
    if change.delete_first:
        parts.append("the old one goes first")
    if change.replacement_unknown:
        parts.append("replacement unknown: this type has no row, treat it as a replacement")
    if change.op == "delete":
        parts.append("left as it is in AWS (retained)" if change.retained else "the program no longer asks for it")
    return "; ".join(parts)
