"""Between Pulumi's properties and the API's members, guided by botocore's shapes and the SDK's output types."""

import base64
import datetime
import functools
import importlib
import json
import re
import threading
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from stackyard.local.aws.errors import Problem, shown
from stackyard.local.aws.expressions import Pending
from stackyard.local.aws.rows import Row
from stackyard.local.aws.shapes import entry_of, input_of, members_of, value_of

_INPUT = re.compile(r"=[a-z]\w*")
PAIR_KEYS = (("Key", "Value"), ("TagKey", "TagValue"), ("Name", "Value"), ("key", "value"))


@dataclass
class Placed:
    """Members of one API call with where they came from."""

    params: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    """API path (dotted) to the input that it was made from."""
    unclaimed: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def place(operation: OperationModel, row: Row, inputs: Mapping[str, Any], taken: Mapping[str, Any]) -> Placed:
    """Puts each input where the call's model has a member for it, unless `taken` already gives that member."""
    placed = Placed(params=dict(taken))
    shape = input_of(operation)
    for name, value in inputs.items():
        path = _path_for(shape, row, name) if shape is not None else None
        if path is None:
            placed.unclaimed.append(name)
            continue
        if path[0] in taken and len(path) == 1:
            continue
        leaf = _leaf(shape, path)
        assert leaf is not None, f"{name} has a path without a shape: {path}"
        converter = _Converter(row.rename, placed.problems)
        _assign(placed.params, path, converter.convert(leaf, value, name))
        placed.sources[".".join(path)] = name
    return placed


