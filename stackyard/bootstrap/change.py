"""One thing that bootstrap would do, and how what is there is compared with what should be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verb(StrEnum):
    CREATE = "+"
    REPAIR = "~"


@dataclass(frozen=True)
class Change:
    verb: Verb
    sentence: str
    """What changes, for the person who is asked."""
    apply: Callable[[], None]


def covers(live: Any, wanted: Any) -> bool:
    """Whether everything wanted is there. Mappings may hold more (AWS adds members over time), lists may not.

    A further lifecycle rule could delete states, and a further statement open the bucket.
    """
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        # An empty text may be answered by leaving it out.
        return all(covers(live.get(key, ""), value) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(covers(*pair) for pair in zip(live, wanted, strict=True))
    return bool(live == wanted)


def policy_difference(live: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> str | None:
    """`adds TlsOnly; removes Everyone`; None when both say the same."""
    before, after = _statements(live or {}), _statements(wanted)
    if before == after:
        return None
    added = [sid for sid in after if sid not in before]
    removed = [sid for sid in before if sid not in after]
    changed = [sid for sid in after if sid in before and before[sid] != after[sid]]
    kinds = (("adds", added), ("removes", removed), ("sets back", changed))
    return "; ".join(f"{word} {', '.join(sids)}" for word, sids in kinds if sids)


def tag_difference(live: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Tags that are missing or other. Further ones stay: the organisation may set its own."""
    return {key: value for key, value in wanted.items() if live.get(key) != value}


def _statements(policy: Mapping[str, Any]) -> dict[str, Any]:
    statements = policy.get("Statement", [])
    # AWS stores a single statement without its list.
    listed = statements if isinstance(statements, list) else [statements]
    return {str(entry.get("Sid") or f"statement {place}"): entry for place, entry in enumerate(listed, 1)}
