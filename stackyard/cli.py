"""The command line. Imports what a command needs when it runs, so that `--help` is quick."""

import errno
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from stackyard.account_cli import bootstrap, drain, preflight
from stackyard.errors import InvalidInput, UserError
from stackyard.terminal import Yes
from stackyard.terminal import checkout as _root
from stackyard.terminal import confirmation as _confirmation
from stackyard.terminal import console as _console

app = typer.Typer(
    name="stackyard",
    help="Evaluate, plan and run MLOps stacks without an account; `pulumi up` applies the same program to AWS.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
local = typer.Typer(help="A whole environment on this machine, on an emulated AWS.", no_args_is_help=True)
app.add_typer(local, name="local")
pipelines = typer.Typer(help="Pipelines: compile, list, run.", no_args_is_help=True)
app.add_typer(pipelines, name="pipelines")
models = typer.Typer(help="Registered models.", no_args_is_help=True)
app.add_typer(models, name="models")

_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
"""What a machine refuses its user: rights and room. Any other failure of a file is a defect of ours."""

Environment = Annotated[str, typer.Option("--env", help="The environment, for example `local` or `dev`.")]


def run() -> None:
    """Runs the command line; what a person can mend ends as a sentence and an exit status, never as a stack trace."""
    try:
        app()
    except UserError as error:
        _say(str(error))
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        _say(
            f"{error.filename or 'a file'} cannot be read or written: {error.strerror}. One `sudo` is enough for files "
            "below .stackyard to be another user's: `stackyard doctor --local` looks for them and for a full disk, and "
            "names the command that mends it"
        )
        sys.exit(1)
    except Exception as error:
        # By name: importing botocore costs every command a quarter of a second.
        if not type(error).__module__.startswith("botocore."):
            raise
        _say(f"a call to AWS's API failed: {error}. `stackyard doctor --local` examines the local environment")
        sys.exit(1)


def _say(error: str) -> None:
    from rich.console import Console
    from rich.markup import escape

    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]error:[/] {escape(error)}")


_STREAMS = (Path("/dev"), Path("/dev/fd"))


def _write(path: Path, text: str) -> None:
    from stackyard.program.state import write_private

    real = Path(os.path.realpath(path))
    if path.is_dir() or not real.parent.is_dir():
        reason = "it is a folder" if path.is_dir() else f"there is no folder {real.parent}"
        raise InvalidInput(f"{path} cannot be written: {reason}; name a file in a folder that exists")
    try:
        if path.absolute().parent in _STREAMS or (path.exists() and not path.is_file()):
            # Pipes and devices stay what they are. Appended: /dev/stdout may be a file in which more stands.
            with open(path, "a", encoding="utf-8") as stream:
                stream.write(text)
        else:
            # A capture may hold secrets in clear. A link stays, and what it leads to is written.
            write_private(real, text)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}; name a file in a folder that exists") from None


@app.command()
def capture(
    stack: Annotated[str, typer.Option(help="The stack, for example `dev` or `prod-base`.")],
    format: Annotated[
        str,
        typer.Option(
            help="`json` (everything registered), `state` (as `pulumi stack export`) or `terraform-plan` (for scanners)"
        ),
    ] = "json",
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    base_from: Annotated[
        Path | None, typer.Option(help="Take the base stack's outputs from this state or capture.")
    ] = None,
) -> None:
    """Show everything that a stack's program registers. Needs no credentials and no network."""
    from stackyard.program.capture import Format, capture, render

    formats = [str(known) for known in Format]
    if format not in formats:
        raise InvalidInput(
            f"--format {format!r} is not known: it is one of {', '.join(formats)}, for example --format state"
        )
    text = render(capture(_root(), stack, base_from=base_from), Format(format))
    if output is None:
        sys.stdout.write(text)
    else:
        _write(output, text)
        sys.stderr.write(f"wrote {output}\n")


@app.command()
def plan(
    stack: Annotated[str, typer.Option(help="The stack, for example `dev` or `prod-base`.")],
    prior: Annotated[
        Path | None,
        typer.Option("--from", help="Compare with this state (`pulumi stack export`) or capture."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the plan's events to this file, as JSON lines in the engine's shape.")
    ] = None,
    base_from: Annotated[
        Path | None, typer.Option(help="Take the base stack's outputs from this state or capture.")
    ] = None,
) -> None:
    """Show what an `up` would create, change, replace and delete. Without --from: compared with the local state."""
    from stackyard.program.plan import run_command

    run_command(_root(), stack, _console(), prior_file=prior, base_from=base_from, output=output)


for account_command in (bootstrap, preflight, drain):
    app.command()(account_command)


@local.command("up")
def local_up(
    env: Environment = "local",
    run_pipelines: Annotated[
        bool, typer.Option("--run-pipelines", help="Also run the deployed pipelines, and write the report.")
    ] = False,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also apply Kubernetes objects to this file's cluster, which must be on this machine. "
            "Remembered until `destroy`.",
        ),
    ] = None,
    no_kubeconfig: Annotated[
        bool, typer.Option("--no-kubeconfig", help="Take the objects away from that cluster, and go on without it.")
    ] = False,
) -> None:
    """Provision the environment, or bring it to what the program says now."""
    from stackyard.local.outputs import print_next, print_outputs
    from stackyard.local.up import up

    if kubeconfig and no_kubeconfig:
        raise InvalidInput("--kubeconfig names a cluster and --no-kubeconfig leaves it: give one of them")
    root, console = _root(), _console()
    provisioned = up(root, env, console, kubeconfig=kubeconfig, detach=no_kubeconfig)
    print_outputs(provisioned, console)
    if run_pipelines:
        from stackyard.local.pipelines import run_due
        from stackyard.local.report import write_report

        run_due(root, env, console)
        console.print(f"\nReport: {os.path.relpath(write_report(root, env))}")
    print_next(env, console)


