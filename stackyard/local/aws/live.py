"""What a resource's inputs are now: the API's documents in the form in which the program gave its inputs.

A refresh compares the two. What comes back equal is returned as it was given, so that spelling never counts as drift.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackyard.local.applied import Live
from stackyard.local.aws import convert, expressions, unsupported
from stackyard.local.aws.step import GENERIC_INPUTS, Step
from stackyard.program.values import Value

# AWS's own tags, which nobody sets or removes.
RESERVED_TAGS = "aws:"
_MISSING = object()
_EMPTY: tuple[Any, ...] = (None, "", [], {}, False, 0)


def live(step: Step) -> Live | None:
    """The resource as it is now, None when it is gone. Only reads."""
    given, row = step.inputs, step.row
    if step.unreachable or row.read is None:
        return Live(inputs=given, outputs=step.outputs, unread=_unread(step, set()), read=False)
    outputs = step.read()
    if outputs is None:
        return None
    step.scope |= {name: step.document(read) for name, read in row.watch.items()}
    shown = _shown(step)
    inputs = {**given, **shown}
    inputs = {name: value for name, value in inputs.items() if value is not None}
    for name in given.keys() | shown.keys():
        # An input that is as it was stays the output that it was: the API completes some.
        source = step.outputs if inputs.get(name) == given.get(name) else inputs
        outputs.pop(name, None)
        if name in source:
            outputs[name] = source[name]
    if "tagsAll" in outputs and "tags" in shown:
        outputs["tagsAll"] = inputs.get("tags", {})
    return Live(inputs=inputs, outputs=outputs, unread=_unread(step, set(shown)))


def _unread(step: Step, shown: set[str]) -> tuple[str, ...]:
    return tuple(sorted(set(step.inputs) - shown - _identity(step) - {*step.row.own, "region", "tagsAll"}))


def _identity(step: Step) -> set[str]:
    """Inputs by which the resource is looked up: it was found, so they are as they were."""
    row = step.row
    named = expressions.names_in(row.id)
    if row.read is not None:
        named |= expressions.names_in(row.read.params) | expressions.names_in(row.read.path)
    return named - set(row.shows)


def _shown(step: Step) -> dict[str, Value]:
    """Inputs that the documents show; None for one that is gone."""
    row = step.row
    seen = row.seen(dict(step.inputs)) if row.seen else step.inputs
    document = expressions.search(row.shown_in, step.scope)
    skipped = {*row.own, *row.keep, *_identity(step), *GENERIC_INPUTS} - set(row.shows)
    shown: dict[str, Value] = {}
    for name in sorted({*step.inputs, *row.unset, *row.absent} - skipped):
        found = _found(step, document, name)
        if found is _MISSING and name not in row.absent and name not in row.shows:
            continue
        wanted = seen.get(name, row.unset.get(name))
        now = as_given(wanted, None if found is _MISSING else found, name, rename=row.rename, fills=row.fills)
        shown[name] = step.inputs.get(name) if now == wanted else now
    if row.live:
        shown |= row.live(step.inputs, step.scope)
    if (tags := _tags(step)) is not None:
        shown["tags"] = tags or None if "tags" not in step.inputs else tags
    return shown


def _found(step: Step, document: Any, name: str) -> Any:
    row = step.row
    if name in row.shows:
        return convert.plain_json(expressions.evaluate(row.shows[name], step.scope))
    path = row.rename.get(name, name)
    candidates = [path, path.removeprefix(f"{row.under}."), path.rpartition(".")[2], name]
    return next((found for path in candidates if (found := _dig(document, path)) is not _MISSING), _MISSING)


def _dig(document: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(document, Mapping):
            return _MISSING
        names = {str(member).lower(): member for member in document}
        if part.lower() not in names:
            return _MISSING
        document = document[names[part.lower()]]
    return document


def _tags(step: Step) -> dict[str, str] | None:
    """The resource's tags; None where it has none or nothing can show them."""
    if "tags" not in convert.output_types(step.type):
        return None
    tagging = step.tagging()
    if tagging is not None and tagging.read is not None:
        found = step.document(tagging.read) or {}
    else:
        document = step.scope["d"]
        members = ("Tags", "tags", "TagList")
        found = next((document[m] for m in members if isinstance(document, Mapping) and m in document), None)
        if found is None and (tagging is None or step.type in unsupported.UNTAGGABLE):
            return None
    tags = _pairs(found or {})
    return {key: value for key, value in sorted(tags.items()) if not key.startswith(RESERVED_TAGS)}


def _pairs(found: Any) -> dict[str, str]:
    if isinstance(found, Mapping):
        return {str(key): str(value) for key, value in found.items()}
    keys = next((keys for keys in convert.PAIR_KEYS if found and keys[0] in found[0]), convert.PAIR_KEYS[0])
    return {str(pair[keys[0]]): str(pair.get(keys[1], "")) for pair in found}


