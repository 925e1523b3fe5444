"""Our evaluation against what the real engine did in 37 small cases."""

import json

import pytest

from stackyard.program import checks, evaluation, naming, state
from stackyard.program.deployment import Deployment
from stackyard.program.evaluation import Evaluation, Step
from stackyard.program.run import run
from stackyard.program.values import secret_blinded, to_json
from tests.program.engine_cases import FOLDER, StandIn, case_names, cases, forces, our_event, recorded_events

# The order of two independent registrations is the scheduler's, not the program's.
UNORDERED = {"order-swapped"}
# The engine had not begun the first of the two when it met the second.
RACES = {"duplicate-urn"}


@pytest.fixture(autouse=True)
def stand_in_checks(monkeypatch):
    """The stand-in provider makes up no names and adds no tags."""
    monkeypatch.setattr(naming, "RULES", {})
    monkeypatch.setattr(evaluation, "RULES", {})
    monkeypatch.setattr(checks, "taggable", lambda type_: False)
    monkeypatch.setattr(checks, "regional", lambda type_: False)


def evaluate(case: str, phase: str) -> tuple[list, Deployment]:
    prior = state.read(FOLDER / case / "base.state.json")
    steps: list[Step] = []
    ours = Evaluation(
        project="cases",
        stack="dev",
        executor=StandIn(planning=phase == "preview"),
        prior=prior,
        forces=forces,
        observe=steps.append,
    )
    run(cases()[case][1], ours, dry_run=phase == "preview")
    return [event for step in steps if (event := our_event(step))], ours.result()


def test_every_recorded_case_is_compared():
    assert case_names() == sorted(cases()), "a recorded case without a program, or the other way round"
    assert len(case_names()) == 37


@pytest.mark.parametrize("phase", ["preview", "up"])
@pytest.mark.parametrize("case", case_names())
def test_the_operations_are_the_engines(case, phase):
    events, _ = evaluate(case, phase)
    recorded = list(recorded_events(case, phase))
    if case in RACES:
        events = [event for event in events if event[0] == "error"]
    if case in UNORDERED:
        events, recorded = sorted(events), sorted(recorded)
    assert events == recorded


@pytest.mark.parametrize("case", [case for case in case_names() if case not in RACES])
def test_the_state_afterwards_is_the_engines(case):
    _, after = evaluate(case, "up")
    recorded = state.read(FOLDER / case / "after.state.json")
    assert recorded is not None
    assert sorted(map(_compared, after)) == sorted(map(_compared, recorded))


def _compared(resource):
    return (
        resource.urn,
        resource.parent,
        resource.protect,
        "" if resource.is_provider else resource.id,
        json.dumps(to_json(resource.inputs, secret=secret_blinded), sort_keys=True),
        json.dumps(to_json(resource.outputs, secret=secret_blinded), sort_keys=True),
        sorted(resource.dependencies),
        sorted(resource.property_dependencies.items()),
    )


def test_a_wrong_decision_is_seen(monkeypatch):
    monkeypatch.setattr("stackyard.program.decide._replacement_keys", lambda diffs, forcing: ())
    events, _ = evaluate("replace", "preview")
    assert events != list(recorded_events("replace", "preview")), "the comparison would not notice a lost replacement"
