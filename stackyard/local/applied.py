"""What an embedded provider answers when it has created or updated a resource."""

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
