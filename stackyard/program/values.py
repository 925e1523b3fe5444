"""Property values of resources: plain JSON values plus secrets, unknowns and assets; and their wire forms.

Numbers travel as floats in protobuf; whole ones become `int` here, so that a state written equals one that was read.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import struct_pb2

# Signatures of Pulumi's wire format (pulumi/runtime/rpc.py).
SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
ASSET_SIGNATURE = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE_SIGNATURE = "0def7320c3a5731c473e5ecbe6d01bc7"
OUTPUT_VALUE_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
RESOURCE_SIGNATURE = "5cf8f73096256a8f31e491e813e4eb8e"
CONTENT_NAMED = re.compile(r"[0-9a-f]{64}")
UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Value = Any
"""None, bool, int, float, str, list and dict (str keys) of values, `Secret`, `UNKNOWN`, `Asset`."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that must never be shown in clear."""

    value: Value

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that only a create or an update will tell."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Asset:
    """A file's content, or an archive's, known by its hash; exactly one of `text`, `path`, `uri`, `assets` is set."""

    hash: str
    """sha256 of the content, hexadecimal; empty where the content is not at hand."""
    archive: bool = False
    text: str | None = None
    path: str | None = None
    uri: str | None = None
    assets: Mapping[str, Value] | None = None

    def __hash__(self) -> int:
        return hash((self.hash, self.archive))


def decode(struct: struct_pb2.Struct | Mapping[str, Any]) -> dict[str, Value]:
    """A resource's properties from the wire, nulls included.

    Keys come sorted: a protobuf map has no order, and captures must not depend on it.
    """
    return {key: _decode(item) for key, item in sorted(struct.items())}


def _decode(item: Any) -> Value:
    if isinstance(item, struct_pb2.Value):
        raise TypeError("iterate a Struct's items, not its fields")
    if isinstance(item, struct_pb2.ListValue | list):
        return [_decode(entry) for entry in item]
    if isinstance(item, struct_pb2.Struct | Mapping):
        return _decode_mapping(dict(item.items()))
    if isinstance(item, float) and item.is_integer():
        return int(item)
    if item == UNKNOWN_STRING:
        return UNKNOWN
    return item


def _decode_mapping(item: dict[str, Any]) -> Value:
    match item.get(SIGNATURE_KEY):
        case None:
            return decode(item)
        case x if x == SECRET_SIGNATURE:
            return Secret(_decode(item.get("value")))
        case x if x == OUTPUT_VALUE_SIGNATURE:
            value = _decode(item["value"]) if "value" in item else UNKNOWN
            return Secret(value) if item.get("secret") else value
        case x if x == RESOURCE_SIGNATURE:
            # A resource passed as an input stands for its id (custom) or its URN (component).
            return _decode(item["id"]) if "id" in item else _decode(item["urn"])
        case x if x in (ASSET_SIGNATURE, ARCHIVE_SIGNATURE):
            return _decode_asset(item, archive=x == ARCHIVE_SIGNATURE)
        case other:
            raise ValueError(f"a property carries the unknown signature {other!r}")


def _decode_asset(item: dict[str, Any], *, archive: bool) -> Asset:
    text, path, uri = item.get("text"), item.get("path"), item.get("uri")
    assets = decode(item["assets"]) if "assets" in item else None
    digest = str(item.get("hash") or _content_hash(text, path, uri, assets))
    return Asset(hash=digest, archive=archive, text=text, path=path, uri=uri, assets=assets)


def _content_hash(text: str | None, path: str | None, uri: str | None, assets: Mapping[str, Value] | None) -> str:
    if text is not None:
        return hashlib.sha256(text.encode()).hexdigest()
    if path is not None and Path(path).is_file():
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if assets is not None:
        listing = {name: entry.hash for name, entry in sorted(assets.items()) if isinstance(entry, Asset)}
        return hashlib.sha256(json.dumps(listing, sort_keys=True).encode()).hexdigest()
    if path is not None and CONTENT_NAMED.fullmatch(Path(path).stem):
        # A code package that was not built on this machine is named by its hash.
        return Path(path).stem
    # A file that is not there yet is compared by what the program says about it.
    return "" if path is None and uri is None else hashlib.sha256(str(path or uri).encode()).hexdigest()


