"""What is wrong with a stack's settings, in sentences: never in the validator's own words."""

import difflib
import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from stacks.plain import is_list, is_mapping
from stackyard.errors import InvalidInput

MISSING = object()
"""Stands for a value that was not given."""

LONGEST_VALUE = 60
"""Characters of a value that a sentence shows."""

LONGEST_READ = 1000
"""Characters of a value that are looked through for secrets: no more are shown."""

HIDDEN = "[hidden]"
"""Stands for a value that must not be shown."""

# Names of keys whose values must not appear in an error message, should a person have put a secret there.
SECRET_NAME = re.compile(
    r"passw|passphrase|passcode|pwd|secret|token|credential|cookie|authorization|bearer"
    r"|(?:api|auth|private|access|account|signing|encryption|ssh)[_-]?key"
    r"|(?:(?:^|[_.-])(?:pass|pat)|(?-i:Pat))(?:[.\[]|$)",
    re.IGNORECASE,
)

_SECRET_TEXTS = (
    # A URL's user and password, which may hold a slash; what follows its path; user and password without a scheme.
    (re.compile(r"(?s)://.*@"), f"://{HIDDEN}@"),
    (re.compile(r"(?s)(://[^?#]*[?#]).+"), rf"\1{HIDDEN}"),
    (re.compile(r"[^\s:/@]+:\S+@"), f"{HIDDEN}@"),
    (re.compile(rf"(?s)((?:{SECRET_NAME.pattern})\w*\s*[:=]).+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # Tokens of GitHub, GitLab, Slack, Hugging Face, Stripe and others; of JWT; keys in PEM.
    (re.compile(r"\b(?:gh[a-z]_|github_pat_|glpat-|xox[a-z]-|hf_|sk[-_]|eyJ)[\w.-]{8,}"), HIDDEN),
    (re.compile(r"(?s)-----BEGIN .+"), HIDDEN),
)


@dataclass(frozen=True, kw_only=True)
class Example:
    """A valid value and where it belongs."""

    at: str
    """Dotted path."""
    value: Any
    own: bool = False
    """Whether the person wrote the value, or it was made of what they wrote: such a one is offered as it is."""
    beside: tuple[Any, ...] = ()
    """The other entries of its list, in their order."""
    later: bool = False
    """Whether its list has a bad entry before this one."""

    def __str__(self) -> str:
        return f"{self.at}: {flow(self.value)}"


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
    way: Example | None = None
    """A valid value; None where none can be named."""

    @property
    def example(self) -> str:
        """A valid line, `path: value` in YAML; empty where none can be named."""
        return str(self.way or "")

    @property
    def section(self) -> str:
        return self.path.partition(".")[0].partition("[")[0]

    def __str__(self) -> str:
        subject = f"{self.path} is {self.value}, but {self.rule}" if self.value else f"{self.path} {self.rule}"
        removable = self.rule.startswith(("must not be given", "must only be given"))
        instead = " in its place" if removable else ""
        way_out = f" Valid{instead}: {self.example}" if self.example else " Remove it." if removable else ""
        return printable(f"{subject}: {self.reason}.{way_out}")


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
    own = is_list(value) and is_list(example) and all(entry in value for entry in example)
    way = None if example is MISSING else Example(at=at or path, value=example, own=own)
    return Problem(path=path, value=shown_at(path, value), rule=rule, reason=reason, way=way)


def refuse(rule: str, reason: str, example: Any = MISSING, *, fallback: Any = MISSING) -> PydanticCustomError:
    """What a validator of one value raises; path and value are added by whoever parses.

    `example` is a valid value made from the refused one; `fallback` one for fields that have no example of their own.
    """
    context = {"rule": rule, "reason": reason, "example": example, "fallback": fallback}
    return PydanticCustomError("rule", "{rule}", context)  # pyright: ignore[reportArgumentType] (LiteralString)


def shown_at(path: str, value: Any) -> str:
    """A value as an error shows it, unless its path tells that it is a secret."""
    open_to_all = value is MISSING or value is None or isinstance(value, bool)
    return shown(value) if open_to_all or not SECRET_NAME.search(path) else HIDDEN


def shown(value: Any) -> str:
    """A value as an error shows it: quoted, short, on one line, without what may be a secret."""
    if value is MISSING:
        return ""
    if value is None:
        return "empty"
    if value == HIDDEN:
        return HIDDEN
    if is_list(value) and not value:
        return "an empty list"
    if is_mapping(value):
        return printable(_cut(f"a mapping with the keys {', '.join(map(str, value))}")) if value else "an empty mapping"
    if is_list(value) and _has_secret_key(value):
        return f"a list of {len(value)} {'entry' if len(value) == 1 else 'entries'}"
    text = printable(json.dumps(_masked(value), ensure_ascii=False, default=str))
    if len(text) <= LONGEST_VALUE:
        return text
    length = f" ({len(value)} characters)" if isinstance(value, str) else ""
    return f"{text[:LONGEST_VALUE]}…{length}"


def repeatable(value: Any) -> bool:
    """Whether nothing of a value may be a secret."""
    return not _has_secret_key(value) and _masked(value) == value


def _has_secret_key(value: Any) -> bool:
    if is_mapping(value):
        return any(key == "secure" or SECRET_NAME.search(str(key)) or _has_secret_key(value[key]) for key in value)
    return is_list(value) and any(map(_has_secret_key, value))


def _masked(value: Any) -> Any:
    if is_mapping(value):
        return {key: _masked(entry) for key, entry in value.items()}
    if is_list(value):
        return [_masked(entry) for entry in value]
    if not isinstance(value, str):
        return value
    text = value[:LONGEST_READ]
    for pattern, instead in _SECRET_TEXTS:
        text = pattern.sub(instead, text)
    return text


def _cut(listed: str) -> str:
    """A list of words, whole ones, as far as there is room."""
    if len(listed) <= LONGEST_VALUE:
        return listed
    whole, comma, _ = listed[: LONGEST_VALUE + 1].rpartition(", ")
    return f"{whole}, …" if comma else f"{listed[:LONGEST_VALUE]}…"


def printable(text: str) -> str:
    """The text with escapes for what breaks a line, steers a terminal or turns the direction of writing."""
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    # As YAML takes it in double quotes.
    return json.dumps(character)[1:-1] if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def flow(value: Any) -> str:
    """A value as one line of YAML."""
    if isinstance(value, str):
        return value if _plain(value) else json.dumps(value, ensure_ascii=False)
    if is_mapping(value):
        return "{" + ", ".join(f"{flow(key)}: {flow(entry)}" for key, entry in value.items()) + "}"
    if is_list(value):
        return "[" + ", ".join(map(flow, value)) + "]"
    return json.dumps(value, default=str)


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


def within(path: str, outer: Iterable[str]) -> bool:
    """Whether a dotted path is one of the others or lies inside one."""
    return any(path == other or path.startswith((f"{other}.", f"{other}[")) for other in outer)


def touches(path: str, others: Collection[str]) -> bool:
    """Whether a dotted path is one of the others, lies inside one or has one inside."""
    return within(path, others) or any(within(other, (path,)) for other in others)
