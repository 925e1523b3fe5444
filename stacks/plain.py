"""Plain values of a configuration: mappings, lists and scalars as they come from YAML or JSON."""

from collections.abc import Iterator
from typing import Any, TypeGuard


def is_mapping(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    return isinstance(value, list | tuple)


def secure_paths(value: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of the encrypted leaves, `{"secure": ciphertext}`, inside a configuration value."""
    if is_mapping(value):
        if value.keys() == {"secure"} and isinstance(value["secure"], str):
            yield path
            return
        for key, entry in value.items():
            yield from secure_paths(entry, f"{path}.{key}" if path else key)
    elif is_list(value):
        for index, entry in enumerate(value):
            yield from secure_paths(entry, f"{path}[{index}]")


def has_secure(value: Any) -> bool:
    """Whether a configuration value is encrypted, wholly or in part."""
    return next(secure_paths(value), None) is not None
