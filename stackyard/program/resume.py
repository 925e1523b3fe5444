"""Steps of unknown result are carried out again, with the tokens that their calls had: nothing happens twice."""

from collections.abc import Callable
from dataclasses import replace

from stackyard.errors import UserError
from stackyard.program.deployment import Deployment, PendingOperation, Resource
from stackyard.program.evaluation import Step, finished
from stackyard.program.executor import Done, Executor
from stackyard.program.ledger import Ledger, key


def roll_forward(
    before: Deployment, executor: Executor, observe: Callable[[Step], None]
) -> tuple[Deployment, list[str]]:
    """The deployment without its pending operations, and why some of them stay pending.

    A step that is refused this time did not happen and is forgotten: the program asks for it again if it wants it.
    """
    ledger = Ledger(before)
    known = before.by_urn()
    failures: list[str] = []
    for operation in before.pending_operations:
        prior = known.get(operation.prior)
        step = Step(op=operation.op, phase="start", resource=operation.resource, prior=prior, attempt=operation.attempt)
        observe(step)
        try:
            after = _again(operation, prior, executor)
        except UserError as error:
            if error.unknown:
                failures.append(str(error))
            else:
                ledger.refused(*key(operation))
            observe(replace(step, phase="failed", message=str(error), unknown=error.unknown))
            continue
        if after is None:
            ledger.gone(operation.op, operation.resource.urn, operation.resource.id)
        else:
            ledger.done(operation.op, after, operation.prior)
        observe(replace(step, phase="done", resource=after or operation.resource))
    return ledger.result(), failures


def _again(operation: PendingOperation, prior: Resource | None, executor: Executor) -> Resource | None:
    goal, attempt = operation.resource, operation.attempt
    if operation.op.startswith("delete"):
        if goal.custom and not goal.retain_on_delete:
            executor.delete(goal, attempt)
        return None
    if not goal.custom:
        return finished(goal, Done())
    if operation.op == "update" and prior is not None:
        return finished(goal, executor.update(prior, goal, attempt))
    return finished(goal, executor.create(goal, attempt))
