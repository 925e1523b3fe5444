"""The order of a compilation, and the files it leaves."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines import declaration as declared
from pipelines.compile import archive, shape, sources
from pipelines.compile.compiled import CRON, ROOT, SUMMARY, TEMPLATE, CompiledPipeline, Package
from pipelines.declaration import PipelineDeclaration
from pipelines.schedule import cron_workflow
from pipelines.tokens import token
from stackyard.errors import UserError

COMPILE_SECONDS = 120

_CHILD = Path(__file__).with_name("child.py")
_HASH = "@{package.sha256}"


@dataclass(frozen=True, kw_only=True)
class Translation:
    """What Metaflow makes of a flow."""

    template: str
    """JSON of the WorkflowTemplate, a placeholder where the package's hash belongs."""
    package: bytes
    """Gzipped tar with the code."""


def compile_pipeline(
    name: str,
    out_dir: Path | None = None,
    *,
    root: Path = ROOT,
    declaration: PipelineDeclaration | None = None,
    extra_environment: Mapping[str, str] | None = None,
) -> CompiledPipeline:
    """Compiles one pipeline offline; writes its committed files and its code package.

    `out_dir`: where the committed files go, by default `pipelines/<name>/compiled`. `extra_environment`: added to the
    otherwise empty environment of the compiling process. The same sources give the same bytes on any machine.

    Raises InvalidInput for a flow that does not agree with its declaration or cannot be deployed, UserError with
    the framework's own words when it refuses the flow.
    """
    declaration = declaration or declared.declaration(name)
    compiled, content = assemble(declaration, translate(declaration, root, extra_environment or {}))
    write(compiled, out_dir or root / "pipelines" / name / "compiled")
    _write_package(root / compiled.package.path, content)
    return compiled


def stale(name: str, *, root: Path = ROOT) -> list[str]:
    """Names of committed files that differ from what the sources compile to now. Writes nothing."""
    declaration = declared.declaration(name)
    compiled, _ = assemble(declaration, translate(declaration, root, {}))
    expected = compiled.files()
    there = {path.name: path.read_text() for path in (root / "pipelines" / name / "compiled").glob("*.json")}
    return sorted(file for file in expected | there if expected.get(file) != there.get(file))


def translate(declaration: PipelineDeclaration, root: Path, extra_environment: Mapping[str, str]) -> Translation:
    """Lets Metaflow translate the flow, in a process and a folder of its own. Raises UserError when it refuses."""
    with tempfile.TemporaryDirectory(prefix="stackyard-compile-") as folder:
        code, out = Path(folder) / "code", Path(folder) / "out"
        code.mkdir()
        out.mkdir()
        sources.stage(root, declaration.name, code)
        url = f"s3://{token('bucket')}/{declaration.packages_prefix}{_HASH}.tgz"
        arguments = [str(out), url, f"stackyard-{declaration.name}", declaration.name]
        result = subprocess.run(
            [sys.executable, "-B", str(_CHILD), *arguments],
            cwd=code,
            env=_environment(Path(folder)) | dict(extra_environment),
            capture_output=True,
            text=True,
            timeout=COMPILE_SECONDS,
        )
        if result.returncode or not (out / "package.tgz").is_file():
            raise UserError(f"Pipeline {declaration.name} does not compile:\n{_last_words(result.stderr)}")
        return Translation(template=(out / "template.json").read_text(), package=(out / "package.tgz").read_bytes())


def assemble(declaration: PipelineDeclaration, translation: Translation) -> tuple[CompiledPipeline, bytes]:
    """The compiled form, and the content of its code package. Raises InvalidInput for what we do not deploy."""
    content = archive.repack(translation.package)
    sha256 = hashlib.sha256(content).hexdigest()
    template = shape.shape(json.loads(translation.template.replace(_HASH, sha256)), declaration)
    template["metadata"]["annotations"][shape.PACKAGE_ANNOTATION] = sha256
    compiled = CompiledPipeline(
        name=declaration.name,
        declaration_digest=declaration.digest(),
        package=Package(sha256=sha256, key=f"{declaration.packages_prefix}{sha256}.tgz"),
        template=template,
        cron=cron_workflow(declaration),
    )
    return compiled, content


def _environment(home: Path) -> dict[str, str]:
    """Metaflow's configuration, and nothing of the caller's environment but what finds programs."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "METAFLOW_HOME": str(home / "metaflow"),
        "METAFLOW_USER": "stackyard",
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_DEFAULT_METADATA": "local",
        "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{token('bucket')}/metaflow",
        "METAFLOW_KUBERNETES_NAMESPACE": token("namespace"),
        "METAFLOW_KUBERNETES_CONTAINER_IMAGE": token("image"),
        "METAFLOW_KUBERNETES_SERVICE_ACCOUNT": token("service_account"),
        "METAFLOW_DEFAULT_RUNTIME_LIMIT": str(shape.UNNAMED_DEADLINE),
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _last_words(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-12:])


def write(compiled: CompiledPipeline, folder: Path) -> None:
    """Writes the committed files, and removes one that is no longer part of them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = compiled.files()
    for name, text in files.items():
        (folder / name).write_text(text)
    for name in {TEMPLATE, CRON, SUMMARY} - set(files):
        (folder / name).unlink(missing_ok=True)


def _write_package(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_bytes(content)
    partial.replace(path)
