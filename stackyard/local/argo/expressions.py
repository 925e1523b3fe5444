"""Argo's `{{…}}`, and its two small languages: `depends` between tasks and `when`. As far as Metaflow emits them.

https://argo-workflows.readthedocs.io/en/latest/variables/ and …/enhanced-depends-logic/
"""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from stackyard.errors import InvalidInput

Scope = Mapping[str, str]
"""Values by variable name, for example `inputs.parameters.month` or `workflow.name`."""

_TAG = re.compile(r"\{\{(=?)(.*?)\}\}", re.DOTALL)
_BASE64 = re.compile(r"toBase64\(\s*(workflow|inputs)\.parameters\[\s*'([^']+)'\s*\]\s*\)")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}

# https://argo-workflows.readthedocs.io/en/latest/enhanced-depends-logic/. Those about failed tasks are left out: with
# them a failure does not fail the DAG, which Metaflow never asks for.
DEPENDS_RESULTS = ("Succeeded", "Skipped", "Omitted", "Daemoned")


def references(text: str) -> list[str]:
    """Variables that a text uses. Raises InvalidInput for an expression that is not implemented."""
    return [_variable(equals, body) for equals, body in _TAG.findall(text)]


def substitute(text: str, scope: Scope) -> str:
    """The text with every `{{…}}` filled in. Raises InvalidInput where the scope lacks a variable."""

    def fill(found: re.Match[str]) -> str:
        name = _variable(found[1], found[2])
        if name not in scope:
            raise InvalidInput(f"{found[0]} has no value here.")
        return base64.b64encode(scope[name].encode()).decode() if found[1] else scope[name]

    return _TAG.sub(fill, text)


def substitute_all(value: Any, scope: Scope) -> Any:
    """`substitute` in every text of a nested value."""
    if isinstance(value, str):
        return substitute(value, scope)
    if isinstance(value, Mapping):
        return {key: substitute_all(entry, scope) for key, entry in value.items()}
    return [substitute_all(entry, scope) for entry in value] if isinstance(value, list) else value


def _variable(equals: str, body: str) -> str:
    if not equals:
        return body.strip()
    if found := _BASE64.fullmatch(body.strip()):
        return f"{found[1]}.parameters.{found[2]}"
    raise InvalidInput(
        f"The expression {{{{={body}}}}} is not implemented by the local runner: it knows toBase64 of one parameter, "
        "for example {{=toBase64(workflow.parameters['from'])}}."
    )


def seconds_of(duration: Any) -> float:
    """Seconds in `30`, `"30"`, `"2m"`, `"1h30m"`. Raises InvalidInput otherwise."""
    text = str(duration)
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise InvalidInput(f"{text!r} is not a duration. Give seconds or a number with a unit, for example '2m'.")
    return sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)


class Condition:
    """A boolean expression over words: `a.Succeeded && (b || !c)`, `x == y && 2 < 3`."""

    _TOKEN = re.compile(r"\s*(&&|\|\||==|!=|<=|>=|<|>|!|\(|\)|'[^']*'|\"[^\"]*\"|[^\s()&|!=<>'\"]+)")

    def __init__(self, text: str):
        """Raises InvalidInput for a text that does not parse."""
        self.text = text
        self.words: list[str] = []
        self._tokens = self._split(text)
        self._evaluate = self._or()
        if self._tokens:
            raise self._wrong()

    def holds(self, truth: Callable[[str], bool]) -> bool:
        """`truth` says of each bare word whether it is true."""
        return self._evaluate(truth)

    def _split(self, text: str) -> list[str]:
        tokens, position = [], 0
        text = text.rstrip()
        while position < len(text):
            found = self._TOKEN.match(text, position)
            if not found:
                raise self._wrong()
            tokens.append(found[1])
            position = found.end()
        return tokens

    def _wrong(self) -> InvalidInput:
        return InvalidInput(f"{self.text!r} is not a condition: words, ==, !=, <, >, &&, ||, ! and parentheses.")

    def _next(self) -> str:
        if not self._tokens:
            raise self._wrong()
        return self._tokens.pop(0)

    def _or(self) -> Callable[..., bool]:
        terms = [self._and()]
        while self._tokens[:1] == ["||"]:
            self._next()
            terms.append(self._and())
        return lambda truth: any(term(truth) for term in terms)

    def _and(self) -> Callable[..., bool]:
        terms = [self._term()]
        while self._tokens[:1] == ["&&"]:
            self._next()
            terms.append(self._term())
        return lambda truth: all(term(truth) for term in terms)

    def _term(self) -> Callable[..., bool]:
        token = self._next()
        if token == "!":
            inner = self._term()
            return lambda truth: not inner(truth)
        if token == "(":
            inside = self._or()
            if self._next() != ")":
                raise self._wrong()
            return inside
        if token in ("&&", "||", "==", "!=", "<", ">", "<=", ">=", ")"):
            raise self._wrong()
        if self._tokens[:1] and self._tokens[0] in ("==", "!=", "<", ">", "<=", ">="):
            result = _compare(token, self._next(), self._next())
            return lambda truth: result
        self.words.append(token)
        return lambda truth: truth(token)


def _compare(left: str, operator: str, right: str) -> bool:
    left, right = left.strip("'\""), right.strip("'\"")
    if operator in ("==", "!="):
        return (left == right) is (operator == "==")
    try:
        a, b = float(left), float(right)
    except ValueError:
        raise InvalidInput(f"{left!r} {operator} {right!r} compares what are not numbers.") from None
    return {"<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[operator]


def true_or_false(word: str) -> bool:
    """A bare word of a `when`."""
    if word.strip("'\"") not in ("true", "false"):
        raise InvalidInput(f"{word!r} in a `when` is neither true nor false: compare it, for example {word} == yes.")
    return word.strip("'\"") == "true"
