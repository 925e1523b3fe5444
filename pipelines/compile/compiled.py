"""The compiled form of a pipeline as files: all that the program, reviews and the local stack need of it."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackyard.errors import InvalidInput, UserError

ROOT = Path(__file__).parents[2]
PACKAGES = Path(".stackyard") / "packages"
"""Code packages, relative to the project's root. Not committed."""
TEMPLATE, CRON, SUMMARY = "WorkflowTemplate.json", "CronWorkflow.json", "pipeline.json"


@dataclass(frozen=True, kw_only=True)
class Package:
    """The code of a pipeline as one gzipped tar, named by its content."""

    sha256: str
    """Of the file."""
    key: str
    """In the artifacts bucket."""

    @property
    def path(self) -> Path:
        """Relative to the project's root; there after `stackyard pipelines compile`."""
        return PACKAGES / f"{self.sha256}.tgz"


@dataclass(frozen=True, kw_only=True)
class CompiledPipeline:
    """The compiled form of a pipeline, tokens unbound."""

    name: str
    declaration_digest: str
    package: Package
    template: Mapping[str, Any]
    """The WorkflowTemplate."""
    cron: Mapping[str, Any] | None
    """The CronWorkflow of a pipeline with a schedule."""

    def files(self) -> dict[str, str]:
        """What is committed: file name to text."""
        summary = {
            "version": 1,
            "name": self.name,
            "declaration": self.declaration_digest,
            "package": {"sha256": self.package.sha256, "key": self.package.key},
        }
        documents = {SUMMARY: summary, TEMPLATE: self.template} | ({CRON: self.cron} if self.cron else {})
        return {name: json.dumps(document, indent=1, sort_keys=True) + "\n" for name, document in documents.items()}


def read_compiled(name: str, *, root: Path = ROOT) -> CompiledPipeline:
    """The committed form. Needs no framework and no code package. Raises InvalidInput when there is none."""
    folder = root / "pipelines" / name / "compiled"
    known = sorted(path.parent.name for path in (root / "pipelines").glob("*/declaration.py"))
    if known and name not in known:
        raise InvalidInput(
            f"There is no pipeline {name!r}: none of the folders in pipelines/ declares it. There are: "
            f"{', '.join(known)}. Correct the name; a stack file has it under `pipelines`."
        )
    if not (folder / SUMMARY).is_file():
        raise InvalidInput(
            f"Pipeline {name} was never compiled: run `stackyard pipelines compile {name}` and commit what it writes "
            f"to pipelines/{name}/compiled."
        )
    summary = json.loads((folder / SUMMARY).read_text())
    return CompiledPipeline(
        name=name,
        declaration_digest=summary["declaration"],
        package=Package(**summary["package"]),
        template=json.loads((folder / TEMPLATE).read_text()),
        cron=json.loads((folder / CRON).read_text()) if (folder / CRON).is_file() else None,
    )


def require_package(compiled: CompiledPipeline, *, root: Path = ROOT) -> Path:
    """The code package's file, for an `up` that uploads it. Raises UserError when it is missing or another one."""
    path = root / compiled.package.path
    command = f"`stackyard pipelines compile {compiled.name}`"
    if not path.is_file():
        raise UserError(
            f"The code package of pipeline {compiled.name} is not on this machine ({compiled.package.path}). "
            f"Run {command}."
        )
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != compiled.package.sha256:
        raise UserError(
            f"{compiled.package.path} has the hash {found[:12]}…, not the one that was committed and reviewed. "
            f"Delete it and run {command}; if the hash differs again, commit what it wrote."
        )
    return path


def package_asset_path(compiled: CompiledPipeline, *, root: Path = ROOT) -> str:
    """Path of the code package's file from the working directory, whether it is there or not.

    Relative, since an asset's path becomes part of the state: it must not tell where a machine keeps the project.
    """
    return os.path.relpath(root / compiled.package.path)
