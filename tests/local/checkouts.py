"""Checkouts of the program in a temporary folder, and the command run in them as a person runs it."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipelines.compile.compiled import read_compiled
from pipelines.declaration import declarations
from stackyard.local import emulator
from stackyard.local.places import Places

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("stacks", "components", "pipelines", "policies", "requirements", "stackyard")


@dataclass(frozen=True)
class Checkout:
    root: Path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`stackyard ARGUMENTS` in the checkout, with its own code."""
        return subprocess.run(
            [sys.executable, "-m", "stackyard", *arguments],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root),
                "COLUMNS": "200",
                "PYTHONPATH": str(self.root),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def places(self, env: str = "local") -> Places:
        return Places(self.root, env)

    def endpoint(self, env: str = "local") -> str:
        server = emulator.running(self.places(env))
        assert server, "the emulator does not run"
        return server.endpoint

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} no longer holds {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def stop(self) -> None:
        for env in ("local", "dev", "staging", "prod", "account"):
            emulator.stop(self.places(env))


def make_checkout(folder: Path) -> Checkout:
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PROGRAM:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "Pulumi.yaml", folder / "Pulumi.yaml")
    shutil.copytree(code_packages(), folder / ".stackyard" / "packages")
    return Checkout(folder)


@cache
def code_packages() -> Path:
    """Code packages of the committed pipelines, which an `up` uploads; made in a clone that has none yet."""
    if any(not (ROOT / read_compiled(name).package.path).is_file() for name in declarations()):
        command = [sys.executable, "-m", "stackyard", "pipelines", "compile"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return ROOT / ".stackyard" / "packages"
