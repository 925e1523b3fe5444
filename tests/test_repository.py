"""The rules that the repository itself keeps: sizes, docstrings, locks, dependencies, commands, what it never names."""

import ast
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.bench.cases import OTHER_TIERS
from tools import locks

ROOT = Path(__file__).resolve().parent.parent
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# Written in two halves, so that this file keeps the rule that it checks.
REGISTRY_HOSTS = [
    *("pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "proxy.golang" + ".org"),
    *("crates" + ".io", "repo.maven" + ".apache.org", "deb.debian" + ".org", "anaconda" + ".org"),
]
# Chart and image registries have one home; everything else takes them from there.
DEPLOYMENT_REGISTRIES = [
    *("quay" + ".io", "ghcr" + ".io", "docker" + ".io", "gcr" + ".io", "registry.k8s" + ".io", "nvcr" + ".io"),
    "public.ecr" + ".aws",
]
DEPLOYMENT_REGISTRIES_HOME = "stacks/versions.py"
MACHINE_PATHS = re.compile(r"(?<![\w.~}/-])/(?:work|root|home/\w+|Users/\w+)/|\.\./" + "shared")


@cache
def repository_files() -> tuple[str, ...]:
    """Paths of all files that are or would be committed, relative to the root."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("which files belong to the repository is only known in a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(sorted(path for path in listing.split("\0") if path and (ROOT / path).is_file()))


def texts() -> Iterator[tuple[str, str]]:
    for path in repository_files():
        content = (ROOT / path).read_bytes()
        if b"\0" not in content:
            yield path, content.decode()


def python_files() -> Iterator[tuple[str, str]]:
    return ((path, text) for path, text in texts() if path.endswith(".py"))


def lines_with(needles: list[str], *, except_in: str = "") -> list[str]:
    return [
        f"{path}:{number} names {needle}"
        for path, text in texts()
        if path != except_in and any(needle in text for needle in needles)
        for number, line in enumerate(text.splitlines(), 1)
        for needle in needles
        if re.search(rf"(?<![\w-]){re.escape(needle)}", line)
    ]


# Looked through by more than one test, and a third of a second for all files.
parsed = cache(ast.parse)


def too_long(source: str, path: str) -> list[str]:
    functions = (node for node in ast.walk(parsed(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [
        f"{path}:{node.lineno} {node.name} has {length} lines"
        for node in functions
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]


def project() -> dict:
    return locks.read_project(ROOT)


def direct_requirements() -> dict[str, Requirement]:
    groups = [project()["dependencies"], *project()["optional-dependencies"].values()]
    parsed = [Requirement(line) for group in groups for line in group]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


def pins(lock: str) -> dict[str, set[str]]:
    """Versions per package in a lock file: more than one where they differ by Python version."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / lock).read_text().splitlines():
        if match := re.match(r"([a-z0-9.-]+)==(\S+)", line):
            found.setdefault(match[1], set()).add(match[2])
    return found


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands_in(markdown: str, program: str) -> list[list[str]]:
    """Commands of a program in code: fenced blocks (line starts, after an optional `$`) and inline code."""
    fences = re.findall(r"^```\w*\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    spans = [line.strip().removeprefix("$ ") for fence in fences for line in fence.splitlines()]
    spans += [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    return [span.split()[1:] for span in spans if re.match(rf"(\.venv/bin/)?{program}( |$)", span)]


def user_docs() -> list[tuple[str, str]]:
    return [(path, text) for path, text in texts() if path in ("README.md", "CONTRIBUTING.md")]


def test_no_file_names_a_package_registry():
    assert lines_with(REGISTRY_HOSTS) == [], "whoever installs uses the index of their own machine"


def test_chart_and_image_registries_stand_in_the_version_table_only():
    assert lines_with(DEPLOYMENT_REGISTRIES, except_in=DEPLOYMENT_REGISTRIES_HOME) == []


def test_no_file_names_a_path_of_one_machine():
    found = [
        f"{path}:{number}: {line.strip()[:80]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATHS.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line", ["cd /" + "work/main", 'open("/' + 'home/me/x")', "see .." + "/shared/x", "=/" + "root/.cache"]
)
def test_a_path_of_one_machine_would_be_found(line):
    assert MACHINE_PATHS.search(line)


@pytest.mark.parametrize(
    "line", ["https://example.com/work/x", "a/root/b", "~/work/", "arn:aws:iam::123456789012:root"]
)
def test_a_harmless_path_is_not_taken_for_one_of_a_machine(line):
    assert not MACHINE_PATHS.search(line)


def test_python_files_stay_short_enough_to_read_in_one_go():
    lengths = {path: len(text.splitlines()) for path, text in python_files()}
    assert {path: length for path, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_functions_stay_short_enough_to_see_at_once():
    assert [finding for path, text in python_files() for finding in too_long(text, path)] == []


def test_a_function_one_line_too_long_would_be_found():
    body = "    pass\n" * MAX_FUNCTION_LINES
    assert too_long("def f():\n" + body, "x.py") == ["x.py:1 f has 61 lines"]
    assert too_long("def f():\n" + body.removesuffix("    pass\n"), "x.py") == []


def test_every_python_file_says_what_it_is_for():
    silent = [path for path, text in python_files() if text.strip() and not ast.get_docstring(parsed(text))]
    assert silent == [], "a module's docstring comes first"


def test_every_folder_of_code_says_its_role():
    folders = {path.split("/")[0] for path, _ in python_files() if "/" in path}
    silent = [folder for folder in folders if not role(ROOT / folder)]
    assert silent == [], "one line in its __init__.py or README.md"


def role(folder: Path) -> str:
    module, readme = folder / "__init__.py", folder / "README.md"
    if module.is_file() and (docstring := ast.get_docstring(ast.parse(module.read_text()))):
        return docstring
    return readme.read_text() if readme.is_file() else ""


def test_every_ignored_finding_has_its_reason_beside_it():
    """`# type: ignore[rule]  # reason` or `# noqa: RULE - reason`, or the reason in a comment on the line above."""
    marker = re.compile(
        r"#\s*(?:type: ignore|pyright: ignore|noqa)(?P<rule>\[[\w, -]+\]|: ?[A-Z]+\d+(?:, ?[A-Z]+\d+)*)?(?P<rest>.*)$"
    )
    unexplained: list[str] = []
    for path, text in python_files():
        lines = text.splitlines()
        for number, line in enumerate(lines):
            found = marker.search(line)
            above = number > 0 and lines[number - 1].lstrip().startswith("#")
            if found and not (found["rule"] and (found["rest"].strip(" -#") or above)):
                unexplained.append(f"{path}:{number + 1}: {line.strip()}")
    assert unexplained == []


def test_locks_are_as_new_as_their_requirements():
    assert locks.stale(ROOT) == [], "run `make locks`"


def test_a_changed_requirement_makes_exactly_the_locks_that_hold_it_stale(tmp_path):
    for path in ["pyproject.toml", *(lock.path for lock in locks.LOCKS)]:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / path, tmp_path / path)
    assert locks.stale(tmp_path) == locks.stale(ROOT)
    text = (ROOT / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace('"pytest~=9.0"', '"pytest~=9.1"'))
    assert locks.stale(tmp_path) == ["requirements/dev.txt"]
    (tmp_path / "pyproject.toml").write_text(text.replace('"pulumi==', '"pulumi>='))
    assert locks.stale(tmp_path) == [lock.path for lock in locks.LOCKS if not (lock.requirement or lock.alone)], (
        "all of them hold pulumi"
    )


@pytest.mark.parametrize("lock", locks.LOCKS, ids=lambda lock: lock.path)
def test_every_locked_package_has_hashes_and_no_address(lock):
    text = (ROOT / lock.path).read_text()
    entries = re.findall(r"^[a-z0-9].*(?:\n .*)*", text, re.MULTILINE)
    assert entries, "an empty lock installs nothing"
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert not re.search(r"https?:|file:|--(extra-)?index|--find-links|^-e|^\.", text, re.MULTILINE)


@pytest.mark.parametrize("lock", locks.LOCKS[:-1], ids=lambda lock: lock.path)
def test_a_lock_holds_every_requirement_of_its_groups_and_not_the_project(lock):
    locked = pins(lock.path)
    for line in locks.requirements(lock, project()):
        requirement = Requirement(line)
        versions = locked.get(canonicalize_name(requirement.name), set())
        assert versions, f"{lock.path} lacks {requirement.name}"
        assert all(requirement.specifier.contains(version) for version in versions), f"{lock.path}: {line}, {versions}"
    assert project()["name"] not in locked


def test_the_narrow_locks_agree_with_the_widest():
    widest = pins(locks.LOCKS[0].path)
    for lock in (lock for lock in locks.LOCKS[1:-1] if not lock.alone):
        assert {name: versions for name, versions in pins(lock.path).items() if widest.get(name) != versions} == {}


def test_the_runtime_lock_stays_free_of_pipelines_and_tests():
    heavy = {"metaflow", "mlflow-skinny", "pandas", "numpy", "moto", "pytest", "ruff"}
    assert heavy & set(pins("stacks/requirements.txt")) == set()


def test_every_direct_dependency_has_its_reason():
    rows = re.findall(r"^\| ([A-Za-z0-9._-]+) \| (.*?) *\|$", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
    reasons = {canonicalize_name(name): reason for name, reason in rows if name not in ("package", "---")}
    assert set(reasons) == set(direct_requirements())
    assert [name for name, reason in reasons.items() if len(reason) < 10] == []


def test_dependencies_state_that_a_pin_is_exact_only_where_it_is():
    for name, reason in re.findall(
        r"^\| (\S+) \| (.*?) *\|$", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE
    ):
        if name in ("package", "---"):
            continue
        exact = str(direct_requirements()[canonicalize_name(name)].specifier).startswith("==")
        assert ("; exact" in reason) == exact, f"{name}: pyproject.toml and docs/dependencies.md differ"


def test_make_alone_prints_every_target():
    menu = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    printed = set(re.findall(r"^  ([a-z-]+) +\S", menu, re.MULTILINE))
    assert printed == make_targets()
    assert {"up", "down", "destroy", "test", "check", "bench"} <= printed


def test_every_phony_target_is_on_the_menu():
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony and set(phony[1].split()) - {"help"} == make_targets()


def test_documented_make_targets_exist():
    used = {words[0] for _, text in user_docs() for words in commands_in(text, "make") if words}
    assert {"up", "test"} <= used, "the two commands of the README"
    off_the_menu = {f"test-{tier}" for tier in ("default", *OTHER_TIERS)}
    assert used - make_targets() - off_the_menu == set()


def test_documented_and_scripted_stackyard_commands_exist():
    makefile = (ROOT / "Makefile").read_text()
    used = [words for _, text in user_docs() for words in commands_in(text, "stackyard")]
    used += [line.removesuffix("$(ARGS)").split() for line in re.findall(r"\$\(stackyard\) (.*)", makefile)]
    assert used
    assert [" ".join(words) for words in used if unknown_part(words)] == []


def unknown_part(words: list[str]) -> str:
    """The first word or option of a `stackyard` command line that the command line interface does not know."""
    import typer.main

    from stackyard.cli import app

    command = typer.main.get_command(app)
    for position, word in enumerate(words):
        children = getattr(command, "commands", {})
        if not children:
            options = {option for parameter in command.params for option in parameter.opts}
            return next((o for o in words[position:] if o.startswith("--") and o.split("=")[0] not in options), "")
        if word.startswith("-") or word == "…":
            return ""
        if word not in children:
            return word
        command = children[word]
    return ""


def test_scripts_can_be_run():
    for path in [".ci/run", "tools/bootstrap.sh"]:
        assert (ROOT / path).stat().st_mode & 0o111, f"{path} is not executable"


def test_changelog_fragments_have_a_kind_and_a_sentence():
    kinds = {
        kind["directory"] for kind in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    }
    fragments = [
        path for path in repository_files() if path.startswith("changelog.d/") and not path.endswith("README.md")
    ]
    for path in fragments:
        match = re.fullmatch(r"changelog\.d/\d+\.([a-z]+)(\.\d+)?\.md", path)
        assert match and match[1] in kinds, f"{path}: <number>.<kind>.md with a kind of {sorted(kinds)}"
        assert (ROOT / path).read_text().strip().endswith("."), f"{path} is a sentence"


def test_decisions_are_numbered_without_gaps_and_name_bad_consequences():
    records = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text()
        assert text.startswith(f"# {int(record.name[:4])}. "), record.name
        assert "Bad: " in text.split("## Consequences")[1], f"{record.name} has no bad consequence"


def test_the_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text
    assert project()["license"] == "Apache-2.0"
