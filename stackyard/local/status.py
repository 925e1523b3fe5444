"""`stackyard local status` and `down`."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stackyard.local import emulator, mirror
from stackyard.local.attachment import remembered
from stackyard.local.environment import stacks_of
from stackyard.local.kubernetes.store import Store
from stackyard.local.places import Places, typed
from stackyard.local.runs import running
from stackyard.program import state


def print_status(root: Path, env: str, console: Console) -> None:
    places, stacks = Places(root, env), [config.stack for config in stacks_of(root, env)]
    server = emulator.running(places)
    where = (
        f"runs at {server.endpoint} (pid {server.pid})"
        if server
        else f"does not run; {typed('local up', env)} starts it"
    )
    console.print(f"[bold]{escape(env)}[/]: the emulator {where}")
    for stack in stacks:
        deployment = state.read(places.state(stack))
        if deployment is None:
            console.print(f"  {stack}: nothing is provisioned")
            continue
        table = Table("component", "name", "resources", "recorded", title=stack, title_justify="left")
        for resource in deployment:
            if resource.type.startswith("stackyard:"):
                children = [r for r in deployment if r.parent == resource.urn and r.custom]
                recorded = sum(child.recorded for child in children)
                table.add_row(resource.type.rsplit(":", 1)[-1], resource.name, str(len(children)), str(recorded or ""))
        console.print(table, soft_wrap=False)
    if cluster := remembered(places):
        applied = len(Store(places.kubernetes_objects).applied())
        console.print(f"Cluster: {applied} objects are applied to {escape(str(cluster))}", soft_wrap=True)
    kept = mirror.current(places)
    console.print(f"Snapshot: {kept.objects} objects" if kept else "Snapshot: none yet")


def down(root: Path, env: str, console: Console) -> None:
    """Takes a last snapshot and stops the emulator. Nothing is lost: `up` provisions and restores."""
    places = Places(root, env)
    if not places.emulator_record.exists():
        # Asked only then: an emulator that runs must stop whatever the settings say.
        stacks_of(root, env)
    server = emulator.running(places)
    if server is None:
        console.print(f"{escape(env)}: the emulator does not run")
        return
    with state.locked(places.lock), running(places):
        taken = mirror.snapshot(server.endpoint, places)
        emulator.stop(places)
    console.print(
        f"{escape(env)}: stopped. {taken.objects} objects are kept in the snapshot; "
        f"{typed('local up', env)} brings all back.",
        soft_wrap=True,
    )
