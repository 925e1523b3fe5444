"""The programs of the cluster tier: pinned, built once, and named after what they were built from."""

import re
import shutil
import subprocess

import pytest
import yaml

from stacks.versions import CHARTS, KUBERNETES_VERSIONS
from tests.cluster.tools import build
from tests.cluster.tools.build import FAMILIES


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A copy of the modules, with an empty cache."""
    copy = tmp_path / "modules"
    shutil.copytree(build.MODULES, copy)
    monkeypatch.setattr(build, "MODULES", copy)
    monkeypatch.setenv(build.CACHE_VARIABLE, str(tmp_path / "cache"))
    return copy


@pytest.fixture
def go(tmp_path, monkeypatch):
    """A stand-in for Go on PATH that writes what it was asked to build; returns what it was called with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    calls = tmp_path / "calls"
    script = f"""#!/bin/sh
echo "$CGO_ENABLED $GOFLAGS $(basename "$PWD") $*" >> {calls}
[ "$1" = build ] && [ -n "$FAIL" ] && {{ echo "no such package" >&2; exit 1; }}
while [ $# -gt 0 ]; do [ "$1" = -o ] && echo program > "$2"; shift; done
echo {tmp_path}/module
"""
    (folder / "go").write_text(script)
    (folder / "go").chmod(0o755)
    for family in FAMILIES:
        for _, pattern in family.files.values():
            file = tmp_path / "module" / pattern.replace("*", "x")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("kind: Taken\n")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("GOFLAGS", "-mod=mod")
    return lambda: calls.read_text().splitlines() if calls.exists() else []


def test_every_family_is_built_once_from_its_own_module(modules, go, capsys):
    assert build.missing() == list(FAMILIES)
    build.build()
    assert build.missing() == []
    programs = {name for family in FAMILIES for name in family.programs}
    assert programs == {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "karpenter", "kwok"}
    assert all(build.program(name).read_text() == "program\n" for name in programs)
    builds = [call for call in go() if " build " in call]
    assert len(builds) == len(programs)
    assert all(call.startswith("0  ") for call in go()), "no C, and no flags of the user's"
    assert re.search(r"built kube-apiserver in \d+ s", capsys.readouterr().out)
    before = go()
    build.build()
    assert go() == before, "nothing is built twice"


def test_files_that_come_with_a_module_are_taken_along(modules, go):
    build.build()
    names = [path.name for path in build.taken_files("karpenter-aws", "crds")]
    assert names == ["x.yaml"]


def test_a_changed_pin_builds_its_family_anew_and_no_other(modules, go):
    build.build()
    place = {family.name: family.place() for family in FAMILIES}
    file = modules / "kwok" / "go.mod"
    file.write_text(file.read_text().replace("v0.8.0", "v0.9.0"))
    assert [family.name for family in build.missing()] == ["kwok"]
    assert {f.name for f in FAMILIES if f.place() != place[f.name]} == {"kwok"}


def test_a_failed_build_leaves_nothing_that_looks_finished_and_says_why(modules, go, monkeypatch):
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(SystemExit, match="go build failed in etcd: no such package"):
        build.build()
    assert build.missing() == list(FAMILIES)


def test_without_go_a_sentence_says_what_is_missing(modules, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match=r"Go is missing: .* Go 1\.26\.\d+ or newer"):
        build.build()


def test_what_is_built_already_needs_no_go(modules, go, monkeypatch):
    build.build()
    monkeypatch.setenv("PATH", "")
    build.build()


def test_the_cache_of_this_checkout_keeps_only_what_is_current(modules, go, monkeypatch, tmp_path):
    monkeypatch.delenv(build.CACHE_VARIABLE)
    monkeypatch.setattr(build, "DEFAULT_CACHE", tmp_path / "own")
    old = tmp_path / "own" / "etcd-0123456789abcdef"
    old.mkdir(parents=True)
    build.build()
    assert not old.exists()
    assert build.missing() == []


def test_a_cache_that_others_share_keeps_everything(modules, go):
    old = build.cache() / "etcd-0123456789abcdef"
    old.mkdir(parents=True)
    build.build()
    assert old.exists()


def test_kubernetes_parts_are_of_one_version_and_that_of_the_version_table():
    text = (build.MODULES / "kubernetes" / "go.mod").read_text()
    (kubernetes,) = re.findall(r"k8s\.io/kubernetes v1\.(\S+)", text)
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (\S+) v0\.(\S+)$", text, re.MULTILINE)
    assert len(replaced) > 30
    assert {(old == new, version) for old, new, version in replaced} == {(True, kubernetes)}
    assert f"1.{kubernetes.split('.')[0]}" in KUBERNETES_VERSIONS


def test_karpenter_is_of_the_version_that_the_stacks_install():
    pinned = CHARTS["karpenter"].version
    by_name = {family.name: family for family in FAMILIES}
    assert by_name["karpenter"].version_of("sigs.k8s.io/karpenter") == f"v{pinned}"
    assert by_name["karpenter-aws"].version_of("github.com/aws/karpenter-provider-aws") == f"v{pinned}"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_what_is_built_is_what_the_module_keeps(family):
    kept = set(re.findall(r'_ "(\S+)"', (family.module / "tools.go").read_text()))
    taken = {f"{module}/{pattern.rpartition('/crds/')[0]}" for module, pattern in family.files.values()}
    assert kept == (set(family.programs.values()) or taken)


@pytest.mark.cluster
def test_the_real_definitions_are_of_karpenters_kinds(plane):
    # With the tier's own server: where the programs are not built, the fixture says so, and fails in CI.
    kinds = [
        yaml.safe_load(path.read_text())["spec"]["names"]["kind"] for path in build.taken_files("karpenter-aws", "crds")
    ]
    assert {"EC2NodeClass", "NodePool", "NodeClaim"} <= set(kinds)


def test_git_keeps_nothing_of_what_is_built():
    root = build.DEFAULT_CACHE.parents[1]
    if not (root / ".git").exists():
        pytest.skip("what git ignores is only known in a checkout")
    ignored = subprocess.run(["git", "check-ignore", "-q", str(build.DEFAULT_CACHE / "x")], cwd=root, check=False)
    assert ignored.returncode == 0
