"""The compiled form of a pipeline as files: all that the program, reviews and the local stack need of it."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackyard.errors import InvalidInput, UserError

ROOT = Path(__file__).parents[2]
PACKAGES = Path(".stackyard") / "packages"
"""Code packages, relative to the project's root. Not committed."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
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
    """The committed form. Needs no framework and no code package. Raises InvalidInput for none or a broken one."""
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
    declaration, package = _summary(folder / SUMMARY)
    return CompiledPipeline(
        name=name,
        declaration_digest=declaration,
        package=package,
        template=_object(folder / TEMPLATE, "WorkflowTemplate"),
        cron=_object(folder / CRON, "CronWorkflow") if (folder / CRON).is_file() else None,
    )


def _summary(path: Path) -> tuple[str, Package]:
    """Digest of the declaration, and the code package."""
    match _document(path):
        case {"declaration": str(declaration), "package": {"sha256": str(sha256), "key": str(key)}} if (
            _SHA256.fullmatch(sha256)
        ):
            return declaration, Package(sha256=sha256, key=key)
        case _:
            raise _broken(path, "does not name a declaration's digest and a code package with its sha256 and key")


def _object(path: Path, kind: str) -> Mapping[str, Any]:
    """A Kubernetes object as far as the program itself looks into it."""
    document = _document(path)
    match document:
        case {"apiVersion": str(), "kind": str(found), "metadata": {"name": str(), "namespace": str()}, "spec": dict()}:
            if found == kind:
                return document
            raise _broken(path, f"holds a {found}, not a {kind}")
        case _:
            raise _broken(path, f"holds no {kind} with a name, a namespace and a spec")


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _broken(path, "is missing") from None
    except OSError as error:
        raise _broken(path, f"cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise _broken(path, f"is not readable JSON ({error})") from None


def _broken(path: Path, what: str) -> InvalidInput:
    name = path.parts[-3]
    return InvalidInput(
        f"pipelines/{name}/compiled/{path.name} {what}: run `stackyard pipelines compile {name}` and commit what it "
        "writes there anew."
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
