"""Differences as a person reads them, and what a refresh makes of a state; the providers answer from a table."""

import pytest

from stackyard.errors import UserError
from stackyard.local import drift
from stackyard.local.applied import Live
from stackyard.local.drift import Rank
from stackyard.local.refresh import compare
from stackyard.program.deployment import Deployment, Resource, make_urn
from stackyard.program.values import Asset, Secret


def resource(type_: str, name: str = "it", **fields) -> Resource:
    return Resource(urn=make_urn("stackyard", "local", type_, name), type=type_, name=name, **fields)


BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
BUCKET = "aws:s3/bucket:Bucket"


class Table:
    """A provider that knows its resources by name; a name that it does not know is gone."""

    def __init__(self, **lives: Live | UserError):
        self._lives = lives

    def live(self, type_, urn, id, inputs, outputs):
        found = self._lives.get(urn.rsplit("::", 1)[1])
        if isinstance(found, UserError):
            raise found
        return found


def deployment(*resources: Resource) -> Deployment:
    return Deployment(project="stackyard", stack="local", resources=resources)


def test_a_policy_is_compared_by_what_it_says():
    before = {"policy": '{"Statement": [{"Effect": "Deny", "Action": ["a", "b"]}]}'}
    same = {"policy": '{"Statement":[{"Action":["b","a"],"Effect":"Deny"}]}'}
    other = {"policy": '{"Statement": [{"Effect": "Allow", "Action": ["a", "b"]}]}'}
    role = resource("aws:iam/role:Role")
    assert drift.changed(role, before, same) == []
    (found,) = drift.changed(role, before, other)
    assert str(found) == 'it (aws:iam/role:Role) policy.Statement[0].Effect: "Deny" -> "Allow"'


def test_entries_of_a_list_are_named_one_by_one():
    found = drift.changed(resource(BUCKET), {"rules": [1, 2]}, {"rules": [2, 3, 4]})
    assert [(one.path, one.before, one.after) for one in found] == [
        ("rules[0]", 1, None),
        ("rules[+]", None, 3),
        ("rules[+]", None, 4),
    ]


@pytest.mark.parametrize(
    ("it", "name"),
    [
        (resource(BUCKET, inputs={"token": Secret("before")}), "token"),
        (resource(BUCKET, additional_secret_outputs=("token",)), "token"),
        (resource("kubernetes:core/v1:Secret"), "data"),
        (resource("aws:rds/instance:Instance"), "password"),
    ],
)
def test_a_secret_is_never_shown(it, name):
    (found,) = drift.changed(it, {name: "was-it"}, {name: "is-now"})
    assert "was-it" not in repr(found) and "is-now" not in repr(found)
    assert str(found).endswith(f"{name}: [secret] -> [secret]")


def test_security_comes_first_then_deletions_then_the_rest():
    tag = drift.changed(resource(BUCKET), {"tags": {"owner": "me"}}, {"tags": {}})
    rotation = drift.changed(resource("aws:kms/key:Key"), {"enableKeyRotation": True}, {"enableKeyRotation": False})
    found = drift.in_order([*tag, drift.gone(resource(BUCKET)), drift.gone(resource(BLOCK)), *rotation])
    assert [one.rank for one in found] == [Rank.SECURITY, Rank.SECURITY, Rank.DELETED, Rank.OTHER]
    assert [str(one) for one in found] == [
        "it (aws:kms/key:Key) enableKeyRotation: true -> false",
        f"it ({BLOCK}) is gone",
        f"it ({BUCKET}) is gone",
        f'it ({BUCKET}) tags.owner: "me" -> nothing',
    ]


def test_replaced_content_is_named():
    (found,) = drift.changed(resource(BUCKET), {"source": Asset(hash="ab" * 32, path="x")}, {"source": None})
    assert str(found).endswith("source: content abababababab -> other content")


