"""Whether evaluating stays linear: time a resource at 100, 300 and 1,000 resources, of each thing that it may do.

`python -m tests.bench.scaling SIZE` measures one size in this process and prints the seconds as JSON.
"""

import asyncio
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pulumi.runtime import mocks, settings
from pulumi.runtime.stack import run_pulumi_func

from stackyard.program.deployment import Deployment
from stackyard.program.derived import Place
from stackyard.program.evaluation import Evaluation, Step
from stackyard.program.executor import Deriving, Executor, Planning
from stackyard.program.run import run
from tests.bench.growing_program import SHARED_TYPES, TEAM_SIZE, Variant, program
from tests.bench.measure import MeasureFailed, Result
from tests.bench.mocked_program import Plausible

SIZES = (100, 300, 1000)
LINEAR = 1.3
"""A resource of a larger program may take this many times what one of the smallest takes."""
PROJECT, STACK = "scaling", "bench"
PLACE = Place("123456789012", "eu-central-1")
FORCED_TOGETHER = 9
"""Of a team's ten: all but the component, each by an input of its own or one that it takes from another."""

Program = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Something that an evaluation does with a program, given what the program of `Variant()` was captured as."""

    what: str
    executor: Callable[[], Executor]
    has_prior: bool = True
    variant: Variant | None = field(default_factory=Variant)
    """None: the program is not run at all, so that everything goes."""
    operation: str
    """What is done with `of_each_team` resources of every team: a measurement that did other work is refused."""
    of_each_team: int


KINDS: Mapping[str, Kind] = {
    "capture": Kind(
        what="capture",
        executor=lambda: Deriving(PLACE),
        has_prior=False,
        operation="create",
        of_each_team=TEAM_SIZE,
    ),
    "unchanged": Kind(what="plan, nothing changes", executor=Planning, operation="same", of_each_team=TEAM_SIZE),
    "renamed": Kind(
        what="plan, all renamed by alias",
        executor=Planning,
        variant=Variant(prefix="squad", former_prefix="team"),
        operation="same",
        of_each_team=TEAM_SIZE,
    ),
    "replaced": Kind(
        what="plan, all replaced, old first",
        executor=Planning,
        variant=Variant(generation="two"),
        operation="replace",
        of_each_team=FORCED_TOGETHER,
    ),
    "deleted": Kind(
        what="plan, all deleted", executor=Planning, variant=None, operation="delete", of_each_team=TEAM_SIZE
    ),
}


def scaling_results(times: Mapping[int, Sequence[Mapping[str, float]]]) -> list[Result]:
    """Results from what `measure` gave for each size, smallest first, in each run.

    The smallest size has no aim: its time a resource, by `LINEAR`, is the aim of the others.
    """
    results: list[Result] = []
    for name, kind in KINDS.items():
        aim: float | None = None
        for size, seconds in times.items():
            result = Result(
                name=f"scaling-{name}-{size}",
                what=f"{kind.what}, {size:,} resources",
                floor_what="as many registrations under the SDK's mocks",
                measured=tuple(run[name] for run in seconds),
                floor=tuple(run["mocked"] for run in seconds),
                aim=aim,
                judged="ms a resource",
                steps=size,
            )
            results.append(result)
            aim = aim or LINEAR * result.value
    return results


def measure(resources: int) -> dict[str, float]:
    """CPU seconds of every kind and of `mocked`, the floor, in this process. Raises MeasureFailed for other work.

    CPU time, since nothing here waits for anything and the machine may have other work.
    """
    for kind in KINDS.values():
        # The SDK imports a resource's module when a program first names it.
        _evaluated(kind, TEAM_SIZE, _captured(TEAM_SIZE))
    prior = _captured(resources)
    seconds = {name: _evaluated(kind, resources, prior) for name, kind in KINDS.items()}
    # The mocks come last: they leave settings behind.
    _mocked(TEAM_SIZE)
    return {**seconds, "mocked": _mocked(resources)}


def _captured(resources: int) -> Deployment:
    evaluation = Evaluation(project=PROJECT, stack=STACK, executor=Deriving(PLACE))
    run(program(resources), evaluation)
    return evaluation.result()


def _evaluated(kind: Kind, resources: int, prior: Deployment) -> float:
    done: Counter[str] = Counter()

    def observe(step: Step) -> None:
        if step.phase == "done" and step.resource.type not in SHARED_TYPES:
            done[step.op] += 1

    def evaluate() -> None:
        evaluation = Evaluation(
            project=PROJECT,
            stack=STACK,
            executor=kind.executor(),
            prior=prior if kind.has_prior else None,
            observe=observe,
        )
        if kind.variant is None:
            evaluation.finish()
        else:
            run(program(resources, kind.variant), evaluation)
        if evaluation.failures:
            raise MeasureFailed(f"{kind.what}: {evaluation.failures[0]}")
        evaluation.result()

    seconds = _cpu_seconds(evaluate)
    check_work(kind, resources, done)
    return seconds


def check_work(kind: Kind, resources: int, done: Mapping[str, int]) -> None:
    """Raises MeasureFailed unless the steps that were done are those that the kind is named after."""
    expected = resources // TEAM_SIZE * kind.of_each_team
    if done.get(kind.operation, 0) != expected:
        raise MeasureFailed(f"{kind.what}: expected {expected} times {kind.operation}, the steps were {dict(done)}")


def _mocked(resources: int) -> float:
    answers = Plausible(PROJECT, STACK, PLACE)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        mocks.set_mocks(answers, project=PROJECT, stack=STACK, preview=True)
        seconds = _cpu_seconds(lambda: loop.run_until_complete(run_pulumi_func(program(resources))))
    finally:
        settings.set_root_resource(None)  # pyright: ignore[reportArgumentType]  a second run starts a new stack
        asyncio.set_event_loop(None)
        loop.close()
    registered = sum(type_ not in SHARED_TYPES for type_, _ in answers.registered)
    if registered != resources:
        raise MeasureFailed(f"the mocks registered {registered} resources, expected {resources}")
    return seconds


def _cpu_seconds(work: Callable[[], None]) -> float:
    gc.collect()
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]))) + "\n")
