"""What is measured, each thing beside the least that its work could take."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stackyard.local import pipelines, runs
from stackyard.local.safety import child_environment
from stackyard.program.capture import parse_settings
from stackyard.program.deployment import STACK_TYPE
from stackyard.program.process import capture_environment
from stackyard.program.stackfiles import read_stack, to_environment
from tests.bench.measure import MeasureFailed, MeasureSkipped, Result, Say, alternately, timed
from tests.local.checkouts import ROOT, Checkout, make_checkout

PYTHON = sys.executable
STACKYARD = (PYTHON, "-m", "stackyard")
OTHER_TIERS = ("local", "judges", "cluster", "browser", "loop")
ENVIRONMENT_RUNS = 3
"""At most: a run with its pipeline takes minutes."""
SCALING_RUNS = 3
"""At most: a run of all sizes takes half a minute, and CPU time varies little."""


def case_help(runs: int, say: Say) -> list[Result]:
    """The console script, and the interpreter alone."""
    script = str(Path(PYTHON).parent / "stackyard")
    env = _environment(ROOT)
    measured, floor = alternately(
        lambda: timed([script, "--help"], cwd=ROOT, env=env),
        lambda: timed([PYTHON, "-c", "pass"], cwd=ROOT, env=env),
        runs,
        say,
    )
    what, floor_what = "stackyard --help", "python -c pass"
    return [
        Result(name="help", what=what, floor_what=floor_what, measured=measured, floor=floor, aim=0.4, judged="seconds")
    ]


def case_capture(runs: int, say: Say) -> list[Result]:
    """`stackyard capture --stack dev`, and the same program under the SDK's own mocks."""
    env = _environment(ROOT)
    command = [*STACKYARD, "capture", "--stack", "dev"]
    with tempfile.TemporaryDirectory(prefix="stackyard-bench-") as home:
        mocked, mocked_env = mocked_command("dev", home)
        same_registrations(registered(command, env), mocked_registrations(mocked, mocked_env))
        measured, floor = alternately(
            lambda: timed(command, cwd=ROOT, env=env), lambda: timed(mocked, cwd=ROOT, env=mocked_env), runs, say
        )
    what, floor_what = "capture of dev", "the same registrations under the SDK's mocks"
    return [
        Result(
            name="capture", what=what, floor_what=floor_what, measured=measured, floor=floor, aim=1.3, judged="ratio"
        )
    ]


def mocked_command(stack: str, home: str) -> tuple[list[str], dict[str, str]]:
    """The floor's process: the configuration is ready in its environment, as the CLI would hand it over."""
    config = read_stack(ROOT, stack)
    place = parse_settings(config).environment
    main = str(ROOT / "stacks")
    command = [PYTHON, "-m", "tests.bench.mocked_program", main, config.project, stack, place.account_id, place.region]
    return command, capture_environment(to_environment(config), home)


def registered(command: list[str], env: Mapping[str, str]) -> list[tuple[str, str]]:
    """Types and names that a capture holds, the stack itself left out, as the mocks leave it out."""
    resources = json.loads(_output(command, env))["resources"]
    return sorted((r["type"], r["name"]) for r in resources if r["type"] != STACK_TYPE)


