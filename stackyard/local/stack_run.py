"""What `up` and `destroy` share: a stack's child process on the emulator, and the files that its result goes into."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from stackyard.local.environment import LocalEnvironment
from stackyard.local.executor import LocalTarget
from stackyard.local.places import Places
from stackyard.local.safety import child_environment
from stackyard.program import state
from stackyard.program.child import Request
from stackyard.program.deployment import Deployment
from stackyard.program.journal import Journal
from stackyard.program.process import Outcome, run_child
from stackyard.program.stackfiles import StackConfig, to_environment


def target(environment: LocalEnvironment, stack: str, endpoint: str, *, include_data: bool = False) -> dict[str, Any]:
    """Where a child carries out its steps, for `Request.local`."""
    places = environment.places
    return asdict(
        LocalTarget(
            endpoint=endpoint,
            kubernetes_store=str(places.kubernetes_objects),
            kubernetes_version=environment.kubernetes_version,
            journal=str(places.journal(stack)),
            include_data=include_data,
        )
    )


def run_stack(
    environment: LocalEnvironment,
    config: StackConfig,
    request: Request,
    endpoint: str,
    on_event: Callable[[dict[str, Any]], None] = lambda event: None,
) -> Outcome:
    """Runs a request in an environment built from nothing, which leads to the emulator only."""
    variables = child_environment(
        environment.places, endpoint=endpoint, region=environment.region, extra=to_environment(config)
    )
    return run_child(request, variables, on_event)


def settle(places: Places, stack: str, deployment: Deployment) -> None:
    """Makes a result the stack's state; its journal has served."""
    state.write(places.state(stack), deployment)
    Journal(places.journal(stack)).remove()
