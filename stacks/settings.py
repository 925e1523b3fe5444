"""All configuration of a stack, parsed once: sections, composition, and the reading of what the engine passes.

`python -m stacks.reference --write` writes the editors' schema and docs/settings.md from these classes.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from stacks import rules
from stacks.domain import PLACEHOLDER
from stacks.naming import BUCKET_NAME_LENGTH, physical_name
from stacks.problems import MISSING, Problem, SettingsError, problem, refuse
from stacks.protection import PROFILES, Protection, ProtectionProfile
from stacks.sections.data import DataBucket, Registry, Tracking
from stacks.sections.environment import Environment, Layer
from stacks.sections.network import Network
from stacks.sections.operations import Account, Budget, BuildRunner, Ci, Notifications
from stacks.sections.platform import Cluster, Monitoring, Runners, Serving
from stacks.sections.pools import NodePool
from stacks.sections.section import Section
from stacks.sections.teams import Pipeline, Team
from stacks.translate import NO_SECRETS, Location, example_at, example_of, field_at, problems_of, unknown_key

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
        region = self.environment.region
        return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"

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

    def has(self, layer: Layer) -> bool:
        return layer in self.environment.layers

    def physical_name(self, noun: str, *, limit: int = BUCKET_NAME_LENGTH) -> str:
        """Deterministic name of what holds data: `<prefix>-<environment>-<noun>-<account>-<region>`."""
        environment = self.environment
        return physical_name(
            prefix=environment.prefix,
            environment=environment.name,
            noun=noun,
            account_id=environment.account_id,
            region=environment.region,
            limit=limit,
        )


SECTIONS: Mapping[str, Any] = {to_camel(name): field.annotation for name, field in Settings.model_fields.items()}
"""Section, as in YAML, to its type."""
LIST_SECTIONS = frozenset({"dataBuckets", "nodePools", "teams", "pipelines"})


def present(section: T | None) -> T:
    """A section that the stack's layers guarantee, for type checkers."""
    if section is None:
        raise LookupError("this section belongs to a layer that the stack does not have")
    return section


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the stack that the engine runs: from PULUMI_CONFIG, PULUMI_CONFIG_SECRET_KEYS, PULUMI_STACK.

    Raises pulumi.RunError, which the CLI shows as it is, without a stack trace.
    """
    prefix = f"{PROJECT}:"
    values: dict[str, Any] = json.loads(environ.get("PULUMI_CONFIG") or "{}")
    secret: list[str] = json.loads(environ.get("PULUMI_CONFIG_SECRET_KEYS") or "[]")
    config = {key.removeprefix(prefix): _decoded(text) for key, text in values.items() if key.startswith(prefix)}
    secret_keys = {key.removeprefix(prefix) for key in secret if key.startswith(prefix)}
    try:
        return parse(config, secret_keys=secret_keys, stack=environ.get("PULUMI_STACK", ""))
    except SettingsError as error:
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
    reader = _Reader(config, secret_keys)
    reader.read()
    draft = reader.draft(stack)
    found = [*reader.problems, *rules.check(draft, _section_example)]
    if found:
        raise SettingsError(sorted(found, key=_section_order), stack)
    return Settings.model_validate_json(json.dumps(reader.sections))


def _rule_problems(settings: Settings) -> Iterator[Problem]:
    given = frozenset(to_camel(name) for name in settings.model_fields_set if getattr(settings, name) not in (None, ()))
    draft = rules.Draft(
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


def _section_order(item: Problem) -> tuple[int, str]:
    name = item.path.partition(".")[0].partition("[")[0]
    order = list(SECTIONS)
    return (order.index(name) if name in order else len(order), "")


class _Reader:
    """Reads section by section, and keeps what is readable of a section that is not wholly so."""

    def __init__(self, config: Mapping[str, Any], secret_keys: Collection[str]):
        self.sections: dict[str, Any] = {}
        """Sections that were given, with the defaults that follow from the protection."""
        self.models: dict[str, Any] = {}
        """Section to its model, or to its models by index."""
        self.problems: list[Problem] = []
        self._config, self._secret_keys = config, secret_keys

    def read(self) -> None:
        for key, value in self._config.items():
            if key not in SECTIONS:
                self.problems.append(unknown_key(key, key, value, Settings, ()))
            elif value not in (None, "", {}, []):
                # What is left empty counts as left out: that is how Pulumi.yaml fills in a missing section.
                self.sections[key] = value
        if "environment" not in self.sections:
            example = _section_example("environment")
            reason = "it says what the stack is and where it lives"
            self.problems.append(problem("environment", MISSING, "is missing and must be given", reason, example))
        for key in SECTIONS:
            if key in self.sections:
                self._read_section(key)

    def draft(self, stack: str) -> rules.Draft:
        known = {field: self.models[to_camel(field)] for field in _DRAFT_FIELDS if to_camel(field) in self.models}
        bad = frozenset(item.path for item in self.problems)
        return replace(rules.Draft(stack=stack, given=frozenset(self.sections), bad=bad), **known)

    def _read_section(self, key: str) -> None:
        if secrets := list(self._secret_problems(key)):
            # Nothing else is said about the section: another sentence might show a decrypted value.
            self.problems += secrets
            return
        if key not in LIST_SECTIONS:
            self._fill_defaults(self.sections[key], SECTIONS[key])
            self.models[key] = self._read_model(self.sections[key], SECTIONS[key], (key,))
            self.models = {name: model for name, model in self.models.items() if model is not None}
        elif not isinstance(self.sections[key], list):
            rule, reason = "must be a list", "each entry describes one, and there may be several"
            self.problems.append(problem(key, self.sections[key], rule, reason, _section_example(key)))
        else:
            entry_type = field_at(SECTIONS[key], (0,))[0]
            for entry in self.sections[key]:
                self._fill_defaults(entry, entry_type)
            models = (self._read_model(v, entry_type, (key, i)) for i, v in enumerate(self.sections[key]))
            self.models[key] = {index: model for index, model in enumerate(models) if model is not None}

    def _secret_problems(self, key: str) -> Iterator[Problem]:
        paths = list(_secure_paths(self.sections[key], key)) or ([key] if key in self._secret_keys else [])
        for path in paths:
            yield Problem(path=path, value="encrypted", rule="must not be a secret (`secure:`)", reason=NO_SECRETS)

    def _fill_defaults(self, value: Any, model: Any) -> None:
        """Puts in what follows from the protection, where the stack does not say otherwise."""
        environment = self.models.get("environment")
        if environment is None or not isinstance(value, dict):
            return
        for name, field in _protected_fields(model):
            level = getattr(PROFILES[environment.protection], name)
            value.setdefault(field, level)

    def _read_model(self, value: Any, model: Any, prefix: Location) -> Any:
        found = list(_placeholder_problems(value, model, prefix))
        stuck = {item.path for item in found}
        try:
            result = _adapter(model).validate_json(json.dumps(value))
        except ValidationError as error:
            found += [item for item in problems_of(error, model, prefix) if item.path not in stuck]
            self.problems += found
            return _salvaged(value, model, {entry["loc"] for entry in error.errors(include_url=False)})
        path = _dotted(prefix)
        found += [item for item in result.problems(path) if item.path not in stuck]
        self.problems += found
        return result
