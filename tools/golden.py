"""Golden URNs: the identity of every resource of every stack, committed under tests/golden/urns.

A URN that changes without an alias makes Pulumi delete the resource and create another one. `python -m tools.golden`
says what differs; `--write` accepts it on purpose. `--release` also records the captures that the upgrade test plans
against, under tests/upgrade/<version of pyproject.toml>: once a release, when it is made.
"""

import argparse
import gzip
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stackyard.program.deployment import STACK_TYPE, Deployment

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "urns"
UPGRADE = ROOT / "tests" / "upgrade"
ACCEPT = "python -m tools.golden --write"
SHOWN = 20
"""URNs that a message lists; the lost ones come first."""


@dataclass(frozen=True, kw_only=True)
class UrnChanges:
    """Golden URNs against those of today, of one stack."""

    lost: tuple[str, ...]
    """Golden, and neither registered nor named by an alias: an `up` deletes these."""
    new: tuple[str, ...]
    """Registered, and no golden URN goes on in them: an `up` creates these."""
    moved: tuple[tuple[str, str], ...]
    """Golden URN and the one in which it goes on, by an alias: an `up` touches nothing."""

    def sentence(self, stack: str) -> str:
        """Empty when only aliases differ."""
        lines = [f"  - {urn}" for urn in self.lost] + [f"  + {urn}" for urn in self.new]
        if not lines:
            return ""
        if len(lines) > SHOWN:
            lines[SHOWN:] = [f"  and {len(lines) - SHOWN} more"]
        return (
            f"{stack}: {len(self.lost)} URNs are gone without an alias (`up` deletes those resources), {len(self.new)} "
            f"are new.\n" + "\n".join(lines) + "\nWhat was renamed or moved needs an alias "
            f"(opts=ResourceOptions(aliases=[…])); what is really meant to go or to come is accepted by `{ACCEPT}`"
        )


def urns(deployment: Deployment) -> tuple[str, ...]:
    """Every URN but the stack's own, sorted."""
    return tuple(sorted(resource.urn for resource in deployment if resource.type != STACK_TYPE))


def compare(golden: tuple[str, ...], deployment: Deployment) -> UrnChanges:
    present = set(urns(deployment))
    gone = set(golden) - present
    moved = {
        former: resource.urn
        for resource in deployment
        if resource.urn not in golden
        for former in resource.aliases
        if former in gone
    }
    return UrnChanges(
        lost=tuple(sorted(gone - moved.keys())),
        new=tuple(sorted(present - set(golden) - set(moved.values()))),
        moved=tuple(sorted(moved.items())),
    )


def read(stack: str, folder: Path = GOLDEN) -> tuple[str, ...]:
    """The golden URNs of a stack; none of a stack that has no file."""
    file = folder / f"{stack}.txt"
    return tuple(file.read_text(encoding="utf-8").split("\n")[:-1]) if file.is_file() else ()


def render(deployment: Deployment) -> str:
    return "".join(f"{urn}\n" for urn in urns(deployment))


def leftover(stacks: tuple[str, ...], folder: Path = GOLDEN) -> tuple[Path, ...]:
    """Golden files of stacks that are gone."""
    return tuple(sorted(file for file in folder.glob("*.txt") if file.stem not in stacks))


def write(captures: dict[str, Deployment], folder: Path = GOLDEN) -> Iterator[str]:
    """Writes the golden files and yields, per stack that differed, what was accepted."""
    folder.mkdir(parents=True, exist_ok=True)
    for stack, deployment in captures.items():
        if said := compare(read(stack, folder), deployment).sentence(stack):
            yield said
        (folder / f"{stack}.txt").write_text(render(deployment), encoding="utf-8")
    for file in leftover(tuple(captures), folder):
        file.unlink()
        yield f"{file.stem}: the stack is gone, and with it {file.name}"


def version() -> str:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def write_release(captures: dict[str, Deployment], folder: Path) -> None:
    """Records the captures of a release, packed: they are read by the upgrade test only."""
    from stackyard.program.capture import Format
    from stackyard.program.capture import render as render_capture

    folder.mkdir(parents=True, exist_ok=True)
    for stack, deployment in captures.items():
        text = render_capture(deployment, Format.JSON)
        (folder / f"{stack}.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def main() -> int:
    parser = argparse.ArgumentParser(description="Check or write the golden URNs of every stack.")
    parser.add_argument("--write", action="store_true", help="accept today's URNs as golden")
    parser.add_argument("--release", action="store_true", help="also record the captures for later upgrade tests")
    arguments = parser.parse_args()

    from tests.stack_captures import STACKS, stack_capture

    captures = {stack: stack_capture(stack) for stack in STACKS}
    if arguments.write or arguments.release:
        for accepted in write(captures):
            print(f"accepted: {accepted}")
        if arguments.release:
            write_release(captures, UPGRADE / version())
        return 0
    said = [text for stack, capture in captures.items() if (text := compare(read(stack), capture).sentence(stack))]
    said += [f"{file.stem}: there is no such stack any more: `{ACCEPT}`" for file in leftover(tuple(captures))]
    for text in said:
        print(text, file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
