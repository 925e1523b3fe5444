"""An `up` writes the local cluster's objects again when their file was removed or damaged."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from stackyard.local.kubernetes.store import Store
from stackyard.local.up import up
from tests.local.small_project import STACK, Project

pytestmark = pytest.mark.local

PROGRAM = """
import pulumi
import pulumi_kubernetes as k8s

opts = pulumi.ResourceOptions(provider=k8s.Provider("cluster", kubeconfig="{}", cluster_identifier="lost"))
team = k8s.core.v1.Namespace("team", metadata={"name": "team"}, opts=opts)
for name in ("one", "two"):
    k8s.core.v1.ConfigMap(name, metadata={"name": name, "namespace": team.metadata["name"]}, opts=opts)
"""


@pytest.fixture
def project(tmp_path):
    # The characters that the URI of MLflow's database writes in another way.
    project = Project.make(tmp_path / "a%20b#c?d")
    (project.root / "stacks" / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    yield project
    project.stop()


def provisioned(project: Project) -> str:
    console = Console(file=io.StringIO(), width=1000)
    up(project.root, STACK, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def objects_in(path: Path) -> list[dict[str, Any]]:
    objects = Store(path).list()
    for found in objects:
        # Resources without a dependency between them are made in any order.
        del found["metadata"]["resourceVersion"]
    return objects


def test_objects_whose_file_was_removed_or_damaged_are_written_again(project):
    provisioned(project)
    path = project.places().kubernetes_objects
    objects = objects_in(path)
    assert len(objects) == 3

    path.unlink()
    provisioned(project)
    assert objects_in(path) == objects

    path.write_text(json.dumps({}), encoding="utf-8")
    assert "could not be read: all of them are written again" in provisioned(project)
    assert objects_in(path) == objects
    assert "no changes" in provisioned(project)
