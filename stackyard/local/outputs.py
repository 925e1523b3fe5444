"""What `up` and `destroy` end with: what is there now, and what can be done next."""

import json
from collections import Counter

from rich.console import Console
from rich.markup import escape

from stackyard.errors import UserError
from stackyard.local.destroy import Destroyed
from stackyard.local.places import command, env_option, typed
from stackyard.local.progress import ran_on
from stackyard.local.up import Provisioned
from stackyard.program.values import secret_blinded, to_json

HOLDS_DATA = (
    "aws:s3/bucket:Bucket",
    "aws:s3/bucketObjectv2:BucketObjectv2",
    "aws:kms/key:Key",
    "aws:ecr/repository:Repository",
)


def print_outputs(provisioned: Provisioned, console: Console) -> None:
    for stack, deployment in provisioned.deployments.items():
        custom = [r for r in deployment if r.custom and not r.is_provider and not r.external]
        behind = Counter(ran_on(r.type, recorded=r.recorded, cluster=provisioned.cluster) for r in custom)
        applied = f"{behind['applied']} applied to {escape(provisioned.cluster)}, " if provisioned.cluster else ""
        console.print(
            f"\n[bold]{escape(stack)}[/]: {len(custom)} resources, {behind['emulated']} emulated, {applied}"
            f"{behind['recorded']} recorded (validated, not emulated)"
        )
        for name, value in sorted(deployment.outputs.items()):
            console.print(f"  {escape(name)}: {escape(_short(to_json(value, secret=secret_blinded)))}", soft_wrap=True)


def print_next(env: str, console: Console) -> None:
    option = env_option(env)
    stackyard = command()
    console.print("\nNext:")
    if env == "local":
        console.print(f"  {stackyard} pipelines run training --from 2013-01 --to 2013-02")
        console.print(f"  {stackyard} models show champion")
    console.print(f"  {stackyard} local status{option}")
    console.print(f"  {stackyard} local destroy{option}")


def _short(value: object, limit: int = 160) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def print_destroyed(destroyed: Destroyed, env: str, console: Console) -> None:
    """Says what stayed. Raises UserError when something remained that was to go."""
    if destroyed.kept:
        console.print(f"\nKept, since it holds data ({len(destroyed.kept)} resources):")
        for resource in (r for r in destroyed.kept if r.type in HOLDS_DATA):
            console.print(f"  {escape(resource.type)} {escape(resource.name)}  {escape(resource.id)}", soft_wrap=True)
        parts = sum(resource.type not in HOLDS_DATA for resource in destroyed.kept)
        console.print(f"  and {parts} settings of theirs")
        console.print(
            f"\n{typed('local up', env)} takes it up again; {typed('local destroy --include-data', env)} removes it.",
            soft_wrap=True,
        )
        return
    if destroyed.remains:
        listing = "\n".join(f"  {service}: {', '.join(names)}" for service, names in destroyed.remains.items())
        raise UserError(
            f"the emulator still holds what no state knows:\n{listing}\n{typed('local down', env)} clears it"
        )
    on = f" but what stays on {escape(destroyed.left_on)}" if destroyed.left_on else ""
    console.print(f"\nNothing is left{on}.")
