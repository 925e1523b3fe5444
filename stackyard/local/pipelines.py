"""`stackyard pipelines`: compile, list, and run what is deployed, as local processes."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stackyard.errors import InvalidInput, UserError
from stackyard.local import emulator, mirror
from stackyard.local.environment import LocalEnvironment, local_environment
from stackyard.local.places import Places, typed
from stackyard.local.runs import PipelineRun, StepRun, running, succeeded_as_declared
from stackyard.local.safety import assert_emulator, child_environment
from stackyard.program import state
from stackyard.program.child import INTERRUPTED
from stackyard.program.deployment import Deployment
from stackyard.program.values import plain

if TYPE_CHECKING:
    from pipelines.declaration import PipelineDeclaration

NAMESPACE = "pipelines"
INLINE_GRACE_S = 10.0
"""For a flow that was interrupted to end its tasks."""
SIGNS = {"finished": "[green]✓[/]", "retried": "[yellow]↻[/]", "failed": "[red]✗[/]", "skipped": "[dim]…[/]"}


class RunFailed(UserError):
    """A pipeline's run did not succeed."""


class RunInterrupted(RunFailed):
    """Somebody stopped the run."""

    exit_status = INTERRUPTED


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """An environment that runs, and the contract that its pipelines were bound to."""

    environment: LocalEnvironment
    endpoint: str
    contract: Mapping[str, Any]

    @property
    def places(self) -> Places:
        return self.environment.places


def deployed(root: Path, env: str) -> Deployed:
    """The running environment. Raises UserError, with the command that mends it, when it does not run."""
    environment = local_environment(root, env)
    server = emulator.running(environment.places)
    if server is None:
        raise UserError(f"the environment {env!r} does not run: start it with {typed('local up', env)}")
    assert_emulator(server.endpoint, environment.account_id)
    if not mirror.is_restored(server.endpoint) and mirror.current(environment.places):
        raise UserError(
            f"the data of {env!r} is not back yet: its emulator was started anew, and nothing may run on it before its "
            f"last snapshot is put back, lest results are lost. {typed('local up', env)} does that"
        )
    states = [state.read(environment.places.state(config.stack)) for config in environment.stacks]
    contract = next((c for d in states if d is not None and (c := _contract(d)) is not None), None)
    if contract is None:
        raise UserError(f"no stack of {env!r} exports a contract: deploy its platform with {typed('local up', env)}")
    return Deployed(environment=environment, endpoint=server.endpoint, contract=contract)


def _contract(deployment: Deployment) -> Mapping[str, Any] | None:
    return plain(deployment.outputs.get("contract"))


def run_deployed(root: Path, env: str, name: str, parameters: Mapping[str, str], console: Console) -> PipelineRun:
    """Runs the deployed template of a pipeline. Raises RunFailed when it does not succeed; its record is kept.

    Raises InvalidInput, before anything starts, for a pipeline that is not there and for parameters that it refuses.
    """
    from stackyard.local.argo.runner import run

    values = _arguments(name, parameters)
    target = deployed(root, env)
    places = target.places
    with running(places):
        template = _template(places, name)
        if template is None:
            raise InvalidInput(_not_deployed(name, env))
        started = datetime.now(UTC)
        workflow = f"{name}-{started:%Y%m%d-%H%M%S}"
        folder = places.runs / workflow
        progress = StepProgress(console)
        console.print(f"[bold]{escape(workflow)}[/]: pipeline {escape(name)}, logs in {escape(_shown(folder, root))}")
        with tempfile.TemporaryDirectory(prefix="stackyard-run-") as scratch:
            result = run(
                template,
                parameters={key: json.dumps(value) for key, value in values.items()},
                environment=_environment(target),
                logs=folder,
                workdir=Path(scratch),
                on_event=progress,
                name=workflow,
                kept=[root],
            )
        record = PipelineRun(
            pipeline=name,
            run_id=workflow,
            started_at=started.isoformat(timespec="seconds"),
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            status=str(result.phase),
            parameters=dict(parameters),
            steps=tuple(
                StepRun(
                    name=step.template,
                    status=str(step.phase),
                    attempts=step.attempts,
                    seconds=round(step.seconds, 2),
                    log=_shown(step.logs[-1], root) if step.logs else "",
                )
                for step in result.steps
            ),
            package_sha256=_package(template),
            image=str(target.contract["image"]),
        )
        record.save(places)
        _finish(result, record, target, console, root)
    return record


