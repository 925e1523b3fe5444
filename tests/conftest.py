"""Fixtures that every test may use."""

from collections.abc import Callable
from typing import Any

import pytest

from stackyard.program.deployment import Deployment

Capture = Callable[..., Deployment]


@pytest.fixture
def capture() -> Capture:
    """Evaluates a callable that constructs resources: `capture(make, **kwargs)`; outputs are derived."""

    def evaluate(make: Callable[..., Any], /, **kwargs: Any) -> Deployment:
        from stackyard.program.run import capture_callable

        return capture_callable(lambda: make(**kwargs) and None)

    return evaluate
