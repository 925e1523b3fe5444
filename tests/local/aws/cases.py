"""What the table test makes of each row: realistic inputs, and a change."""

import dataclasses
from collections.abc import Callable
from typing import Any

Inputs = dict[str, Any]
World = dict[str, Any]
"""Ids and ARNs of the resources that the others stand on."""


@dataclasses.dataclass(frozen=True)
class Case:
    inputs: Callable[[World], Inputs]
    change: Callable[[World], Inputs] | None = None
    """Inputs that are changed; None where the API has no change."""
    tags: bool = True
    recorded: bool = False
    stays: bool = False
    """Found and adopted, not deleted."""
    read: bool = True
    """The API can tell that it is gone."""


def of(**inputs: Any) -> Callable[[World], Inputs]:
    """Inputs that need nothing from the world."""
    return lambda world: inputs
