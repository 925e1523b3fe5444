"""Where the objects of stacks are tried out: the tier's own control plane, or a cluster on this machine."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.cluster.api import Api
from tests.cluster.objects import Move, Object, custom_resources_defined, of_kind
from tests.waiting import eventually

# On a cluster that others use too, everything of the tests begins with it.
PREFIX = "stackyard-test-"
DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


class Site:
    """An API server and what the tests put there."""

    def __init__(self, api: Api, prefix: str = ""):
        self.api = api
        self.prefix = prefix
        """Empty on a control plane of the tests' own."""
        self._made: list[Object] = []

    def move(self, objects: Sequence[Object]) -> Move:
        return Move.of(objects, self.prefix)

    def make(self, objects: Sequence[Object]) -> None:
        """Applies objects for real, in their order. Namespaces are ready for pods afterwards."""
        for obj in objects:
            self._made.append(obj)
            self.api.apply(obj)
        for space in of_kind(objects, "Namespace"):
            name = space["metadata"]["name"]
            # The controller manager makes it; a pod that comes earlier is refused.
            eventually(
                lambda space=name: self.api.find("v1", "ServiceAccount", "default", space),
                f"namespace {name} has its default account",
            )

    def define(self, definitions: Sequence[Mapping[str, Any]]) -> None:
        """Installs those custom resource definitions that the server lacks, and waits until all are served."""
        for definition in definitions:
            if self.api.find(*DEFINITION, definition["metadata"]["name"]) is None:
                self._made.append(dict(definition))
                self.api.apply(definition)
        for api_version, kind in custom_resources_defined(definitions):
            eventually(
                lambda served=(api_version, kind): self.api.serves(*served), f"{kind} of {api_version} is served"
            )

    def leave(self) -> None:
        """Deletes everything that the tests made, the last first, and waits for the namespaces to be gone."""
        made = [obj for obj in self._made if self.api.serves(obj["apiVersion"], obj["kind"])]
        self._made.clear()
        for obj in reversed(made):
            self.api.ask_to_delete(obj)
        for space in of_kind(made, "Namespace"):
            # The next run begins with the same names.
            name = space["metadata"]["name"]
            eventually(lambda space=name: self.api.find("v1", "Namespace", space) is None, f"namespace {name} is gone")
