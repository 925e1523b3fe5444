"""A checkout without an environment, and one with a state."""

import pytest

from stackyard.local.places import Places
from stackyard.program import state
from tests.local.checkouts import ROOT
from tests.local.doctor.support import deployment


@pytest.fixture
def places(tmp_path, monkeypatch) -> Places:
    """An environment's places in a checkout that has settings and a lock, and nothing else yet."""
    root = tmp_path / "checkout"
    for name in ("Pulumi.yaml", "pyproject.toml", "stacks/Pulumi.local.yaml", "requirements/local.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(root)
    return Places(root, "local")


@pytest.fixture
def made(places) -> Places:
    """The same with a provisioned environment: a state with one backup."""
    places.folder.mkdir(parents=True, mode=0o700)
    for count in (1, 2):
        state.write(places.state("local"), deployment(count))
    return places
