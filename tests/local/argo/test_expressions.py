"""Argo's small languages."""

import pytest

from stackyard.errors import InvalidInput
from stackyard.local.argo.expressions import Condition, seconds_of, substitute, true_or_false


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{inputs.parameters.a}}-{{ inputs.parameters.a }}", "x y-x y"),
        ("{{=toBase64(inputs.parameters['a'])}}", "eCB5"),
        ("{ {inputs.parameters.a} }", "{ {inputs.parameters.a} }"),
    ],
)
def test_variables_are_filled_in(text, filled):
    assert substitute(text, {"inputs.parameters.a": "x y"}) == filled


def test_a_value_is_not_filled_in_twice():
    assert substitute("{{a}}", {"a": "{{b}}", "b": "c"}) == "{{b}}"


def test_a_variable_without_a_value_is_refused():
    with pytest.raises(InvalidInput, match=r"\{\{a\}\} has no value"):
        substitute("{{a}}", {})


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), (5, 5), ("2m", 120), ("1h30m", 5400), ("0m", 0), ("0.5s", 0.5)]
)
def test_durations_are_in_seconds_or_with_units(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "2 minutes", "-1"])
def test_other_durations_are_refused(text):
    with pytest.raises(InvalidInput, match="is not a duration"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("text", "true_words", "holds"),
    [
        ("a", "a", True),
        ("a && b", "a", False),
        ("a || b", "b", True),
        ("!a", "", True),
        ("a || b && c", "a", True),
        ("(a || b) && c", "a", False),
        ("(a.Succeeded||b.Skipped)&&!c", "b.Skipped", True),
    ],
)
def test_words_are_joined_by_precedence(text, true_words, holds):
    assert Condition(text).holds(lambda word: word in true_words.split()) is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("x == x", True),
        ("x != x", False),
        ("'a b' == \"a b\"", True),
        ("2 < 10", True),
        ("true", True),
        ("1 >= 2", False),
    ],
)
def test_values_are_compared(text, holds):
    assert Condition(text).holds(true_or_false) is holds


@pytest.mark.parametrize("text", ["", "a &&", "(a", "a b", "== a", "a =~ b", ")"])
def test_what_does_not_parse_is_refused(text):
    with pytest.raises(InvalidInput, match="is not a condition"):
        Condition(text)


def test_a_bare_word_of_a_when_must_be_a_truth():
    with pytest.raises(InvalidInput, match="neither true nor false"):
        Condition("maybe").holds(true_or_false)


def test_only_numbers_have_an_order():
    with pytest.raises(InvalidInput, match="not numbers"):
        Condition("a < b")