def mocked_registrations(command: list[str], env: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted((type_, name) for type_, name in json.loads(_output(command, env)))


def same_registrations(captured: list[tuple[str, str]], mocked: list[tuple[str, str]]) -> None:
    """Raises MeasureFailed when the floor does other work than what is measured."""
    if differing := set(captured) ^ set(mocked):
        raise MeasureFailed(f"the capture and its floor register different resources: {sorted(differing)[:5]}")


def case_tests(runs: int, say: Say) -> list[Result]:
    """The default tier as `make test-default` runs it, once, and its collection alone."""
    command = [PYTHON, "-m", "pytest", "-q", "-m", " and ".join(f"not {tier}" for tier in OTHER_TIERS)]
    floor = timed([*command, "--collect-only"], cwd=ROOT, env=os.environ)
    measured = timed([*command, "-n", "auto", "--dist", "worksteal"], cwd=ROOT, env=os.environ)
    say(f"  {measured:.1f} s, floor {floor:.1f} s")
    what, floor_what = "default test tier", "collecting it"
    return [
        Result(
            name="tests",
            what=what,
            floor_what=floor_what,
            measured=(measured,),
            floor=(floor,),
            aim=60,
            judged="seconds",
        )
    ]


@dataclass
class Times:
    """Of environments that were provisioned from nothing, one entry a run."""

    capture: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    second: list[float] = field(default_factory=list)
    deployed: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    steps: int = 1


def case_up(runs: int, say: Say) -> list[Result]:
    """A first and a second `local up`, and the capture of the same stack: what evaluating alone takes."""
    times = _environments(min(runs, ENVIRONMENT_RUNS), say, pipeline=False)
    return _up_results(times)


def case_pipeline(runs: int, say: Say) -> list[Result]:
    """As `up`, then the deployed training, and its functions called in one plain script."""
    times = _environments(min(runs, ENVIRONMENT_RUNS), say, pipeline=True)
    deployed = Result(
        name="pipeline",
        what=f"deployed training, {times.steps} steps",
        floor_what="its steps in one plain script",
        measured=tuple(times.deployed),
        floor=tuple(times.plain),
        aim=5,
        judged="seconds a step",
        steps=times.steps,
    )
    return [*_up_results(times), deployed]


def _up_results(times: Times) -> list[Result]:
    floor, floor_what = tuple(times.capture), "capture of local"
    aims = (("up-first", "first local up", times.first, 60), ("up-second", "second local up", times.second, 8))
    return [
        Result(name=n, what=w, floor_what=floor_what, measured=tuple(t), floor=floor, aim=a, judged="seconds")
        for n, w, t, a in aims
    ]


def _environments(runs: int, say: Say, *, pipeline: bool) -> Times:
    times = Times()
    for run in range(1, runs + 1):
        with tempfile.TemporaryDirectory(prefix="stackyard-bench-") as folder:
            checkout = make_checkout(Path(folder) / "checkout")
            try:
                say(f"  run {run} of {runs}, in a fresh checkout")
                _provision(checkout, times, say)
                if pipeline:
                    _train(checkout, times, say)
            finally:
                checkout.stop()
    return times


def _provision(checkout: Checkout, times: Times, say: Say) -> None:
    env = _environment(checkout.root)
    timed([*STACKYARD, "pipelines", "compile"], cwd=checkout.root, env=env)
    up = [*STACKYARD, "local", "up"]
    times.first.append(timed(up, cwd=checkout.root, env=env))
    times.capture.append(timed([*STACKYARD, "capture", "--stack", "local"], cwd=checkout.root, env=env))
    times.second.append(timed(up, cwd=checkout.root, env=env))
    say(f"    up {times.first[-1]:.1f} s, again {times.second[-1]:.1f} s, capture alone {times.capture[-1]:.1f} s")


def _train(checkout: Checkout, times: Times, say: Say) -> None:
    command = [*STACKYARD, "pipelines", "run", "training"]
    times.deployed.append(timed(command, cwd=checkout.root, env=_environment(checkout.root)))
    record = runs.latest(checkout.places(), "training")
    if record is None or not record.succeeded:
        raise MeasureFailed("the deployed training left no record of a run that succeeded")
    times.steps = len(record.steps)
    times.plain.append(_plain_training(checkout))
    say(f"    deployed training {times.deployed[-1]:.1f} s, plain script {times.plain[-1]:.1f} s")
    for step in record.steps:
        say(f"      {step.name} {step.seconds:.1f} s")


def _plain_training(checkout: Checkout) -> float:
    # The same buckets, below a prefix of its own: it too finds nothing there, and no model in its database.
    contract = pipelines.deployed(checkout.root, "local").contract
    places = checkout.places()
    env = child_environment(
        places,
        endpoint=checkout.endpoint(),
        region=str(contract["region"]),
        extra={"PYTHONPATH": str(ROOT), "MLFLOW_S3_ENDPOINT_URL": checkout.endpoint()},
    )
    uris = [f"s3://{contract['data_bucket']}/bench", f"s3://{contract['bucket']}/bench"]
    database = f"sqlite:///{checkout.root / 'plain.db'}"
    command = [PYTHON, "-m", "tests.bench.plain_training", *uris, database, str(contract["image"])]
    return timed(command, cwd=ROOT, env=env)


def _environment(home: Path) -> dict[str, str]:
    """As tests/local/checkouts.py: nothing of the caller's but PATH; `home` is the checkout whose code runs."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(home), "COLUMNS": "200"}


def _output(command: list[str], env: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeasureFailed(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def case_scaling(runs: int, say: Say) -> list[Result]:
    """What evaluating takes a resource, at each size in a process of its own."""
    from tests.bench.scaling import SIZES, scaling_results

    env = _environment(ROOT)
    times: dict[int, list[dict[str, float]]] = {size: [] for size in SIZES}
    for run in range(1, min(runs, SCALING_RUNS) + 1):
        for size in SIZES:
            seconds = json.loads(_output([PYTHON, "-m", "tests.bench.scaling", str(size)], env))
            times[size].append(seconds)
            listed = ", ".join(f"{name} {value / size * 1000:.2f}" for name, value in seconds.items())
            say(f"  run {run}, {size} resources, ms a resource: {listed}")
    return scaling_results(times)


def case_gpu_scale(runs: int, say: Say) -> list[Result]:
    """1,000 GPU pods under the real scheduler and the real Karpenter, once. Skipped where those are not built."""
    from tests.cluster.control_plane import unavailable

    if sentence := unavailable():
        raise MeasureSkipped(sentence)
    from tests.bench.gpu_scale import run

    return run(say)


CASES: Mapping[str, Callable[[int, Say], list[Result]]] = {
    "help": case_help,
    "capture": case_capture,
    "scaling": case_scaling,
    "up": case_up,
    "pipeline": case_pipeline,
    "tests": case_tests,
    "gpu-scale": case_gpu_scale,
}
DEFAULT = ("help", "capture", "scaling", "pipeline", "tests", "gpu-scale")
"""`pipeline` provisions as `up` does, and measures it too."""
