"""What a resource's document says under the names of outputs."""

from collections.abc import Collection, Mapping
from typing import Any

from stackyard.local.aws import convert


def scalars(document: Any, types: Mapping[str, Any], keep: Collection[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """Scalars of the document whose names are outputs of `types`; a policy that says what is known stays as it is."""
    if not isinstance(document, Mapping):
        return {}
    by_name = {name.lower(): name for name in types}
    found: dict[str, Any] = {}
    for member, value in document.items():
        name = by_name.get(str(member).lower())
        if name is None or name in keep or not isinstance(value, str | int | float):
            continue
        value = convert.coerce(types[name], value)
        before = known.get(name)
        same = before is not None and convert.same_text(convert.coerce(types[name], before), value)
        found[name] = before if same else value
    return found
