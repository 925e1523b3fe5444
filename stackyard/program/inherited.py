"""What a provider's Check wrote into a state's inputs, found again for today's goal: else it looks like a change."""

from collections.abc import Iterable, Mapping
from typing import Any

from stackyard.program.values import Secret, Value

NOTE = "__defaults"
"""Where the bridge of Terraform providers notes, in every object, which inputs its schema gave."""

RELEASE = "kubernetes:helm.sh/v3:Release"
# pulumi-kubernetes provider/pkg/provider/helm_release.go, setDefaults; of the namespace: a provider that names none.
_RELEASE_DEFAULTS: Mapping[str, Value] = {"timeout": 300, "namespace": "default"}
# The same file, Diff: older providers computed these, newer ones take them out of the old inputs.
_RELEASE_COMPUTED = ("checksum", "resourceNames")
# Set by the SDK; the Release struct of that file has no such field, so Check drops it.
_RELEASE_DROPPED = ("compat",)


def with_defaults(
    given: Mapping[str, Value], prior: Mapping[str, Value], defaults: Iterable[str]
) -> tuple[dict[str, Value], tuple[str, ...]]:
    """The goal's object with the defaults that it had before, at every depth; and which they are, of its own.

    `defaults` are the keys of `prior` that a schema gave. What the goal gives is left alone, and is to be compared.
    """
    result = {key: _value(entry, prior.get(key)) for key, entry in given.items()}
    kept = tuple(key for key in defaults if key in prior and _left_open(given, key))
    return {**result, **{key: prior[key] for key in kept}}, kept


def _left_open(given: Mapping[str, Value], key: str) -> bool:
    # pulumi-terraform-bridge pkg/tfbridge/schema.go, applyDefaults: no default beside what conflicts with it. Which
    # inputs conflict is not known here, but for the prefix of a name that the provider makes.
    return given.get(key) is None and given.get(f"{key}Prefix") is None


def _value(given: Value, prior: Value) -> Value:
    match given, prior:
        case Secret(value=new), Secret(value=old):
            return Secret(_value(new, old))
        case Mapping(), Mapping():
            # An object without a note was not the bridge's: nobody knows what in it was a default.
            result, kept = with_defaults(given, prior, prior.get(NOTE, ()))
            return {NOTE: list(kept), **result} if NOTE in prior else result
        case list(), list():
            # schema.go, makeTerraformInput: elements of a list belong together by their position.
            return [_value(entry, prior[i]) if i < len(prior) else entry for i, entry in enumerate(given)]
        case _:
            return given


def without_notes(value: Value) -> Any:
    """The value without the bridge's notes, as outputs show it."""
    match value:
        case Secret(value=inner):
            return Secret(without_notes(inner))
        case Mapping():
            return {key: without_notes(entry) for key, entry in value.items() if key != NOTE}
        case list():
            return [without_notes(entry) for entry in value]
        case _:
            return value


def release(given: Mapping[str, Value], prior: Mapping[str, Value]) -> dict[str, Value]:
    """A Helm release's inputs as its provider's Check returns them, where the prior ones went through it.

    Check leaves out what is empty (`omitempty` of the Release struct), and gives no timeout with `skipAwait`.
    """
    result = {key: value for key, value in given.items() if key in prior or not _dropped(key, value)}
    result |= {key: prior[key] for key in _RELEASE_COMPUTED if key in prior and key not in given}
    for key, value in _RELEASE_DEFAULTS.items():
        if key in prior and given.get(key) is None and not (key == "timeout" and given.get("skipAwait")):
            result[key] = value
    return result


def _dropped(key: str, value: Value) -> bool:
    return key in _RELEASE_DROPPED or value in (None, False, 0, "", [], {})
