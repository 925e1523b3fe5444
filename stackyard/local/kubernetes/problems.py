"""Sentences about what is wrong with an object: path, value, rule, way out."""

import difflib
import json
from collections.abc import Iterable, Sequence
from typing import Any

LONGEST_VALUE = 60


def dotted(path: Iterable[str | int]) -> str:
    """`spec.containers[0].image` of the parts of a path."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the object"


def shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def unknown_field(path: str, field: str, known: Sequence[str], of: str) -> str:
    """Says that nothing reads `field`, and the nearest name that something does read."""
    where = f"{path}.{field}" if path and path != "the object" else field
    near = difflib.get_close_matches(field, known, n=1, cutoff=0.6)
    way_out = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known)[:12]) or 'none'}"
    return f"{where}: {of} has no field {field!r}: {way_out}"
