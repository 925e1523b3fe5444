"""Fixtures that every test may use, and what keeps the test process fast."""

import gc
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from types import FunctionType
from typing import Any

import pytest

from stackyard.program.deployment import Deployment

Capture = Callable[..., Deployment]

# Modules and captures stay until the end, over a million objects: to look through them again and again for garbage
# takes a fifth of the whole run.
GARBAGE_THRESHOLDS = (50_000, 20, 50)


def pytest_configure() -> None:
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


@pytest.fixture
def capture() -> Capture:
    """Evaluates a callable that constructs resources: `capture(make, **kwargs)`; outputs are derived.

    A test module's own function is evaluated once for the same arguments, so what comes back is for reading only.
    """

    def evaluate(make: Callable[..., Any], /, **kwargs: Any) -> Deployment:
        if _is_of_a_module(make) and _hashable(kwargs):
            return _evaluated_once(make, **kwargs)
        return _evaluated(make, **kwargs)

    return evaluate


def _evaluated(make: Callable[..., Any], /, **kwargs: Any) -> Deployment:
    from stackyard.program.run import capture_callable

    # The SDK looks through the whole stack at each registration, and pytest's is deep: a thread has a short one.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(capture_callable, lambda: make(**kwargs) and None).result()


# Typed: a text and a StrEnum are equal, and a test may mean the one or the other.
_evaluated_once = lru_cache(maxsize=None, typed=True)(_evaluated)


def _is_of_a_module(make: Callable[..., Any]) -> bool:
    """Not a function inside a test, whose meaning may hang on the variables around it."""
    return isinstance(make, FunctionType) and make.__qualname__ == make.__name__ != "<lambda>"


def _hashable(kwargs: Mapping[str, Any]) -> bool:
    try:
        hash(tuple(kwargs.items()))
    except TypeError:
        return False
    return True
