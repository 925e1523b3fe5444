"""An emulator for a module's tests, and a folder for one test's environment."""

import pytest

from stackyard.local import emulator
from stackyard.local.places import Places


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """Address of an emulator that the module's tests share: a test empties it first."""
    places = Places(tmp_path_factory.mktemp("emulator"), "local")
    yield emulator.start(places).endpoint
    emulator.stop(places)


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path, "local")
