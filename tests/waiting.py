"""Waiting for what others do in their own time: a control plane, a process."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# A busy machine runs everything slower; what works is there in a second or two.
WITHIN_S = 60.0
PAUSE_S = 0.2


def eventually(look: Callable[[], T], what: str, within_s: float = WITHIN_S) -> T:
    """The first answer of `look` that is true. AssertionError with the last one, or the last failed assertion."""
    deadline = time.monotonic() + within_s
    while True:
        answer: object
        try:
            answer = seen = look()
            if seen:
                return seen
        except AssertionError as failed:
            answer = failed
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:.0f} s: {what}; last seen: {answer!r}")
        time.sleep(PAUSE_S)


def throughout(look: Callable[[], object], what: str, for_s: float) -> None:
    """AssertionError as soon as `look` gives something false: for what must not happen."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        assert look(), f"no longer so: {what}"
        time.sleep(PAUSE_S)
