"""Captures of every stack: no credentials, no network, always the same bytes."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from stackyard.errors import InvalidInput
from stackyard.program.capture import DISABLED_DEFAULTS_KEY, Format, capture, read_any, render, request_for
from stackyard.program.deployment import STACK_REFERENCE_TYPE, STACK_TYPE
from stackyard.program.process import Refused
from stackyard.program.stackfiles import read_stack, to_environment
from stackyard.program.values import has_unknown
from tests.stack_captures import ROOT, STACKS, stack_capture

# A child process imports the SDK anew, about two seconds: too long for the default tier.
in_a_child = pytest.mark.local


def command(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stackyard", *arguments],
        cwd=cwd,
        env={"PATH": os.defpath, "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_there_is_a_stack_for_every_environment_and_layer():
    assert set(STACKS) == {
        "local", "dev", "staging-base", "staging-platform", "prod-base", "prod-platform", "account",
    }  # fmt: skip


@in_a_child
def test_two_captures_are_the_same_bytes_under_other_hash_seeds():
    one, two = (command("capture", "--stack", "dev", PYTHONHASHSEED=seed) for seed in ("1", "4242"))
    assert one.returncode == 0, one.stderr
    assert one.stdout == two.stdout
    assert one.stdout == render(stack_capture("dev"), Format.JSON), "the test process sees what the command shows"


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_is_captured_without_credentials_and_nothing_is_left_open(stack):
    deployment = stack_capture(stack)
    assert deployment.only(STACK_TYPE).name == f"stackyard-{stack}"
    unknown = [(r.name, key) for r in deployment for key, value in r.inputs.items() if has_unknown(value)]
    assert not unknown, "an output that other resources use has no derived value"


def test_a_platform_stack_reads_its_base_by_one_reference_and_nothing_else():
    deployment = stack_capture("prod-platform")
    assert [r.outputs["name"] for r in deployment if r.external] == ["organization/stackyard/prod-base"]
    assert deployment.only(STACK_REFERENCE_TYPE)
    assert deployment.named("default", "pulumi:providers:pulumi"), "the engine registers its own provider for it"
    cluster = deployment.only("aws:eks/cluster:Cluster")
    base = stack_capture("prod-base")
    assert cluster.inputs["vpcConfig"]["subnetIds"] == base.outputs["privateSubnetIds"]


@in_a_child
def test_base_outputs_come_from_the_file_that_is_named(tmp_path):
    base = stack_capture("prod-base")
    document = json.loads(render(base, Format.JSON))
    document["outputs"]["privateSubnetIds"] = ["subnet-one", "subnet-two"]
    file = tmp_path / "base.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    deployment = capture(ROOT, "prod-platform", base_from=file)
    assert deployment.only("aws:eks/cluster:Cluster").inputs["vpcConfig"]["subnetIds"] == ["subnet-one", "subnet-two"]


@in_a_child
def test_a_missing_base_output_says_which_stack_to_deploy(tmp_path):
    document = json.loads(render(stack_capture("prod-base"), Format.JSON))
    del document["outputs"]["privateSubnetIds"]
    file = tmp_path / "base.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(Refused, match="prod-base has no output privateSubnetIds: deploy it first"):
        capture(ROOT, "prod-platform", base_from=file)


def test_a_capture_in_the_states_format_is_read_back(tmp_path):
    file = tmp_path / "state.json"
    deployment = stack_capture("account")
    file.write_text(render(deployment, Format.STATE), encoding="utf-8")
    assert [r.urn for r in read_any(file)] == [r.urn for r in deployment]


@pytest.mark.parametrize("value", [3, "aws", [1]], ids=str)
def test_disabled_default_providers_must_be_a_list_of_names(value):
    config = read_stack(ROOT, "dev")
    broken = replace(config, config={**config.config, DISABLED_DEFAULTS_KEY: value})
    with pytest.raises(InvalidInput, match=r'Pulumi.dev.yaml: .* must be a list .* Valid: .*: \["\*"\]'):
        request_for(ROOT, broken, mode="capture")


def test_an_unknown_stack_names_the_nearest_one():
    result = command("capture", "--stack", "prod-bas")
    assert result.returncode == 2
    assert "prod-base" in result.stderr and "Traceback" not in result.stderr


def test_an_unknown_format_is_refused_before_anything_runs():
    result = command("capture", "--stack", "dev", "--format", "terraform")
    assert result.returncode == 2
    assert "terraform" in result.stderr and "json, state" in result.stderr


def test_outside_a_checkout_one_sentence_says_where_to_go(tmp_path):
    result = command("capture", "--stack", "dev", cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert result.returncode == 2
    assert "Pulumi.yaml" in result.stderr and "Traceback" not in result.stderr


@in_a_child
def test_a_captured_program_cannot_reach_the_network(tmp_path):
    project = tmp_path / "checkout"
    _copy_program(project)
    main = project / "stacks" / "__main__.py"
    main.write_text(main.read_text() + "\nimport socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1)\n")
    result = command("capture", "--stack", "account", cwd=project, PYTHONPATH=str(project))
    assert result.returncode == 1
    assert "192.0.2.1" in result.stderr


@in_a_child
def test_the_program_runs_where_the_project_is_not_installed(tmp_path):
    """As under the CLI in a real deployment: stacks/ is the only import path that it is given."""
    _copy_program(project := tmp_path / "checkout")
    shutil.copytree(ROOT / "stackyard", tmp_path / "tools" / "stackyard")
    python = _bare_python(tmp_path / "venv")
    alone = {"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONSAFEPATH": "1"}
    imported = subprocess.run(
        [python, "-c", "import components"], env=alone, capture_output=True, text=True, check=False
    )
    assert "No module named 'components'" in imported.stderr, "the project is installed after all"
    config = read_stack(project, "dev")
    request = request_for(project, config, mode="capture")
    result = subprocess.run(
        [python, "-m", "stackyard.program.child"],
        input=request.to_json(),
        cwd=tmp_path,
        env={**alone, "PYTHONPATH": str(tmp_path / "tools"), **to_environment(config)},
        capture_output=True,
        text=True,
        check=False,
    )
    event = json.loads(result.stdout.splitlines()[-1])
    assert event["event"] == "result", event.get("message") or result.stderr
    assert len(event["deployment"]["resources"]) == len(stack_capture("dev").resources)


def _bare_python(folder: Path) -> str:
    """A venv that sees the installed packages, but not what is installed by reference, like the project."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "packages.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return str(folder / "bin" / "python")


def _copy_program(target: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".venv")
    for folder in ("stacks", "components", "pipelines", "policies", "stackyard"):
        shutil.copytree(ROOT / folder, target / folder, ignore=ignored)
    shutil.copy(ROOT / "Pulumi.yaml", target / "Pulumi.yaml")
