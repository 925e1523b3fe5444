"""What a pipeline needs and what it may do, in one typed object beside it. Permissions and pods are derived from it."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path

from pipelines import cron
from stackyard.errors import InvalidInput

PIPELINES = Path(__file__).parent

_NAME = re.compile(r"[a-z][a-z0-9]*")
NAME_LIMIT = 24
"""Characters. Service accounts, roles and workflow names carry the pipeline's name as a part."""


class Bucket(StrEnum):
    DATA = "data"
    ARTIFACTS = "artifacts"


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """A folder of a bucket."""

    bucket: Bucket
    path: str
    """Ends with a slash and does not begin with one: `flights/`."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"([\w.-]+/)+", self.path):
            raise InvalidInput(
                f"Prefix {self.path!r}: a prefix is one or more folders and ends with a slash, for example flights/. "
                "Without it a neighbour that begins the same way would be granted too."
            )


def data(path: str) -> Prefix:
    return Prefix(bucket=Bucket.DATA, path=path)


def artifacts(path: str) -> Prefix:
    return Prefix(bucket=Bucket.ARTIFACTS, path=path)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one step's container gets; requests and limits are equal, so that it is evicted last."""

    cpu: float = 1
    """Cores."""
    memory_mb: int = 2048
    """MiB."""
    gpu: int = 0
    """GPUs. A step with GPUs runs in the pools `gpu` and must name its own deadline in the flow (`@timeout`)."""
    checkpoint: bool = False
    """The step saves its progress and goes on from there when it is started again: spot nodes may run it."""

    def __post_init__(self) -> None:
        if self.cpu <= 0 or self.memory_mb < 64 or self.gpu < 0:
            raise InvalidInput(f"{self}: cpu must be above 0, memory_mb at least 64, gpu not negative.")


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A value that a run may be given."""

    name: str
    default: str | int | float | bool
    help: str
    """One sentence, with the unit."""


@dataclass(frozen=True, kw_only=True)
class PipelineDeclaration:
    """Everything that a stack has to know about a pipeline."""

    name: str
    """Folder in `pipelines/`, and name of what is deployed."""
    description: str
    """One sentence."""
    inputs: tuple[Prefix, ...] = ()
    """What it reads."""
    outputs: tuple[Prefix, ...] = ()
    """What it writes (and may read back)."""
    resources: Resources = Resources()
    """What each step gets."""
    step_resources: Mapping[str, Resources] = field(default_factory=dict)
    """What single steps get instead."""
    schedule: str | None = None
    """Cron expression of five fields, for example `0 4 1 * *`; None: started by a person or by another pipeline."""
    timezone: str = "Etc/UTC"
    """Time zone of `schedule`."""
    may_start: tuple[str, ...] = ()
    """Pipelines that it may start."""
    parameters: tuple[Parameter, ...] = ()
    """What a run may be given. Compiling checks that the flow has exactly these, with these defaults."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.name) > NAME_LIMIT:
            raise InvalidInput(
                f"Pipeline {self.name!r}: a name is 1 to {NAME_LIMIT} of a-z and 0-9 and begins with a letter, "
                "since it becomes a Python package, a workflow and part of a role's name. Example: training."
            )
        if self.schedule is not None and (reason := cron.why_refused(self.schedule)):
            raise InvalidInput(
                f"Pipeline {self.name}: schedule {self.schedule!r} {cron.RULE}: {reason}; "
                "for example 0 4 1 * * (04:00 on the first of each month)."
            )

    @property
    def flow(self) -> str:
        """Class of the flow, and folder of what its steps hand to each other."""
        return f"{self.name.capitalize()}Flow"

    @property
    def packages_prefix(self) -> str:
        """Folder of the artifacts bucket that holds this pipeline's code packages."""
        return f"packages/{self.name}/"

    @property
    def state_prefix(self) -> str:
        """Folder of the artifacts bucket in which the steps hand results to each other."""
        return f"metaflow/{self.flow}/"

    def resources_of(self, step: str) -> Resources:
        return self.step_resources.get(step, self.resources)

    def digest(self) -> str:
        """sha256 over all fields that compiling reads: tells whether a compiled form is that of this declaration."""
        fields = asdict(self)
        for resources in (fields["resources"], *fields["step_resources"].values()):
            del resources["checkpoint"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def declarations() -> dict[str, PipelineDeclaration]:
    """All pipelines by name, in alphabetical order. Imports no flow and no framework.

    Raises InvalidInput when a declaration is not that of its folder, or starts a pipeline that is not there.
    """
    found = {path.parent.name: _declaration(path.parent.name) for path in sorted(PIPELINES.glob("*/declaration.py"))}
    for name, declaration in found.items():
        if declaration.name != name:
            raise InvalidInput(
                f"pipelines/{name}/declaration.py declares {declaration.name!r}: folder and name must agree."
            )
        for other in declaration.may_start:
            if other not in found:
                raise InvalidInput(
                    f"Pipeline {name} may start {other!r}, which is not there. There are: {', '.join(found)}."
                )
    return found


def declaration(name: str) -> PipelineDeclaration:
    """One pipeline. Raises InvalidInput for a name that is not there."""
    found = declarations()
    if name not in found:
        raise InvalidInput(f"There is no pipeline {name!r}. There are: {', '.join(found)}.")
    return found[name]


def _declaration(name: str) -> PipelineDeclaration:
    return import_module(f"pipelines.{name}.declaration").DECLARATION
