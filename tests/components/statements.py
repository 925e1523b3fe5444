"""Statements of a rendered policy, as tests ask about them."""

from collections.abc import Iterable, Mapping
from typing import Any


def resources_allowed(statements: Iterable[Mapping[str, Any]], action: str) -> set[str]:
    """Resources on which an action is allowed."""
    found: set[str] = set()
    for statement in statements:
        actions, resources = statement["Action"], statement["Resource"]
        if action in ([actions] if isinstance(actions, str) else actions):
            found |= {resources} if isinstance(resources, str) else set(resources)
    return found
