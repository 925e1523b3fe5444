"""The provider as tests use it: resources with names and URNs, and plain boto3 to look at what is really there."""

import dataclasses
import json
from typing import Any

from stackyard.local.applied import Live
from stackyard.local.aws import Applied, AwsProvider
from stackyard.program.deployment import make_urn

ACCOUNT = "123456789012"
REGION = "eu-central-1"


@dataclasses.dataclass(frozen=True)
class Made:
    """A resource that the provider made, with what is needed to change it."""

    type: str
    urn: str
    inputs: dict[str, Any]
    applied: Applied

    @property
    def id(self) -> str:
        return self.applied.id

    @property
    def outputs(self) -> dict[str, Any]:
        return dict(self.applied.outputs)


class Cloud:
    """The provider with names and URNs filled in, and boto3 clients on the same emulator."""

    def __init__(self, url: str):
        self.url = url
        self.provider = AwsProvider(
            endpoint=url,
            account_id=ACCOUNT,
            region=REGION,
            cluster_endpoint="https://127.0.0.1:6443",
            cluster_ca="Y2VydA==",
        )

    def make(self, type_: str, resource: str = "it", /, **inputs: Any) -> Made:
        urn = urn_of(type_, resource)
        return Made(type_, urn, inputs, self.provider.create(type_, urn, inputs))

    def change(self, made: Made, **changes: Any) -> Made:
        """Changes inputs; None removes one."""
        inputs = {name: value for name, value in (made.inputs | changes).items() if value is not None}
        applied = self.provider.update(made.type, made.urn, made.id, made.inputs, made.outputs, inputs)
        return Made(made.type, made.urn, inputs, applied)

    def read(self, made: Made) -> dict[str, Any] | None:
        return self.provider.read(made.type, made.urn, made.id, made.inputs, made.outputs)

    def live(self, made: Made) -> Live | None:
        return self.provider.live(made.type, made.urn, made.id, made.inputs, made.outputs)

    def remove(self, made: Made) -> None:
        self.provider.delete(made.type, made.urn, made.id, made.inputs, made.outputs)

    def boto(self, service: str) -> Any:
        import boto3

        return boto3.Session().client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )


def urn_of(type_: str, name: str = "it") -> str:
    return make_urn("stackyard", "test", type_, name)


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


TRUST = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
READ_ANYTHING = policy({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})


def tags_of(listed: list[dict[str, str]]) -> dict[str, str]:
    return {pair["Key"]: pair["Value"] for pair in listed}
