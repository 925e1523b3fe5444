"""The embedded AWS provider: looks a type's row up and carries one step of one resource out."""

from collections.abc import Mapping
from typing import Any

from stackyard.local.applied import Applied, Live
from stackyard.local.aws.clients import Clients
from stackyard.local.aws.errors import ProviderError
from stackyard.local.aws.live import live
from stackyard.local.aws.rows import load
from stackyard.local.aws.step import Step, Target
from stackyard.program.values import Value


class AwsProvider:
    """Thread-safe. `endpoint` is the emulator's, http on loopback; anything else raises UserError."""

    def __init__(
        self, *, endpoint: str, account_id: str, region: str, cluster_endpoint: str = "", cluster_ca: str = ""
    ):
        self.clients = Clients(endpoint)
        self._rows = load()
        self._target = Target(
            clients=self.clients,
            account_id=account_id,
            region=region,
            cluster_endpoint=cluster_endpoint,
            cluster_ca=cluster_ca,
        )

    def validate(self, type_: str, urn: str, inputs: Mapping[str, Value]) -> None:
        """Raises ProviderError with every problem that the models can tell; makes no call."""
        self._step(type_, urn, inputs).plan_create()

    def create(self, type_: str, urn: str, inputs: Mapping[str, Value]) -> Applied:
        """All or nothing: what a failing setter leaves behind is deleted again."""
        return self._step(type_, urn, inputs).create()

    def update(
        self,
        type_: str,
        urn: str,
        id: str,
        old_inputs: Mapping[str, Value],
        old_outputs: Mapping[str, Value],
        new_inputs: Mapping[str, Value],
    ) -> Applied:
        """Changes what differs. Raises ProviderError for a changed input that the API cannot change."""
        return self._step(type_, urn, new_inputs, outputs=old_outputs, id=id).update(old_inputs)

    def read(
        self, type_: str, urn: str, id: str, inputs: Mapping[str, Value], outputs: Mapping[str, Value]
    ) -> dict[str, Value] | None:
        """Outputs as they are now, None when the resource is gone. Recorded resources are as they were recorded."""
        return self._step(type_, urn, inputs, outputs=outputs, id=id, sends=False).read()

    def live(
        self, type_: str, urn: str, id: str, inputs: Mapping[str, Value], outputs: Mapping[str, Value]
    ) -> Live | None:
        """Inputs and outputs as they are now, in the form in which they were given; None when the resource is gone."""
        return live(self._step(type_, urn, inputs, outputs=outputs, id=id, sends=False))

    def delete(self, type_: str, urn: str, id: str, inputs: Mapping[str, Value], outputs: Mapping[str, Value]) -> None:
        """Already gone is fine."""
        self._step(type_, urn, inputs, outputs=outputs, id=id, sends=False).delete()

    def _step(self, type_: str, urn: str, inputs: Mapping[str, Value], **known: Any) -> Step:
        if type_ not in self._rows:
            raise ProviderError(
                urn, f"the local stack cannot provision the type {type_}; its AWS provider has no row for it."
            )
        return Step(self._target, self._rows[type_], type_, urn, inputs, **known)
