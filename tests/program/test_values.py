"""Values survive the wire and the state unchanged."""

from hypothesis import given
from hypothesis import strategies as st

from stackyard.program.values import (
    UNKNOWN,
    Asset,
    Secret,
    decode,
    encode,
    from_json,
    has_unknown,
    plain,
    to_json,
    walk,
)

keys = st.text(min_size=1, max_size=8).filter(lambda key: key != "4dabf18193072939515e22adb298388d")
scalars = st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4))
secrets = st.recursive(
    scalars | values.map(Secret), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)


def whole(value):
    """As the wire has it: 2.0 and 2 are the same number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Secret):
        return Secret(whole(value.value))
    if isinstance(value, list):
        return [whole(entry) for entry in value]
    return {key: whole(entry) for key, entry in value.items()} if isinstance(value, dict) else value


@given(st.dictionaries(keys, secrets, max_size=4))
def test_the_wire_keeps_every_value_and_every_secret(properties):
    assert decode(encode(properties)) == whole(properties)


@given(st.dictionaries(keys, secrets, max_size=4))
def test_a_state_keeps_every_value_and_every_secret(properties):
    assert from_json(to_json(properties)) == properties


def test_an_unknown_value_stays_unknown_on_the_wire_and_in_json():
    properties = {"a": {"b": [1, UNKNOWN]}}
    assert decode(encode(properties)) == properties
    assert from_json(to_json(properties)) == properties
    assert has_unknown(properties) and not has_unknown({"a": 1})


def test_an_asset_is_known_by_the_hash_of_its_content():
    one, two = (decode(_asset(text))["source"] for text in ("one", "two"))
    assert one == Asset(hash="7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed", text="one")
    assert one.hash != two.hash


def _asset(text):
    return {"source": {"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", "text": text}}


def test_a_secret_is_not_shown_by_repr():
    assert "hunter2" not in repr({"password": Secret("hunter2")})


def test_plain_opens_secrets_at_every_depth():
    assert plain({"a": [Secret({"b": Secret("c")})]}) == {"a": [{"b": "c"}]}


def test_walk_names_the_path_of_every_leaf():
    paths = {path for path, value in walk({"a": [{"b": 1}], "c": Secret("d")}) if not isinstance(value, dict | list)}
    assert paths == {"a[0].b", "c"}


def test_an_unknown_signature_is_refused_not_guessed():
    import pytest

    with pytest.raises(ValueError, match="unknown signature"):
        decode({"a": {"4dabf18193072939515e22adb298388d": "0000"}})
