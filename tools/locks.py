"""Writes the hashed lock files from pyproject.toml, and says which of them are stale.

A lock names packages, versions and hashes, never an index: whoever installs it uses the index that their machine is
set up for. The header records a digest of what was asked for, so staleness shows without resolving anything, and the
size of the download, so `make up` can announce it.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "3.11"
UV = "uv==0.13.9"
"""The uv that the bootstrap installs where none is on PATH."""

# What the sizes in the headers are measured for: the commonest of the platforms that we promise.
PLATFORM = "x86_64-manylinux_2_28"
PLATFORM_TAGS = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)] + ["manylinux2014_x86_64", "linux_x86_64"]


@dataclass(frozen=True, kw_only=True)
class Lock:
    """One lock file: where it stands, which groups of pyproject.toml it holds besides base, and who installs it."""

    path: str
    groups: tuple[str, ...] = ()
    requirement: str = ""
    """A single requirement to lock instead of pyproject.toml's; empty for the project's own."""
    alone: bool = False
    """The groups without the project's own requirements, for a virtual environment of their own."""
    purpose: str


# The widest comes first: the others take its versions, so that all of them always agree.
LOCKS = (
    Lock(
        path="requirements/dev.txt",
        groups=("pipelines", "local", "test", "dev"),
        purpose="Everything, for `make test` and `make check`",
    ),
    Lock(path="requirements/local.txt", groups=("pipelines", "local"), purpose="The local stack, for `make up`"),
    Lock(path="requirements/pipelines.txt", groups=("pipelines",), purpose="What the pipelines' image holds"),
    Lock(path="stacks/requirements.txt", purpose="What `pulumi up` needs; `pulumi install` reads this file"),
    Lock(
        path="requirements/judges.txt",
        groups=("judges",),
        alone=True,
        purpose="Scanners that judge the stacks, for `make test-judges`",
    ),
    Lock(path="requirements/uv.txt", requirement=UV, purpose="uv itself, for machines that have none"),
)


def requirements(lock: Lock, project: Mapping[str, Any]) -> list[str]:
    """What the lock was asked to hold, sorted: requirement strings of pyproject's `[project]` table."""
    if lock.requirement:
        return [lock.requirement]
    optional = project["optional-dependencies"]
    own = () if lock.alone else project["dependencies"]
    return sorted({*own, *(line for group in lock.groups for line in optional[group])})


def digest(lock: Lock, project: Mapping[str, Any]) -> str:
    """Digest of the lock's inputs: it changes exactly when the lock has to be written again."""
    inputs = [requirements(lock, project), project["requires-python"], PYTHON]
    return "sha256:" + hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def read_project(root: Path = ROOT) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def stale(root: Path = ROOT) -> list[str]:
    """Paths of the locks whose inputs changed since they were written, or that are missing."""
    project = read_project(root)
    return [
        lock.path
        for lock in LOCKS
        if not (root / lock.path).is_file()
        or f"# inputs: {digest(lock, project)}" not in (root / lock.path).read_text().splitlines()[:4]
    ]


def write(lock: Lock, *, upgrade: bool) -> None:
    """Resolves one lock with uv and writes it in place. Versions in the old file are kept unless `upgrade`."""
    path = ROOT / lock.path
    path.parent.mkdir(exist_ok=True)
    apart = bool(lock.requirement) or lock.alone
    source = "-" if apart else "pyproject.toml"
    widest = ROOT / LOCKS[0].path
    if not apart and path != widest:
        shutil.copyfile(widest, path)
    options = [] if apart else [f"--extra={group}" for group in lock.groups]
    if upgrade and path == widest:
        options.append("--upgrade")
    _compile(
        [source, *options, "--universal", "--generate-hashes", "--no-header", "-o", lock.path],
        stdin="\n".join(requirements(lock, read_project())) if apart else "",
    )
    sizes = _download_sizes(lock)
    megabytes = round(sum(sizes) / 1e6)
    header = (
        f"# {lock.purpose}. Written by `make locks`, not by hand.\n"
        f"# inputs: {digest(lock, read_project())}\n"
        f"# downloads: {len(sizes)} packages, {megabytes} MB (Linux x86-64, Python {PYTHON}, nothing cached)\n"
    )
    path.write_text(header + path.read_text())


def _compile(arguments: Sequence[str], stdin: str = "") -> None:
    command = ["uv", "pip", "compile", "--quiet", f"--python-version={PYTHON}", *arguments]
    subprocess.run(command, cwd=ROOT, input=stdin, text=True, check=True)


def _download_sizes(lock: Lock) -> list[int]:
    # The pylock format is the one that records file sizes. It also records index hosts, so it stays a scratch file.
    with tempfile.TemporaryDirectory() as scratch:
        pylock = Path(scratch) / "pylock.toml"
        _compile([lock.path, f"--python-platform={PLATFORM}", "--format=pylock.toml", "-o", str(pylock)])
        packages = tomllib.loads(pylock.read_text())["packages"]
    return [_file_size(package) for package in packages]


def _file_size(package: Mapping[str, Any]) -> int:
    """Bytes of the file that an installer would take: the best wheel for the platform, else the source archive."""
    from packaging.utils import parse_wheel_filename

    order = {tag: rank for rank, tag in enumerate(_tags())}
    ranked: list[tuple[int, int]] = []
    for wheel in package.get("wheels", []):
        name = wheel.get("name") or wheel["url"].rsplit("/", 1)[1]
        ranks = [order[str(tag)] for tag in parse_wheel_filename(name)[3] if str(tag) in order]
        if ranks:
            ranked.append((min(ranks), wheel["size"]))
    return min(ranked)[1] if ranked else package["sdist"]["size"]


def _tags() -> Iterator[str]:
    from packaging.tags import compatible_tags, cpython_tags

    major, minor = (int(part) for part in PYTHON.split("."))
    for tag in cpython_tags((major, minor), platforms=PLATFORM_TAGS):
        yield str(tag)
    for tag in compatible_tags((major, minor), f"cp{major}{minor}", platforms=PLATFORM_TAGS):
        yield str(tag)


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the hashed lock files from pyproject.toml.")
    parser.add_argument("--check", action="store_true", help="only say which locks are stale; status 1 if any is")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    arguments = parser.parse_args()
    if arguments.check:
        for path in stale():
            print(f"{path} is older than its requirements in pyproject.toml: run `make locks`.", file=sys.stderr)
        return 1 if stale() else 0
    for lock in LOCKS:
        write(lock, upgrade=arguments.upgrade)
        print(lock.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
