"""Checks an API call against botocore's model before it is made: required members, types, ranges, enums and patterns.

botocore itself checks neither enums nor patterns, though its models carry them. AWS's patterns are unanchored but mean
the whole text.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from stackyard.local.aws.errors import Problem, shown
from stackyard.local.aws.expressions import Pending
from stackyard.local.aws.shapes import choices_of, entry_of, key_of, members_of, required_of, traits_of, value_of

SHOWN_CHOICES = 12
# Unicode classes that Python's re lacks; \w and \d differ from them in corners that typing errors do not reach.
UNICODE_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Z}": r"\s",
    r"\p{M}": "",
    r"\p{IsLetter}": r"\w",
    r"\p{IsDigit}": r"\d",
}


def check(shape: Shape | None, params: Mapping[str, Any], sources: Mapping[str, str]) -> list[Problem]:
    """Problems of a call's members. `sources` says which input a member (dotted path) came from."""
    problems: list[tuple[str, str]] = []
    if shape is not None:
        _check(shape, params, "", problems)
    return [Problem(_where(path, sources), rule) for path, rule in problems]


def _where(path: str, sources: Mapping[str, str]) -> str:
    plain = re.sub(r"\[\d+\]", "", path)
    parts = plain.split(".")
    for length in range(len(parts), 0, -1):
        if (name := sources.get(".".join(parts[:length]))) is not None:
            return name if name.lower() == path.lower() else f"{name} ({path})"
    # A member that is missing comes from no input; at the top, inputs are named like members.
    return path[0].lower() + path[1:] if len(parts) == 1 else path


def _check(shape: Shape, value: Any, path: str, problems: list[tuple[str, str]]) -> None:
    if isinstance(value, Pending):
        return
    match shape:
        case StructureShape():
            _check_structure(shape, value, path, problems)
        case ListShape():
            if isinstance(value, list | tuple):
                _check_size(shape, len(value), path, problems, "entries")
                for index, entry in enumerate(value):
                    _check(entry_of(shape), entry, f"{path}[{index}]", problems)
            else:
                problems.append((path, f"must be a list, not {shown(value)}"))
        case MapShape():
            if isinstance(value, Mapping):
                for key, entry in value.items():
                    _check(key_of(shape), key, f"{path} key {key!r}", problems)
                    _check(value_of(shape), entry, f"{path}.{key}", problems)
            else:
                problems.append((path, f"must be an object, not {shown(value)}"))
        case _:
            _check_scalar(shape, value, path, problems)


def _check_structure(shape: StructureShape, value: Any, path: str, problems: list[tuple[str, str]]) -> None:
    if not isinstance(value, Mapping):
        problems.append((path, f"must be an object, not {shown(value)}"))
        return
    at = f"{path}." if path else ""
    for name in required_of(shape):
        if name not in value:
            problems.append((f"{at}{name}", "is missing, AWS requires it"))
    for name, entry in value.items():
        if name not in members_of(shape):
            problems.append((f"{at}{name}", f"is no member of {shape.name}"))
        else:
            _check(members_of(shape)[name], entry, f"{at}{name}", problems)


def _check_scalar(shape: Shape, value: Any, path: str, problems: list[tuple[str, str]]) -> None:
    said = "the value given" if traits_of(shape).get("sensitive") else shown(value)
    match shape.type_name:
        case "string" | "char" | "character":
            if not isinstance(value, str):
                problems.append((path, f"must be text, not {said}"))
            else:
                _check_text(shape, value, path, problems, said)
        case "integer" | "long":
            if isinstance(value, bool) or not isinstance(value, int):
                problems.append((path, f"must be a whole number, not {said}"))
            else:
                _check_size(shape, value, path, problems, "")
        case "float" | "double":
            if isinstance(value, bool) or not isinstance(value, int | float):
                problems.append((path, f"must be a number, not {said}"))
        case "boolean":
            if not isinstance(value, bool):
                problems.append((path, f"must be true or false, not {said}"))
        case _:
            pass


def _check_text(shape: Shape, value: str, path: str, problems: list[tuple[str, str]], found: str) -> None:
    choices = choices_of(shape)
    if choices and value not in choices:
        more = "" if len(choices) <= SHOWN_CHOICES else f" … ({len(choices)} in all)"
        problems.append((path, f"is {found}, must be one of {', '.join(choices[:SHOWN_CHOICES])}{more}"))
        return
    _check_size(shape, len(value), path, problems, "characters")
    if text := traits_of(shape).get("pattern"):
        pattern = compiled(text)
        if pattern is not None and pattern.fullmatch(value) is None:
            problems.append((path, f"is {found}, must match {text}"))


def _check_size(shape: Shape, size: int, path: str, problems: list[tuple[str, str]], unit: str) -> None:
    low, high = traits_of(shape).get("min"), traits_of(shape).get("max")
    if (low is None or size >= low) and (high is None or size <= high):
        return
    bounds = f"at least {low}" if high is None else f"at most {high}" if low is None else f"between {low} and {high}"
    problems.append((path, f"is {size} {unit}, must be {bounds}".replace(" ,", ",")))


@functools.cache
def compiled(pattern: str) -> re.Pattern[str] | None:
    """AWS's pattern in Python's dialect, None where it uses what Python lacks."""
    for name, replacement in UNICODE_CLASSES.items():
        pattern = pattern.replace(name, replacement)
    try:
        return re.compile(pattern)
    except re.error:
        return None
