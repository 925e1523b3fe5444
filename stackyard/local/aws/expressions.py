"""Values in table rows: `=…` is JMESPath over the resource's scope, `{name}` fills a template, the rest is literal."""

import functools
import re
from collections.abc import Mapping
from typing import Any

import jmespath

from stackyard.program.values import Asset

Scope = Mapping[str, Any]
"""Inputs and outputs of the resource by name, and: `id`, `r` (response of the create call), `d` (document read back),
`old` (inputs before an update), `tags`, `removed` (tag keys), `account`, `region`, `h` (hash of the URN),
`clusterEndpoint`, `clusterCa`."""

_FIELD = re.compile(r"\{(\w+)\}")
_NAME = re.compile(r"[A-Za-z_]\w*")


class Pending(str):
    """Stands for what only a call will tell, so that the rest can be validated before any call."""

    __slots__ = ()


@functools.cache
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)


def search(expression: str, scope: Scope) -> Any:
    return _compiled(expression).search(scope)


def evaluate(value: Any, scope: Scope) -> Any:
    """The value for this resource. Members that come out as nothing are left out: optional ones cost no condition."""
    match value:
        case str():
            return _evaluate_text(value, scope)
        case Mapping():
            items = {key: found for key, entry in value.items() if (found := evaluate(entry, scope)) is not None}
            # An empty literal means something ({} switches S3 logging off); an emptied one does not.
            return items if items or not value else None
        case list() | tuple():
            entries = [found for entry in value if (found := evaluate(entry, scope)) is not None]
            return entries if entries or not value else None
        case _:
            return value


def _evaluate_text(text: str, scope: Scope) -> Any:
    if text.startswith("="):
        return without_nulls(search(text[1:], scope))
    if "{" not in text:
        return text
    parts = {name: scope.get(name) for name in _FIELD.findall(text)}
    if any(part is None for part in parts.values()):
        return None
    filled = _FIELD.sub(lambda match: str(parts[match[1]]), text)
    return Pending(filled) if any(isinstance(part, Pending) for part in parts.values()) else filled


def template(text: str, scope: Scope) -> str:
    """Fills `{name}` in a JMESPath. Missing names become nothing."""
    return _FIELD.sub(lambda match: str(scope.get(match[1], "")), text)


def without_nulls(value: Any) -> Any:
    match value:
        case Asset():
            return value
        case Mapping():
            return {key: without_nulls(entry) for key, entry in value.items() if entry is not None}
        case list():
            return [without_nulls(entry) for entry in value if entry is not None]
        case _:
            return value


def names_in(value: Any) -> set[str]:
    """Names that a row's value may read; over-inclusive (JMESPath keys count too)."""
    match value:
        case str() if value.startswith("="):
            return set(_NAME.findall(value))
        case str():
            return set(_FIELD.findall(value))
        case Mapping():
            return {name for entry in value.values() for name in names_in(entry)}
        case list() | tuple():
            return {name for entry in value for name in names_in(entry)}
        case _:
            return set()
