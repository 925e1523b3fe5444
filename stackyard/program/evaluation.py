"""One evaluation of a program: every registration decided, executed and answered, as the engine would."""

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from stackyard.errors import UserError
from stackyard.program.checks import checked, default_tags, provider_region
from stackyard.program.condemned import delete_layers, needed_by
from stackyard.program.decide import (
    Decision,
    Forces,
    Op,
    StepRefused,
    apply_ignore_changes,
    changed_paths,
    decide,
    protected_delete,
    protected_dependent,
    protected_replace,
    provider_changed,
)
from stackyard.program.dependents import Dependents
from stackyard.program.deployment import (
    STACK_TYPE,
    Deployment,
    PendingOperation,
    Resource,
    needs,
    provider_urn,
    urn_name,
    urn_type,
)
from stackyard.program.executor import Done, Executor
from stackyard.program.identity import Identities, follow_renames
from stackyard.program.ledger import key
from stackyard.program.naming import RULES
from stackyard.program.registration import AliasSpec
from stackyard.program.replacement import forces_of
from stackyard.program.values import Secret, Value, has_unknown, walk


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation on one resource, as it is reported while it happens."""

    op: str
    """The engine's operation name, for example `create`, `create-replacement`, `delete-replaced`, `same`."""
    phase: Literal["start", "done", "outputs", "failed", "skipped"]
    """`outputs`: the program registered the outputs of a component, or of the stack, that was done before."""
    resource: Resource
    prior: Resource | None = None
    decision: Decision | None = None
    message: str = ""
    attempt: str = ""
    """Token of a step that starts."""
    unknown: bool = False
    """A step that failed: nobody knows whether it happened."""

    @property
    def operation(self) -> PendingOperation:
        prior = self.prior.urn if self.prior else ""
        return PendingOperation(op=self.op, resource=self.resource, prior=prior, attempt=self.attempt)


NEEDED = "needed by what could not be deleted"
NOT_DELETED = "{goal} is not replaced: {resource} has to be deleted before, and could not be"


class NotDeleted(UserError):
    """A replacement that its predecessor prevents."""


