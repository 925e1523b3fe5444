"""The project's own modules that a flow needs, found by reading imports, never by importing."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

from stackyard.errors import InvalidInput

OWN_PACKAGES = ("pipelines", "stackyard")
"""Top-level packages of this project that a pipeline may import; everything else comes with the image."""

FLOW_SCRIPT = "flow.py"


def stage(root: Path, pipeline: str, target: Path) -> None:
    """Lays out in `target` what a pipeline's pods need: `flow.py` on top, beside it the packages that it imports.

    The compiled form itself is no part of it: the package's hash stands in there.
    """
    flow = root / "pipelines" / pipeline / FLOW_SCRIPT
    if not flow.is_file():
        raise InvalidInput(f"Pipeline {pipeline} has no flow: pipelines/{pipeline}/{FLOW_SCRIPT} is missing.")
    shutil.copyfile(flow, target / FLOW_SCRIPT)
    for path in closure(root, flow):
        copy = target / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def closure(root: Path, start: Path) -> list[Path]:
    """Files of all own modules that `start` imports, directly or not, with their packages' `__init__.py`, sorted."""
    found: set[Path] = set()
    todo = [start]
    while todo:
        for module in _imports(todo.pop(), root):
            for path in _files(root, module):
                if path not in found:
                    found.add(path)
                    todo.append(path)
    return sorted(found)


def _imports(path: Path, root: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes(), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise InvalidInput(
                    f"{path.relative_to(root)}, line {node.lineno}: relative import. "
                    "Write the full name: the flow runs as a script, outside of its package."
                )
            # What is imported may be a module of its own or a name in `module`; the former is found on disk.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(root: Path, module: str) -> Iterator[Path]:
    """The module's file and those of the packages around it; a name that is no module leads to the latter alone."""
    parts = module.split(".")
    if parts[0] not in OWN_PACKAGES:
        return
    for depth in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:depth])
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                yield path
