"""The commands that ask an AWS account with the caller's own credentials: `bootstrap`, `preflight`, `drain`."""

from typing import Annotated

import typer

from stackyard.terminal import Yes, checkout, confirmation, console

Environment = Annotated[str, typer.Option("--env", help="The environment, for example `prod`.")]


def bootstrap(
    env: Environment,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    restore_key: Annotated[
        bool, typer.Option("--restore-key", help="Cancel the scheduled deletion of the state's key.")
    ] = False,
) -> None:
    """Prepare an AWS account for an environment: a bucket for Pulumi's state and a key for its secrets."""
    from stackyard.bootstrap.command import bootstrap, own_session

    root = checkout()
    confirm = confirmation(
        f"bootstrap of {env!r} asks before it changes the account", "--yes or --dry-run", given=yes or dry_run
    )
    bootstrap(
        root,
        env,
        own_session,
        console(),
        confirm=confirm,
        dry_run=dry_run,
        restore_key=restore_key,
    )


def preflight(
    env: Environment,
    layer: Annotated[
        str | None, typer.Option(help="Only what this layer needs: `base`, `platform` or `account`. Default: all.")
    ] = None,
    today: Annotated[str | None, typer.Option(help="Judge dates as of this day, YYYY-MM-DD. Default: today.")] = None,
    here: Annotated[
        bool, typer.Option("--local", help="Ask the environment's local emulator, as for `local`.")
    ] = False,
    format: Annotated[str, typer.Option(help="`text` or `json`.")] = "text",
) -> None:
    """Check an account before anything is created in it: quotas, zones, reservations, names. Changes nothing."""
    from rich.console import Console

    from stackyard.preflight.command import parsed_day, preflight

    raise typer.Exit(
        preflight(
            checkout(),
            env,
            console(),
            layer=layer,
            today=parsed_day(today),
            format=format,
            local=here,
            progress=Console(stderr=True),
        )
    )


def drain(
    env: Environment,
    force: Annotated[
        bool, typer.Option("--force", help="End what runs. Without it running jobs are a refusal.")
    ] = False,
    yes: Yes = False,
    timeout: Annotated[
        int, typer.Option(metavar="MINUTES", min=1, max=1440, help="How long to wait for nodes to go.")
    ] = 30,
) -> None:
    """Before a destroy of the platform: make Karpenter's nodes go, and name what is left in the account."""
    from stackyard.drain.command import drain

    asks = f"drain of {env!r} asks before it changes the cluster"
    raise typer.Exit(
        drain(
            checkout(),
            env,
            console(),
            force=force,
            # Asked only once it is known that there is something to agree to.
            confirm=lambda question: confirmation(asks, "--yes", given=yes)(question),
            timeout_minutes=timeout,
        )
    )
