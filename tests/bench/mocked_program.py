"""The floor of a capture: the unmodified program under the SDK's own test mocks, as a whole process.

`python -m tests.bench.mocked_program MAIN PROJECT STACK ACCOUNT REGION`; the configuration stands in the environment as
the Pulumi CLI puts it there. Prints what was registered, as JSON pairs of type and name.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from pulumi.runtime import mocks
from pulumi.runtime.stack import run_pulumi_func

from stackyard.program.deployment import Resource, make_urn
from stackyard.program.derived import Place, derive
from stackyard.program.naming import autonamed
from stackyard.program.run import program_file
from stackyard.program.values import to_json


class Plausible(mocks.Mocks):
    """Answers as AWS would, from the same derivation as the capture: without ARNs the program does not run through."""

    def __init__(self, project: str, stack: str, place: Place):
        self._project, self._stack, self._place = project, stack, place
        self.registered: list[tuple[str, str]] = []

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        raise RuntimeError(f"the program calls {args.token}, but it may look nothing up")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.registered.append((args.typ, args.name))
        if not args.custom:
            return "", {}
        urn = make_urn(self._project, self._stack, args.typ, args.name)
        inputs, _ = autonamed(args.typ, urn, args.name, args.inputs)
        id_, outputs = derive(Resource(urn=urn, type=args.typ, name=args.name, inputs=inputs), self._place)
        return id_, to_json(outputs)


def main(program: str, project: str, stack: str, account_id: str, region: str) -> None:
    answers = Plausible(project, stack, Place(account_id, region))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    mocks.set_mocks(answers, project=project, stack=stack, preview=True)
    loop.run_until_complete(run_pulumi_func(program_file(Path(program))))
    sys.stdout.write(json.dumps(sorted(answers.registered)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
