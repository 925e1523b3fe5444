"""What happens to a decided step: a capture derives, a plan leaves unknown, the local stack really does it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from stackyard.program.deployment import Resource
from stackyard.program.derived import Place, derive, derive_kubernetes
from stackyard.program.inherited import without_notes
from stackyard.program.values import UNKNOWN, Value


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step's result. An empty id is not known yet."""

    id: str = ""
    outputs: Mapping[str, Value] = field(default_factory=dict)
    recorded: bool = False


class Executor(Protocol):
    """Carries single steps out. `attempt` is the step's token: the same step again, with the same token, is safe.

    An error whose `unknown` is true leaves open whether the step happened; any other says that it did not.
    """

    planning: bool
    """Nothing really happens; the program is told so (`pulumi.runtime.is_dry_run`)."""
    asks_provider: bool
    """A provider whose own configuration is unknown cannot be asked, so what it would create is wholly unknown."""

    def create(self, goal: Resource, attempt: str = "") -> Done: ...

    def update(self, prior: Resource, goal: Resource, attempt: str = "") -> Done: ...

    def delete(self, resource: Resource, attempt: str = "") -> None: ...


class Deriving:
    """For captures: outputs that AWS would compute get plausible values derived from the URN."""

    planning = True
    asks_provider = False

    def __init__(self, place: Place):
        self._place = place

    def create(self, goal: Resource, attempt: str = "") -> Done:
        # A provider of another region makes what it makes there.
        region = goal.outputs.get("region")
        place = replace(self._place, region=region) if isinstance(region, str) else self._place
        id_, outputs = derive(goal, place)
        return Done(id="" if id_ is UNKNOWN else id_, outputs=outputs)

    def update(self, prior: Resource, goal: Resource, attempt: str = "") -> Done:
        return Done(id=prior.id, outputs={**prior.outputs, **without_notes(goal.inputs), **goal.outputs})

    def delete(self, resource: Resource, attempt: str = "") -> None:
        pass


class Planning(Deriving):
    """For plans: what a create or a replacement would compute is unknown, as in `pulumi preview`."""

    asks_provider = True

    def __init__(self) -> None:
        super().__init__(Place("", ""))

    def create(self, goal: Resource, attempt: str = "") -> Done:
        if goal.type.startswith("kubernetes:"):
            # The provider's dry run of an object answers with the object.
            id_, outputs = derive_kubernetes(goal)
            return Done(id=id_, outputs=outputs)
        return Done(outputs=without_notes(goal.inputs))
