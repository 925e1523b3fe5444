"""Captures of the committed stacks inside the test process: the imports are paid once for all of them."""

import os
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from stackyard.errors import UserError
from stackyard.program.capture import request_for
from stackyard.program.child import Request
from stackyard.program.deployment import Deployment, in_canonical_order
from stackyard.program.derived import Place
from stackyard.program.evaluation import Evaluation
from stackyard.program.executor import Deriving
from stackyard.program.stackfiles import read_stack, stack_names, to_environment
from stackyard.program.values import from_json

ROOT = Path(__file__).resolve().parents[1]
STACKS = stack_names(ROOT)
PLATFORM_ONLY = {"staging-platform": "staging-base", "prod-platform": "prod-base"}


@cache
def stack_capture(stack: str) -> Deployment:
    """What `stackyard capture --stack STACK` shows."""
    config = read_stack(ROOT, stack)
    base = stack_capture(PLATFORM_ONLY[stack]) if stack in PLATFORM_ONLY else None
    return evaluate(request_for(ROOT, config, mode="capture", base=base), to_environment(config))


def with_sections(stack: str, *, base: Deployment | None = None, **sections: Any) -> Deployment:
    """What a committed stack registers with other sections of its settings; None takes a section away.

    `base`: what a platform stack is deployed on, unless that is the committed base stack.
    """
    config = read_stack(ROOT, stack)
    changed = {**config.config, **{f"stackyard:{name}": value for name, value in sections.items()}}
    config = replace(config, config={key: value for key, value in changed.items() if value is not None})
    if base is None and stack in PLATFORM_ONLY:
        base = stack_capture(PLATFORM_ONLY[stack])
    return evaluate(request_for(ROOT, config, mode="capture", base=base), to_environment(config))


def with_outputs(deployment: Deployment, **outputs: Any) -> Deployment:
    """The same with other outputs of the stack."""
    return replace(deployment, outputs={**deployment.outputs, **outputs})


def evaluate(request: Request, environment: dict[str, str]) -> Deployment:
    from stackyard.program.run import program_file, run

    evaluation = Evaluation(
        project=request.project, stack=request.stack, executor=Deriving(Place(request.account_id, request.region))
    )
    before = os.getcwd()
    try:
        with mock.patch.dict(os.environ, environment), mock.patch.object(sys, "path", list(sys.path)):
            run(
                program_file(Path(request.main)),
                evaluation,
                stack_outputs=lambda name: from_json(request.references[name]),
                disabled_default_providers=tuple(request.disabled_default_providers),
            )
    finally:
        os.chdir(before)
    if evaluation.failures:
        raise UserError("\n".join(evaluation.failures))
    return in_canonical_order(evaluation.result())