def _finish(result: Any, record: PipelineRun, target: Deployed, console: Console, root: Path) -> None:
    from stackyard.local.argo.results import Phase

    if result.succeeded:
        mirror.snapshot(target.endpoint, target.places)
        console.print(
            f"  [bold]{record.run_id} succeeded[/] in {result.seconds:.0f} s; its results are in the snapshot"
        )
        return
    for step in result.failed_steps:
        console.print(f"\n[red]{escape(step.template)}[/] {str(step.phase).lower()}: {escape(step.message)}")
        console.print(escape(_readable(step.log_tail)), soft_wrap=True)
        if step.logs:
            console.print(f"[dim]{escape(_shown(step.logs[-1], root))}[/]")
    names = ", ".join(step.template for step in result.failed_steps)
    if result.phase is Phase.INTERRUPTED:
        raise RunInterrupted(f"{record.run_id} was interrupted{f' at {names}' if names else ''}")
    raise RunFailed(f"{record.run_id} {str(result.phase).lower()}: {names or result.message}")


def _readable(log: str) -> str:
    """The last lines without the framework's own notes about where it puts them."""
    return "\n".join(line for line in log.splitlines() if line.strip() and not line.startswith("[save_logs]"))


class StepProgress:
    """A line when a step begins and one when it ends."""

    def __init__(self, console: Console):
        self._console = console

    def __call__(self, event: Any) -> None:
        if event.kind == "started":
            attempt = f" (attempt {event.attempt + 1})" if event.attempt else ""
            self._console.print(f"  [dim]▸ {escape(event.template)}{attempt}[/]")
            return
        sign = SIGNS.get(str(event.kind), "")
        text = f"  {sign} {escape(event.template)}  [dim]{event.seconds:.1f} s[/]"
        self._console.print(f"{text}  {escape(event.message)}" if event.message else text, soft_wrap=True)


def _environment(target: Deployed) -> dict[str, str]:
    """What steps get besides what the template declares: the way to the emulator, and nothing of the caller's."""
    endpoint = target.endpoint
    extra = {
        "METAFLOW_S3_ENDPOINT_URL": endpoint,
        "MLFLOW_S3_ENDPOINT_URL": endpoint,
        # Metaflow starts a process for each artifact, up to 64: more than a laptop gains from.
        "METAFLOW_S3_WORKER_COUNT": "2",
    }
    _configure_metaflow(target.places)
    return child_environment(target.places, endpoint=endpoint, region=str(target.contract["region"]), extra=extra)


def _configure_metaflow(places: Places) -> None:
    """Steps go without the helpers that a pod has beside it: two interpreters each.

    One asks AWS for a spot interruption, one uploads logs while the step runs; here they are in a file at once.
    Metaflow takes a list of plugins from its configuration file alone: a variable would be read letter by letter.
    """
    folder = places.home / "metaflow"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"METAFLOW_ENABLED_SIDECAR": ["heartbeat"]}) + "\n", "utf-8")


def _package(template: Mapping[str, Any]) -> str:
    """Hash of the code package that a deployed template runs."""
    return str(template["metadata"]["annotations"]["stackyard.dev/package"])


def _template(places: Places, name: str) -> Mapping[str, Any] | None:
    from stackyard.local.kubernetes.store import Store

    store = Store(places.kubernetes_objects)
    return store.get("argoproj.io/v1alpha1", "WorkflowTemplate", name, NAMESPACE)


def _shown(path: Path, root: Path) -> str:
    return os.path.relpath(path, root)


def run_due(root: Path, env: str, console: Console) -> None:
    """Runs each deployed pipeline that has not yet succeeded with the code deployed now."""
    target = deployed(root, env)
    for settings in target.environment.settings.values():
        for pipeline in settings.pipelines:
            template = _template(target.places, pipeline.name)
            done = succeeded_as_declared(target.places, pipeline.name, _package(template)) if template else None
            console.print()
            if done is not None:
                console.print(
                    f"{escape(pipeline.name)}: {escape(done.run_id)} succeeded with this code already; "
                    f"{escape(typed(f'pipelines run {pipeline.name}', env))} runs it again",
                    soft_wrap=True,
                )
                continue
            run_deployed(root, env, pipeline.name, {}, console)


