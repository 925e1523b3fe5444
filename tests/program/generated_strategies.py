"""Strategies that make up programs and what becomes of them (`generated_programs.Entry`)."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st

from stackyard.program.registration import AliasSpec
from tests.program.generated_programs import BOX, ITEM, NAMED, OLD_BOX, OLD_ITEM, PROVIDER, Entry, Program, urns

T = TypeVar("T")
TIMES = int(os.environ.get("STACKYARD_EXAMPLES", "1"))
SEED = os.environ.get("STACKYARD_SEED")


def examples(number: int) -> Callable[[Any], Any]:
    """A property's settings: the same examples every time, unless a seed asks for others."""
    kept = settings(
        max_examples=number * TIMES,
        derandomize=SEED is None,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    return lambda test: kept(seed(int(SEED))(test) if SEED is not None else test)


BYTES = 100
FORMER_TYPES = {BOX: OLD_BOX, OLD_BOX: BOX, ITEM: OLD_ITEM, OLD_ITEM: ITEM}
REFERENCES = ("parent", "provider", "target", "link", "deleted_with")
VALUES: Mapping[str, tuple[Any, ...]] = {
    "stem": ("n", "m"),
    "nested": (False, True),
    "zone": ("a", "b"),
    "size": (1, 2, 3),
    "secret": (False, True),
    "layout": ((0,), (1,), (), (0, 1), (1, 1)),
    "fixed": ("", "0", "1"),
    "protect": (False, True),
    "retain": (False, True),
    "delete_first": (None, True, False),
    "ignore": ((), ("size",), ("config.size",), ("config.parts[0]", "zone"), ("link",), ("config.parts[*]",), ("*",)),
    "replace_on": ((), ("size",), ("config.parts",), ("link",), ("*",)),
}
# What makes runs interesting comes up more often than the rest.
FIELDS = (
    *VALUES,
    *REFERENCES,
    "after",
    *("zone", "target", "provider", "parent", "delete_first", "target", "provider", "stem"),
)
SOMETIMES = (False, False, False, True)


class Choices:
    """Choices read from bytes, one each: quick to make up, and zeros, which hypothesis shrinks to, choose the first."""

    def __init__(self, data: bytes):
        self._bytes = iter(data)

    def of(self, options: Sequence[T]) -> T:
        return options[next(self._bytes, 0) % len(options)]


@dataclass(frozen=True)
class Change:
    """A stack's program, and the program that it is to become."""

    base: Program
    head: Program


def _fitting(field: str, earlier: Mapping[int, Entry]) -> list[int]:
    match field:
        case "provider":
            return [slot for slot, entry in earlier.items() if entry.type == PROVIDER]
        case "after":
            return list(earlier)
        case "parent":
            return [slot for slot, entry in earlier.items() if entry.type != PROVIDER]
        case _:
            return [slot for slot, entry in earlier.items() if entry.custom and entry.type != PROVIDER]


def _changed(choose: Choices, entry: Entry, earlier: Mapping[int, Entry]) -> Entry:
    """The entry with some of its fields changed, and nothing that its type or the program before it forbids."""
    for _ in range(choose.of((0, 1, 1, 2, 2, 3, 4))):
        field = choose.of(FIELDS)
        value = getattr(entry, field)
        options = VALUES.get(field) or (None, *_fitting(field, earlier))
        if field == "after":
            used = choose.of(options)
            entry = replace(entry, after=tuple(sorted({*value, used})) if used is not None else ())
        elif others := [option for option in options if option != value]:
            entry = replace(entry, **{field: choose.of(others)})
    return _allowed(entry, earlier)


def _allowed(entry: Entry, earlier: Mapping[int, Entry]) -> Entry:
    kept = {f: slot if (slot := getattr(entry, f)) in _fitting(f, earlier) else None for f in REFERENCES}
    entry = replace(entry, **kept, after=tuple(slot for slot in entry.after if slot in earlier))
    if entry.type == PROVIDER:
        plain = Entry(slot=entry.slot, type=PROVIDER, stem=entry.stem, zone=entry.zone, size=entry.size)
        entry = replace(plain, protect=entry.protect, after=entry.after, delete_first=entry.delete_first)
    elif not entry.custom:
        plain = Entry(slot=entry.slot, type=entry.type, stem=entry.stem, nested=entry.nested, parent=entry.parent)
        entry = replace(plain, size=entry.size, after=entry.after, protect=entry.protect)
    if entry.target is not None or entry.type == NAMED:
        # A retained object would keep its target from going, or its name from being used again.
        entry = replace(entry, retain=False, ignore=tuple(path for path in entry.ignore if path != "*"))
    if entry.type == NAMED and entry.delete_first is False:
        # Both engines then create beside the old one, which the cloud refuses for a given name.
        entry = replace(entry, delete_first=None)
    parent = earlier[entry.parent] if entry.parent is not None else None
    name = f"{parent.name}-k{entry.slot}" if parent and entry.nested else f"{entry.stem}{entry.slot}"
    return replace(entry, name=name)


def _program(choose: Choices) -> Program:
    """A program of up to five registrations."""
    made: dict[int, Entry] = {}
    for slot in range(choose.of((0, 1, 2, 3, 3, 4, 4, 5, 5))):
        type_ = choose.of((ITEM, NAMED, BOX, PROVIDER))
        made[slot] = _changed(choose, Entry(slot=slot, type=type_, owner=f"s{slot}"), made)
    return tuple(made.values())


def _head(choose: Choices, base: Program) -> Program:
    """What may become of a program: entries changed, renamed with and without aliases, dropped, added, reordered."""
    before = {entry.slot: entry for entry in base}
    slots = [entry.slot for entry in base if not choose.of(SOMETIMES)]
    slots += range(len(base), len(base) + choose.of((0, 0, 1)))
    if choose.of((False, False, True)):
        slots = [slots.pop(choose.of(range(len(slots)))) for _ in [*slots]]
    made: dict[int, Entry] = {}
    for slot in slots:
        old = before.get(slot)
        if old is None:
            made[slot] = _changed(choose, Entry(slot=slot, owner=f"s{slot}"), made)
            continue
        entry = _changed(choose, old, made)
        if choose.of(SOMETIMES):
            entry = replace(entry, type=FORMER_TYPES.get(entry.type, entry.type))
        if old.target is not None or old.retain:
            entry = replace(entry, ignore=tuple(path for path in entry.ignore if path != "*"))
        made[slot] = replace(entry, aliases=_aliases(choose, base, entry, made))
    head = tuple(made.values())
    same = continued(base, head)
    return tuple(replace(e, owner=f"s{e.slot}{'' if e.slot in same else 'x'}") for e in head)


def _aliases(choose: Choices, base: Program, entry: Entry, earlier: Mapping[int, Entry]) -> tuple[AliasSpec, ...]:
    """No alias, or one that truly says where the entry was: by its parts, by its URN."""
    before, now = urns(base), urns((*earlier.values(), entry))
    (old,) = [old for old in base if old.slot == entry.slot]
    if before[old.slot] == now[old.slot]:
        return ()
    how = choose.of(("none", "parts", "urn"))
    if how == "urn":
        return (AliasSpec(urn=before[old.slot]),)
    parts: dict[str, Any] = {}
    if old.name != entry.name:
        parts["name"] = old.name
    if old.type != entry.type:
        parts["type"] = old.type
    if old.parent != entry.parent:
        if old.parent is None:
            parts["no_parent"] = True
        else:
            # The SDK sends the parent's present URN for `Alias(parent=box)`.
            there = old.parent in earlier and old.parent in continued(base, tuple(earlier.values()))
            parts["parent_urn"] = now[old.parent] if there else before[old.parent]
    return (AliasSpec(**parts),) if how == "parts" and parts else ()


def continued(base: Program, head: Program) -> set[int]:
    """Slots of the head's entries that are, to the engine, what the base has under the same slot."""
    old = {entry.slot: entry for entry in base}
    by_slot = {entry.slot: entry for entry in head}
    before, now = urns(base), urns(head)
    found: set[int] = set()
    for entry in head:
        slot = entry.slot
        if slot not in old:
            continue
        if before[slot] == now[slot] or (entry.aliases and _truthful(entry, old, by_slot, found)):
            found.add(slot)
        elif entry.parent is not None and entry.parent in found and before[entry.parent] != now[entry.parent]:
            parent, name = by_slot[entry.parent], entry.name
            if name.startswith(parent.name):
                name = old[entry.parent].name + name.removeprefix(parent.name)
            if (old[slot].parent, old[slot].type, old[slot].name) == (entry.parent, entry.type, name):
                found.add(slot)
    return found


def _truthful(entry: Entry, old: Mapping[int, Entry], head: Mapping[int, Entry], found: set[int]) -> bool:
    """Whether an alias by parts leads to the old URN: the present parent must be the old one, whatever it is called."""
    (spec,) = entry.aliases
    if spec.urn or spec.parent_urn or spec.no_parent:
        return True
    return entry.parent is None or entry.parent in found


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Two programs, the second made from the first."""
    choose = Choices(draw(st.binary(min_size=BYTES // 2, max_size=BYTES)))
    base = _program(choose)
    return Change(base, _head(choose, base))