def encode(values: Mapping[str, Value]) -> struct_pb2.Struct:
    """Properties to the wire form that the SDK reads."""
    struct = struct_pb2.Struct()
    struct.update(to_json(values, secret=_secret_in_clear))
    return struct


def _secret_in_clear(value: Value) -> Any:
    return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": to_json(value, secret=_secret_in_clear)}


def secret_as_plaintext(value: Value) -> Any:
    """A secret as `pulumi stack export --show-secrets` writes it."""
    return {SIGNATURE_KEY: SECRET_SIGNATURE, "plaintext": json.dumps(to_json(value), sort_keys=True)}


def secret_blinded(_: Value) -> Any:
    """A secret as the engine's events show it."""
    return "[secret]"


def to_json(value: Value, *, secret: Callable[[Value], Any] = secret_as_plaintext) -> Any:
    """Plain JSON of a value. `secret` says what a secret becomes; unknowns become the engine's unknown string."""
    match value:
        case Secret(value=inner):
            return secret(inner)
        case Unknown():
            return UNKNOWN_STRING
        case Asset():
            return _asset_to_json(value, secret)
        case Mapping():
            return {key: to_json(entry, secret=secret) for key, entry in value.items()}
        case list() | tuple():
            return [to_json(entry, secret=secret) for entry in value]
        case _:
            return value


def _asset_to_json(asset: Asset, secret: Callable[[Value], Any]) -> dict[str, Any]:
    form: dict[str, Any] = {SIGNATURE_KEY: ARCHIVE_SIGNATURE if asset.archive else ASSET_SIGNATURE, "hash": asset.hash}
    form |= {name: part for name in ("text", "path", "uri") if (part := getattr(asset, name)) is not None}
    if asset.assets is not None:
        form["assets"] = to_json(asset.assets, secret=secret)
    return form


def from_json(value: Any) -> Value:
    """The inverse of `to_json`, for states: secrets in clear or as ciphertext, which stays opaque."""
    if isinstance(value, list):
        return [from_json(entry) for entry in value]
    if value == UNKNOWN_STRING:
        return UNKNOWN
    if not isinstance(value, dict):
        return value
    match value.get(SIGNATURE_KEY):
        case None:
            return {key: from_json(entry) for key, entry in value.items()}
        case x if x == SECRET_SIGNATURE:
            if "plaintext" in value:
                return Secret(from_json(json.loads(value["plaintext"])))
            return Secret(from_json(value.get("value", {"ciphertext": value.get("ciphertext")})))
        case x if x in (ASSET_SIGNATURE, ARCHIVE_SIGNATURE):
            return _decode_asset(value, archive=x == ARCHIVE_SIGNATURE)
        case _:
            return _decode_mapping(value)


def plain(value: Value) -> Value:
    """The value with its secrets in clear and without nulls: for a provider's call, never for a log or a file."""
    match value:
        case Secret(value=inner):
            return plain(inner)
        case Mapping():
            return {key: plain(entry) for key, entry in value.items() if entry is not None}
        case list():
            return [plain(entry) for entry in value]
        case _:
            return value


def walk(value: Value, path: str = "") -> Iterator[tuple[str, Value]]:
    """Every value inside `value` with its dotted path, containers and secrets included."""
    yield path, value
    match value:
        case Secret(value=inner):
            yield from walk(inner, path)
        case Mapping():
            for key, entry in value.items():
                yield from walk(entry, f"{path}.{key}" if path else key)
        case list():
            for index, entry in enumerate(value):
                yield from walk(entry, f"{path}[{index}]")
        case _:
            pass


def has_unknown(value: Value) -> bool:
    return any(isinstance(entry, Unknown) for _, entry in walk(value))
