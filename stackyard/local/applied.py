"""What an embedded provider answers: what it created or updated, and what is there now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Applied:
    id: str
    """The provider's id of the resource, as the real provider would give it."""

    outputs: Mapping[str, Any]
    """Every output property of the resource's type, plain values."""

    recorded: bool = False
    """True: validated and recorded only, since nothing on this machine can run it."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """A resource as its provider shows it."""

    inputs: Mapping[str, Any]
    """As they are now. What cannot be read back is as it was given."""
    outputs: Mapping[str, Any]
    unread: tuple[str, ...] = ()
    """Given inputs that cannot be read back."""
    read: bool = True
    """False: nothing shows the resource, not even whether it exists."""
