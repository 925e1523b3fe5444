"""What the platform layer takes from the base layer: only what AWS makes.

Names that follow from settings are computed on both sides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pulumi
from pulumi import Input
from pydantic.alias_generators import to_camel

from stacks.settings import PROJECT, Settings

REPOSITORIES = ("pipelines",)
"""Images that are built: one in which every pipeline's steps run."""


@dataclass(frozen=True, kw_only=True)
class BaseOutputs:
    vpc_id: Input[str]
    private_subnet_ids: Input[Sequence[str]]
    bucket_key_arns: Mapping[str, Input[str]]
    """Key of each data bucket, by the bucket's name in the settings."""
    repository_urls: Mapping[str, Input[str]]
    """Image repositories, by name."""

    def to_outputs(self) -> dict[str, Any]:
        """As stack outputs, camelCase."""
        return {to_camel(field.name): getattr(self, field.name) for field in fields(self)}


def referenced(settings: Settings) -> BaseOutputs:
    """The outputs of the environment's base stack. Raises pulumi.RunError, when applied, for one that is missing."""
    stack = f"{settings.environment.name}-base"
    reference = pulumi.StackReference(f"organization/{PROJECT}/{stack}")

    def output(name: str) -> pulumi.Output[Any]:
        return reference.outputs.apply(lambda outputs: _required(outputs, name, stack))

    keys = output("bucketKeyArns")
    urls = output("repositoryUrls")
    return BaseOutputs(
        vpc_id=output("vpcId"),
        private_subnet_ids=output("privateSubnetIds"),
        bucket_key_arns={b.name: keys.apply(lambda k, n=b.name: _required(k, n, stack)) for b in settings.data_buckets},
        repository_urls={name: urls.apply(lambda u, n=name: _required(u, n, stack)) for name in REPOSITORIES},
    )


def _required(outputs: Mapping[str, Any], name: str, stack: str) -> Any:
    if name not in outputs:
        raise pulumi.RunError(f"{stack} has no output {name}: deploy it first")
    return outputs[name]
