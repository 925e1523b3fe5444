"""One decision, over inputs that hypothesis makes up. For a longer search see test_properties.py."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stackyard.program.decide import Forces, Op, apply_ignore_changes, changed_paths, decide
from stackyard.program.deployment import Resource, make_urn
from stackyard.program.values import UNKNOWN, Secret
from tests.program.generated_strategies import examples

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(("", "a")),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
INPUTS = st.dictionaries(st.sampled_from("xyz"), VALUES | st.integers(0, 2).map(Secret), max_size=3)


def item(inputs: Mapping[str, Any]) -> Resource:
    return Resource(urn=make_urn("p", "s", "t:t:T", "n"), type="t:t:T", name="n", inputs=inputs)


def exactly(value: Any) -> Any:
    """A form in which True is not 1, and a null in a mapping is like nothing."""
    match value:
        case Secret(value=inner):
            return "secret", exactly(inner)
        case dict():
            return {key: exactly(entry) for key, entry in value.items() if entry is not None}
        case list():
            return [exactly(entry) for entry in value]
        case _:
            return type(value), value


@examples(200)
@given(INPUTS, INPUTS, st.sets(st.sampled_from("xyz")))
def test_a_resource_is_the_same_only_if_its_inputs_are(old, new, forcing):
    decision = decide(item(old), item(new), Forces(paths=tuple(sorted(forcing))))
    changed = {key for key in "xyz" if exactly(old.get(key)) != exactly(new.get(key))}
    assert set(decision.diffs) == changed
    assert set(decision.keys) == changed & forcing
    expected = Op.REPLACE if changed & forcing else Op.UPDATE if changed else Op.SAME
    assert decision.op is expected


@examples(100)
@given(INPUTS, INPUTS, st.sampled_from("xyz"))
def test_an_ignored_input_changes_nothing_and_an_unknown_one_always_does(old, new, key):
    kept = apply_ignore_changes(old, new, [key])
    assert key not in {path.split(".")[0].split("[")[0] for path in changed_paths(old, kept)}
    assert apply_ignore_changes(old, kept, [key]) == kept
    assert changed_paths(old, apply_ignore_changes(old, new, ["*"])) == []
    assert key in changed_paths(old, {**kept, key: UNKNOWN})
