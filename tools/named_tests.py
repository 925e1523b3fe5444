"""Tests that a page or a table names: whether each is there."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# In a page: `tests/components/test_network.py::test_…`.
NODE = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")


def node_id(named: str) -> str:
    """`components/test_network.py: no_subnet…` as pytest writes it."""
    file, _, name = named.partition(": ")
    return f"tests/{file}::test_{name}"


def missing(text: str, root: Path = ROOT) -> list[str]:
    """Node ids in a text that name no test."""
    return sorted({f"{file}::{name}" for file, name in NODE.findall(text) if name not in tests_in(root / file)})


@cache
def tests_in(file: Path) -> frozenset[str]:
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
