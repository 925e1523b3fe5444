"""An `up` writes the local cluster's objects again when their file was removed or damaged."""

import io
import json

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


def test_objects_whose_file_was_removed_or_damaged_are_written_again(project):
    provisioned(project)
    path = project.places().kubernetes_objects
    objects = Store(path).list()
    assert len(objects) == 3

    path.unlink()
    provisioned(project)
    assert Store(path).list() == objects

    path.write_text(json.dumps({}), encoding="utf-8")
    assert "could not be read: all of them are written again" in provisioned(project)
    assert Store(path).list() == objects
    assert "no changes" in provisioned(project)
