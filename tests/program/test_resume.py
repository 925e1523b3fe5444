"""Steps of unknown result: kept by the evaluation, carried out again by the next run, once."""

from dataclasses import dataclass, field, replace

from stackyard.errors import UserError
from stackyard.program.deployment import Deployment, PendingOperation, Resource, make_urn
from stackyard.program.evaluation import Evaluation, Step
from stackyard.program.executor import Done
from stackyard.program.resume import roll_forward


class NoAnswer(UserError):
    unknown = True


@dataclass
class Cloud:
    """Remembers the attempts; fails those of the named resources with the given error."""

    planning = False
    asks_provider = False
    failing: dict[str, UserError] = field(default_factory=dict)
    calls: list[tuple[str, str, str]] = field(default_factory=list)

    def create(self, goal: Resource, attempt: str = "") -> Done:
        self._call("create", goal, attempt)
        return Done(id=f"{goal.name}-id")

    def update(self, prior: Resource, goal: Resource, attempt: str = "") -> Done:
        self._call("update", goal, attempt)
        return Done(id=prior.id)

    def delete(self, resource: Resource, attempt: str = "") -> None:
        self._call("delete", resource, attempt)

    def _call(self, op: str, resource: Resource, attempt: str) -> None:
        self.calls.append((op, resource.name, attempt))
        if resource.name in self.failing:
            raise self.failing[resource.name]


def thing(name: str, *needed: Resource, **options) -> Resource:
    urn = make_urn("p", "s", "a:b:Thing", name)
    dependencies = tuple(resource.urn for resource in needed)
    return Resource(urn=urn, type="a:b:Thing", name=name, dependencies=dependencies, **options)


def evaluation(cloud: Cloud, *prior: Resource, observe=lambda step: None) -> Evaluation:
    before = Deployment(project="p", stack="s", resources=prior)
    return Evaluation(project="p", stack="s", executor=cloud, prior=before, observe=observe)


def test_a_call_without_an_answer_stays_pending_and_is_made_again_with_its_token():
    cloud = Cloud(failing={"one": NoAnswer("no answer")})
    first = evaluation(cloud)
    assert first.register(thing("one"), []) is None
    first.finish()
    before = first.result()
    (pending,) = before.pending_operations
    assert (pending.op, pending.resource.name) == ("create", "one")
    assert before.resources == ()

    cloud.failing.clear()
    after, failures = roll_forward(before, cloud, lambda step: None)
    assert not failures and after.pending_operations == ()
    assert after.named("one").id == "one-id"
    (_, _, attempt), (_, _, again) = cloud.calls
    assert attempt == again == pending.attempt != ""


def test_a_call_that_was_refused_is_not_pending():
    first = evaluation(Cloud(failing={"one": UserError("refused")}))
    first.register(thing("one"), [])
    assert first.failures == ["refused"] and first.result().pending_operations == ()


def test_what_still_has_no_answer_stays_pending_and_is_reported():
    pending = PendingOperation(op="create", resource=thing("one"), attempt="token")
    before = Deployment(project="p", stack="s", pending_operations=(pending,))
    after, failures = roll_forward(before, Cloud(failing={"one": NoAnswer("no answer")}), lambda step: None)
    assert failures == ["no answer"] and after == before


def test_what_is_refused_the_second_time_is_forgotten():
    pending = PendingOperation(op="create", resource=thing("one"), attempt="token")
    before = Deployment(project="p", stack="s", pending_operations=(pending,))
    after, failures = roll_forward(before, Cloud(failing={"one": UserError("no")}), lambda step: None)
    assert not failures and after.pending_operations == () and after.resources == ()


def test_every_kind_of_step_is_carried_out_again():
    old, gone, replaced = thing("updated", id="u"), thing("gone", id="g"), thing("replaced", id="r")
    new = replace(old, id="", inputs={"a": 1})
    operations = (
        PendingOperation(op="update", resource=new, prior=old.urn, attempt="1"),
        PendingOperation(op="delete", resource=gone, prior=gone.urn, attempt="2"),
        PendingOperation(op="create-replacement", resource=replace(replaced, id=""), prior=replaced.urn, attempt="3"),
    )
    before = Deployment(project="p", stack="s", resources=(old, gone, replaced), pending_operations=operations)
    cloud = Cloud()
    after, failures = roll_forward(before, cloud, lambda step: None)
    assert cloud.calls == [("update", "updated", "1"), ("delete", "gone", "2"), ("create", "replaced", "3")]
    assert not failures
    assert after.named("updated").inputs == {"a": 1} and after.named("updated").id == "u"
    assert after.named("replaced").id == "replaced-id" and after.pending_deletes == (replaced,)
    assert {resource.name for resource in after} == {"updated", "replaced"}


def test_a_failure_skips_what_needs_it_and_nothing_else():
    told: list[Step] = []
    run = evaluation(Cloud(failing={"broken": UserError("refused")}), observe=told.append)
    broken = thing("broken")
    dependent = thing("dependent", broken)
    for goal in (broken, dependent, thing("indirect", dependent), thing("other")):
        run.register(goal, [])
    skipped = {step.resource.name: step.message for step in told if step.phase == "skipped"}
    assert skipped == {"dependent": "needs broken", "indirect": "needs dependent"}
    assert [resource.name for resource in run.result()] == ["other"]


def test_a_delete_that_fails_keeps_what_it_needs_and_the_others_go():
    base, other = thing("base", id="b"), thing("other", id="o")
    stuck = thing("stuck", base, id="s")
    cloud = Cloud(failing={"stuck": UserError("in use")})
    run = evaluation(cloud, base, other, stuck)
    run.finish()
    assert run.failures == ["in use"]
    assert [resource.name for resource in run.result()] == ["base", "stuck"]
    assert ("delete", "base") not in [call[:2] for call in cloud.calls]


def test_a_replacement_is_not_created_when_its_predecessor_would_not_go():
    old = thing("one", id="o", inputs={"a": 1})
    run = evaluation(Cloud(failing={"one": UserError("in use")}), old)
    run.register(replace(old, id="", inputs={"a": 2}, replace_on_changes=("a",), delete_before_replace=True), [])
    assert run.failures[0] == "in use" and "one is not replaced" in run.failures[1]
    assert run.result().resources == (old,)


def test_a_failed_run_still_knows_what_it_replaced():
    old = thing("one", id="o", inputs={"a": 1})
    cloud = Cloud(failing={"two": UserError("refused")})
    run = evaluation(cloud, old)
    goal = replace(old, id="", inputs={"a": 2}, replace_on_changes=("a",))
    run.register(goal, [])
    run.register(thing("two"), [])
    run.finish()
    before = run.result()
    assert before.pending_deletes == (old,) and before.named("one").id == "one-id"

    cloud.failing.clear()
    again = Evaluation(project="p", stack="s", executor=cloud, prior=before)
    again.register(goal, [])
    again.register(thing("two"), [])
    again.finish()
    assert again.result().pending_deletes == ()
    assert cloud.calls[-1][:2] == ("delete", "one")
