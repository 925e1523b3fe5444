"""The readable part of a configuration, for rules between sections and for examples that fit the stack."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from stacks.problems import touches
from stacks.sections.data import DataBucket
from stacks.sections.environment import Environment
from stacks.sections.network import Network
from stacks.sections.operations import BuildRunner, Ci
from stacks.sections.platform import Runners
from stacks.sections.pools import NodePool
from stacks.sections.teams import Pipeline, Team


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Sections as far as they could be read. Values at `bad` paths are stand-ins and must not be judged."""

    stack: str = ""
    environment: Environment | None = None
    network: Network | None = None
    data_buckets: Mapping[int, DataBucket] = field(default_factory=dict[int, DataBucket])
    build_runner: BuildRunner | None = None
    node_pools: Mapping[int, NodePool] = field(default_factory=dict[int, NodePool])
    teams: Mapping[int, Team] = field(default_factory=dict[int, Team])
    pipelines: Mapping[int, Pipeline] = field(default_factory=dict[int, Pipeline])
    runners: Runners | None = None
    ci: Ci | None = None
    given: frozenset[str] = frozenset()
    """Sections that the stack file holds, readable or not."""
    bad: frozenset[str] = frozenset()

    def good(self, *paths: str) -> bool:
        """Whether everything at, below and around these paths could be read."""
        return not any(touches(path, self.bad) for path in paths)

    def names_known(self, section: str) -> bool:
        """Whether the name of every entry of a list could be read."""
        return not any(re.fullmatch(rf"{section}(\[\d+\](\.name)?)?", bad) for bad in self.bad)