def run_inline(root: Path, env: str, name: str, parameters: Mapping[str, str], console: Console) -> None:
    """Runs the flow itself, from the sources, on the environment's data: for development. No record, no deadline."""
    values = _arguments(name, parameters)
    target = deployed(root, env)
    variables = _environment(target)
    variables["STACKYARD_CONTRACT"] = json.dumps(dict(target.contract), sort_keys=True)
    variables["METAFLOW_DEFAULT_DATASTORE"] = "local"
    variables["METAFLOW_DEFAULT_METADATA"] = "local"
    arguments = [part for key, value in values.items() for part in (f"--{key}", str(value))]
    console.print(f"[bold]{escape(name)}[/]: the flow itself, from the sources")
    with tempfile.TemporaryDirectory(prefix="stackyard-inline-") as scratch:
        flow = root / "pipelines" / name / "flow.py"
        command = [sys.executable, str(flow), "--no-pylint", "run", *arguments]
        with running(target.places):
            status = _run_in_its_group(command, Path(scratch), variables)
            mirror.snapshot(target.endpoint, target.places)
    if status:
        raise RunFailed(f"{name} (inline) ended with status {status}")


def _run_in_its_group(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> int:
    """The exit status. An interrupt, also of this process alone, reaches the command and all that it has started."""
    process = subprocess.Popen(command, cwd=folder, env=variables, start_new_session=True)
    try:
        return process.wait()
    except BaseException:
        for number in (signal.SIGINT, signal.SIGKILL):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(process.pid, number)
                process.wait(INLINE_GRACE_S)
        raise


def print_pipelines(root: Path, env: str, console: Console) -> None:
    """All pipelines: what they do, whether their compiled form is fresh, whether they are deployed here."""
    from pipelines.compile.compiler import stale
    from pipelines.declaration import declarations

    places = local_environment(root, env).places
    table = Table("pipeline", "schedule", "compiled", f"deployed to {env}", "what it does")
    for name, declaration in declarations().items():
        changed = stale(name, root=root)
        table.add_row(
            name,
            declaration.schedule or "none",
            "[green]fresh[/]" if not changed else "[yellow]stale[/]",
            "no" if _template(places, name) is None else "yes",
            declaration.description,
        )
    console.print(table, soft_wrap=False)


def compile_pipelines(root: Path, names: Sequence[str], console: Console) -> None:
    """Compiles the named pipelines, or all; says what changed."""
    from pipelines.compile.compiler import compile_pipeline, stale
    from pipelines.declaration import declarations

    for name in names or list(declarations()):
        _declaration(name)
        changed = stale(name, root=root)
        compiled = compile_pipeline(name, root=root)
        what = f"changed: {', '.join(changed)}" if changed else "unchanged"
        console.print(f"{escape(name)}: {what}; code package {compiled.package.sha256[:12]}…", soft_wrap=True)
    _prune(root / ".stackyard" / "packages", root)


def check_compiled(root: Path, names: Sequence[str], console: Console) -> None:
    """Raises UserError, naming the files, unless the named pipelines, or all, are compiled from today's sources.

    Writes nothing.
    """
    from pipelines.compile.compiler import stale
    from pipelines.declaration import declarations

    chosen = list(names) or list(declarations())
    for name in chosen:
        _declaration(name)
    files = [f"pipelines/{name}/compiled/{file}" for name in chosen for file in stale(name, root=root)]
    if files:
        command = typed(" ".join(["pipelines compile", *names]))
        raise UserError(
            f"not what the sources compile to now: {', '.join(files)}. Run {command} and commit what it writes."
        )
    console.print(f"{escape(', '.join(chosen))}: compiled from the sources as they are")


def _prune(folder: Path, root: Path) -> None:
    """Keeps the code packages that the committed forms name; older ones stay in the buckets."""
    from pipelines.compile.compiled import read_compiled
    from pipelines.declaration import declarations

    named = {read_compiled(name, root=root).package.sha256 for name in declarations()}
    for package in folder.glob("*.tgz"):
        if package.stem not in named:
            package.unlink()


def _arguments(name: str, given: Mapping[str, str]) -> dict[str, Any]:
    from pipelines.arguments import arguments

    return arguments(_declaration(name), given)


def _declaration(name: str) -> "PipelineDeclaration":
    """The pipeline of that name. Raises InvalidInput with the nearest one."""
    import difflib

    from pipelines.declaration import declarations

    known = declarations()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InvalidInput(f"there is no pipeline {name!r}.{hint} Pipelines are: {', '.join(known)}")


def _not_deployed(name: str, env: str) -> str:
    return (
        f"pipeline {name!r} is not deployed to {env!r}: name it under `pipelines` in the stack file, then "
        f"{typed('local up', env)}"
    )
