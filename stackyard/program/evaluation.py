"""One evaluation of a program: every registration decided, executed and answered, as the engine would."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from stackyard.errors import UserError
from stackyard.program.checks import checked, default_tags
from stackyard.program.decide import (
    Decision,
    Forces,
    Op,
    apply_ignore_changes,
    changed_paths,
    decide,
    deletes,
    protected_delete,
    protected_replace,
    provider_changed,
)
from stackyard.program.dependents import replaced_with
from stackyard.program.deployment import STACK_TYPE, Deployment, Resource, provider_urn, urn_type
from stackyard.program.executor import Done, Executor
from stackyard.program.naming import RULES
from stackyard.program.registration import AliasSpec, former_urns
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


class StepRefused(UserError):
    """The engine would refuse this step: protected, or a URN used twice."""


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
        self._prior_outputs = dict(prior.outputs) if prior else {}
        self._lock = threading.RLock()
        self._order: dict[str, None] = {}
        self._results: dict[str, Resource] = {}
        self._former: dict[str, str] = {}
        self._done: dict[str, tuple[Resource | None, Decision]] = {}
        self._failed: set[str] = set()
        self._replaced: list[Resource] = []
        self._deleted_first: set[str] = set()
        self._deleted: set[str] = set()
        self.outputs: dict[str, Value] = {}
        self.failures: list[str] = []

    # The program's calls

    def register(self, goal: Resource, aliases: Iterable[AliasSpec]) -> Resource | None:
        """Decides and executes one registration. None: it failed or was skipped, and the failure is recorded."""
        with self._lock:
            if not self._claim(goal):
                return None
            goal, prior = self._with_identity(goal, list(aliases))
            if not self._possible(goal):
                self._failed.add(goal.urn)
                self._observe(Step(op="skip", phase="skipped", resource=goal, message="it depends on what failed"))
                return None
            goal, decision = self._decide(goal, prior)
            if prior and prior.protect and decision.op is Op.REPLACE:
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

    def known(self, urn: str) -> Resource | None:
        return self._results.get(urn)

    # After the program

    def finish(self) -> None:
        """Deletes what was replaced and what the program no longer asks for. Not after a failure, as in the engine."""
        replaced = [(resource, "delete-replaced") for resource in reversed(self._replaced)]
        for resource, op in (*replaced, *((resource, "delete") for resource in self._gone())):
            if self.failures and not self._executor.planning:
                return
            self._delete(resource, op)

    def result(self) -> Deployment:
        """The stack afterwards, registrations first in their order, then what is left of the prior state."""
        resources = [self._results[urn] for urn in self._order if urn in self._results]
        taken = {r.urn for r in resources} | {self._former.get(r.urn, "") for r in resources} | self._deleted
        left = [r for urn, r in self._prior.items() if urn not in taken]
        outputs = self.outputs if not self.failures or self.outputs else self._prior_outputs
        return Deployment(project=self.project, stack=self.stack, resources=(*resources, *left), outputs=outputs)

    # One registration

    def _claim(self, goal: Resource) -> bool:
        if goal.urn in self._order:
            message = f"Duplicate resource URN '{goal.urn}'; try giving it a unique name"
            self.failures.append(message)
            self._observe(Step(op="create", phase="failed", resource=goal, message=message))
            return False
        self._order[goal.urn] = None
        return True

    def _with_identity(self, goal: Resource, specs: list[AliasSpec]) -> tuple[Resource, Resource | None]:
        former_parents = [former] if (former := self._former.get(goal.parent)) else []
        aliases = former_urns(goal, specs, former_parents, self.project, self.stack)
        goal = replace(goal, aliases=aliases)
        for urn in (goal.urn, *aliases):
            if urn in self._prior and urn not in self._former.values():
                if urn != goal.urn:
                    self._former[goal.urn] = urn
                return goal, self._prior[urn]
        return goal, None

    def _possible(self, goal: Resource) -> bool:
        needs = {*goal.dependencies, goal.parent, provider_urn(goal.provider)}
        if needs & self._failed:
            return False
        return self._executor.planning or not has_unknown(dict(goal.inputs))

    def _decide(self, goal: Resource, prior: Resource | None) -> tuple[Resource, Decision]:
        if prior and goal.ignore_changes:
            goal = replace(goal, inputs=apply_ignore_changes(prior.inputs, goal.inputs, goal.ignore_changes))
        provider = self.provider_inputs(provider_urn(goal.provider)) or {}
        goal = checked(goal, prior, default_tags(provider))
        moved = prior is not None and provider_changed(
            prior.provider, goal.provider, self.provider_inputs, self._forces
        )
        decision = decide(prior, goal, self._forces(goal.type), provider_changed=moved)
        if prior and decision.op is Op.SAME and _tags_differ(prior, goal):
            decision = Decision(op=Op.UPDATE, diffs=("tagsAll",))
        if prior and prior.urn in self._deleted_first:
            decision = Decision(op=Op.REPLACE, diffs=decision.diffs, keys=decision.keys, delete_first=True)
        elif decision.op is Op.REPLACE and not decision.delete_first and _name_collides(prior, goal):
            decision = replace(decision, delete_first=True)
        return goal, decision

    def _carry_out(self, goal: Resource, prior: Resource | None, decision: Decision) -> Resource:
        match decision.op, prior:
            case Op.SAME, Resource():
                after = _finished(goal, Done(id=prior.id, outputs=prior.outputs, recorded=prior.recorded))
                self._observe(Step(op="same", phase="done", resource=after, prior=prior, decision=decision))
                return after
            case Op.UPDATE, Resource():
                return self._step("update", goal, prior, decision, lambda: self._executor.update(prior, goal))
            case Op.REPLACE, Resource():
                return self._replace(goal, prior, decision)
            case _:
                return self._step("create", goal, None, decision, lambda: self._create(goal))

    def _replace(self, goal: Resource, prior: Resource, decision: Decision) -> Resource:
        if decision.delete_first:
            for resource in (*self._dependents(prior), prior):
                if resource.urn not in self._deleted_first:
                    self._delete(resource, "delete-replaced")
                    self._deleted_first.add(resource.urn)
        replaced = Step(op="replace", phase="done", resource=goal, prior=prior, decision=decision)
        if decision.delete_first:
            self._observe(replaced)
        after = self._step("create-replacement", goal, prior, decision, lambda: self._create(goal))
        if not decision.delete_first:
            self._observe(replace(replaced, resource=after))
            self._replaced.append(prior)
        return after

    def _create(self, goal: Resource) -> Done:
        if not goal.custom:
            return Done()
        if self._executor.asks_provider and has_unknown(self.provider_inputs(provider_urn(goal.provider)) or {}):
            return Done()
        return self._executor.create(goal)

    def _dependents(self, prior: Resource) -> list[Resource]:
        found = replaced_with(prior, tuple(self._prior.values()), self._forces)
        for resource in found:
            if resource.protect:
                raise StepRefused(protected_delete(resource))
        return found

    def _step(
        self, op: str, goal: Resource, prior: Resource | None, decision: Decision, run: Callable[[], Done]
    ) -> Resource:
        self._observe(Step(op=op, phase="start", resource=goal, prior=prior, decision=decision))
        after = _finished(goal, run())
        self._observe(Step(op=op, phase="done", resource=after, prior=prior, decision=decision))
        return after

    def _delete(self, resource: Resource, op: str) -> None:
        self._observe(Step(op=op, phase="start", resource=resource, prior=resource))
        try:
            if resource.protect and op == "delete":
                raise StepRefused(protected_delete(resource))
            if resource.custom and not resource.retain_on_delete:
                self._executor.delete(resource)
        except UserError as error:
            self.failures.append(str(error))
            self._observe(Step(op=op, phase="failed", resource=resource, prior=resource, message=str(error)))
            return
        self._deleted.add(resource.urn)
        self._observe(Step(op=op, phase="done", resource=resource, prior=resource))

    def _gone(self) -> list[Resource]:
        seen = {*self._order, *self._former.values(), *self._deleted}
        return deletes(self._prior.values(), seen)

    def _fail(self, goal: Resource, prior: Resource | None, decision: Decision, error: Exception) -> None:
        with self._lock:
            if goal.urn in self._failed:
                return
            self._failed.add(goal.urn)
            self.failures.append(str(error))
        op = {Op.REPLACE: "create-replacement"}.get(decision.op, str(decision.op))
        self._observe(Step(op=op, phase="failed", resource=goal, prior=prior, decision=decision, message=str(error)))


def _finished(goal: Resource, done: Done) -> Resource:
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
