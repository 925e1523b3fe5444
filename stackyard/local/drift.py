"""Differences between what a state says and what is there, as a person reads them: what concerns security first."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from stackyard.program.deployment import Resource
from stackyard.program.values import Asset, Secret, Value, plain, walk

SHOWN_CHARACTERS = 100
BLINDED = "[secret]"
NOTHING = "nothing"
OTHER_CONTENT = "other content"

# Types whose absence, or any change of which, opens or reveals something.
_SECURITY_TYPES = re.compile(
    r"PublicAccessBlock|Policy|OwnershipControls|Encryption|RolePolic|SecurityGroup|kms/key|AccessEntry|Detector|Trail"
    r"|BucketVersioning|BucketLogging|FlowLog|ObjectLock"
    r"|NetworkPolicy|RoleBinding|:Role$|:ClusterRole$|AdmissionPolic|ResourceQuota|:Secret$"
)
_SECURITY_PROPERTIES = re.compile(
    r"polic|encrypt|kms|rotation|public|ingress|egress|cidr|acl|boundary|mutability|scan|http|protection|isEnabled"
    r"|authentication|logTypes|securityContext|privileged|pod-security|automountServiceAccountToken",
    re.IGNORECASE,
)
_SECRET_PROPERTIES = re.compile(r"password|secretString|secretBinary|privateKey|accessKey", re.IGNORECASE)
_SECRET_KINDS = {"kubernetes:core/v1:Secret": ("data", "stringData")}


class Rank(IntEnum):
    """The order in which a person should look."""

    SECURITY = 0
    DELETED = 1
    OTHER = 2


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One thing that is not as the state says."""

    urn: str
    name: str
    type: str
    path: str
    """Dotted property, inside JSON documents too: `policy.Statement[0].Effect`. Empty: the resource is gone."""
    before: Value = None
    after: Value = None
    rank: Rank = Rank.OTHER
    repaired: bool = True
    """False: a computed output, which no `up` sets back."""
    cause: str = ""
    """For what cannot be read: the name of what is gone and took it along."""

    @property
    def gone(self) -> bool:
        return not self.path

    def __str__(self) -> str:
        resource = f"{self.name} ({self.type})"
        if self.gone:
            return f"{resource} is gone" + (f" with {self.cause}" if self.cause else "")
        return f"{resource} {self.path}: {shown(self.before)} -> {shown(self.after)}"


def gone(resource: Resource) -> Drift:
    rank = Rank.SECURITY if _SECURITY_TYPES.search(resource.type) else Rank.DELETED
    return Drift(urn=resource.urn, name=resource.name, type=resource.type, path="", rank=rank)


def changed(
    resource: Resource, before: Mapping[str, Value], after: Mapping[str, Value], *, repaired: bool = True
) -> list[Drift]:
    """What differs between two sets of properties, values that are secret in the state blinded."""
    secret = _secret_names(resource)
    drifts: list[Drift] = []
    for name in sorted({*before, *after}):
        for path, old, new in _differences(before.get(name), after.get(name), name):
            blind = name in secret or _SECRET_PROPERTIES.search(path)
            drifts.append(
                Drift(
                    urn=resource.urn,
                    name=resource.name,
                    type=resource.type,
                    path=path,
                    before=BLINDED if blind and old is not None else old,
                    after=BLINDED if blind and new is not None else new,
                    rank=_rank(resource.type, path),
                    repaired=repaired,
                )
            )
    return drifts


def in_order(drifts: Iterable[Drift]) -> list[Drift]:
    return sorted(drifts, key=lambda drift: (drift.rank, drift.name, drift.urn, drift.path))


def shown(value: Value) -> str:
    """A value on one line."""
    match value:
        case None:
            return NOTHING
        case Asset():
            return f"content {value.hash[:12]}"
        case str() if value in (BLINDED, OTHER_CONTENT):
            return value
        case _:
            text = json.dumps(plain(value), sort_keys=True, default=str, ensure_ascii=False)
            return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _secret_names(resource: Resource) -> set[str]:
    values = {**resource.outputs, **resource.inputs}
    marked = {name for name, value in values.items() if any(isinstance(entry, Secret) for _, entry in walk(value))}
    return marked | {*resource.additional_secret_outputs, *_SECRET_KINDS.get(resource.type, ())}


def _rank(type_: str, path: str) -> Rank:
    if path.startswith("tags."):
        return Rank.OTHER
    return Rank.SECURITY if _SECURITY_TYPES.search(type_) or _SECURITY_PROPERTIES.search(path) else Rank.OTHER


def _differences(old: Value, new: Value, path: str) -> Iterator[tuple[str, Value, Value]]:
    if isinstance(old, Asset) and new is None:
        yield path, old, OTHER_CONTENT
        return
    before, after = _document(old), _document(new)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _differences(before.get(key), after.get(key), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list):
        yield from _entries(before, after, path)
    elif before != after:
        yield path, old, new


def _entries(before: Sequence[Value], after: Sequence[Value], path: str) -> Iterator[tuple[str, Value, Value]]:
    """Entries that are not in the other list; the order says nothing. As many on both sides are compared in pairs."""
    removed = [(index, entry) for index, entry in enumerate(before) if entry not in after]
    added = [entry for entry in after if entry not in before]
    if len(removed) == len(added):
        for (index, old), new in zip(removed, added, strict=True):
            yield from _differences(old, new, f"{path}[{index}]")
        return
    yield from ((f"{path}[{index}]", entry, None) for index, entry in removed)
    yield from ((f"{path}[+]", None, entry) for entry in added)


def _document(value: Value) -> Any:
    """A policy as what it says, anything else as it is."""
    value = plain(value)
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