def explicit(operation: OperationModel, params: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Members that a row gives by expressions, in the forms of the model (a map of tags becomes a list of pairs)."""
    shape = input_of(operation)
    assert shape is not None, f"{operation.name} takes no parameters"
    converter = _Converter({}, problems)
    unknown = [name for name in params if name not in members_of(shape)]
    assert not unknown, f"the row gives {operation.name} unknown members: {unknown}"
    return {name: converter.convert(members_of(shape)[name], value, name) for name, value in params.items()}


def explicit_sources(given: Mapping[str, Any]) -> dict[str, str]:
    """The inputs that a row's expressions read, by member, where it is exactly one."""
    return {member: value[1:] for member, value in given.items() if isinstance(value, str) and _INPUT.fullmatch(value)}


def _path_for(shape: Shape, row: Row, name: str) -> list[str] | None:
    assert isinstance(shape, StructureShape)
    if (target := row.rename.get(name)) is not None:
        path = target.split(".")
        return path if _leaf(shape, path) is not None else None
    if (member := members(shape).get(name.lower())) is not None:
        return [member]
    if row.under:
        path = row.under.split(".")
        inner = _leaf(shape, path)
        if isinstance(inner, StructureShape) and (member := members(inner).get(name.lower())) is not None:
            return [*path, member]
    return None


def _leaf(shape: Shape | None, path: Sequence[str]) -> Shape | None:
    for part in path:
        match shape:
            case StructureShape():
                shape = members_of(shape).get(part)
            case MapShape():
                shape = value_of(shape)
            case _:
                return None
    return shape


def _assign(params: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *parents, last = path
    for part in parents:
        # Copied, since params from the table are shared.
        params[part] = dict(params.get(part) or {})
        params = params[part]
    if isinstance(value, dict) and isinstance(params.get(last), Mapping):
        value = {**params[last], **value}
    params[last] = value


# botocore caches shapes per model, models live as long as the process.
_MEMBERS: dict[int, tuple[StructureShape, dict[str, str]]] = {}


def members(shape: StructureShape) -> dict[str, str]:
    """Member names of a structure by their lower case."""
    known = _MEMBERS.get(id(shape))
    if known is None or known[0] is not shape:
        known = _MEMBERS[id(shape)] = (shape, {name.lower(): name for name in members_of(shape)})
    return known[1]


@dataclass
class _Converter:
    rename: Mapping[str, str]
    problems: list[Problem]

    def convert(self, shape: Shape, value: Any, path: str) -> Any:
        """`path` is the dotted input property, for renames and problems."""
        if isinstance(value, Pending):
            return value
        match shape:
            case StructureShape():
                return self._structure(shape, value, path)
            case ListShape():
                return self._list(shape, value, path)
            case MapShape():
                return self._map(shape, value, path)
            case _:
                return self._scalar(shape.type_name, value, path)

    def _structure(self, shape: StructureShape, value: Any, path: str) -> Any:
        if value is True and not members_of(shape):
            return {}
        if isinstance(value, list) and len(value) == 1:
            (value,) = value
        if not isinstance(value, Mapping):
            return self._refuse(path, f"must be an object, not {shown(value)}")
        result: dict[str, Any] = {}
        for name, entry in value.items():
            below = f"{path}.{name}"
            member = self.rename.get(below) or members(shape).get(name.lower())
            if entry is None:
                continue
            if member is None or (leaf := _leaf(shape, member.split("."))) is None:
                self._refuse(
                    below, f"the API has no such member in {shape.name}, or the local provider does not know it"
                )
                continue
            _assign(result, member.split("."), self.convert(leaf, entry, below))
        return result

    def _list(self, shape: ListShape, value: Any, path: str) -> Any:
        if isinstance(value, Mapping):
            if (keys := pair_keys(shape)) is not None:
                return pairs(value, keys)
            return [self.convert(entry_of(shape), value, path)]
        if not isinstance(value, list):
            return self._refuse(path, f"must be a list, not {shown(value)}")
        return [self.convert(entry_of(shape), entry, path) for entry in value]

    def _map(self, shape: MapShape, value: Any, path: str) -> Any:
        if not isinstance(value, Mapping):
            return self._refuse(path, f"must be an object, not {shown(value)}")
        return {str(key): self.convert(value_of(shape), entry, f"{path}.{key}") for key, entry in value.items()}

    def _scalar(self, kind: str, value: Any, path: str) -> Any:
        match kind:
            case "integer" | "long":
                return self._integer(value, path)
            case "float" | "double":
                return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
            case "boolean":
                return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
            case "blob":
                return value.encode() if isinstance(value, str) else value
            case "string" | "char":
                return text_of(value)
            case _:
                return value

    def _integer(self, value: Any, path: str) -> Any:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and value.lstrip("-").isdigit():
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            return self._refuse(path, f"must be a whole number, not {shown(value)}")
        return value

    def _refuse(self, path: str, rule: str) -> None:
        self.problems.append(Problem(path, rule))


def text_of(value: Any) -> Any:
    """A string member's form of a value: policies as JSON, numbers and flags as the attribute APIs write them."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(int(value) if value.is_integer() else value)
        case Mapping() | list():
            return json.dumps(value, sort_keys=True, separators=(",", ":"))
        case _:
            return value


def pair_keys(shape: ListShape) -> tuple[str, str] | None:
    """The key and value members of a list of pairs (tags, dimensions), None for any other list."""
    member = entry_of(shape)
    if not isinstance(member, StructureShape):
        return None
    names = set(members_of(member))
    return next((keys for keys in PAIR_KEYS if set(keys) <= names and len(names) <= len(keys) + 1), None)


def pairs(values: Mapping[str, Any], keys: tuple[str, str] = ("Key", "Value")) -> list[dict[str, str]]:
    return [{keys[0]: key, keys[1]: text_of(entry)} for key, entry in values.items()]


# Outputs


_IMPORTS = threading.Lock()


@functools.cache
def output_types(type_: str) -> Mapping[str, Any]:
    """camelCase outputs of a resource class of the SDK with their Python types. `type_` is the token."""
    from pulumi._types import resource_types

    _, module, class_name = type_.split(":")
    # The SDK's modules load their classes lazily, which two threads must not do at once.
    with _IMPORTS:
        imported = importlib.import_module(f"pulumi_aws.{module.split('/')[0]}")
        return dict(resource_types(getattr(imported, class_name)))


def coerce(expected: Any, value: Any) -> Any:
    """A value as the SDK asserts it: attribute APIs answer with text where it wants numbers."""
    if value is None:
        return None
    if expected is str:
        return text_of(value) if not isinstance(value, str) else value
    if expected is int and isinstance(value, str | float) and not isinstance(value, bool):
        return int(value) if str(value).lstrip("-").removesuffix(".0").isdigit() and value != "" else None
    if expected is float and isinstance(value, str):
        return float(value)
    if expected is bool and isinstance(value, str):
        return value.lower() == "true"
    if typing.get_origin(expected) in (Sequence, list) and isinstance(value, list):
        (inner,) = typing.get_args(expected) or (Any,)
        return [coerce(inner, entry) for entry in value]
    return value


def plain_json(value: Any) -> Any:
    """A response's value without datetimes and bytes."""
    match value:
        case datetime.datetime():
            return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case bytes():
            return base64.b64encode(value).decode()
        case Mapping():
            return {str(key): plain_json(entry) for key, entry in value.items()}
        case list() | tuple():
            return [plain_json(entry) for entry in value]
        case str() | int() | float() | None:
            return value
        case _:
            return str(value)


def same_text(left: Any, right: Any) -> bool:
    """Equal, or JSON documents that say the same."""
    if left == right or not (isinstance(left, str) and isinstance(right, str)):
        return left == right
    try:
        return json.loads(left) == json.loads(right)
    except ValueError:
        return False