class Evaluation:
    """Holds what the program registered so far. Decisions are made one at a time; steps may run side by side."""

    def __init__(
        self,
        *,
        project: str,
        stack: str,
        executor: Executor,
        prior: Deployment | None = None,
        forces: Callable[[str], Forces] = forces_of,
        observe: Callable[[Step], None] = lambda step: None,
    ):
        self.project, self.stack = project, stack
        self._executor, self._forces, self._observe = executor, forces, observe
        self._prior = prior.by_urn() if prior else {}
        before = (*prior.resources, *prior.pending_deletes) if prior else ()
        self._dependents_of = Dependents(before, forces)
        self._position = {id(resource): index for index, resource in enumerate(before)}
        self._prior_outputs = dict(prior.outputs) if prior else {}
        self._lock = threading.RLock()
        self._order: dict[str, None] = {}
        self._results: dict[str, Resource] = {}
        self._identities = Identities(self._prior, project, stack)
        self._living: set[int] = set()
        self._done: dict[str, tuple[Resource | None, Decision]] = {}
        self._failed: set[str] = set()
        # By identity: a pending delete of an earlier run may have the same URN.
        self._replaced = {id(resource): resource for resource in prior.pending_deletes} if prior else {}
        self._open: dict[tuple[str, str], PendingOperation] = {}
        self._deleted_first: set[int] = set()
        self._deleted: set[str] = set()
        self.outputs: dict[str, Value] = {}
        self.failures: list[str] = []

    # The program's calls

    def register(self, goal: Resource, aliases: Iterable[AliasSpec]) -> Resource | None:
        """Decides and executes one registration. None: it failed or was skipped, and the failure is recorded."""
        with self._lock:
            if not self._claim(goal):
                return None
            try:
                goal, prior = self._identities.identify(goal, list(aliases), self._order)
            except StepRefused as refusal:
                self._fail(goal, None, Decision(op=Op.CREATE), refusal)
                return None
            if not self._possible(goal):
                self._skip(goal)
                return None
            goal, decision = self._decide(goal, prior)
            if prior and decision.op is not Op.REPLACE:
                self._living.add(id(prior))
            elif prior and prior.protect and goal.protect:
                self._fail(goal, prior, decision, StepRefused(protected_replace(goal)))
                if not self._executor.planning:
                    return None
        try:
            result = self._carry_out(goal, prior, decision)
        except Exception as error:
            self._fail(goal, prior, decision, error)
            if not isinstance(error, UserError):
                raise
            return None
        with self._lock:
            self._results[goal.urn] = result
            self._done[goal.urn] = prior, decision
        return result

    def refuse(self, goal: Resource, refusal: StepRefused) -> None:
        """Records that a registration cannot be carried out at all."""
        self._fail(goal, None, Decision(op=Op.CREATE), refusal)

    def register_outputs(self, urn: str, outputs: Mapping[str, Value]) -> None:
        with self._lock:
            resource = self._results.get(urn)
            if resource is None:
                return
            if resource.type == STACK_TYPE:
                self.outputs = dict(outputs)
            resource = self._results[urn] = replace(resource, outputs=dict(outputs))
            prior, decision = self._done[urn]
        self._observe(Step(op=str(decision.op), phase="outputs", resource=resource, prior=prior, decision=decision))

    def read(self, resource: Resource) -> Resource:
        """A resource that is looked up, not managed."""
        with self._lock:
            self._claim(resource)
            self._results[resource.urn] = resource
        return resource

    def provider_inputs(self, urn: str) -> Mapping[str, Value] | None:
        found = self._results.get(urn) or self._prior.get(urn)
        return found.inputs if found else None

    def _prior_inputs(self, urn: str) -> Mapping[str, Value] | None:
        return self._prior[urn].inputs if urn in self._prior else None

    def known(self, urn: str) -> Resource | None:
        return self._results.get(urn)

    # After the program

    def finish(self, workers: int = 1) -> None:
        """Deletes what was replaced and what the program no longer asks for. Not after a failure, as in the engine.

        What does not need each other goes side by side. A delete that fails keeps what its resource needs.
        """
        if self.failures and not self._executor.planning:
            return
        replaced = set(self._replaced)
        condemned = sorted((*self._gone(), *self._replaced.values()), key=lambda resource: self._position[id(resource)])
        kept: set[str] = set()
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="delete") as pool:
            for layer in delete_layers(condemned):
                going = [resource for resource in layer if resource.urn not in kept]
                for resource in layer:
                    if resource.urn in kept:
                        self._observe(Step(op="skip", phase="skipped", resource=resource, message=NEEDED))
                ops = ["delete-replaced" if id(resource) in replaced else "delete" for resource in going]
                for resource, deleted in zip(going, list(pool.map(self._delete, going, ops)), strict=True):
                    if not deleted:
                        kept |= needed_by(resource, condemned)

    def result(self) -> Deployment:
        """The stack afterwards, registrations first in their order, then what is left of the prior state."""
        resources = [self._results[urn] for urn in self._order if urn in self._results]
        renamed = {former: urn for former, urn in self._identities.renamed.items() if urn in self._results}
        taken = {*self._results, *renamed, *self._deleted}
        left = [r for urn, r in self._prior.items() if urn not in taken]
        outputs = self.outputs if not self.failures or self.outputs else self._prior_outputs
        return Deployment(
            project=self.project,
            stack=self.stack,
            resources=(*resources, *follow_renames(left, renamed)),
            outputs=outputs,
            pending_deletes=tuple(follow_renames(self._replaced.values(), renamed)),
            pending_operations=tuple(self._open.values()),
        )

    # One registration

    def _claim(self, goal: Resource) -> bool:
        if goal.urn in self._order:
            message = f"Duplicate resource URN '{goal.urn}'; try giving it a unique name"
            self.failures.append(message)
            self._observe(Step(op="create", phase="failed", resource=goal, message=message))
            return False
        self._order[goal.urn] = None
        return True

    def _possible(self, goal: Resource) -> bool:
        if needs(goal) & self._failed:
            return False
        return self._executor.planning or not has_unknown(dict(goal.inputs))

    def _decide(self, goal: Resource, prior: Resource | None) -> tuple[Resource, Decision]:
        if prior and goal.ignore_changes:
            goal = replace(goal, inputs=apply_ignore_changes(prior.inputs, goal.inputs, goal.ignore_changes))
        provider = self.provider_inputs(provider_urn(goal.provider)) or {}
        given, tags, region = goal, default_tags(provider), provider_region(provider)
        goal = checked(given, prior, tags, region=region)
        moved = prior is not None and provider_changed(
            prior.provider, goal.provider, self._prior_inputs, self.provider_inputs, self._forces
        )
        decision = decide(prior, goal, self._forces(goal.type), provider_changed=moved)
        if prior and decision.op is Op.SAME and _tags_differ(prior, goal):
            decision = Decision(op=Op.UPDATE, diffs=("tagsAll",))
        if prior and id(prior) in self._deleted_first:
            decision = Decision(op=Op.REPLACE, diffs=decision.diffs, keys=decision.keys, delete_first=True)
        if decision.op is Op.REPLACE:
            # As the engine does: what the provider made up before would collide with what is still there.
            goal = checked(given, prior, tags, region=region, replacing=True)
            if goal.delete_before_replace is None and _name_collides(prior, goal):
                decision = replace(decision, delete_first=True)
        return goal, decision

    def _carry_out(self, goal: Resource, prior: Resource | None, decision: Decision) -> Resource:
        match decision.op, prior:
            case Op.SAME, Resource():
                after = finished(goal, Done(id=prior.id, outputs=prior.outputs, recorded=prior.recorded))
                self._observe(Step(op="same", phase="done", resource=after, prior=prior, decision=decision))
                return after
            case Op.UPDATE, Resource():
                return self._step("update", goal, prior, decision, partial(self._executor.update, prior, goal))
            case Op.REPLACE, Resource():
                return self._replace(goal, prior, decision)
            case _:
                return self._step("create", goal, None, decision, partial(self._create, goal))

    def _replace(self, goal: Resource, prior: Resource, decision: Decision) -> Resource:
        if decision.delete_first:
            for resource in (*self._dependents(prior), prior):
                if id(resource) not in self._deleted_first:
                    if not self._delete(resource, "delete-replaced"):
                        raise NotDeleted(NOT_DELETED.format(goal=goal.name, resource=resource.name))
                    self._deleted_first.add(id(resource))
        replaced = Step(op="replace", phase="done", resource=goal, prior=prior, decision=decision)
        if decision.delete_first:
            self._observe(replaced)
        after = self._step("create-replacement", goal, prior, decision, partial(self._create, goal))
        if not decision.delete_first:
            self._observe(replace(replaced, resource=after))
            self._replaced[id(prior)] = prior
        return after

    def _create(self, goal: Resource, attempt: str) -> Done:
        if not goal.custom:
            return Done()
        if self._executor.asks_provider and has_unknown(self.provider_inputs(provider_urn(goal.provider)) or {}):
            return Done()
        return self._executor.create(goal, attempt)

    def _dependents(self, prior: Resource) -> list[Resource]:
        found = self._dependents_of.replaced_with(prior, self._living)
        for resource in found:
            if resource.protect:
                raise StepRefused(protected_dependent(resource, prior))
        return found

    def _step(
        self, op: str, goal: Resource, prior: Resource | None, decision: Decision, run: Callable[[str], Done]
    ) -> Resource:
        step = Step(op=op, phase="start", resource=goal, prior=prior, decision=decision, attempt=uuid.uuid4().hex)
        with self._known(step):
            after = finished(goal, run(step.attempt))
        self._observe(Step(op=op, phase="done", resource=after, prior=prior, decision=decision))
        return after

    @contextmanager
    def _known(self, step: Step) -> Iterator[None]:
        """Around a step: it stays among the pending operations if nobody knows how it ended."""
        operation = step.operation
        self._open[key(operation)] = operation
        self._observe(step)
        try:
            yield
        except UserError as error:
            if not error.unknown:
                self._open.pop(key(operation))
            raise
        self._open.pop(key(operation))

    def _delete(self, resource: Resource, op: str) -> bool:
        step = Step(op=op, phase="start", resource=resource, prior=resource, attempt=uuid.uuid4().hex)
        try:
            with self._known(step):
                if resource.protect and op == "delete":
                    raise StepRefused(protected_delete(resource))
                if resource.custom and not resource.retain_on_delete:
                    self._executor.delete(resource, step.attempt)
        except UserError as error:
            self.failures.append(str(error))
            self._observe(replace(step, phase="failed", message=str(error), unknown=error.unknown))
            return False
        with self._lock:
            if self._replaced.pop(id(resource), None) is None:
                self._deleted.add(resource.urn)
        self._observe(replace(step, phase="done"))
        return True

    def _gone(self) -> list[Resource]:
        seen = {*self._order, *self._identities.renamed, *self._deleted}
        return [r for r in self._prior.values() if r.urn not in seen and not r.external]

    def _skip(self, goal: Resource) -> None:
        missing = ", ".join(sorted(urn_name(urn) for urn in needs(goal) & self._failed))
        self._failed.add(goal.urn)
        self._observe(Step(op="skip", phase="skipped", resource=goal, message=f"needs {missing or 'what is unknown'}"))

    def _fail(self, goal: Resource, prior: Resource | None, decision: Decision, error: Exception) -> None:
        with self._lock:
            if goal.urn in self._failed:
                return
            self._failed.add(goal.urn)
            self.failures.append(str(error))
        op = {Op.REPLACE: "create-replacement"}.get(decision.op, str(decision.op))
        unknown = isinstance(error, UserError) and error.unknown
        failed = Step(op=op, phase="failed", resource=goal, prior=prior, decision=decision, message=str(error))
        self._observe(replace(failed, unknown=unknown))


