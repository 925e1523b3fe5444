"""Marks the API calls of one step, so that the same step can be made again after a kill or a lost answer.

The mark is `TOKEN/OPERATION/HASH/OCCURRENCE` (replies.py): the same step with the same token makes the same marks, and
the emulator answers those that it carried out already from memory. AWS's own idempotency tokens cover few operations.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from stackyard.local.replies import CALL_HEADER, UNDO_HEADER

HASH_LENGTH = 16
TOKEN = re.compile(r"[A-Za-z0-9._:-]+")


@dataclass
class _Attempt:
    token: str
    calls: Counter[str] = field(default_factory=Counter[str])
    undo: tuple[str, str] | None = None


_current: ContextVar[_Attempt | None] = ContextVar("attempt", default=None)


@contextmanager
def attempt(token: str) -> Iterator[None]:
    """Every API call of this thread inside carries the token. Without a token nothing is marked."""
    if token and not TOKEN.fullmatch(token):
        raise ValueError(f"an attempt's token travels in a header and must be letters, digits and ._:- only: {token!r}")
    before = _current.set(_Attempt(token) if token else None)
    try:
        yield
    finally:
        _current.reset(before)


@contextmanager
def undoing(create: str, last: str) -> Iterator[None]:
    """Calls inside take back what the attempt did: after `last` nothing is left of it, before that still `create`.

    Both are names of operations. The emulator forgets what the calls took back, or a later try would be told that it is
    still there.
    """
    current = _current.get()
    if current is None:
        yield
        return
    current.undo = create, last
    try:
        yield
    finally:
        current.undo = None


def marks(operation: str, params: Mapping[str, Any]) -> dict[str, str]:
    """Headers for the next call of the running attempt; none outside of one. Counts the call."""
    current = _current.get()
    if current is None:
        return {}
    if current.undo is not None:
        create, last = current.undo
        return {UNDO_HEADER: f"{current.token}/{'' if operation == last else create}"}
    call = f"{current.token}/{operation}/{_digest(params)}"
    current.calls[call] += 1
    return {CALL_HEADER: f"{call}/{current.calls[call]}"}


def _digest(params: Mapping[str, Any]) -> str:
    text = json.dumps(params, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def _plain(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        return hashlib.sha256(value).hexdigest()
    return str(value)
