"""What `up` and `destroy` share: a stack's child process on the emulator, and the files that its result goes into."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from stackyard.errors import UserError
from stackyard.local.attachment import remembered, signature
from stackyard.local.environment import LocalEnvironment
from stackyard.local.executor import LocalTarget
from stackyard.local.places import Places, typed
from stackyard.local.progress import Progress
from stackyard.local.safety import child_environment
from stackyard.program import state
from stackyard.program.capture import request_for
from stackyard.program.child import Request
from stackyard.program.deployment import Deployment
from stackyard.program.journal import Journal, replay
from stackyard.program.process import Outcome, run_child
from stackyard.program.stackfiles import StackConfig, to_environment


class Unsettled(UserError):
    """The result of a call of an earlier run cannot be found out."""


def target(environment: LocalEnvironment, stack: str, endpoint: str, *, include_data: bool = False) -> dict[str, Any]:
    """Where a child carries out its steps, for `Request.local`."""
    places = environment.places
    attachment = remembered(places)
    return asdict(
        LocalTarget(
            endpoint=endpoint,
            kubernetes_store=str(places.kubernetes_objects),
            kubernetes_version=environment.kubernetes_version,
            journal=str(places.journal(stack)),
            kubeconfig=attachment.kubeconfig if attachment else "",
            owner=signature(places),
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


def recorded(places: Places, config: StackConfig) -> Deployment | None:
    """What state and journal say, as far as an interrupted run came; None: nothing was ever provisioned."""
    before = state.read(places.state(config.stack), project=config.project, stack=config.stack)
    return replay(before, places.journal(config.stack), project=config.project, stack=config.stack)


def known(environment: LocalEnvironment, config: StackConfig, endpoint: str, console: Console) -> Deployment | None:
    """What the stack consists of, after an interrupted run too: its steps of unknown result are made again.

    None: nothing was ever provisioned. Raises Unsettled when the result of a step cannot be found out now.
    """
    places, stack = environment.places, config.stack
    prior = recorded(places, config)
    if prior is None:
        return None
    if places.journal(stack).exists():
        console.print(
            f"An earlier run of {escape(stack)} was interrupted: {len(prior.resources)} resources are known, "
            f"{len(prior.pending_operations)} calls have no known result. Going on from there."
        )
    if not prior.pending_operations:
        return prior
    progress = Progress(console)
    local = target(environment, stack, endpoint)
    request = request_for(places.root, config, mode="resume", prior=prior, local=local)
    outcome = run_stack(environment, config, request, endpoint, progress)
    assert outcome.deployment
    if outcome.failures:
        settle(places, stack, outcome.deployment)
        raise Unsettled(
            f"{stack}: nobody knows whether {len(outcome.failures)} calls of an earlier run happened, and the "
            f"emulator does not say: nothing else was changed. Try again; if it stays so, "
            f"{typed('local down', environment.name)} and `up` begin with a new emulator."
        )
    return outcome.deployment


def settle(places: Places, stack: str, deployment: Deployment) -> None:
    """Makes a result the stack's state; its journal has served."""
    state.write(places.state(stack), deployment)
    Journal(places.journal(stack)).remove()
