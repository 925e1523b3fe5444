"""A control plane for the whole tier, or the API server of a cluster that runs on this machine already."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stackyard.errors import InvalidInput
from stackyard.local.kubernetes.kubeconfig import read_kubeconfig
from tests.cluster.api import Api
from tests.cluster.control_plane import ControlPlane, started
from tests.cluster.fleet import Fleet
from tests.cluster.site import PREFIX, Site
from tests.cluster.tools import build

KUBECONFIG_VARIABLE = "STACKYARD_TEST_KUBECONFIG"


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The tier's own control plane."""
    with started(tmp_path_factory.mktemp("plane")) as plane:
        yield plane


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The API server that STACKYARD_TEST_KUBECONFIG names, which must be on loopback; else the tier's own."""
    if file := os.environ.get(KUBECONFIG_VARIABLE):
        try:
            shared = Site(Api(read_kubeconfig(Path(file))), PREFIX)
        except InvalidInput as error:
            pytest.fail(f"{KUBECONFIG_VARIABLE}: {error}")
        yield shared
        shared.leave()
    else:
        yield Site(request.getfixturevalue("plane").api)


@pytest.fixture(scope="session")
def defined(site: Site) -> list[dict[str, Any]]:
    """Karpenter's custom resource definitions with AWS's own rules, served. None where they are not at hand."""
    if any(family.name == "karpenter-aws" for family in build.missing()):
        return []
    wanted = [yaml.safe_load(file.read_text()) for file in build.taken_files("karpenter-aws", "crds")]
    site.define(wanted)
    return wanted


@pytest.fixture(scope="session")
def simulation(plane: ControlPlane) -> Fleet:
    return Fleet(plane)


@pytest.fixture
def fleet(simulation: Fleet) -> Iterator[Fleet]:
    """Karpenter over simulated nodes; it has no pools, pods or nodes, and none are left."""
    yield simulation
    simulation.clear()
