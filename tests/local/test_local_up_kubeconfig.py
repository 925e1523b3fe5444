"""`stackyard local up --kubeconfig`: Kubernetes objects on a cluster of this machine, here a small API server."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from stackyard.errors import InvalidInput, UserError
from stackyard.local import attachment, emulator
from stackyard.local.destroy import destroy
from stackyard.local.outputs import print_destroyed, print_outputs
from stackyard.local.refresh import refresh
from stackyard.local.status import down, print_status
from stackyard.local.up import UpFailed, up
from stackyard.program import state
from tests.local.fake_api_server import ARGO, FakeApiServer, serving
from tests.local.forking import Emulated, Forks
from tests.local.small_project import STACK, Project, through

pytestmark = pytest.mark.local

# A namespace, two objects in it, one of a kind that a bare server does not know, and a release.
PROGRAM = """
import pulumi
import pulumi_kubernetes as k8s

cluster = k8s.Provider("cluster", kubeconfig="{}", cluster_identifier="test")
options = pulumi.ResourceOptions(provider=cluster)
space = k8s.core.v1.Namespace("space", metadata={"name": "pipelines"}, opts=options)
inside = pulumi.ResourceOptions(provider=cluster, depends_on=[space])
settings = k8s.core.v1.ConfigMap(
    "settings", metadata={"name": "settings", "namespace": "pipelines"}, data={"version": "1"}, opts=inside
)
k8s.core.v1.ServiceAccount(
    "account",
    metadata={"name": "account", "namespace": "pipelines"},
    opts=pulumi.ResourceOptions(provider=cluster, depends_on=[settings]),
)
k8s.apiextensions.CustomResource(
    "template",
    api_version="argoproj.io/v1alpha1",
    kind="WorkflowTemplate",
    metadata={"name": "training", "namespace": "pipelines"},
    spec={"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "python"}}]},
    opts=inside,
)
k8s.helm.v3.Release(
    "argo",
    name="argo",
    namespace="pipelines",
    chart="argo-workflows",
    version="1.0.18",
    repository_opts={"repo": "https://charts.example.com"},
    opts=inside,
)
"""
SPACE = "/api/v1/namespaces/pipelines"
SETTINGS, ACCOUNT = f"{SPACE}/configmaps/settings", f"{SPACE}/serviceaccounts/account"
TEMPLATE = "/apis/argoproj.io/v1alpha1/namespaces/pipelines/workflowtemplates/training"
GROUPS = {SPACE, SETTINGS, ACCOUNT}


@dataclass
class Site:
    """A project, a cluster, and what the commands said."""

    project: Project
    fake: FakeApiServer
    folder: Path
    emulated: Emulated
    text: io.StringIO = field(default_factory=io.StringIO)

    @property
    def console(self) -> Console:
        return Console(file=self.text, width=1000, highlight=False)

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kube.yaml"

    def start_emulator(self) -> None:
        through(self.project.places(), self.emulated.port, self.emulated.pid)

    def said(self) -> str:
        text = self.text.getvalue()
        self.text.seek(0)
        self.text.truncate()
        return text

    def up(self, *, first: bool = False, **options: Any) -> str:
        """An `up`, with the kubeconfig if it is the first; answers with what it said."""
        options |= {"kubeconfig": self.kubeconfig} if first else {}
        self.fake.forget_requests()
        print_outputs(up(self.project.root, STACK, self.console, **options), self.console)
        return self.said()

    def destroy(self, *, include_data: bool = False, agree: bool = True) -> str:
        asked: list[str] = []

        def confirm(question: str) -> bool:
            asked.append(question)
            return agree

        destroyed = destroy(self.project.root, STACK, self.console, include_data=include_data, confirm=confirm)
        print_destroyed(destroyed, STACK, self.console)
        return "\n".join([*asked, self.said()])

    def edit(self, old: str, new: str) -> None:
        self.project.edit("stacks/__main__.py", old, new)


@pytest.fixture(scope="module")
def empty() -> Iterator[Emulated]:
    """An emulator to fork from, and children that are forked as well: each test has many."""
    forks, empty = Forks(), Emulated.start()
    with forks.installed():
        yield empty
    empty.stop()
    forks.close()


@pytest.fixture
def site(tmp_path: Path, empty: Emulated) -> Iterator[Site]:
    project = Project.make(tmp_path / "project")
    (project.root / "stacks" / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    emulated = empty.fork()
    with serving() as fake:
        fake.kubeconfig(tmp_path / "kube.yaml")
        site = Site(project, fake, tmp_path, emulated)
        site.start_emulator()
        yield site
    emulated.stop()
    emulator.stop(project.places())


def test_an_up_applies_what_the_server_serves_and_counts_the_rest(site: Site):
    said = site.up(first=True)
    assert site.fake.paths() == GROUPS
    assert site.fake.mutations == [f"PATCH {path}" for path in (SPACE, SETTINGS, ACCOUNT)], "namespaces first"
    assert f"Kubernetes objects are applied to {site.fake.url} (v1.35.4)" in said
    assert f"5 resources, 0 emulated, 3 applied to {site.fake.url}, 2 recorded (validated, not emulated)" in said
    print_status(site.project.root, STACK, site.console)
    assert f"Cluster: 3 objects are applied to {site.fake.url} (kubeconfig {site.kubeconfig})" in site.said()


def test_a_second_up_changes_nothing_with_and_without_the_option(site: Site):
    site.up(first=True)
    before = site.project.state_file.read_bytes()
    for first in (True, False):
        said = site.up(first=first)
        assert "no changes" in said and f"3 applied to {site.fake.url}" in said
        assert site.fake.asked and site.fake.mutations == []
    assert site.project.state_file.read_bytes() == before


def test_without_the_option_no_cluster_is_asked_whatever_the_environment_says(site: Site):
    (site.project.root / ".kube").mkdir()
    site.fake.kubeconfig(site.project.root / ".kube" / "config")
    result = site.project.run("local", "up", KUBECONFIG=str(site.kubeconfig))
    assert result.returncode == 0 and "applied" not in result.stdout, result.stdout + result.stderr
    assert site.fake.asked == []


def test_a_server_elsewhere_is_refused_before_anything_is_started(site: Site):
    elsewhere = site.fake.kubeconfig(site.folder / "elsewhere.yaml", cluster={"server": "https://10.0.0.1:6443"})
    result = site.project.run("local", "up", "--kubeconfig", str(elsewhere))
    assert result.returncode == 2 and "'https://10.0.0.1:6443'" in result.stderr
    assert emulator.marker(site.emulated.endpoint) is None and not site.project.state_file.exists()
    both = site.project.run("local", "up", "--kubeconfig", str(elsewhere), "--no-kubeconfig")
    assert both.returncode == 2 and "give one of them" in both.stderr


def test_a_changed_program_changes_and_deletes_only_that(site: Site):
    site.up(first=True)
    site.edit('"version": "1"', '"version": "2"')
    site.up()
    assert site.fake.mutations == [f"PATCH {SETTINGS}"]
    assert site.fake.objects[SETTINGS]["data"] == {"version": "2"}
    site.edit('"account",\n    metadata', '"other",\n    metadata')
    site.edit('{"name": "account"', '{"name": "other"')
    site.up()
    assert site.fake.mutations == [f"PATCH {SPACE}/serviceaccounts/other", f"DELETE {ACCOUNT}"]


def test_objects_that_were_only_recorded_are_applied_once_a_cluster_is_named(site: Site):
    assert "applied" not in site.up()
    assert "3 applied" in site.up(first=True)
    assert site.fake.paths() == GROUPS


def test_a_kind_that_the_server_serves_by_now_is_applied(site: Site):
    site.up(first=True)
    site.fake.kinds |= ARGO
    assert "4 applied" in site.up()
    assert site.fake.mutations == [f"PATCH {TEMPLATE}"]
    assert "no changes" in site.up()


def test_a_new_cluster_at_the_same_address_gets_everything_again(site: Site):
    site.up(first=True)
    site.fake.begin()
    assert "is not the cluster that the environment's objects were applied to" in site.up()
    assert site.fake.paths() == GROUPS
    assert "no changes" in site.up() and site.fake.mutations == []


def test_a_move_that_stops_half_way_leaves_no_trace_in_the_state(site: Site):
    site.up(first=True)
    site.fake.begin()
    site.fake.refused[SETTINGS] = (500, "InternalError", "not now")
    with pytest.raises(UpFailed):
        site.up()
    known = state.read(site.project.state_file)
    assert known and not [r for r in known if attachment.MISPLACED in r.inputs]
    site.fake.refused.clear()
    site.up()
    assert site.fake.mutations == [f"PATCH {path}" for path in (SETTINGS, ACCOUNT)]


def test_what_the_server_refuses_fails_alone_and_is_made_by_the_next_up(site: Site):
    site.fake.refused[SETTINGS] = (403, "Forbidden", 'admission webhook "x" denied the request')
    with pytest.raises(UpFailed, match="1 failed"):
        site.up(first=True)
    said = site.said()
    assert f"ConfigMap pipelines/settings: {site.fake.url} refused it (403 Forbidden: admission webhook" in said
    assert "skipped: account" in said and site.fake.paths() == {SPACE}
    site.fake.refused.clear()
    site.up()
    assert site.fake.paths() == GROUPS and f"PATCH {SPACE}" not in site.fake.mutations


def test_a_lost_answer_is_followed_by_the_same_step_again(site: Site):
    site.fake.cut.add(SETTINGS)
    with pytest.raises(UpFailed):
        site.up(first=True)
    assert "gave no answer" in site.said()
    site.up()
    assert site.fake.mutations == [f"PATCH {path}" for path in (SETTINGS, ACCOUNT)]
    assert site.fake.paths() == GROUPS
    assert "no changes" in site.up()


def test_a_destroy_takes_everything_from_the_server_and_forgets_it(site: Site):
    site.up(first=True)
    site.fake.forget_requests()
    assert f"Nothing of local is left on {site.fake.url}." in site.destroy()
    assert site.fake.paths() == set()
    assert site.fake.mutations[-1] == f"DELETE {SPACE}", "the namespace goes last"
    assert attachment.remembered(site.project.places()) is None
    site.fake.forget_requests()
    site.up()
    assert site.fake.asked == []


def test_a_destroy_with_data_reaches_the_server_also_when_the_emulator_is_down(site: Site):
    site.up(first=True)
    down(site.project.root, STACK, site.console)
    assert "3 objects were deleted" in site.destroy(include_data=True)
    assert site.fake.paths() == set() and not site.project.places().folder.exists()


def test_a_destroy_asks_before_it_leaves_objects_on_a_server_that_is_gone(site: Site, tmp_path: Path):
    site.up(first=True)
    site.kubeconfig.unlink()
    with pytest.raises(UserError, match="nothing was destroyed"):
        site.destroy(agree=False)
    assert state.read(site.project.state_file)
    said = site.destroy(agree=True)
    assert f"Go on, and leave 3 objects on {site.fake.url}?" in said
    assert "3 objects are left" in said and "ConfigMap pipelines/settings" in said
    assert f"Nothing is left but what stays on {site.fake.url}." in said
    left = state.read(site.project.state_file)
    assert left is not None and not left.of_type("kubernetes:core/v1:Namespace")
    assert site.fake.paths() == GROUPS


def test_what_the_program_dropped_while_the_emulator_was_down_goes_with_the_next_up(site: Site):
    site.up(first=True)
    down(site.project.root, STACK, site.console)
    site.edit('{"name": "account"', '{"name": "other"')
    assert "1 objects were deleted" in site.up()
    assert site.fake.paths() == {SPACE, SETTINGS, f"{SPACE}/serviceaccounts/other"}


def test_an_environment_leaves_its_cluster_on_request(site: Site):
    site.up(first=True)
    said = site.up(detach=True)
    assert "3 objects were deleted" in said and "5 resources, 4 emulated, 1 recorded" in said
    assert site.fake.paths() == set()
    assert "no changes" in site.up() and site.fake.asked == []


def test_an_environment_has_one_cluster(site: Site):
    site.up(first=True)
    with serving() as other:
        path = other.kubeconfig(site.folder / "other.yaml")
        with pytest.raises(InvalidInput, match=r"an environment has one cluster.*--no-kubeconfig"):
            site.up(kubeconfig=path)
        assert other.paths() == set()
        site.kubeconfig.unlink()
        assert "What is in the former one stays there" in site.up(kubeconfig=path)
        assert other.paths() == GROUPS


def test_a_remembered_cluster_that_is_gone_stops_an_up_and_shows_the_ways_out(site: Site):
    site.up(first=True)
    port, site.fake.port = site.fake.port, 1
    site.fake.kubeconfig(site.kubeconfig)
    with pytest.raises(UserError, match=r"does not answer.*\n.*--kubeconfig FILE`.*--no-kubeconfig`") as stopped:
        site.up()
    assert stopped.value.exit_status == 1
    site.kubeconfig.unlink()
    with pytest.raises(InvalidInput, match=r"cannot be read.*\n.*--no-kubeconfig`"):
        site.up()
    site.fake.port = port
    said = site.up(detach=True)
    assert "3 objects are left" in said and "4 emulated, 1 recorded" in said
    assert site.fake.paths() == GROUPS


def test_a_refresh_sees_the_server_and_an_up_sets_it_back(site: Site):
    site.up(first=True)

    def refreshed(*, write: bool) -> str:
        refresh(site.project.root, STACK, site.console, preview_only=not write, confirm=lambda question: write)
        return site.said()

    assert "nothing differs" in refreshed(write=False)
    site.fake.objects[SETTINGS]["data"]["version"] = "9"
    del site.fake.objects[ACCOUNT]
    site.fake.forget_requests()
    said = refreshed(write=True)
    assert site.fake.mutations == [], "it only looks"
    assert 'settings (kubernetes:core/v1:ConfigMap) data.version: "1" -> "9"' in said
    assert "account (kubernetes:core/v1:ServiceAccount) is gone" in said
    site.up()
    assert sorted(site.fake.mutations) == [f"PATCH {SETTINGS}", f"PATCH {ACCOUNT}"]
    assert "nothing differs" in refreshed(write=False)
    site.fake.begin()
    with pytest.raises(UserError, match="is another cluster than the one"):
        refreshed(write=False)