def as_given(
    given: Any, found: Any, path: str, *, rename: Mapping[str, str] | None = None, fills: Sequence[str] = ()
) -> Any:
    """What the API shows of the input `path`, in the form of what was given; equal to `given` if it says the same.

    `rename` gives API members by dotted inputs, `fills` what the API fills in by itself.
    """
    return _As(rename or {}, fills).given(given, found, path)


@dataclass(frozen=True)
class _As:
    """Brings what the API shows into the form of what was given."""

    rename: Mapping[str, str]
    fills: Sequence[str]

    def given(self, given: Any, found: Any, path: str) -> Any:
        """`path` is the dotted input; a result that says the same is `given` itself."""
        if found is None:
            return given if given in _EMPTY else None
        match given:
            case Mapping():
                return self._mapping(given, found, path)
            case list():
                return self._list(given, found, path)
            case None:
                return None if found in _EMPTY else self._spoken(found, path)
            case bool():
                return {"true": True, "false": False}.get(found.lower(), found) if isinstance(found, str) else found
            case int() | float():
                return _number(found)
            case str():
                text = _text(found)
                return given if text == given or _says(text) == _says(given) else text
            case _:
                return given

    def _mapping(self, given: Mapping[str, Any], found: Any, path: str) -> Any:
        if isinstance(found, list):
            if _is_pairs(found):
                found = _pairs(found)
            elif len(found) == 1:
                (found,) = found
        if not isinstance(found, Mapping):
            return self._spoken(found, path)
        result: dict[str, Any] = {}
        used: set[str] = set()
        dropped: set[str] = set()
        for name, entry in given.items():
            below = f"{path}.{name}"
            member = self.rename.get(below, name)
            used.add(member.split(".")[0].lower())
            value = _dig(found, member)
            now = entry if below in self.fills else self.given(entry, None if value is _MISSING else value, below)
            if now is not None:
                result[name] = now
            if value is _MISSING and entry in _EMPTY:
                dropped.add(name)
        for member, value in found.items():
            name = self._input(f"{path}.{member}", member)
            if str(member).lower() not in used and value not in _EMPTY and f"{path}.{name}" not in self.fills:
                result[name] = self._spoken(value, f"{path}.{name}")
        # The API drops what is empty: that alone is no difference.
        return result if result == given else {name: value for name, value in result.items() if name not in dropped}

    def _list(self, given: list[Any], found: Any, path: str) -> Any:
        entries = found if isinstance(found, list) else [found]
        left = list(entries)
        pending: list[Any] = []
        result: list[Any] = []
        for entry in given:
            same = next((i for i, other in enumerate(left) if self.given(entry, other, path) == entry), None)
            if same is None:
                pending.append(entry)
            else:
                left.pop(same)
                result.append(entry)
        if not pending and not left:
            return given
        # What has no equal is compared with what is left, in order.
        changed = [self.given(entry, other, path) for entry, other in zip(pending, left, strict=False)]
        return [*result, *changed, *(self._spoken(other, path) for other in left[len(pending) :])]

    def _spoken(self, found: Any, path: str) -> Any:
        """What nobody gave, with members as inputs are written."""
        match found:
            case Mapping():
                return {
                    (name := self._input(f"{path}.{member}", member)): self._spoken(value, f"{path}.{name}")
                    for member, value in found.items()
                    if value not in _EMPTY
                }
            case list() if _is_pairs(found):
                return _pairs(found)
            case list():
                return [self._spoken(entry, path) for entry in found]
            case _:
                return found

    def _input(self, path: str, member: str) -> str:
        parent = path.rpartition(".")[0]
        for source, target in self.rename.items():
            if target == member and source.rpartition(".")[0] == parent:
                return source.rpartition(".")[2]
        return member.lower() if member.isupper() else member[:1].lower() + member[1:]


def _says(text: str) -> Any:
    """What a JSON document means: in policies the order of a set says nothing, nor that one entry is a list."""
    try:
        return _meaning(json.loads(text)) if text[:1] in ("{", "[") else text
    except ValueError:
        return text


def _meaning(value: Any) -> Any:
    match value:
        case Mapping():
            return {key: _meaning(entry) for key, entry in value.items()}
        case [entry]:
            return _meaning(entry)
        case list() if all(isinstance(entry, str) for entry in value):
            return sorted(value)
        case list():
            return [_meaning(entry) for entry in value]
        case _:
            return value


def _is_pairs(found: list[Any]) -> bool:
    return bool(found) and all(
        isinstance(entry, Mapping) and any(set(entry) == set(keys) for keys in convert.PAIR_KEYS) for entry in found
    )


def _number(found: Any) -> Any:
    if isinstance(found, str):
        try:
            found = float(found)
        except ValueError:
            return found
    return int(found) if isinstance(found, float) and found.is_integer() else found


def _text(found: Any) -> str:
    if isinstance(found, Mapping | list):
        return json.dumps(found, sort_keys=True)
    return str(convert.text_of(found))
