"""States as real providers write them: what their Check adds is no change, what the program changes is one."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
import pytest
from pulumi import ResourceOptions

from stackyard.program import state
from stackyard.program.checks import checked
from stackyard.program.decide import Op, changed_paths, decide
from stackyard.program.deployment import Deployment, Resource, make_urn
from stackyard.program.evaluation import Evaluation, Step
from stackyard.program.executor import Planning
from stackyard.program.inherited import with_defaults, without_notes
from stackyard.program.replacement import forces_of
from stackyard.program.run import run
from stackyard.program.values import UNKNOWN, Secret

STATE = Path(__file__).parent.parent / "fixtures" / "bridge" / "state.json"
TAGS = {"team": "ml"}
Inputs = Mapping[str, Any]
Changes = dict[str, tuple[str, str, str]]


def program(
    *,
    region: str = "us-east-1",
    owner: str = "machine-learning",
    builder: Any = None,
    registry: Any = None,
    role: Inputs | None = None,
    key: Inputs | None = None,
    queue: Inputs | None = None,
    chart: Inputs | None = None,
) -> Callable[[], None]:
    """The program of tests/fixtures/bridge/state.json, with other inputs where they are given."""

    def main() -> None:
        in_aws = ResourceOptions(
            provider=aws.Provider(
                "aws", region=region, default_tags={"tags": {"owner": owner}}, skip_region_validation=True
            )
        )
        base = {"computeType": "BUILD_GENERAL1_SMALL", "image": "image:1", "type": "LINUX_CONTAINER"}
        environment: Any = {**base, **(builder or {})}
        assumed = aws.iam.Role("role", **{"assume_role_policy": "{}", "tags": TAGS, **(role or {})}, opts=in_aws)
        aws.codebuild.Project(
            "builder",
            name="builder",
            service_role=assumed.arn,
            artifacts={"type": "NO_ARTIFACTS"},
            source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
            environment=environment,
            opts=in_aws,
        )
        aws.ecr.Repository("registry", name="registry", encryption_configurations=[registry or {}], opts=in_aws)
        aws.kms.Key("key", **{"tags": TAGS, **(key or {})}, opts=in_aws)
        aws.sqs.Queue("queue", **(queue or {}), opts=in_aws)
        in_kubernetes = ResourceOptions(provider=kubernetes.Provider("kubernetes", kubeconfig="{}"))
        release = {"chart": "chart", "name": "chart", "namespace": "charts", "skip_crds": False, "version": "1.2.3"}
        kubernetes.helm.v3.Release("chart", **{**release, "values": {"a": 1}, **(chart or {})}, opts=in_kubernetes)

    return main


def prior() -> Deployment:
    return state.from_state(json.loads(STATE.read_text(encoding="utf-8")))


def planned(main: Callable[[], None], before: Deployment | None = None) -> tuple[Changes, Evaluation]:
    """What is not the same, by name: (operation, inputs that change, inputs that force a replacement)."""
    changes: Changes = {}

    def observe(step: Step) -> None:
        if step.phase == "done" and step.op in ("create", "update", "replace", "delete") and step.resource.custom:
            decision = step.decision
            diffs, keys = (decision.diffs, decision.keys) if decision else ((), ())
            changes[step.resource.name] = step.op, ",".join(diffs), ",".join(keys)

    evaluation = Evaluation(
        project="bridged", stack="dev", executor=Planning(), prior=before or prior(), observe=observe
    )
    run(main, evaluation)
    assert evaluation.failures == []
    return changes, evaluation


def test_an_unchanged_program_changes_nothing_in_a_state_of_real_providers():
    changes, _ = planned(program())
    assert changes == {}


def test_the_state_has_the_form_of_real_providers():
    # Else the tests here are void.
    by_name = {r.name: r for r in prior() if r.custom}
    assert "path" in by_name["role"].defaults and by_name["key"].inputs["region"] == "us-east-1"
    assert by_name["builder"].inputs["environment"]["__defaults"] == ["imagePullCredentialsType"]
    assert by_name["registry"].inputs["encryptionConfigurations"][0]["__defaults"] == ["encryptionType"]
    assert by_name["key"].inputs["tagsAll"].keys() > by_name["key"].inputs["tags"].keys() - {"__defaults"}
    assert {"checksum", "resourceNames", "timeout"} <= by_name["chart"].inputs.keys()
    assert "compat" not in by_name["chart"].inputs


def inputs_in(written: Mapping[str, Any]) -> dict[str, Inputs]:
    return {entry["urn"]: entry.get("inputs", {}) for entry in written["deployment"]["resources"]}


def test_what_real_providers_wrote_stays_in_the_state():
    written = inputs_in(json.loads(STATE.read_text(encoding="utf-8")))
    assert inputs_in(state.to_state(prior())) == written
    _, evaluation = planned(program())
    assert inputs_in(state.to_state(evaluation.result())) == written


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        # What a schema gave, and the program now gives: compared.
        ({"role": {"path": "/"}}, {}),
        ({"role": {"path": "/ml/"}}, {"role": ("replace", "path", "path")}),
        ({"role": {"max_session_duration": 7200}}, {"role": ("update", "maxSessionDuration", "")}),
        ({"queue": {"visibility_timeout_seconds": 30}}, {}),
        ({"queue": {"visibility_timeout_seconds": 60}}, {"queue": ("update", "visibilityTimeoutSeconds", "")}),
        # The same in an object, and in an object of a list.
        ({"builder": {"imagePullCredentialsType": "CODEBUILD"}}, {}),
        ({"builder": {"imagePullCredentialsType": "SERVICE_ROLE"}}, {"builder": ("update", "environment", "")}),
        ({"registry": {"encryptionType": "AES256"}}, {}),
        (
            {"registry": {"encryptionType": "KMS"}},
            {"registry": ("replace", "encryptionConfigurations", "encryptionConfigurations")},
        ),
        # What the program gave, and now gives otherwise.
        ({"builder": {"image": "image:2"}}, {"builder": ("update", "environment", "")}),
        ({"builder": {"image": None}}, {"builder": ("update", "environment", "")}),
        # Tags of the resource travel in `tagsAll` too.
        ({"key": {"tags": {"team": "other"}}}, {"key": ("update", "tags,tagsAll", "")}),
        ({"key": {"tags": None}}, {"key": ("update", "tags,tagsAll", "")}),
        ({"key": {"region": "us-east-1"}}, {}),
        ({"key": {"region": "eu-central-1"}}, {"key": ("replace", "region", "region")}),
        # A release: what its provider computed stays, what the program gives is compared.
        ({"chart": {"timeout": 300}}, {}),
        ({"chart": {"timeout": 600}}, {"chart": ("update", "timeout", "")}),
        ({"chart": {"values": {"a": 2}}}, {"chart": ("update", "values", "")}),
        ({"chart": {"skip_crds": True}}, {"chart": ("update", "skipCrds", "")}),
        ({"chart": {"skip_await": True}}, {"chart": ("update", "skipAwait,timeout", "")}),
        ({"chart": {"namespace": "other"}}, {"chart": ("replace", "namespace", "namespace")}),
        ({"chart": {"name": None}}, {}),
    ],
)
def test_what_the_program_changes_is_found(change, expected):
    changes, _ = planned(program(**change))
    followers = {"builder"} if "role" in change and "replace" in str(expected) else set[str]()
    assert {name: what for name, what in changes.items() if name not in followers} == expected


def test_other_default_tags_update_all_that_carries_tags():
    changes, _ = planned(program(owner="other"))
    assert changes.pop("aws") == ("update", "defaultTags", "")
    assert changes == dict.fromkeys(("role", "builder", "registry", "key", "queue"), ("update", "tagsAll", ""))


def test_another_region_of_the_provider_replaces_what_it_made():
    changes, _ = planned(program(region="eu-central-1"))
    assert {name: op for name, (op, _, _) in changes.items()} == dict.fromkeys(
        ("aws", "role", "builder", "registry", "key", "queue"), "replace"
    )


def test_a_program_does_not_see_the_notes_of_the_bridge():
    _, evaluation = planned(program(builder={"image": "image:2"}, registry={"encryptionType": "KMS"}))
    for resource in evaluation.result():
        assert "__defaults" not in json.dumps(without_notes(resource.inputs), default=str), "else this is void"
        assert "__defaults" not in json.dumps(resource.outputs, default=str), resource.name


# The pieces


def test_a_default_is_kept_at_every_depth_and_only_where_it_was_noted():
    before = {"a": {"__defaults": ["x"], "x": 1, "y": 2}, "l": [{"__defaults": ["x"], "x": 1}], "n": {"x": 1}}
    found, kept = with_defaults({"a": {}, "l": [{}, {}], "n": {}}, before, ())
    assert found == {"a": {"__defaults": ["x"], "x": 1}, "l": [{"__defaults": ["x"], "x": 1}, {}], "n": {}}
    assert kept == ()
    assert changed_paths(before, found) == ["a.y", "l", "n.x"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, ("name",)),
        ({"name": None}, ("name",)),
        ({"name": "b"}, ()),
        ({"namePrefix": "b-"}, ()),
        ({"other": 1}, ("name",)),
    ],
)
def test_a_default_gives_way_to_what_the_program_gives(given, kept):
    assert with_defaults(given, {"name": "a-1"}, ("name", "gone"))[1] == kept


def test_a_default_inside_a_secret_is_kept_secret():
    before = {"s": Secret({"__defaults": ["x"], "x": 1, "y": 1})}
    found, _ = with_defaults({"s": Secret({"y": 1})}, before, ())
    assert found == before and isinstance(found["s"], Secret)


def topic(**options: Any) -> Resource:
    return Resource(urn=make_urn("p", "s", "aws:sns/topic:Topic", "t"), type="aws:sns/topic:Topic", name="t", **options)


def test_nothing_is_added_where_the_state_has_none_of_it():
    goal = topic(inputs={"name": "t", "tags": {"a": "1"}})
    assert checked(goal, goal, {"b": "2"}, region="us-east-1").inputs == goal.inputs


def test_tags_that_are_not_known_leave_all_tags_unknown():
    before = topic(inputs={"name": "t", "tags": {"a": "1"}, "tagsAll": {"a": "1"}})
    after = checked(topic(inputs={"name": "t", "tags": UNKNOWN}), before, {}, region="")
    assert after.inputs["tagsAll"] is UNKNOWN


def test_ignored_changes_ignore_what_the_provider_wrote_too():
    before = topic(inputs={"name": "t", "tags": {"a": "1"}, "tagsAll": {"a": "1"}, "region": "us-east-1"})
    everything = checked(topic(inputs=dict(before.inputs)), before, {"b": "2"}, region="eu-central-1")
    assert changed_paths(before.inputs, everything.inputs) == []


def test_a_region_in_the_state_is_compared_with_the_providers():
    before = topic(inputs={"name": "t", "region": "us-east-1"})
    goal = topic(inputs={"name": "t"})
    assert checked(goal, before, {}, region="eu-central-1").inputs["region"] == "eu-central-1"
    assert checked(goal, before, {}, region="").inputs["region"] == "us-east-1", "no provider says another"
    given = topic(inputs={"name": "t", "region": "us-west-2"})
    assert checked(given, before, {}, region="eu-central-1").inputs["region"] == "us-west-2"


def test_ignored_tags_come_back_without_their_note():
    before = topic(inputs={"name": "t", "tags": {"__defaults": [], "a": "1"}})
    goal = topic(inputs={"name": "t", "tags": before.inputs["tags"]})
    assert checked(goal, before, {"b": "2"}, region="").outputs["tagsAll"] == {"a": "1", "b": "2"}


def test_an_empty_note_stays_in_the_state():
    entry = {
        "urn": topic().urn,
        "type": "aws:sns/topic:Topic",
        "custom": True,
        "inputs": {"__defaults": [], "name": "t"},
    }
    read = state.from_state({"version": 3, "deployment": {"resources": [entry]}})
    (again,) = state.to_state(read)["deployment"]["resources"]
    assert again["inputs"] == entry["inputs"]
    (before,) = read.resources
    assert checked(topic(inputs={"name": "t"}), before, {}).inputs == entry["inputs"]


def test_a_region_that_the_program_begins_to_name_is_no_change():
    forces = forces_of("aws:sns/topic:Topic")
    before = topic(inputs={"name": "t"}, outputs={"region": "us-east-1"})
    assert decide(before, topic(inputs={"name": "t", "region": "us-east-1"}), forces).op is Op.SAME
    assert decide(before, topic(inputs={"name": "t", "region": "eu-central-1"}), forces).keys == ("region",)
