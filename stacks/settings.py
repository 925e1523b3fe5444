"""All configuration of a stack, parsed once: sections, composition, and the reading of what the engine passes.

`python -m stacks.reference --write` writes the editors' schema and docs/settings.md from these classes.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import Field, model_validator
from pydantic.alias_generators import to_camel

from stacks import rules
from stacks.draft import Draft
from stacks.examples import fitted, partition
from stacks.naming import BUCKET_NAME_LENGTH, physical_name
from stacks.problems import Problem, SettingsError, refuse
from stacks.protection import PROFILES, Protection, ProtectionProfile
from stacks.reader import Reader
from stacks.sections.data import DataBucket, Registry, Tracking
from stacks.sections.environment import Environment, Layer
from stacks.sections.network import Network
from stacks.sections.operations import Account, Budget, BuildRunner, Ci, Notifications
from stacks.sections.platform import Cluster, Monitoring, Runners, Serving
from stacks.sections.pools import NodePool
from stacks.sections.section import Section
from stacks.sections.teams import Pipeline, Team
from stacks.translate import example_of
from stackyard.errors import InvalidInput
from stackyard.program.stackfiles import refuse_slips

__all__ = ["Layer", "Problem", "Protection", "Settings", "SettingsError", "load", "parse", "physical_name", "present"]

PROJECT = "stackyard"
T = TypeVar("T")


class Settings(Section):
    """The whole tree. Sections of layers that the stack does not have are None, empty or their defaults."""

    environment: Environment
    network: Network | None = None
    data_buckets: tuple[DataBucket, ...] = ()
    registry: Registry = Field(default_factory=Registry)
    tracking: Tracking | None = None
    notifications: Notifications = Field(default_factory=Notifications)
    build_runner: BuildRunner = Field(default_factory=BuildRunner)
    cluster: Cluster | None = None
    node_pools: tuple[NodePool, ...] = ()
    teams: tuple[Team, ...] = ()
    pipelines: tuple[Pipeline, ...] = ()
    serving: Serving | None = None
    runners: Runners | None = None
    monitoring: Monitoring | None = None
    budget: Budget | None = None
    account: Account | None = None
    ci: Ci | None = None

    @model_validator(mode="after")
    def _hold_the_rules(self) -> "Settings":
        if found := list(_rule_problems(self)):
            raise refuse(str(found[0]), "settings that break a rule between sections are never built")
        return self

    @property
    def profile(self) -> ProtectionProfile:
        """What the environment's level of protection decides."""
        return PROFILES[self.environment.protection]

    @property
    def partition(self) -> str:
        """First part of every ARN in the region."""
        return partition(self.environment.region)

    @property
    def default_tags(self) -> dict[str, str]:
        """Tags of every resource that can carry one, by the provider's default tags."""
        own = {
            "cost-centre": self.environment.cost_centre,
            "environment": self.environment.name,
            "managed-by": "stackyard",
            "owner": self.environment.owner,
        }
        return dict(sorted({**self.environment.tags, **own}.items()))

    @property
    def wants_database(self) -> bool:
        """Whether the environment has a database for its model registry."""
        return self.tracking is not None and self.tracking.wants_database

    def has(self, layer: Layer) -> bool:
        return layer in self.environment.layers

    def physical_name(self, noun: str, *, limit: int = BUCKET_NAME_LENGTH, region: str = "") -> str:
        """Deterministic name of what holds data: `<prefix>-<environment>-<noun>-<account>-<region>`.

        `region`: another than the environment's.
        """
        environment = self.environment
        return physical_name(
            prefix=environment.prefix,
            environment=environment.name,
            noun=noun,
            account_id=environment.account_id,
            region=region or environment.region,
            limit=limit,
        )


SECTIONS: Mapping[str, Any] = {to_camel(name): field.annotation for name, field in Settings.model_fields.items()}
"""Section, as in YAML, to its type."""


def present(section: T | None) -> T:
    """A section or field that the settings' rules guarantee, for type checkers."""
    if section is None:
        raise LookupError("the settings' rules did not ask for this, or its layer is not in the stack")
    return section


def load(environ: Mapping[str, str] = os.environ, *, stack: str = "") -> Settings:
    """The settings of the stack that the engine runs: from PULUMI_CONFIG and PULUMI_CONFIG_SECRET_KEYS.

    Raises pulumi.RunError, which the CLI shows as it is, without a stack trace.
    """
    prefix = f"{PROJECT}:"
    values: dict[str, Any] = json.loads(environ.get("PULUMI_CONFIG") or "{}")
    secret: list[str] = json.loads(environ.get("PULUMI_CONFIG_SECRET_KEYS") or "[]")
    stack = stack or environ.get("PULUMI_STACK", "")
    config = {key.removeprefix(prefix): _decoded(text) for key, text in values.items() if key.startswith(prefix)}
    secret_keys = {key.removeprefix(prefix) for key in secret if key.startswith(prefix)}
    try:
        refuse_slips(PROJECT, values, f"Pulumi.{stack}.yaml")
        return parse(config, secret_keys=secret_keys, stack=stack)
    except InvalidInput as error:
        import pulumi  # heavy, and not needed by the commands

        raise pulumi.RunError(str(error)) from None


def _decoded(text: Any) -> Any:
    """Structured values travel as JSON texts, scalars as they are."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def parse(config: Mapping[str, Any], *, secret_keys: Collection[str] = (), stack: str = "") -> Settings:
    """Settings from sections as they stand in a stack file: `{"environment": {…}, "network": {…}}`.

    `secret_keys` are the sections that hold an encrypted value; `stack` is the stack's name, where it is known.
    Raises SettingsError with all problems at once.
    """
    reader = Reader(Settings, config, secret_keys)
    draft = reader.draft(stack)
    found = [fitted(item, draft) for item in (*reader.problems, *rules.check(draft, _section_example))]
    if found:
        order = list(SECTIONS)
        place = {name: index for index, name in enumerate(order)}
        raise SettingsError(sorted(found, key=lambda item: place.get(item.section, len(order))), stack)
    return Settings(**reader.arguments())


def _rule_problems(settings: Settings) -> Iterator[Problem]:
    given = frozenset(to_camel(name) for name in settings.model_fields_set if getattr(settings, name) not in (None, ()))
    draft = Draft(
        environment=settings.environment,
        network=settings.network,
        data_buckets=dict(enumerate(settings.data_buckets)),
        build_runner=settings.build_runner,
        node_pools=dict(enumerate(settings.node_pools)),
        teams=dict(enumerate(settings.teams)),
        pipelines=dict(enumerate(settings.pipelines)),
        runners=settings.runners,
        ci=settings.ci,
        given=given,
    )
    return rules.check(draft, _section_example)


def _section_example(name: str) -> Any:
    return example_of(SECTIONS[name])
