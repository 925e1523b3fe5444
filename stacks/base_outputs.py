"""What the platform layer takes from the base layer: only what AWS makes.

Names that follow from settings are computed on both sides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import pulumi
from pulumi import Input
from pydantic.alias_generators import to_camel

from components.notifications import Severity
from stacks.settings import PROJECT, Settings

REPOSITORIES = ("pipelines",)
"""Images that are built: one in which every pipeline's steps run."""


@dataclass(frozen=True, kw_only=True)
class DatabaseOutputs:
    """Where the model registry's database is, and what a role needs to reach it."""

    address: Input[str]
    port: Input[int]
    resource_id: Input[str]
    """AWS's id of the instance, on which `rds-db:connect` is granted."""
    security_group_id: Input[str]
    """Clients' security groups are admitted here."""
    secret_arn: Input[str]
    """Secret with the administrator's password."""


@dataclass(frozen=True, kw_only=True)
class BaseOutputs:
    vpc_id: Input[str]
    private_subnet_ids: Input[Sequence[str]]
    bucket_key_arns: Mapping[str, Input[str]]
    """Key of each data bucket, by the bucket's name in the settings."""
    repository_urls: Mapping[str, Input[str]]
    """Image repositories, by name."""
    topic_arns: Mapping[str, Input[str]]
    """Topics of the notifications, by severity."""
    notification_key_arn: Input[str]
    tracking_database: DatabaseOutputs | None
    """None where the settings ask for none."""
    runner_security_group_id: Input[str] | None
    """Security group of the build runner, which the cluster's private endpoint lets in. None where the settings ask for
    no runner."""

    ways_out: Sequence[pulumi.Resource] = field(default=(), metadata={"output": False})
    """The network, where it is in the same stack: nodes come after its ways out and go before them. No output."""

    def to_outputs(self) -> dict[str, Any]:
        """As stack outputs, camelCase."""
        return _exported(self)


def referenced(settings: Settings) -> BaseOutputs:
    """The outputs of the environment's base stack. Raises pulumi.RunError, when applied, for one that is missing."""
    stack = f"{settings.environment.name}-base"
    reference = pulumi.StackReference(f"organization/{PROJECT}/{stack}")

    def output(name: str) -> pulumi.Output[Any]:
        return reference.outputs.apply(lambda outputs: _required(outputs, name, stack))

    keys = output("bucketKeyArns")
    urls = output("repositoryUrls")
    topics = output("topicArns")
    return BaseOutputs(
        runner_security_group_id=_referenced_runner(reference, stack) if settings.build_runner.enabled else None,
        vpc_id=output("vpcId"),
        private_subnet_ids=output("privateSubnetIds"),
        bucket_key_arns={b.name: keys.apply(lambda k, n=b.name: _required(k, n, stack)) for b in settings.data_buckets},
        repository_urls={name: urls.apply(lambda u, n=name: _required(u, n, stack)) for name in REPOSITORIES},
        topic_arns={str(s): topics.apply(lambda t, n=str(s): _required(t, n, stack)) for s in Severity},
        notification_key_arn=output("notificationKeyArn"),
        tracking_database=_referenced_database(output("trackingDatabase"), stack) if settings.wants_database else None,
    )


def _referenced_database(database: pulumi.Output[Any], stack: str) -> DatabaseOutputs:
    names = {name: to_camel(name) for name in DatabaseOutputs.__annotations__}
    # The section `tracking` stands in both stacks; a base stack that was deployed without it has no such output yet.
    return DatabaseOutputs(
        **{
            name: database.apply(lambda outputs, n=key: _required(outputs, n, stack, "trackingDatabase."))
            for name, key in names.items()
        }
    )


def _referenced_runner(reference: pulumi.StackReference, stack: str) -> pulumi.Output[str]:
    def found(outputs: Mapping[str, Any]) -> str:
        # Without a runner there is an empty object: see _exported.
        if not (group := _required(outputs, "runnerSecurityGroupId", stack)):
            raise pulumi.RunError(
                f"{stack} has no build runner, and buildRunner.connection here says that there is one: deploy {stack} "
                "with the same buildRunner first, or take the section out"
            )
        return group

    return reference.outputs.apply(found)


def _exported(outputs: Any) -> dict[str, Any]:
    values = {to_camel(f.name): getattr(outputs, f.name) for f in fields(outputs) if f.metadata.get("output", True)}
    # Without a database there is an empty object: the output itself is what says that the base stack is new enough.
    return {
        name: _exported(value) if isinstance(value, DatabaseOutputs) else {} if value is None else value
        for name, value in values.items()
    }


def _required(outputs: Mapping[str, Any], name: str, stack: str, below: str = "") -> Any:
    if name not in outputs:
        raise pulumi.RunError(f"{stack} has no output {below}{name}: deploy it first")
    return outputs[name]
