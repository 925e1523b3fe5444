"""In which order resources go: a resource only after everything that needs it."""

from collections.abc import Iterable, Sequence

from stackyard.program.deployment import Resource, needs


def delete_layers(condemned: Sequence[Resource]) -> list[list[Resource]]:
    """Groups in the order of their deletion; inside a group no resource needs another. Last come, first gone.

    Rule of the engine (pkg/resource/deploy, ScheduleDeletes): from the resources that need none of the others, layer
    by layer, then backwards. Resources that need each other, which only a damaged state holds, go together.
    """
    users = _users(condemned)
    left = dict.fromkeys(users, 0)
    for index in (index for using in users.values() for index in using):
        left[index] += 1
    layers: list[list[Resource]] = []
    ready = [index for index, count in left.items() if count == 0]
    while left:
        layer, ready = sorted(ready or left, reverse=True), []
        for index in layer:
            del left[index]
        for user in (user for index in layer for user in users[index] if user in left):
            left[user] -= 1
            if left[user] == 0:
                ready.append(user)
        layers.append([condemned[index] for index in layer])
    return layers[::-1]


def needed_by(failed: Resource, condemned: Iterable[Resource]) -> set[str]:
    """URNs of all that a resource needs among the condemned, directly or through others."""
    by_urn = {resource.urn: resource for resource in condemned}
    found: set[str] = set()
    waiting = [failed]
    while waiting:
        new = (needs(waiting.pop()) & by_urn.keys()) - found
        found |= new
        waiting += [by_urn[urn] for urn in new]
    return found


def _users(condemned: Sequence[Resource]) -> dict[int, list[int]]:
    """Which of the condemned need which, by position: a replaced resource may share its URN with others."""
    positions: dict[str, list[int]] = {}
    for index, resource in enumerate(condemned):
        positions.setdefault(resource.urn, []).append(index)
    users: dict[int, list[int]] = {index: [] for index in range(len(condemned))}
    for index, resource in enumerate(condemned):
        for urn in needs(resource):
            for needed in positions.get(urn, ()):
                users[needed].append(index)
    return users
