"""Which dependents go together with a resource that is deleted before its replacement comes."""

from collections.abc import Callable, Sequence

from stackyard.program.decide import Forces
from stackyard.program.deployment import Resource, provider_urn


def replaced_with(root: Resource, prior: Sequence[Resource], forces: Callable[[str], Forces]) -> list[Resource]:
    """Dependents that must go because an input that forces their replacement comes from `root`; dependents first.

    Rule of the engine (pkg/resource/deploy, dependent replacements): a dependent goes when its provider goes, or when
    one of its replacement-forcing inputs depends on something that goes. Mere `dependsOn` does not count.
    """
    going = {root.urn}
    found: list[Resource] = []
    for resource in prior:
        if resource.urn in going or not resource.custom or resource.external:
            continue
        if provider_urn(resource.provider) in going or _forced(resource, going, forces):
            going.add(resource.urn)
            found.append(resource)
    return found[::-1]


def _forced(resource: Resource, going: set[str], forces: Callable[[str], Forces]) -> bool:
    paths = (*forces(resource.type).paths, *resource.replace_on_changes)
    tops = {path.split(".")[0].split("[")[0] for path in paths}
    return any(
        going.intersection(urns) for key, urns in resource.property_dependencies.items() if key in tops or "*" in tops
    )
