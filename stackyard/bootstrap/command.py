"""`stackyard bootstrap`: looks, says what it would do, asks, does it, and names the commands that follow."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from stackyard.bootstrap import identity
from stackyard.bootstrap.buckets import Bucket, log_bucket, state_bucket
from stackyard.bootstrap.calls import Aws, connection_error
from stackyard.bootstrap.change import Change, Verb
from stackyard.bootstrap.guide import Step, steps
from stackyard.bootstrap.key import StateKey
from stackyard.bootstrap.store import StateStore, state_store
from stackyard.errors import UserError

if TYPE_CHECKING:
    import boto3

# Stands for the ARN of a key that does not exist yet: nothing live can equal it.
_NO_KEY = "(the new key)"


def own_session(region: str) -> "boto3.Session":
    """The caller's own credentials, by boto3's usual chain. Raises UserError for a profile that is not there."""
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.Session(region_name=region)
    except BotoCoreError as error:
        raise connection_error(error, region) from None


def bootstrap(
    root: Path,
    env: str,
    session: Callable[[str], "boto3.Session"],
    console: Console,
    *,
    confirm: Callable[[str], bool],
    dry_run: bool = False,
    restore_key: bool = False,
    endpoint: str | None = None,
) -> list[Change]:
    """Creates or repairs the environment's state store; returns what it did, or would do under `dry_run`.

    `session` makes a session for a region; `confirm` is asked once, after everything was shown. `endpoint` is for tests
    and must be on loopback. Raises UserError; what was done by then stays, and a second run goes on from there.
    """
    store = state_store(root, env)
    aws = Aws(session(store.region), store.region, endpoint=endpoint)
    caller = identity.check(aws, store)
    console.print(
        f"Environment [bold]{escape(env)}[/], account {store.account_id}, region {store.region}, as {escape(caller)}"
    )
    changes = wanted_changes(aws, store, restore_key=restore_key)
    _show(changes, console, dry_run=dry_run)
    if changes and not dry_run:
        if not confirm(f"Make {_count(changes)} in account {store.account_id}?"):
            raise UserError("nothing was changed")
        _apply(changes, console)
    _show_steps(steps(root, store), console)
    return changes


def wanted_changes(aws: Aws, store: StateStore, *, restore_key: bool = False) -> list[Change]:
    """What is missing or other than it should be, in the order in which it must be done. Reads only."""
    key = StateKey(aws, store, restore=restore_key)

    def key_arn() -> str:
        return key.arn or _NO_KEY

    found = list(key.changes())
    # The log bucket first: S3 refuses to log into a bucket that is not there.
    for wanted in (log_bucket(store), state_bucket(store, key_arn)):
        found += Bucket(aws, store, wanted).changes()
    return found


def _show(changes: Sequence[Change], console: Console, *, dry_run: bool) -> None:
    if not changes:
        console.print("Everything is as it should be: bucket, log bucket, key.")
        return
    console.print("Would do:" if dry_run else "To do:")
    for change in changes:
        colour = "green" if change.verb is Verb.CREATE else "yellow"
        console.print(f"  [{colour}]{change.verb}[/] {escape(change.sentence)}")
    if dry_run:
        console.print("Nothing was changed (--dry-run).")


def _apply(changes: Sequence[Change], console: Console) -> None:
    for done, change in enumerate(changes, 1):
        change.apply()
        console.print(f"  {done} of {len(changes)} done: {escape(change.sentence)}")


def _show_steps(found: Sequence[Step], console: Console) -> None:
    console.print("\nWhat follows (in full: docs/first-deployment.md)")
    for number, step in enumerate(found, 1):
        console.print(f"\n{number}. [bold]{escape(step.title)}[/]. {escape(step.note)}")
        for command in step.commands:
            # Copied as they are: never wrapped, never styled.
            console.out(f"     {command}", highlight=False)


def _count(changes: Sequence[Change]) -> str:
    return "this 1 change" if len(changes) == 1 else f"these {len(changes)} changes"
