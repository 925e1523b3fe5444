"""Runs a program against a monitor of ours, in this process: the SDK's mock settings take any monitor object."""

import asyncio
import gc
import os
import re
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from inspect import isawaitable
from pathlib import Path
from typing import Any, cast
from unittest import mock

from pulumi.runtime import mocks, resource, settings
from pulumi.runtime.proto.source_pb2 import StackTrace
from pulumi.runtime.stack import run_in_stack

from stackyard.errors import UserError
from stackyard.program.deployment import Deployment
from stackyard.program.derived import Place
from stackyard.program.evaluation import Evaluation
from stackyard.program.executor import Deriving
from stackyard.program.monitor import FEATURES, Monitor, StackOutputs
from stackyard.program.values import Value

ALLOCATIONS_BETWEEN_COLLECTIONS = 200_000
"""Python's own 700 walks through the SDK's live tasks again and again: of 1,000 resources each then takes two to three
times as long as one of 100 (`make bench`). It collects next to nothing: the peak stays the same within 5 %."""


# The SDK's words for what we do not offer it (monitor.FEATURES); they would send the reader after another CLI.
NOT_OFFERED = re.compile(r"The Pulumi CLI does not support (transforms|resource hooks)")


class ProgramFailed(UserError):
    """The program said what is wrong (`pulumi.RunError`)."""


class Engine:
    """Receives what the program logs."""

    def __init__(self, log: Callable[[int, str], None]):
        self._log = log

    def Log(self, request: Any) -> None:
        self._log(request.severity, request.message)


def no_references(name: str) -> Mapping[str, Value]:
    raise UserError(f"the program refers to the stack {name}, and nothing here knows its outputs")


@contextmanager
def _few_collections() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _no_call_stacks() -> Iterator[None]:
    """The SDK sends the stack of calls with each registration, and nothing here reads it: a tenth of a capture."""
    with mock.patch.object(resource, "_get_stack_trace", StackTrace):
        yield


@_few_collections()
@_no_call_stacks()
def run(
    program: Callable[[], Any],
    evaluation: Evaluation,
    *,
    dry_run: bool = True,
    workers: int = 1,
    stack_outputs: StackOutputs = no_references,
    disabled_default_providers: tuple[str, ...] = (),
    log: Callable[[int, str], None] = lambda severity, message: None,
) -> None:
    """Evaluates `program` to its end, then carries out the deletes. Failures are in `evaluation.failures`.

    One worker keeps the order of registrations the program's own; an `up` uses more. Raises ProgramFailed for what
    the program itself refuses; any other exception of the program comes out as it is.
    """
    monitor = Monitor(evaluation, stack_outputs=stack_outputs, disabled_default_providers=disabled_default_providers)
    settings.configure(
        mocks.MockSettings(
            monitor=monitor,
            monitor_features=set(FEATURES),
            engine=Engine(log),
            project=evaluation.project,
            stack=evaluation.stack,
            dry_run=dry_run,
            organization="organization",
            callbacks=None,
        )
    )
    _outstanding().clear()  # a program that failed leaves its own behind
    loop = asyncio.new_event_loop()
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="step") as pool:
        loop.set_default_executor(pool)
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(run_in_stack(lambda: _to_its_outputs(program)))
        except Exception as error:
            _explain(error, evaluation)
        finally:
            settings.set_root_resource(None)  # pyright: ignore[reportArgumentType]  a second run starts a new stack
            asyncio.set_event_loop(None)
            loop.close()
    evaluation.finish(workers)


async def _to_its_outputs(program: Callable[[], Any]) -> None:
    """Runs the program until its outputs are known or one has failed, also when the program itself fails.

    The SDK itself then waits for them one at a time, and looks through all that are left each time: a quarter of the
    time of a stack. What failed is left to it.
    """
    try:
        started = program()
        if isawaitable(started):
            await started
    except Exception:
        # The SDK waits for what was begun before it tells, one output at a time.
        await _known_or_failed()
        raise
    stack: Any = settings.get_root_resource()
    # What `pulumi.run` was given begins only after this, and outputs may wait for it.
    if stack._async_program is not None:
        return
    # The SDK closes the exports here, before it waits: what an apply adds later counts nowhere.
    stack._finish()
    await _known_or_failed()


async def _known_or_failed() -> None:
    while pending := list(_outstanding()):
        try:
            await asyncio.gather(*pending)
        except (Exception, asyncio.CancelledError):
            return


def _outstanding() -> set[asyncio.Task[Any]]:
    """The outputs that the SDK still waits for, and those that failed."""
    return cast(Any, settings.SETTINGS).outputs  # the SDK's type of it is a property that pyright cannot bind


def _explain(error: Exception, evaluation: Evaluation) -> None:
    from pulumi import RunError

    chain: BaseException | None = error
    seen: set[int] = set()
    while chain is not None and id(chain) not in seen:
        seen.add(id(chain))
        if isinstance(chain, RunError):
            raise ProgramFailed(str(chain)) from None
        if isinstance(chain, UserError):
            if str(chain) not in evaluation.failures:
                evaluation.failures.append(str(chain))
            return
        if unsupported := NOT_OFFERED.match(str(chain)):
            raise ProgramFailed(
                f"the program uses {unsupported[1]}, which Stackyard does not evaluate itself: "
                "use it with the Pulumi CLI, or leave it out"
            ) from None
        chain = chain.__cause__ or chain.__context__
    raise error


def capture_callable(
    program: Callable[[], Any], *, project: str = "stackyard", stack: str = "test", place: Place | None = None
) -> Deployment:
    """A capture of anything that constructs resources, without prior: for tests of components."""
    place = place or Place(account_id="123456789012", region="eu-central-1")
    evaluation = Evaluation(project=project, stack=stack, executor=Deriving(place))
    run(program, evaluation)
    if evaluation.failures:
        raise UserError("\n".join(evaluation.failures))
    return evaluation.result()


def program_file(main: Path) -> Callable[[], None]:
    """The program at `main` as the CLI runs it: its folder is the working directory and the first import path."""

    def execute() -> None:
        os.chdir(main)
        sys.path.insert(0, str(main))
        runpy.run_path(str(main), run_name="__main__")

    return execute
