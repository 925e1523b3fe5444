"""What becomes of a resource: the one pure function that captures, plans and the local stack share."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from stackyard.errors import UserError
from stackyard.program.deployment import PROVIDER_PREFIX, Resource, provider_urn, urn_name, urn_type
from stackyard.program.inherited import NOTE
from stackyard.program.values import Secret, Value, has_unknown

INTERNAL_INPUTS = ("__internal", NOTE)


class Op(StrEnum):
    """The operations that a person sees, named as the engine names them."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    READ = "read"


@dataclass(frozen=True, kw_only=True)
class Forces:
    """Which inputs of a type force a replacement."""

    paths: tuple[str, ...] = ()
    """Dotted input paths; a path covers everything below it."""
    known: bool = True
    """False for a type without a row: its changes plan as updates, and a review treats them as risky."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    op: Op
    diffs: tuple[str, ...] = ()
    """Top-level inputs that changed."""
    keys: tuple[str, ...] = ()
    """Top-level inputs that force the replacement."""
    delete_first: bool = False
    """Replacement only: the old resource goes before the new one comes."""
    replacement_unknown: bool = False
    """Nobody knows whether this update replaces the resource."""


def decide(
    prior: Resource | None, registration: Resource, forces: Forces, *, provider_changed: bool = False
) -> Decision:
    """What the engine would do with a registration, given the resource as it was.

    `registration.inputs` are the goal's, ignored changes already taken back (`apply_ignore_changes`).
    Source of the rules: the recorded runs in tests/fixtures/engine.
    """
    if prior is None:
        return Decision(op=Op.CREATE)
    if not registration.custom:
        return Decision(op=Op.SAME)
    diffs = changed_paths(_with_its_region(prior, registration), registration.inputs)
    top = tuple(dict.fromkeys(_top(path) for path in diffs))
    if provider_changed:
        return Decision(
            op=Op.REPLACE, keys=("provider",), diffs=(), delete_first=bool(registration.delete_before_replace)
        )
    keys = _replacement_keys(diffs, (*forces.paths, *registration.replace_on_changes))
    if keys:
        return Decision(op=Op.REPLACE, diffs=top, keys=keys, delete_first=bool(registration.delete_before_replace))
    if top:
        return Decision(op=Op.UPDATE, diffs=top, replacement_unknown=not forces.known)
    return Decision(op=Op.SAME)


def _with_its_region(prior: Resource, registration: Resource) -> Mapping[str, Value]:
    # A region that the program begins to name is no change where it is the one that the resource lies in
    # (terraform-provider-aws internal/provider, forceNewIfRegionChanges).
    if "region" in registration.inputs and "region" not in prior.inputs and "region" in prior.outputs:
        return {**prior.inputs, "region": prior.outputs["region"]}
    return prior.inputs


def _replacement_keys(diffs: Sequence[str], forcing: Iterable[str]) -> tuple[str, ...]:
    forcing = tuple(forcing)
    return tuple(dict.fromkeys(_top(path) for path in diffs if any(_covers(rule, path) for rule in forcing)))


def _top(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _parts(path: str) -> list[str]:
    return [part for part in re.split(r"[.\[\]]+", path) if part]


def _covers(rule: str, path: str) -> bool:
    """Whether a rule names the changed path, something above it, or something below it."""
    return all(r in ("*", p) for r, p in zip(_parts(rule), _parts(path), strict=False))


def changed_paths(old: Mapping[str, Value], new: Mapping[str, Value]) -> list[str]:
    """Dotted paths of the inputs that differ, in sorted order. A value that is unknown counts as changed."""
    return sorted(_changes(_without_internal(old), _without_internal(new), ""))


def _without_internal(values: Mapping[str, Value]) -> dict[str, Value]:
    return {key: value for key, value in values.items() if key not in INTERNAL_INPUTS}


def _changes(old: Value, new: Value, path: str) -> Iterable[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new} - {NOTE}):
            yield from _changes(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, Secret) and isinstance(new, Secret):
        yield from _changes(old.value, new.value, path)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _changes(before, after, f"{path}[{index}]")
    elif (type(old) is not type(new) and not _numbers(old, new)) or old != new or has_unknown(new):
        yield path


def _numbers(old: Value, new: Value) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in (old, new))


def apply_ignore_changes(
    prior: Mapping[str, Value], goal: Mapping[str, Value], ignored: Iterable[str]
) -> dict[str, Value]:
    """The goal's inputs with the ignored paths as they were. `*` ignores everything."""
    result = dict(goal)
    for path in ignored:
        if path == "*":
            return dict(prior)
        parts = _parts(path)
        result = _put_back(prior, result, parts)
    return result


