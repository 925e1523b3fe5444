"""Captures of past releases, and what today's program would do to a stack that one of them describes."""

import gzip
import json
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from stackyard.program.capture import request_for
from stackyard.program.deployment import Deployment
from stackyard.program.evaluation import Evaluation, Step
from stackyard.program.executor import Planning
from stackyard.program.records import from_document
from stackyard.program.stackfiles import read_stack, to_environment
from stackyard.program.values import from_json
from tests.stack_captures import PLATFORM_ONLY, ROOT, stack_capture

FOLDER = Path(__file__).parent
RELEASES = tuple(sorted(path.name for path in FOLDER.iterdir() if any(path.glob("*.json.gz"))))


def recorded_stacks(release: str) -> list[str]:
    return sorted(path.name.removesuffix(".json.gz") for path in (FOLDER / release).glob("*.json.gz"))


@cache
def recorded(release: str, stack: str) -> Deployment:
    """What the stack was at that release."""
    packed = (FOLDER / release / f"{stack}.json.gz").read_bytes()
    return from_document(json.loads(gzip.decompress(packed)))


def planned(prior: Deployment) -> list[Step]:
    """The steps of an `up` of today's program over `prior`, without carrying anything out."""
    stack = prior.stack
    config = read_stack(ROOT, stack)
    base = stack_capture(PLATFORM_ONLY[stack]) if stack in PLATFORM_ONLY else None
    request = request_for(ROOT, config, mode="plan", prior=prior, base=base)

    def program() -> Any:
        from stackyard.program.run import program_file

        with mock.patch.dict(os.environ, to_environment(config)), mock.patch.object(sys, "path", list(sys.path)):
            return program_file(Path(request.main))()

    before = os.getcwd()
    try:
        return steps_over(
            prior,
            program,
            stack_outputs=lambda name: from_json(request.references[name]),
            disabled_default_providers=tuple(request.disabled_default_providers),
        )
    finally:
        os.chdir(before)


def steps_over(prior: Deployment, program: Callable[[], Any], **options: Any) -> list[Step]:
    from stackyard.program.run import run

    steps: list[Step] = []
    evaluation = Evaluation(
        project=prior.project, stack=prior.stack, executor=Planning(), prior=prior, observe=steps.append
    )
    run(program, evaluation, **options)
    assert not evaluation.failures, "\n".join(evaluation.failures)
    return [step for step in steps if step.phase == "done" and step.resource.custom]


# A code package is named by its content: another one is another object, and the bucket keeps the versions of the first.
NAMED_BY_CONTENT = "aws:s3/bucketObjectv2:BucketObjectv2"
# It holds nothing, and AWS's provider knows no way to change its text: the new one takes the place of the old one.
WRITTEN_ANEW = "aws:ecr/lifecyclePolicy:LifecyclePolicy"


def destructive(steps: list[Step]) -> list[str]:
    """What would be replaced or deleted, in words."""
    found = []
    for step in steps:
        harmless = step.resource.type in (NAMED_BY_CONTENT, WRITTEN_ANEW) and step.op != "delete"
        if not harmless and ("replace" in step.op or step.op == "delete"):
            keys = ", ".join(step.decision.keys) if step.decision else ""
            found.append(f"{step.op} {step.resource.urn}" + (f" because of {keys}" if keys else ""))
    return sorted(set(found))
