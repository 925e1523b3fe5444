"""Writes a stack's contract into a compiled pipeline: a pure function from template to template."""

from collections.abc import Mapping
from typing import Any

from pipelines.contract import Contract
from pipelines.tokens import OPENING, PATTERN
from stackyard.errors import InvalidInput

Values = Mapping[str, str | None]


class _Absent:
    """A place for which the contract has no value."""


ABSENT = _Absent()


def bind(template: Mapping[str, Any], contract: Contract, *, pipeline: str) -> dict[str, Any]:
    """The template with every token replaced by the contract's value.

    Where the contract has no value (`queue` or `s3_endpoint` is None, a pool's role is missing) the entry goes:
    the key of a mapping, and of a list of names with values the whole item.

    Raises InvalidInput, with token and JSON path, for a token that the contract does not know, for what is left of
    a broken one, and where a value that the contract lacks is part of a longer text.
    """
    bound = _bind(template, contract_values(contract, pipeline), "$")
    return {} if isinstance(bound, _Absent) else bound


def contract_values(contract: Contract, pipeline: str) -> dict[str, str | None]:
    """What each token stands for, for one pipeline."""
    fields = contract.model_dump(exclude={"version", "pools", "service_accounts"})
    values: dict[str, str | None] = {f"contract.{name}": value for name, value in fields.items()}
    # Roles that every pipeline may ask for; a stack without such a pool lets the scheduler choose.
    roles = {"cpu": None, "gpu": None} | dict(contract.pools)
    values |= {f"contract.pools.{role}": pool for role, pool in roles.items()}
    if pipeline in contract.service_accounts:
        values["contract.service_account"] = contract.service_accounts[pipeline]
    own = {pipeline: contract.service_accounts[pipeline]} if pipeline in contract.service_accounts else {}
    values["contract.json"] = contract.model_copy(update={"service_accounts": own}).to_json()
    return values


def _bind(value: Any, values: Values, path: str) -> Any:
    match value:
        case str():
            return _bind_text(value, values, path)
        case Mapping():
            return _bind_mapping(value, values, path)
        case list() | tuple():
            bound = [_bind(entry, values, f"{path}[{index}]") for index, entry in enumerate(value)]
            return [entry for entry in bound if not isinstance(entry, _Absent)]
        case _:
            return value


def _bind_mapping(value: Mapping[str, Any], values: Values, path: str) -> Any:
    for key in value:
        if OPENING in key:
            raise InvalidInput(f"{path}: the key {key!r} holds a token; only values may.")
    bound = {key: _bind(entry, values, f"{path}.{key}") for key, entry in value.items()}
    if set(value) == {"name", "value"} and isinstance(bound["value"], _Absent):
        return ABSENT
    return {key: entry for key, entry in bound.items() if not isinstance(entry, _Absent)}


def _bind_text(text: str, values: Values, path: str) -> Any:
    if (whole := PATTERN.fullmatch(text)) and _value(whole[1], values, path) is None:
        return ABSENT
    bound = PATTERN.sub(lambda found: _inner_value(found[1], values, path), text)
    if OPENING in PATTERN.sub("", text):
        raise InvalidInput(f"{path}: {text!r} holds a broken token. A token reads @{{contract.bucket}}.")
    return bound


def _inner_value(name: str, values: Values, path: str) -> str:
    value = _value(name, values, path)
    if value is None:
        raise InvalidInput(f"{path}: @{{{name}}} is part of a longer text, and this stack has no value for it.")
    return value


def _value(name: str, values: Values, path: str) -> str | None:
    if name in values:
        return values[name]
    if name == "contract.service_account":
        raise InvalidInput(
            f"{path}: the contract names no service account for this pipeline, so @{{{name}}} has no value."
        )
    known = ", ".join(sorted(values))
    raise InvalidInput(
        f"{path}: unknown token @{{{name}}}. The contract has: {known}. "
        "Compile the pipeline with this version: `stackyard pipelines compile`."
    )
