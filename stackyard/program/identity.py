"""Which resource of the prior state a registration is: by its URN, or by a URN that it had before."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

from stackyard.program.decide import StepRefused
from stackyard.program.deployment import Resource, make_urn, provider_urn
from stackyard.program.registration import AliasSpec, former_urns


class Identities:
    """Of one evaluation. Every resource of the prior state lives on in one registration at most."""

    def __init__(self, prior: Mapping[str, Resource], project: str, stack: str):
        self._prior, self._project, self._stack = prior, project, stack
        self._former: dict[str, str] = {}
        self.renamed: dict[str, str] = {}
        """Present URN of what the state knows under another one."""

    def identify(
        self, goal: Resource, specs: Sequence[AliasSpec], registered: Container[str]
    ) -> tuple[Resource, Resource | None]:
        """The goal with its former URNs, and what it is in the prior state. Raises StepRefused for a second claim."""
        if goal.urn in self.renamed:
            raise StepRefused(
                f"Duplicate resource URN '{goal.urn}' conflicting with alias on resource with URN "
                f"'{self.renamed[goal.urn]}'"
            )
        goal = replace(goal, aliases=former_urns(goal, specs, self._former, self._project, self._stack))
        if goal.urn in self._prior:
            return goal, self._prior[goal.urn]
        former = next((urn for urn in goal.aliases if urn in self._prior), None)
        if former is None:
            return goal, None
        if former in registered or former in self.renamed:
            raise StepRefused(
                f"Duplicate resource alias '{former}' applied to resource with URN '{goal.urn}' conflicting with "
                f"resource with URN '{self.renamed.get(former, former)}'"
            )
        self._former[goal.urn], self.renamed[former] = former, goal.urn
        return goal, self._prior[former]


def follow_renames(resources: Iterable[Resource], renamed: Mapping[str, str]) -> list[Resource]:
    """The resources with present URNs only. A child that was not registered yet has its parent's new types in its own.

    Rule of the engine (pkg/resource/deploy, NormalizeURNReferences). Parents come before their children.
    """
    resources = list(resources)
    if not renamed:
        return resources
    present = dict(renamed)
    for resource in resources:
        if resource.parent in present and resource.urn not in present:
            head, project, *_ = resource.urn.split("::")
            stack = head.removeprefix("urn:pulumi:")
            urn = make_urn(project, stack, resource.type, resource.name, present[resource.parent])
            if urn != resource.urn:
                present[resource.urn] = urn
    return [_follow(resource, present) for resource in resources]


def _follow(resource: Resource, present: Mapping[str, str]) -> Resource:
    def now(urn: str) -> str:
        return present.get(urn, urn)

    provider = provider_urn(resource.provider)
    return replace(
        resource,
        urn=now(resource.urn),
        parent=now(resource.parent),
        provider=resource.provider.replace(provider, now(provider), 1) if provider else "",
        deleted_with=now(resource.deleted_with),
        dependencies=tuple(map(now, resource.dependencies)),
        property_dependencies={key: tuple(map(now, urns)) for key, urns in resource.property_dependencies.items()},
    )
