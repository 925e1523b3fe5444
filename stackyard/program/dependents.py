"""Which dependents go together with a resource that is deleted before its replacement comes."""

from collections.abc import Callable, Container, Iterable, Iterator
from functools import cached_property

from stackyard.program.decide import Forces
from stackyard.program.deployment import Resource, provider_urn


class Dependents:
    """Of the resources of one prior state. Who depends on whom is looked up once, when it is first asked for."""

    def __init__(self, prior: Iterable[Resource], forces: Callable[[str], Forces]):
        self._prior, self._forces = tuple(prior), forces

    def replaced_with(self, root: Resource, spared: Container[int] = ()) -> list[Resource]:
        """Dependents that must go because an input that forces their replacement comes from `root`; dependents first.

        `spared`: identities of what was registered already and lives on, so cannot depend on `root` any more.

        Rule of the engine (pkg/resource/deploy, dependent replacements): a dependent goes when its provider goes, or
        when one of its replacement-forcing inputs depends on something that goes. Mere `dependsOn` does not count.
        """
        going: set[int] = set()
        waiting = [root.urn]
        while waiting:
            forced = (p for p in self._forced_by.get(waiting.pop(), ()) if p not in going)
            new = [p for p in forced if self._urn(p) != root.urn and id(self._prior[p]) not in spared]
            going.update(new)
            waiting += map(self._urn, new)
        return [self._prior[position] for position in sorted(going, reverse=True)]

    def _urn(self, position: int) -> str:
        return self._prior[position].urn

    @cached_property
    def _forced_by(self) -> dict[str, list[int]]:
        """Positions of the resources that go when the one with this URN goes."""
        forced: dict[str, list[int]] = {}
        for position, resource in enumerate(self._prior):
            if resource.custom and not resource.external:
                for urn in {provider_urn(resource.provider), *_forcing(resource, self._forces)}:
                    forced.setdefault(urn, []).append(position)
        return forced


def _forcing(resource: Resource, forces: Callable[[str], Forces]) -> Iterator[str]:
    """URNs from which the inputs come that force the resource's replacement."""
    paths = (*forces(resource.type).paths, *resource.replace_on_changes)
    tops = {path.split(".")[0].split("[")[0] for path in paths}
    for key, urns in resource.property_dependencies.items():
        if key in tops or "*" in tops:
            yield from urns
