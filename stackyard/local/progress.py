"""What a person sees while a stack is provisioned: a line a resource, as Pulumi shows it."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape

from stackyard.program.deployment import PROVIDER_PREFIX

SIGNS = {
    "create": ("[green]+[/]", "created"),
    "update": ("[yellow]~[/]", "updated"),
    "create-replacement": ("[magenta]++[/]", "created (replacement)"),
    "delete-replaced": ("[magenta]--[/]", "deleted (replaced)"),
    "delete": ("[red]-[/]", "deleted"),
}
MINIMUM_SHOWN_S = 0.05


@dataclass
class Progress:
    """Prints the steps of a child as they end; counts them by operation."""

    console: Console
    counts: Counter[str] = field(default_factory=Counter)
    recorded: int = 0
    emulated: int = 0
    applied: int = 0
    cluster: str = ""
    """Server that Kubernetes objects are applied to, if they are."""
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Names, in the order in which it happened."""
    _started: dict[str, float] = field(default_factory=dict)

    def __call__(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "log" and event["severity"] >= 2:
            self.console.print(f"  [yellow]![/] {escape(event['message'])}")
        if event["event"] != "step":
            return
        key = f"{event['op']} {event['urn']}"
        match event["phase"]:
            case "start":
                self._started[key] = time.monotonic()
            case "done":
                self._done(event, time.monotonic() - self._started.pop(key, time.monotonic()))
            case "skipped":
                self.counts["skipped"] += 1
                self.skipped.append(event["name"])
                self._line("[dim]…[/]", event, f"skipped: {escape(event['message'])}")
            case _:
                self.counts["failed"] += 1
                self.failed.append(event["name"])
                self._line("[red]✗[/]", event, "[red]failed[/]")
                self.console.print(f"      {escape(event['message'])}")

    def _done(self, event: Mapping[str, Any], seconds: float) -> None:
        self.counts[event["op"]] += 1
        provider = event["type"].startswith(PROVIDER_PREFIX)
        if event["custom"] and not provider and event["op"] in ("create", "update", "create-replacement", "same"):
            match ran_on(event["type"], recorded=event["recorded"], cluster=self.cluster):
                case "recorded":
                    self.recorded += 1
                case "applied":
                    self.applied += 1
                case _:
                    self.emulated += 1
        if event["op"] not in SIGNS or not event["custom"]:
            return
        sign, verb = SIGNS[event["op"]]
        notes = ["left as it is (retained)" if event["retained"] and event["op"].startswith("delete") else verb]
        if event["diffs"]:
            notes.append(f"[dim]{escape(', '.join(event['diffs']))}[/]")
        if event["recorded"]:
            notes.append("[dim]recorded, not emulated[/]")
        if seconds >= MINIMUM_SHOWN_S:
            notes.append(f"[dim]{seconds:.2f} s[/]")
        self._line(sign, event, "  ".join(notes))

    def close(self, note: str = "") -> None:
        """Prints the counts and, where something failed, which resources failed and which were left out for it."""
        self.console.print(f"  [bold]{summary(self.counts)}[/]{note}")
        for names, word in ((self.failed, "failed"), (self.skipped, "skipped")):
            if names:
                self.console.print(f"  {word}: {escape(', '.join(names))}", soft_wrap=True)

    def _line(self, sign: str, event: Mapping[str, Any], text: str) -> None:
        self.console.print(f"  {sign:>2} {escape(event['type']):<58} {escape(event['name'])}  {text}", soft_wrap=True)


def ran_on(type_: str, *, recorded: bool, cluster: str) -> Literal["recorded", "applied", "emulated"]:
    """What stands behind a resource: nothing that runs, the server `cluster`, or the emulator or object store."""
    if recorded:
        return "recorded"
    return "applied" if cluster and type_.startswith("kubernetes:") else "emulated"


def summary(counts: Mapping[str, int]) -> str:
    """For example `12 created, 1 updated, 30 unchanged`."""
    words = {
        "create": "created",
        "update": "updated",
        "replace": "replaced",
        "delete": "deleted",
        "same": "unchanged",
        "failed": "failed",
        "skipped": "skipped",
    }
    return ", ".join(f"{counts[op]} {word}" for op, word in words.items() if counts.get(op)) or "nothing to do"
