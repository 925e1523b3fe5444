"""Resources that stayed behind a destroy, in the format of `pulumi import --file`.

The CLI needs more than type, name and id: the provider first, then each component, then resources that name both.
Without them it imports everything at the root, under a default provider, and the next `up` replaces it all.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from stackyard.program.deployment import STACK_TYPE, Deployment, Resource, provider_urn
from stackyard.program.values import to_json


def import_file(deployment: Deployment, kept: Iterable[Resource]) -> dict[str, Any]:
    """The file for the `kept` resources of a deployment. Import it with `--protect=false`: the program protects."""
    wanted = {resource.urn for resource in kept}
    by_urn = deployment.by_urn()
    resources = [by_urn[urn] for urn in by_urn if urn in wanted]
    providers = {provider_urn(r.provider): by_urn[provider_urn(r.provider)] for r in resources if r.provider}
    managed = [r for r in resources if r.custom and not r.is_provider and not r.external]
    components = {urn: by_urn[urn] for r in managed for urn in _ancestors(r, by_urn)}
    return {
        "resources": [
            *(_provider(provider) for provider in providers.values()),
            *(_component(component, by_urn) for component in _outer_first(components.values())),
            *(_resource(resource, by_urn, providers) for resource in managed),
        ]
    }


def _ancestors(resource: Resource, by_urn: dict[str, Resource]) -> Iterator[str]:
    parent = by_urn.get(resource.parent)
    while parent is not None and parent.type != STACK_TYPE:
        yield parent.urn
        parent = by_urn.get(parent.parent)


def _outer_first(components: Iterable[Resource]) -> list[Resource]:
    return sorted(components, key=lambda component: (component.urn.count("$"), component.urn))


def _provider(provider: Resource) -> dict[str, Any]:
    return {"type": provider.type, "name": provider.name, "inputs": to_json(provider.inputs)}


def _component(component: Resource, by_urn: dict[str, Resource]) -> dict[str, Any]:
    return {"type": component.type, "name": component.name, "component": True, **_parent(component, by_urn)}


def _resource(resource: Resource, by_urn: dict[str, Resource], providers: dict[str, Resource]) -> dict[str, Any]:
    provider = providers.get(provider_urn(resource.provider))
    known = {"provider": provider.name, "version": provider.inputs.get("version", "")} if provider else {}
    return {"type": resource.type, "name": resource.name, "id": resource.id, **_parent(resource, by_urn), **known}


def _parent(resource: Resource, by_urn: dict[str, Resource]) -> dict[str, str]:
    parent = by_urn.get(resource.parent)
    return {"parent": parent.name} if parent is not None and parent.type != STACK_TYPE else {}
