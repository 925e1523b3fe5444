"""The README's table «What is proven where»: for each component, what has been run, and where.

Taken from the captures of the committed stacks, from the emulator's frozen list of what it lacks, and from the tests'
markers. `python -m tools.proven --write` puts it into README.md; without it, status 1 when the README's is another.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.generated_page import between_marks, write_or_check

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- proven: begin (python -m tools.proven --write) -->", "<!-- proven: end -->"
# Charts are installed by a cluster, and there is none on one machine.
RELEASE = "kubernetes:helm.sh/v3:Release"
TIERS = ("local", "judges", "cluster", "browser")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    component: str
    types: int
    """Resource types that it registers in the committed stacks."""
    captured_tests: int
    """Tests of the captured program, without any server."""
    emulated: int
    """Types that are created, changed and deleted on the emulator or in the object store."""
    recorded: tuple[str, ...]
    """Types that are validated and recorded only."""
    real: tuple[str, ...]
    """Real programs that the cluster tier holds its objects against."""


def evidence() -> Iterator[Evidence]:
    from tests.contracts import component_classes
    from tests.stack_captures import STACKS, stack_capture

    for path, node in component_classes(ROOT / "components"):
        token = f"stackyard:index:{node.name}"
        types: set[str] = set()
        for stack in STACKS:
            deployment = stack_capture(stack)
            owners = {resource.urn for resource in deployment if resource.type == token}
            types |= {r.type for r in deployment if r.parent in owners and r.custom and not r.is_provider}
        recorded = sorted(_short(type_) for type_ in types if _is_recorded(type_))
        yield Evidence(
            component=node.name,
            types=len(types),
            captured_tests=_tests_in(ROOT / "tests" / "components" / f"test_{path.stem}.py"),
            emulated=len(types) - len(recorded),
            recorded=tuple(recorded),
            real=tuple(_real(types)),
        )


def _real(types: set[str]) -> Iterator[str]:
    """The API server accepts all kinds whose definitions are at hand; Karpenter starts and ends nodes for its own."""
    from tests.cluster.test_accepted import JUDGED_BY_MODELS, KARPENTER

    tier = marked_files("cluster")
    versions = {type_: _api_version(type_) for type_ in types if type_.startswith("kubernetes:") and type_ != RELEASE}
    accepted = [type_ for type_, version in versions.items() if version not in JUDGED_BY_MODELS]
    if accepted and "cluster/test_accepted.py" in tier:
        yield f"API server ({len(accepted)} of {len(versions)} kinds)"
    if KARPENTER & set(versions.values()) and "cluster/test_node_pools.py" in tier:
        yield "Karpenter"


def _api_version(type_: str) -> str:
    """`karpenter.sh/v1` of `kubernetes:karpenter.sh/v1:NodePool`."""
    return type_.split(":")[1]


def _is_recorded(type_: str) -> bool:
    from stackyard.local.aws.rows import load
    from stackyard.local.aws.unsupported import is_unsupported

    if type_ == RELEASE:
        return True
    row = load().get(type_)
    return row is not None and is_unsupported(row.service, row.create.name)


def _short(type_: str) -> str:
    return type_.rsplit(":", 1)[-1]


def _tests_in(path: Path) -> int:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return sum(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in ast.walk(tree))


def marked_files(marker: str) -> list[str]:
    """Test files that carry a tier's marker, relative to tests/."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(f.relative_to(ROOT / "tests")) for f in files if f"pytest.mark.{marker}" in f.read_text("utf-8")]


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def table() -> str:
    lines = [
        "| Component | Tests of the captured program | Run on the emulator or object store | Recorded only |"
        " Checked against a real component | Run on AWS |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in evidence():
        recorded = ", ".join(row.recorded) or "–"
        emulated = f"{row.emulated} of {row.types} types"
        real = ", ".join(row.real) or "no"
        lines.append(f"| {row.component} | {row.captured_tests} | {emulated} | {recorded} | {real} | never |")
    tiers = ", ".join(f"{marker} ({_files(len(marked_files(marker)))})" for marker in TIERS)
    lines += [
        "",
        "Real components: kube-apiserver 1.35 and Karpenter 1.14 with simulated nodes, in the tier `cluster`. Network",
        "policies are declared only: the API server accepts them, a table of who reaches whom is computed from them,",
        "and nothing here enforces them.",
        "",
        f"Test tiers beside the default one: {tiers}.",
    ]
    return "\n".join(lines)


def with_table(readme: str) -> str:
    """The README with the table between its two marks. Raises ValueError when a mark is missing."""
    return between_marks(readme, README.name, BEGIN, END, table())


def main() -> int:
    what = "the README's table of what is proven where"
    return write_or_check(README, with_table, what=what, command="python -m tools.proven --write")


if __name__ == "__main__":
    sys.exit(main())