def _put_back(prior: Value, goal: Value, parts: Sequence[str]) -> Value:
    head, *rest = parts
    if isinstance(goal, list) and isinstance(prior, list):
        wanted = range(len(goal)) if head == "*" else [int(head)]
        return [
            _put_back_entry(prior, entry, index, rest) if index in wanted and index < len(prior) else entry
            for index, entry in enumerate(goal)
        ]
    if not isinstance(goal, Mapping) or not isinstance(prior, Mapping):
        return goal
    result = dict(goal)
    for key in {*goal, *prior} if head == "*" else [head]:
        if not rest:
            result.pop(key, None)
            if key in prior:
                result[key] = prior[key]
        elif key in result and key in prior:
            result[key] = _put_back(prior[key], result[key], rest)
    return dict(sorted(result.items()))


def _put_back_entry(prior: Sequence[Value], entry: Value, index: int, rest: Sequence[str]) -> Value:
    return _put_back(prior[index], entry, rest) if rest else prior[index]


def provider_changed(
    old: str,
    new: str,
    before: Callable[[str], Mapping[str, Value] | None],
    after: Callable[[str], Mapping[str, Value] | None],
    forces: Callable[[str], Forces],
) -> bool:
    """Whether a resource moves to a provider that cannot manage it: another region, or explicit after default.

    `old` and `new` are provider references (`urn::id`); `before` and `after` give the inputs of a provider by its URN
    in the state and in the program.
    """
    old_urn, new_urn = provider_urn(old), provider_urn(new)
    if old == new or not old:
        return False
    if _is_default(old_urn) and _is_default(new_urn):
        return False
    if _is_default(old_urn) != _is_default(new_urn):
        return True
    was, is_ = before(old_urn), after(new_urn)
    if was is None or is_ is None:
        return False
    return bool(_replacement_keys(changed_paths(was, is_), forces(urn_type(new_urn)).paths))


def _is_default(urn: str) -> bool:
    return PROVIDER_PREFIX in urn and urn_name(urn).startswith("default")


class StepRefused(UserError):
    """The engine would refuse this step: protected, or a URN used twice."""


def protected_delete(resource: Resource) -> str:
    """The engine's words for a protected resource that is to go."""
    return (
        f'resource "{resource.urn}" cannot be deleted\n'
        "because it is protected. To unprotect the resource, either remove the `protect` flag from the resource in "
        f"your Pulumi program and run `pulumi up`, or use the command:\n`pulumi state unprotect '{resource.urn}'`"
    )


def protected_dependent(resource: Resource, root: Resource) -> str:
    """The engine's words for a protected resource that would have to go with what is replaced."""
    return (
        f'unable to replace resource "{resource.urn}" as part of replacing "{root.urn}" '
        "as it is currently marked for protection. To unprotect the resource, remove the `protect` flag from the "
        "resource in your Pulumi program and run `pulumi up`, or use the command:\n"
        f"`pulumi state unprotect '{resource.urn}'`"
    )


def protected_replace(resource: Resource) -> str:
    """The engine's words for a protected resource that is to be replaced."""
    return (
        f'unable to replace resource "{resource.urn}"\n'
        "as it is currently marked for protection. To unprotect the resource, remove the `protect` flag from the "
        "resource in your Pulumi program and run `pulumi up`"
    )
