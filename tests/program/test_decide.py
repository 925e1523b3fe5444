"""Decisions, one rule at a time; whole runs are compared with the engine in test_engine_cases."""

import pytest

from stackyard.program.decide import Decision, Forces, Op, apply_ignore_changes, changed_paths, decide
from stackyard.program.deployment import Resource, make_urn
from stackyard.program.replacement import ROWS, forces_of
from stackyard.program.values import UNKNOWN, Secret


def topic(name="t", **options) -> Resource:
    urn = make_urn("p", "s", "aws:sns/topic:Topic", name)
    return Resource(urn=urn, type="aws:sns/topic:Topic", name=name, **options)


def test_a_dotted_rule_replaces_only_for_its_own_part():
    forces = Forces(paths=("network.family",))
    prior = topic(inputs={"network": {"family": 4, "logs": 1}})
    assert decide(prior, topic(inputs={"network": {"family": 6, "logs": 1}}), forces).op is Op.REPLACE
    assert decide(prior, topic(inputs={"network": {"family": 4, "logs": 2}}), forces).op is Op.UPDATE


def test_the_change_of_a_type_without_a_row_is_marked_as_not_known():
    forces = forces_of("aws:nowhere/thing:Thing")
    decision = decide(topic(inputs={"a": 1}), topic(inputs={"a": 2}), forces)
    assert decision == Decision(op=Op.UPDATE, diffs=("a",), replacement_unknown=True)


def test_a_known_type_is_not_marked():
    assert not decide(
        topic(inputs={"a": 1}), topic(inputs={"a": 2}), forces_of("aws:sns/topic:Topic")
    ).replacement_unknown


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": "1"}, {"a": 1}, ["a"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a[1]"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a"]),
        ({"a": 1}, {"a": UNKNOWN}, ["a"]),
        ({"a": UNKNOWN}, {"a": UNKNOWN}, ["a"]),
        ({"a": "s"}, {"a": Secret("s")}, ["a"]),
        ({"__internal": {}}, {"__internal": {"x": 1}}, []),
        ({"tags": {"kubernetes.io/role": "1"}}, {"tags": {}}, ["tags.kubernetes.io/role"]),
    ],
)
def test_a_change_is_found_where_it_is(old, new, paths):
    assert changed_paths(old, new) == paths


@pytest.mark.parametrize(
    ("ignored", "expected"),
    [
        (["a"], {"a": 1, "b": {"c": 5, "d": [7, 8]}}),
        (["b.c"], {"a": 9, "b": {"c": 2, "d": [7, 8]}}),
        (["b.d[1]"], {"a": 9, "b": {"c": 5, "d": [7, 4]}}),
        (["b.d[*]"], {"a": 9, "b": {"c": 5, "d": [3, 4]}}),
        (["gone"], {"a": 9, "b": {"c": 5, "d": [7, 8]}, "gone": 0}),
        (["*"], {"a": 1, "b": {"c": 2, "d": [3, 4]}, "gone": 0}),
    ],
)
def test_an_ignored_path_keeps_its_prior_value(ignored, expected):
    prior = {"a": 1, "b": {"c": 2, "d": [3, 4]}, "gone": 0}
    assert apply_ignore_changes(prior, {"a": 9, "b": {"c": 5, "d": [7, 8]}}, ignored) == expected


def test_every_row_names_its_source():
    assert all(row.provider or row.schema or row.assumed or not row.paths for row in ROWS.values())
    assert forces_of("aws:kms/key:Key").paths and forces_of("aws:ec2/internetGateway:InternetGateway").known
