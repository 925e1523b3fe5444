"""What is wrong with a stack's settings, in sentences: never in the validator's own words."""

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from stacks.plain import is_list, is_mapping
from stackyard.errors import InvalidInput

MISSING = object()
"""Stands for a value that was not given."""

LONGEST_VALUE = 60
"""Characters of a value that a sentence shows."""

# Names of keys whose values must not appear in an error message, should a person have put a secret there.
SECRET_NAME = re.compile(r"passw|secret|token|credential|api_?key|private_?key|access_?key", re.IGNORECASE)

CREDENTIALS = re.compile(r"://[^/\s\"]*@")
"""A URL's user and password."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One value that is not acceptable."""

    path: str
    """Dotted path as it stands in the stack file, for example `nodePools[1].maxNodes`."""
    value: str
    """The value as shown to people; empty when it was not given."""
    rule: str
    """What it must be; starts with «must»."""
    reason: str
    """Why, without a full stop."""
    example: str = ""
    """A valid line, `path: value` in YAML; empty where none can be named."""

    @property
    def section(self) -> str:
        return self.path.partition(".")[0].partition("[")[0]

    def __str__(self) -> str:
        subject = f"{self.path} is {self.value}, but {self.rule}" if self.value else f"{self.path} {self.rule}"
        removable = self.rule.startswith(("must not be given", "must only be given"))
        instead = " in its place" if removable else ""
        way_out = f" Valid{instead}: {self.example}" if self.example else " Remove it." if removable else ""
        return f"{subject}: {self.reason}.{way_out}"


class SettingsError(InvalidInput):
    """The settings of a stack are not acceptable; `str()` is the full text, all problems at once."""

    def __init__(self, problems: Sequence[Problem], stack: str = ""):
        self.problems = tuple(problems)
        self.stack = stack
        super().__init__(render(self.problems, stack))


def render(problems: Sequence[Problem], stack: str = "") -> str:
    """The text that people read: a headline and a numbered sentence per problem."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    where = f"Pulumi.{stack}.yaml: the settings of stack {stack} have" if stack else "The settings have"
    lines = [f"{index}. {problem}" for index, problem in enumerate(problems, start=1)]
    return "\n".join([f"{where} {count}, nothing was done.", *lines])


def problem(path: str, value: Any, rule: str, reason: str, example: Any = MISSING, *, at: str = "") -> Problem:
    """A problem from plain Python values. `at` is the path that the example belongs to, when it is another one."""
    return Problem(
        path=path,
        value=shown(value),
        rule=rule,
        reason=reason,
        example="" if example is MISSING else f"{at or path}: {flow(example)}",
    )


def refuse(rule: str, reason: str, example: Any = MISSING, *, fallback: Any = MISSING) -> PydanticCustomError:
    """What a validator of one value raises; path and value are added by whoever parses.

    `example` is a valid value made from the refused one; `fallback` one for fields that have no example of their own.
    """
    context = {"rule": rule, "reason": reason, "example": example, "fallback": fallback}
    return PydanticCustomError("rule", "{rule}", context)  # pyright: ignore[reportArgumentType] (LiteralString)


def shown(value: Any) -> str:
    """A value as an error shows it: quoted, short, on one line."""
    if value is MISSING:
        return ""
    if value is None:
        return "empty"
    if isinstance(value, list | tuple) and not value:
        return "an empty list"
    if is_mapping(value):
        return f"a mapping with the keys {', '.join(value)}"[:LONGEST_VALUE] if value else "an empty mapping"
    text = CREDENTIALS.sub("://[hidden]@", json.dumps(value, ensure_ascii=False, default=str))
    if len(text) <= LONGEST_VALUE:
        return text
    length = f" ({len(value)} characters)" if isinstance(value, str) else ""
    return f"{text[:LONGEST_VALUE]}…{length}"


def flow(value: Any) -> str:
    """A value as one line of YAML."""
    if isinstance(value, str):
        return value if _plain(value) else json.dumps(value, ensure_ascii=False)
    if is_mapping(value):
        return "{" + ", ".join(f"{flow(key)}: {flow(entry)}" for key, entry in value.items()) + "}"
    if is_list(value):
        return "[" + ", ".join(map(flow, value)) + "]"
    return json.dumps(value)


def _plain(text: str) -> bool:
    if re.fullmatch(r"(?i)null|true|false|yes|no|on|off|y|n", text):
        return False
    return re.fullmatch(r"[A-Za-z][\w./@:+-]*[\w+-]|[A-Za-z]|\d+(\.\d+){3}/\d+", text) is not None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a person most likely meant."""
    by_folded = {_folded(name): name for name in known}
    found = difflib.get_close_matches(_folded(word), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def _folded(word: str) -> str:
    return word.replace("_", "").replace("-", "").lower()


def dotted(location: Iterable[int | str]) -> str:
    """`("nodePools", 0, "gpu")` as `nodePools[0].gpu`."""
    path = ""
    for part in location:
        text = f"[{part}]" if isinstance(part, int) else part
        text = f"{text[:LONGEST_VALUE]}…" if len(text) > LONGEST_VALUE else text
        path += text if isinstance(part, int) or not path else f".{text}"
    return path
