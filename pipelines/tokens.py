"""Tokens: places in a compiled pipeline where a stack's value belongs, written `@{contract.bucket}`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

PATTERN = re.compile(r"@\{([^{}]*)\}")
OPENING = "@{"

# Only these may stand in shell commands: the contract lets their values hold no character that a shell could take.
SHELL_SAFE = frozenset({"contract.bucket", "contract.image", "contract.namespace", "contract.service_account"})


def token(field: str) -> str:
    """The token of a contract's field: `token("pools.cpu")`."""
    return f"@{{contract.{field}}}"


def strings(value: Any, path: str = "$") -> Iterator[tuple[str, str]]:
    """Every string in a JSON value with its path, keys of mappings included."""
    match value:
        case str():
            yield path, value
        case Mapping():
            for key, entry in value.items():
                yield f"{path}.{key} (key)", key
                yield from strings(entry, f"{path}.{key}")
        case list() | tuple():
            for index, entry in enumerate(value):
                yield from strings(entry, f"{path}[{index}]")
        case _:
            return


def tokens(value: Any) -> set[str]:
    """Names of all tokens in a JSON value."""
    return {name for _, text in strings(value) for name in PATTERN.findall(text)}
