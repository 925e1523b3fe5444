"""Whatever program becomes whatever other: what must hold of every run, over programs that hypothesis makes up.

Deterministic, and short by default. By hand, for a longer search (twenty times as many examples, and other ones):

    STACKYARD_EXAMPLES=20 STACKYARD_SEED=1 python -m pytest tests/program/test_properties.py
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from stackyard.program import evaluation, state
from stackyard.program.condemned import delete_layers
from stackyard.program.decide import Forces
from stackyard.program.deployment import Deployment, Resource, needs
from stackyard.program.evaluation import Evaluation
from stackyard.program.registration import AliasSpec
from tests.program import generated_programs
from tests.program.found_changes import (
    FORMER_PROVIDER_CHANGED,
    FORMER_PROVIDER_DELETED_FIRST,
    IN_RENAMED_BOX,
    MADE_UP_NAME_REPLACED,
    OUT_OF_RENAMED_BOX,
    PROVIDER_REPLACED,
    RENAMED_TARGET_REPLACED,
    UNPROTECTED_AND_REPLACED,
)
from tests.program.generated_programs import Cloud, Entry, Program, Run, made_up_names, run, urns
from tests.program.generated_strategies import Change, changes, continued, examples


@pytest.fixture(autouse=True, scope="module")
def _names():
    with made_up_names():
        yield


# What is looked at


def present(deployment: Deployment) -> list[str]:
    """Ids of all that a state says is there, what is still to be deleted included."""
    there = (*deployment.resources, *deployment.pending_deletes)
    return sorted(resource.id for resource in there if resource.custom)


def assert_nothing_is_lost(cloud: Cloud, after: Deployment, retained: set[str]) -> None:
    """The cloud holds exactly what the state says, and what was to be retained."""
    assert not after.pending_operations, "every call was answered"
    assert present(after) == sorted(cloud.things.keys() - retained), "orphaned, lost, or twice in the state"


def described(deployment: Deployment) -> list[tuple[Any, ...]]:
    """A deployment without what differs between two of the same program: ids, made-up names, ignored inputs."""
    urn_of = {resource.id: resource.urn for resource in deployment if resource.custom}

    def named(value: Any) -> Any:
        return urn_of.get(value.removeprefix("arn:"), value) if isinstance(value, str) else value

    def inputs(resource: Resource) -> Mapping[str, Any]:
        left_out = {path.split(".")[0] for path in resource.ignore_changes} | set(resource.defaults)
        if "*" in left_out:
            return {}
        return {key: named(value) for key, value in resource.inputs.items() if key not in left_out}

    return [
        (
            r.urn,
            r.parent,
            inputs(r),
            [named(part) for part in r.provider.rsplit("::", 1)],
            r.dependencies,
            dict(r.property_dependencies),
            (r.protect, r.retain_on_delete, r.deleted_with, r.ignore_changes, r.replace_on_changes),
            r.outputs if not r.custom else sorted(r.outputs.keys() - r.inputs.keys()),
        )
        for r in deployment
    ]


def without_attempts(run: Run) -> list[Any]:
    return [replace(step, attempt="") for step in run.steps]


def unprotected(program: Program) -> Program:
    return tuple(replace(entry, protect=False) for entry in program)


def unprotected_state(deployment: Deployment) -> Deployment:
    return replace(deployment, resources=tuple(replace(r, protect=False) for r in deployment.resources))


def applied(program: Program) -> tuple[Cloud, Run]:
    """A program carried out in an empty cloud."""
    cloud = Cloud()
    first = run(program, cloud)
    assert not first.failures, "nothing stands in the way of a first run"
    return cloud, first


def changed(change: Change) -> tuple[Cloud, Run]:
    """An unprotected change, carried out to its end."""
    cloud, first = applied(unprotected(change.base))
    second = run(unprotected(change.head), cloud, first.after)
    assert not second.failures, "no protection, no fault: nothing may fail"
    return cloud, second


# From any deployment to any other


@examples(150)
@given(changes())
@example(MADE_UP_NAME_REPLACED)
def test_a_run_ends_in_what_the_program_says(change):
    _, second = changed(change)
    _, fresh = applied(unprotected(change.head))
    assert described(second.after) == described(fresh.after)
    assert second.after.outputs == fresh.after.outputs
    assert not second.after.pending_deletes


@examples(100)
@given(changes())
@example(PROVIDER_REPLACED)
@example(FORMER_PROVIDER_CHANGED)
@example(FORMER_PROVIDER_DELETED_FIRST)
def test_the_cloud_holds_exactly_what_the_state_says(change):
    cloud, second = changed(change)
    assert_nothing_is_lost(cloud, second.after, second.retained())
    for resource in second.after:
        if resource.custom:
            thing = cloud.things[resource.id]
            assert thing.inputs.items() >= _settled(resource, second).items(), resource.urn
            assert thing.region == cloud.region_of(resource), f"{resource.urn} is not where its provider is"


def _settled(resource: Resource, done: Run) -> Mapping[str, Any]:
    # What is the same was not sent again, and a secret may be told from its value only in what is sent.
    same = any(step.resource.urn == resource.urn for step in done.done("same"))
    return {} if same else resource.inputs


@examples(100)
@given(changes())
def test_a_second_run_finds_nothing_to_do(change):
    cloud, second = changed(change)
    calls = cloud.calls
    third = run(unprotected(change.head), cloud, second.after)
    assert {step.op for step in third.steps} <= {"same"}
    assert cloud.calls == calls
    assert [_told_before(resource) for resource in third.after] == [_told_before(resource) for resource in second.after]


def _told_before(resource: Resource) -> Resource:
    # Names that a child may have had before only count while its parent is renamed.
    return replace(resource, aliases=())


@examples(100)
@given(changes())
@example(OUT_OF_RENAMED_BOX)
def test_what_goes_on_keeps_its_id_unless_it_is_replaced(change):
    _, second = changed(change)
    assert second.prior
    prior, old, now = second.prior.by_urn(), urns(change.base), urns(change.head)
    replaced = {step.resource.urn for step in second.done("create-replacement")}
    for slot in continued(change.base, change.head):
        before, after = prior[old[slot]], second.after.by_urn()[now[slot]]
        if now[slot] in replaced:
            assert not after.custom or after.id != before.id
        else:
            assert after.id == before.id, "recreated, although an alias says what it was"
    assert {step.resource.urn for step in second.done("create")}.isdisjoint(
        now[slot] for slot in continued(change.base, change.head)
    )


@examples(100)
@given(changes())
def test_nothing_goes_before_what_depends_on_it(change):
    _, second = changed(change)
    assert_order(second)


def assert_order(done: Run) -> None:
    # Deletes before a replacement leave mere dependents in place; those that the cloud minds, the cloud refuses.
    gone = done.deleted_last()
    for index, first in enumerate(gone):
        for later in gone[index + 1 :]:
            assert first.urn not in needs(later), f"{later.urn} needs {first.urn}, which went before it"


@examples(60)
@given(changes())
def test_the_order_is_always_the_same(change):
    assert without_attempts(changed(change)[1]) == without_attempts(changed(change)[1])


@examples(60)
@given(changes())
def test_a_state_file_forgets_nothing_that_a_run_needs(change):
    cloud, first = applied(change.base)
    read = state.from_state(state.to_state(first.after))
    known, from_file = (run(change.head, cloud.copy(), prior).steps for prior in (first.after, read))
    assert [_told(step) for step in known] == [_told(step) for step in from_file]


def _told(step: Any) -> tuple[Any, ...]:
    return step.op, step.phase, step.resource.urn, step.resource.id, step.decision, step.message


# Protection


@examples(150)
@given(changes())
def test_what_is_protected_never_goes(change):
    cloud, first = applied(change.base)
    second = run(change.head, cloud, first.after)
    now = {resource.urn: resource for resource in second.after}
    for resource in first.after:
        if not (resource.protect and resource.custom) or resource.id in cloud.things:
            continue
        (gone,) = (s for s in second.done("delete", "delete-replaced") if s.resource.id == resource.id)
        after = next((r for r in now.values() if resource.urn in (r.urn, *r.aliases)), None)
        assert gone.op == "delete-replaced" and after and not after.protect, "only the program itself may unprotect"
    assert_nothing_is_lost(cloud, second.after, second.retained())


@examples(150)
@given(changes())
@example(UNPROTECTED_AND_REPLACED)
def test_a_run_is_refused_exactly_when_something_protected_would_go(change):
    cloud, first = applied(change.base)
    protected = {r.id for r in first.after if r.protect}
    free = run(unprotected(change.head), cloud.copy(), unprotected_state(first.after))
    victims = [s for s in free.done("delete", "delete-replaced") if s.resource.id and s.resource.id in protected]
    second = run(change.head, cloud, first.after)
    refused = [s.message for s in second.steps if s.phase == "failed" and not _protected_component(s.resource)]
    goes_on, old = continued(change.base, change.head), urns(change.base)
    wanted = {old[entry.slot] for entry in change.head if entry.protect and entry.slot in goes_on}
    if any(s.op == "delete" or s.resource.urn in wanted for s in victims):
        assert any("protect" in sentence for sentence in refused)
    ends = free.deleted_last()
    if all(s.op == "delete-replaced" and s.resource in ends and s.resource.urn not in wanted for s in victims):
        assert not refused, "the program may unprotect a resource and replace it in one run"


def _protected_component(resource: Resource) -> bool:
    # It has no id; its removal is refused all the same.
    return not resource.custom and resource.protect


# Two that claim to be the same


@pytest.mark.parametrize("first", [0, 1])
def test_two_resources_cannot_both_be_what_one_was(first):
    base = (Entry(slot=0, name="n0"),)
    head = [Entry(slot=0, name="n0"), Entry(slot=1, name="n1", aliases=(AliasSpec(name="n0"),))]
    cloud, before = applied(base)
    after = run((head[first], head[1 - first]), cloud, before.after)
    (sentence,) = after.failures
    assert sentence.startswith(("Duplicate resource alias", "Duplicate resource URN"))
    assert_nothing_is_lost(cloud, after.after, set())


# Faults


@examples(150)
@given(changes(), st.integers(1, 12))
@example(RENAMED_TARGET_REPLACED, 2)
def test_after_any_failed_call_the_next_run_completes(change, number):
    base, head = unprotected(change.base), unprotected(change.head)
    cloud, first = applied(base)
    clean = run(head, cloud.copy(), first.after)
    broken = cloud.copy(failing=number)
    failed = run(head, broken, first.after)
    assert_nothing_is_lost(broken, failed.after, failed.retained())
    repaired = run(head, broken, failed.after)
    assert not repaired.failures
    assert described(repaired.after) == described(clean.after)
    assert not repaired.after.pending_deletes
    assert_nothing_is_lost(broken, repaired.after, failed.retained() | repaired.retained())


@examples(100)
@given(changes(), st.integers(1, 6))
@example(IN_RENAMED_BOX, 1)
def test_a_failed_call_does_not_make_the_next_run_recreate_what_is_only_renamed(change, number):
    base, head = unprotected(change.base), unprotected(change.head)
    cloud, first = applied(base)
    clean = run(head, cloud.copy(), first.after)
    broken = cloud.copy(failing=number)
    repaired = run(head, broken, run(head, broken, first.after).after)
    stays = {resource.id for resource in first.after} & {resource.id for resource in clean.after}
    left = {first.after.by_urn()[urns(base)[slot]].id for slot in renamed_out_of_sight(base, head)}
    assert stays - left <= {resource.id for resource in repaired.after}


def renamed_out_of_sight(base: Program, head: Program) -> set[int]:
    """Entries that the engine itself loses when a run fails between their parent's rename and their own.

    Its snapshot then has them under their parent's new URN and their old name, which their aliases no longer say.
    """
    old, before, now = {entry.slot: entry for entry in base}, urns(base), urns(head)
    found: set[int] = set()
    for entry in head:
        if entry.slot not in old or (parent := old[entry.slot].parent) is None:
            continue
        said = {spec.urn or spec.parent_urn for spec in entry.aliases}
        moved = parent in found or now.get(parent) != before[parent]
        if moved and (old[entry.slot].name != entry.name or said & {before[entry.slot], before[parent]}):
            found.add(entry.slot)
    return found


# The properties can fail


class DeletesBackwards(Evaluation):
    """Deletes what is needed before what needs it."""

    def finish(self, workers: int = 1) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(evaluation, "delete_layers", lambda condemned: delete_layers(condemned)[::-1])
            super().finish(workers)


class ForgetsReplaced(Evaluation):
    """Loses what was replaced and could not be deleted."""

    def result(self) -> Deployment:
        return replace(super().result(), pending_deletes=())


class ForgetsProtection(Evaluation):
    def __init__(self, *, prior: Deployment | None = None, **others: Any):
        super().__init__(prior=unprotected_state(prior) if prior else None, **others)


class ForgetsAliases(Evaluation):
    def register(self, goal: Resource, aliases: Iterable[AliasSpec]) -> Resource | None:
        return super().register(goal, ())


class NeverReplaces(Evaluation):
    def __init__(self, *, forces: Any, **others: Any):
        super().__init__(forces=lambda type_: Forces(), **others)


@pytest.mark.parametrize(
    ("fault", "found_by"),
    [
        (DeletesBackwards, test_nothing_goes_before_what_depends_on_it),
        (ForgetsReplaced, test_after_any_failed_call_the_next_run_completes),
        (ForgetsProtection, test_what_is_protected_never_goes),
        (ForgetsProtection, test_a_run_is_refused_exactly_when_something_protected_would_go),
        (ForgetsAliases, test_what_goes_on_keeps_its_id_unless_it_is_replaced),
        (NeverReplaces, test_the_cloud_holds_exactly_what_the_state_says),
    ],
)
def test_a_planted_fault_is_found(monkeypatch, fault, found_by):
    monkeypatch.setattr(generated_programs, "Evaluation", fault)
    arguments = (changes(), st.integers(1, 12))[: found_by.hypothesis.inner_test.__code__.co_argcount]
    quick = settings(
        max_examples=150,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    with pytest.raises(AssertionError):
        quick(given(*arguments)(found_by.hypothesis.inner_test))()
