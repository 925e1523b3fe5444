"""Workflows that start in the test's own folder."""

import pytest

from tests.local.argo.support import Starter


@pytest.fixture
def start(tmp_path):
    """Runs a template in this test's folder: `start(workflow(...))`."""
    return Starter(tmp_path)