def test_the_state_carries_what_is_there_and_secrets_stay_secret():
    block = resource(
        BLOCK, inputs={"open": False, "key": Secret("a")}, outputs={"open": False, "key": Secret("a"), "size": 1}
    )
    live = Live(inputs={"open": True, "key": "b"}, outputs={"open": True, "key": "b", "size": 2})
    refreshed = compare(deployment(block), {"aws": Table(it=live)})
    (after,) = refreshed.after
    assert after.inputs == {"open": True, "key": Secret("b")}
    assert after.outputs == {"open": True, "key": Secret("b"), "size": 2}
    assert [(one.path, one.repaired) for one in refreshed.drifts] == [("key", True), ("open", True), ("size", False)]


def test_tags_of_the_provider_are_compared_as_a_whole_and_the_programs_own_among_the_inputs():
    bucket = resource(
        BUCKET,
        inputs={"tags": {"Name": "data"}},
        outputs={"tags": {"Name": "data"}, "tagsAll": {"Name": "data", "owner": "me"}},
    )
    live = Live(inputs={"tags": {"owner": "you", "new": "1"}}, outputs={})
    refreshed = compare(deployment(bucket), {"aws": Table(it=live)})
    (after,) = refreshed.after
    assert after.inputs == {"tags": {}}, "the program's own tag is gone"
    assert after.outputs == {"tags": {}, "tagsAll": {"owner": "you", "new": "1"}}
    assert [one.path for one in refreshed.drifts] == ["tags.Name", "tags.new", "tags.owner"]


def test_what_is_ignored_by_the_program_is_ignored_here():
    group = resource(
        "aws:eks/nodeGroup:NodeGroup", inputs={"scaling": {"desired": 1}}, ignore_changes=("scaling.desired",)
    )
    live = Live(inputs={"scaling": {"desired": 5}}, outputs={})
    refreshed = compare(deployment(group), {"aws": Table(it=live)})
    assert refreshed.drifts == () and refreshed.after == refreshed.before


def test_what_is_gone_leaves_with_what_nobody_can_read_and_nothing_refers_to_it():
    bucket = resource(BUCKET, "bucket")
    provider = resource("pulumi:providers:kubernetes", "cluster", property_dependencies={"x": (bucket.urn,)})
    of_bucket = {"dependencies": (bucket.urn,), "property_dependencies": {"bucket": (bucket.urn,)}}
    events = resource("aws:s3/bucketNotification:BucketNotification", "events", **of_bucket)
    entry = resource("aws:eks/accessEntry:AccessEntry", "entry", recorded=True, **of_bucket)
    policy = resource(
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        "policy",
        recorded=True,
        property_dependencies={"entry": (entry.urn,)},
    )
    other = resource(BUCKET, "other", inputs={"a": 1}, **of_bucket)
    table = Table(events=Live(inputs={}, outputs={}, read=False), other=Live(inputs={"a": 1}, outputs={}))
    refreshed = compare(deployment(policy, entry, events, bucket, other, provider), {"aws": table})
    assert [r.name for r in refreshed.after] == ["other", "cluster"], "a provider stays with what it manages"
    (left, _) = refreshed.after
    assert left.dependencies == () and left.property_dependencies == {"bucket": ()}
    assert {one.name: one.cause for one in refreshed.drifts} == {
        "bucket": "",
        "entry": "bucket",
        "events": "bucket",
        "policy": "entry",
    }


def test_recorded_resources_are_not_read_and_are_counted():
    addon = resource("aws:eks/addon:Addon", recorded=True)
    refreshed = compare(deployment(addon), {"aws": Table()})
    assert (refreshed.drifts, refreshed.read, refreshed.recorded) == ((), 0, 1)


def test_a_resource_that_gives_no_answer_is_no_deletion():
    table = Table(one=UserError("one: no answer"), two=Live(inputs={}, outputs={}))
    resources = deployment(resource(BUCKET, "one"), resource(BUCKET, "two"))
    with pytest.raises(UserError, match=r"(?s)1 resource could not be read.*left as it is.*one: no answer"):
        compare(resources, {"aws": table})