def finished(goal: Resource, done: Done) -> Resource:
    """The resource after its step; what is secret as an input, or by request, stays secret as an output."""
    secret = {key for key, value in goal.inputs.items() if any(isinstance(v, Secret) for _, v in walk(value))}
    secret.update(goal.additional_secret_outputs)
    outputs = {
        key: Secret(value) if key in secret and not isinstance(value, Secret) and value is not None else value
        for key, value in {**done.outputs, **goal.outputs}.items()
    }
    return replace(goal, id=done.id, outputs=outputs, recorded=done.recorded)


def _tags_differ(prior: Resource, goal: Resource) -> bool:
    if "tagsAll" not in goal.outputs or "tagsAll" not in prior.outputs:
        return False
    return bool(changed_paths({"t": prior.outputs["tagsAll"]}, {"t": goal.outputs["tagsAll"]}))


def _name_collides(prior: Resource | None, goal: Resource) -> bool:
    # A replacement cannot live beside the old one under the same physical name; the provider says so itself.
    if prior is None:
        return False
    if urn_type(goal.urn).startswith("kubernetes:"):
        return _kubernetes_name(prior) == _kubernetes_name(goal)
    rule = RULES.get(goal.type)
    if rule is None or rule.property in goal.defaults:
        return False
    name = goal.inputs.get(rule.property)
    return name is not None and prior.inputs.get(rule.property) == name


def _kubernetes_name(resource: Resource) -> tuple[Value, Value]:
    metadata = resource.inputs.get("metadata") or resource.inputs
    return metadata.get("namespace"), metadata.get("name")