@local.command("status")
def local_status(env: Environment = "local") -> None:
    """Show what the environment consists of and whether its emulator runs."""
    from stackyard.local.status import print_status

    print_status(_root(), env, _console())


@local.command("down")
def local_down(env: Environment = "local") -> None:
    """Stop the emulator; everything is kept, `up` brings it back."""
    from stackyard.local.status import down

    down(_root(), env, _console())


@local.command("refresh")
def local_refresh(
    env: Environment = "local",
    yes: Yes = False,
    preview_only: Annotated[
        bool, typer.Option("--preview-only", help="Only report; leave the state as it is.")
    ] = False,
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Fail (exit status 1) if anything differs.")
    ] = False,
) -> None:
    """Find what was changed in the emulator behind the state's back; the next `up` sets it back."""
    from stackyard.local.refresh import refresh

    root = _root()
    confirm = _confirmation(
        f"refresh of {env!r} asks before it writes the state", "--yes or --preview-only", given=yes or preview_only
    )
    drifts = refresh(root, env, _console(), preview_only=preview_only, confirm=confirm)
    if drifts and expect_no_changes:
        raise UserError(f"{len(drifts)} differences were found, and none were expected (--expect-no-changes)")


@local.command("destroy")
def local_destroy(
    env: Environment = "local",
    yes: Yes = False,
    include_data: Annotated[
        bool, typer.Option(help="Also delete data: buckets with their contents, models, keys.")
    ] = False,
) -> None:
    """Remove what was provisioned. Data stays unless --include-data."""
    from stackyard.local.destroy import destroy
    from stackyard.local.outputs import print_destroyed

    root = _root()
    what = "including all data" if include_data else "keeping protected data"
    confirm = _confirmation(f"destroy of {env!r} ({what}) asks first", "--yes", given=yes)
    if not confirm(f"Destroy the environment {env!r}, {what}?"):
        raise UserError("nothing was destroyed")
    console = _console()
    print_destroyed(destroy(root, env, console, include_data=include_data, confirm=confirm), env, console)


@pipelines.command("list")
def pipelines_list(env: Environment = "local") -> None:
    """Show all pipelines, whether they are compiled and deployed."""
    from stackyard.local.pipelines import print_pipelines

    print_pipelines(_root(), env, _console())


@pipelines.command("compile")
def pipelines_compile(
    names: Annotated[list[str] | None, typer.Argument(help="Pipelines; none means all.", metavar="[NAME]...")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a compiled form is stale.")] = False,
) -> None:
    """Compile pipelines offline into pipelines/NAME/compiled and their code packages."""
    from stackyard.local.pipelines import check_compiled, compile_pipelines

    if check:
        check_compiled(_root(), names or [], _console())
    else:
        compile_pipelines(_root(), names or [], _console())


@pipelines.command("run")
def pipelines_run(
    name: Annotated[str, typer.Argument(help="The pipeline.")],
    first: Annotated[str | None, typer.Option("--from", help="First month to train on, YYYY-MM.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last month to train on, YYYY-MM.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Another parameter, NAME=VALUE; may be repeated.")
    ] = None,
    env: Environment = "local",
    inline: Annotated[bool, typer.Option("--inline", help="Run the flow from the sources, for development.")] = False,
) -> None:
    """Run the deployed pipeline as local processes."""
    from stackyard.local.pipelines import run_deployed, run_inline

    parameters = _parameters(settings or [])
    parameters |= {key: value for key, value in (("train_from", first), ("train_to", last)) if value is not None}
    if inline:
        run_inline(_root(), env, name, parameters, _console())
    else:
        run_deployed(_root(), env, name, parameters, _console())


def _parameters(settings: list[str]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not key:
            raise InvalidInput(f"--set {setting!r} is not NAME=VALUE, for example --set margin=0.01")
        parameters[key] = value
    return parameters


@models.command("show")
def models_show(
    alias: Annotated[str, typer.Argument(help="`champion` or a version number.")] = "champion",
    env: Environment = "local",
) -> None:
    """Show a registered model: its metrics and what it was made of."""
    from stackyard.local.models_command import show

    show(_root(), env, alias, _console())


@models.command("list")
def models_list(env: Environment = "local") -> None:
    """Show all registered versions."""
    from stackyard.local.models_command import list_versions

    list_versions(_root(), env, _console())


@app.command()
def doctor(
    here: Annotated[bool, typer.Option("--local", help="Required: look at the environment on this machine.")] = False,
    env: Environment = "local",
    format: Annotated[str, typer.Option(help="`text` or `json`.")] = "text",
) -> None:
    """Say what is wrong with a local environment, and the command that mends it. Changes nothing."""
    from stackyard.local.doctor.command import doctor

    if not here:
        raise InvalidInput("doctor looks at the local environment only, so far: add --local")
    raise typer.Exit(doctor(_root(), env, _console(), format=format))


@app.command()
def report(env: Environment = "local") -> None:
    """Write the report of the environment, its last run and its model."""
    from stackyard.local.report import write_report

    _console().print(os.path.relpath(write_report(_root(), env)))


@app.command()
def ui(
    env: Environment = "local",
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1. Default: a fixed one, or the next free.")] = None,
) -> None:
    """Open MLflow on the environment's models; Ctrl-C ends it."""
    from stackyard.local.ui import serve

    serve(_root(), env, _console(), port=port)
