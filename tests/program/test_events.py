"""Our event log against the engine's own, field by field, in all recorded cases."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from stackyard.program import checks, evaluation, naming, state
from stackyard.program.decide import Decision, Op
from stackyard.program.deployment import Resource
from stackyard.program.evaluation import Evaluation, Step
from stackyard.program.events import EventLog, is_default_provider, shown, to_lines
from stackyard.program.executor import Done
from stackyard.program.run import run
from stackyard.program.values import UNKNOWN, Asset, Secret
from tests.program.engine_cases import FOLDER, StandIn, case_names, cases, forces

# Not determined by program and state, so not compared:
LEFT_OUT_FIELDS = ("sequence", "timestamp")  # debug lines of the language host take numbers; times are the clock's
LEFT_OUT_SUMMARY = ("durationSeconds",)  # the clock's
# Other severities are the language host's debug lines, the stand-in's start-up warnings, and the stack trace of the
# program that the engine killed after an error.
KEPT_SEVERITY = "error"
# Ids of providers are random; unknown ones are not.
PROVIDER_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
UNKNOWN_ID = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# The engine had not begun the first of the two when it met the second.
RACES = {"duplicate-urn"}

PHASES = ("preview", "up")


@pytest.fixture(autouse=True)
def stand_in_checks(monkeypatch):
    """The stand-in provider makes up no names and adds no tags."""
    monkeypatch.setattr(naming, "RULES", {})
    monkeypatch.setattr(evaluation, "RULES", {})
    monkeypatch.setattr(checks, "taggable", lambda type_: False)
    monkeypatch.setattr(checks, "regional", lambda type_: False)


class Answering(StandIn):
    """The stand-in as it really answered: in a preview the arn of what is created is there, but unknown."""

    def create(self, goal: Resource, attempt: str = "") -> Done:
        done = super().create(goal)
        made_up = {} if goal.is_provider or not self.planning else {"arn": UNKNOWN}
        return replace(done, outputs={**made_up, **done.outputs})


def our_events(case: str, phase: str) -> list[dict[str, Any]]:
    log = EventLog(preview=phase == "preview")
    events = log.start({})
    ours = Evaluation(
        project="cases",
        stack="dev",
        executor=Answering(planning=phase == "preview"),
        prior=state.read(FOLDER / case / "base.state.json"),
        forces=forces,
        observe=lambda step: events.extend(log.add(step)),
    )
    run(cases()[case][1], ours, dry_run=phase == "preview")
    return [*events, *log.finish()]


def recorded_events(case: str, phase: str) -> list[dict[str, Any]]:
    lines = (FOLDER / case / f"{phase}.events.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def compared(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_without_clock(event) for event in events if _is_kept(event)]


def _is_kept(event: dict[str, Any]) -> bool:
    diagnostic = event.get("diagnosticEvent")
    return diagnostic is None or diagnostic["severity"] == KEPT_SEVERITY


def _without_clock(event: dict[str, Any]) -> dict[str, Any]:
    text = PROVIDER_ID.sub(lambda m: m[0] if m[0] == UNKNOWN_ID else "provider", json.dumps(event))
    kept = {key: value for key, value in json.loads(text).items() if key not in LEFT_OUT_FIELDS}
    if "summaryEvent" in kept:
        kept["summaryEvent"] = {k: v for k, v in kept["summaryEvent"].items() if k not in LEFT_OUT_SUMMARY}
    return kept


def by_resource(events: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Events of a resource in their order: how those of independent resources interleave is the scheduler's."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        (content,) = event.values()
        urn = content["metadata"]["urn"] if "metadata" in content else content.get("urn", "")
        grouped.setdefault(urn, []).append(event)
    return grouped


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("case", [case for case in case_names() if case not in RACES])
def test_the_events_are_the_engines_field_by_field(case, phase):
    ours, recorded = by_resource(compared(our_events(case, phase))), by_resource(compared(recorded_events(case, phase)))
    assert ours.keys() == recorded.keys(), "an event about a resource is missing or too many"
    for urn, events in recorded.items():
        assert ours[urn] == events, f"the events about {urn or 'the run'} differ"


# The engine works on independent resources at the same time: two creates in one case, two deletes in the other.
INTERLEAVED = {("order-swapped", "preview"), ("order-swapped", "up"), ("deleted-with", "up")}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("case", [case for case in case_names() if case not in RACES])
def test_the_events_come_in_the_engines_order(case, phase):
    if (case, phase) not in INTERLEAVED:
        assert compared(our_events(case, phase)) == compared(recorded_events(case, phase))


@pytest.mark.parametrize("phase", PHASES)
def test_a_duplicate_urn_is_reported_in_the_engines_words_and_ends_the_run_as_failed(phase):
    ours, recorded = (compared(make("duplicate-urn", phase)) for make in (our_events, recorded_events))
    assert _errors(ours) == _errors(recorded)
    assert _summary(ours)["result"] == _summary(recorded)["result"] == "failed"


def _errors(events):
    return [event["diagnosticEvent"] for event in events if "diagnosticEvent" in event]


def _summary(events):
    return next(event["summaryEvent"] for event in events if "summaryEvent" in event)


def test_a_wrong_field_is_seen(monkeypatch):
    monkeypatch.setattr("stackyard.program.events.PHYSICAL", ("create-replacement",))
    ours, recorded = (compared(make("replace", "preview")) for make in (our_events, recorded_events))
    assert ours != recorded, "the comparison would not notice that a delete of the replaced resource counts as its own"


def _resource(**fields: Any) -> Resource:
    urn = "urn:pulumi:dev::mlops::aws:eks/nodeGroup:NodeGroup::gpu"
    return Resource(urn=urn, type="aws:eks/nodeGroup:NodeGroup", name="gpu", **fields)


def test_a_create_that_aws_refused_is_an_error_and_a_failed_operation_as_in_the_recorded_run():
    lines = (FOLDER.parent / "up-failed.events.jsonl").read_text(encoding="utf-8").splitlines()
    failed = next(event["resOpFailedEvent"] for line in lines if "resOpFailedEvent" in (event := json.loads(line)))
    log, resource = EventLog(preview=False), _resource()
    decision = Decision(op=Op.CREATE)
    log.add(Step(op="create", phase="start", resource=resource, decision=decision))
    step = Step(op="create", phase="failed", resource=resource, decision=decision, message="no capacity")
    error, ours = log.add(step)
    assert error["diagnosticEvent"]["message"] == "no capacity\n"
    assert ours["resOpFailedEvent"].keys() == failed.keys()
    assert ours["resOpFailedEvent"]["metadata"].keys() == failed["metadata"].keys()
    assert ours["resOpFailedEvent"]["metadata"]["new"].keys() == failed["metadata"]["new"].keys()
    assert _summary(log.finish())["resourceChanges"] == {}, "what failed does not count as done"


def test_what_the_program_itself_refuses_ends_the_log_as_failed():
    log = EventLog(preview=True)
    error, closing, summary, cancel = log.finish(error="prod-base has no output vpcId: deploy it first")
    assert "deploy it first" in error["diagnosticEvent"]["message"]
    assert closing["diagnosticEvent"]["message"] == "preview failed\n"
    assert summary["summaryEvent"]["result"] == "failed"
    assert cancel["cancelEvent"] == {}


def test_a_secret_setting_is_blinded_in_the_prelude():
    (prelude,) = EventLog(preview=True).start({"a:plain": "1", "a:password": "hunter2"}, secret_keys=["a:password"])
    assert prelude["preludeEvent"]["config"] == {"a:password": "[secret]", "a:plain": "1"}


def test_no_secret_and_no_asset_content_reaches_an_event():
    values = {
        "list": [{"password": Secret({"deep": "hunter2"})}],
        "code": Asset(hash="ab", text="hunter2"),
        "n": UNKNOWN,
    }
    text = json.dumps(shown(values))
    assert "hunter2" not in text
    assert "[secret]" in text and "<contents elided>" in text and UNKNOWN_ID in text


def test_an_update_that_may_be_a_replacement_says_so_and_no_other_does():
    for unknown in (True, False):
        decision = Decision(op=Op.UPDATE, diffs=("tags",), replacement_unknown=unknown)
        step = Step(op="update", phase="start", resource=_resource(), prior=_resource(id="gpu"), decision=decision)
        (event,) = EventLog(preview=True).add(step)
        assert ("replacementUnknown" in event["resourcePreEvent"]["metadata"]) is unknown


def test_the_log_is_the_same_text_every_time_and_numbered():
    first, second = (to_lines(our_events("replace-chain", "preview")) for _ in range(2))
    assert first == second
    numbers = [json.loads(line)["sequence"] for line in first.splitlines()]
    assert numbers == list(range(len(numbers)))


def test_default_providers_are_told_from_explicit_ones():
    urn = "urn:pulumi:dev::cases::{}::{}"
    assert is_default_provider(urn.format("pulumi:providers:aws", "default_7_51_1"))
    assert not is_default_provider(urn.format("pulumi:providers:aws", "main"))
    assert not is_default_provider(urn.format("aws:ec2/vpc:Vpc", "default"))
