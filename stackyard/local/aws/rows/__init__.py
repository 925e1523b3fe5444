"""The table: one row per resource type says which API calls create, read, change and delete it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Op:
    """An API call. Inputs that its model has a member for are filled in, beside `params`."""

    name: str
    """Operation as AWS writes it: `CreateVpc`."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Members given explicitly, as expressions (expressions.py)."""
    on: tuple[str, ...] = ()
    """Setters: run at create if one of these inputs is set, on update if one changed. `*` is any input."""
    when: str = ""
    """JMESPath condition; the call is left out when it is falsy."""
    resets: bool = False
    """The call replaces all of `on`: inputs that were taken back go by leaving them out."""
    id: str = ""
    """JMESPath in the response: the call gives the resource a new id."""


@dataclass(frozen=True, kw_only=True)
class Read:
    name: str
    params: Mapping[str, Any]
    path: str
    """JMESPath to the resource's document, may hold `{name}`; nothing there means gone."""


@dataclass(frozen=True, kw_only=True)
class Tagging:
    set: Op
    """Gets `tags`, all of them."""
    unset: Op | None = None
    """Gets `removed`, the keys; None where `set` replaces the whole set."""
    read: Read | None = None
    """The tags as they are, a map or pairs; None where the resource's own document holds them."""


Steps = Callable[[Mapping[str, Any], Mapping[str, Any]], list[Op]]
"""Calls for (inputs before, inputs now); nothing before at create."""


@dataclass(frozen=True, kw_only=True)
class Row:
    service: str
    """Client name in botocore."""
    create: Op
    id: str
    """Expression over the scope: `=r.Vpc.VpcId`."""
    read: Read | None
    """None for what the API cannot tell apart from its owner."""
    delete: tuple[Op, ...]
    then: tuple[Op, ...] = ()
    """Setters, after create and on update."""
    mod: tuple[Op, ...] = ()
    """Setters, on update only."""
    put: bool = False
    """The create call also changes."""
    rename: Mapping[str, str] = field(default_factory=dict)
    """Input (dotted below the top) to API member (dotted)."""
    under: str = ""
    """Inputs without a member at the top go below this dotted path."""
    own: tuple[str, ...] = ()
    """Read by the provider alone, never sent at create."""
    tag_type: str = ""
    """EC2 resource type in TagSpecifications."""
    tagging: Tagging | None = None
    out: Mapping[str, Any] = field(default_factory=dict)
    """Outputs beyond the document's members of the same name, as expressions."""
    keep: tuple[str, ...] = ()
    """Outputs that are not taken from the document, since the emulator makes them up or drops them."""
    look: Mapping[str, Read] = field(default_factory=dict)
    """More documents for `out`, by their name in the scope."""
    watch: Mapping[str, Read] = field(default_factory=dict)
    """More documents for a refresh (live.py), by their name in the scope."""
    shows: Mapping[str, Any] = field(default_factory=dict)
    """Inputs as they are now, as expressions, where the document has them under other names or not at all."""
    shown_in: str = "d"
    """JMESPath to the document in which a refresh finds the other inputs by their names."""
    absent: tuple[str, ...] = ()
    """Inputs that the document lacks when nobody has set them; any other one that it lacks cannot be read back."""
    unset: Mapping[str, Any] = field(default_factory=dict)
    """Inputs that matter even when the program leaves them out, with what they are then."""
    fills: tuple[str, ...] = ()
    """Dotted paths inside inputs that the API fills in by itself."""
    seen: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """The inputs as the emulator can show them, to compare with."""
    live: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]] | None = None
    """(inputs, scope) to the inputs as they are now, for what no expression can compare."""
    fake: Mapping[str, Any] = field(default_factory=dict)
    """Outputs when the create call is recorded, not emulated."""
    prepare: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """Pure change of the inputs before they are converted; outputs keep the originals."""
    steps: Steps | None = None
    steps_on: tuple[str, ...] = ()
    """Inputs that `steps` takes care of."""
    before_update: Callable[..., None] | None = None
    """(call, scope) before the update calls, for what must be listed first."""
    before_delete: Callable[..., None] | None = None
    """(call, scope) before the delete calls, for what must be listed first."""


def attributes(member: str, *names: str, **renamed: str) -> dict[str, str]:
    """Renames of inputs that are keys of a map of strings, `displayName` to `Attributes.DisplayName`."""
    plain = {name: f"{member}.{name[0].upper()}{name[1:]}" for name in names}
    return plain | {name: f"{member}.{key}" for name, key in renamed.items()}


def load() -> dict[str, Row]:
    """All rows by type token."""
    from stackyard.local.aws.rows import (
        account,
        builds,
        compute,
        costs,
        databases,
        identity,
        launching,
        messaging,
        network,
        security_groups,
        storage,
    )

    table: dict[str, Row] = {}
    base = (network, security_groups, storage, identity, launching, compute, messaging, databases, costs)
    for module in (*base, account, builds):
        table |= module.ROWS
    return table
