"""This machine: the commands that a deployment calls, the way to the cluster, images that stand for none."""

import socket

import pytest

from stacks.images import LockedImage
from stackyard.preflight.checks import machine
from stackyard.preflight.checks.machine import EndpointFacts
from stackyard.preflight.finding import Level
from tests.preflight.targets import Script, only, target


@pytest.mark.parametrize(
    ("fetch", "judge", "name"),
    [
        (machine.fetch_pulumi, machine.judge_pulumi, "pulumi"),
        (machine.fetch_aws_cli, machine.judge_aws_cli, "aws"),
    ],
)
def test_a_command_that_is_not_on_path_fails_with_where_to_get_it(fetch, judge, name, tmp_path, monkeypatch):
    """faults 15: no Pulumi CLI."""
    monkeypatch.setenv("PATH", str(tmp_path))
    found = only(judge(fetch(Script().account(), target()), target()))
    assert found.level is Level.FAIL and f"`{name}` is not on PATH" in found.sentence
    assert "https://" in found.remedy
    (tmp_path / name).write_text("#!/bin/sh\n")
    (tmp_path / name).chmod(0o755)
    assert only(judge(fetch(Script().account(), target()), target())).level is Level.PASS


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def described(endpoint: str) -> dict:
    return {"cluster": {"name": "stackyard-dev", "endpoint": endpoint}}


def test_an_endpoint_that_takes_a_connection_passes(listening):
    answer = described(f"https://127.0.0.1:{listening}")
    script = Script().answer("eks", "describe_cluster", answer, {"name": "stackyard-dev"})
    facts = machine.fetch_endpoint(script.account(), target())
    assert only(machine.judge_endpoint(facts, target())).level is Level.PASS


def test_an_endpoint_that_cannot_be_reached_fails_and_says_from_where_it_can(listening):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    script = Script().answer("eks", "describe_cluster", described(f"https://127.0.0.1:{closed}"))
    facts = machine.fetch_endpoint(script.account(), target())
    found = only(machine.judge_endpoint(facts, target()))
    assert found.level is Level.FAIL and "refused" in found.sentence and "docs/access.md" in found.remedy
    assert "from inside the VPC only" in found.sentence
    public = target({"cluster.publicAccessCidrs": ["203.0.113.0/24"]})
    assert "cluster.publicAccessCidrs" in only(machine.judge_endpoint(facts, public)).sentence


def test_a_cluster_that_does_not_exist_yet_is_skipped():
    script = Script().refuse("eks", "describe_cluster", "ResourceNotFoundException", status=404)
    facts = machine.fetch_endpoint(script.account(), target())
    assert facts == EndpointFacts("")
    assert only(machine.judge_endpoint(facts, target())).level is Level.SKIPPED


def locked(*, example: bool) -> dict[str, LockedImage]:
    return {"pipelines": LockedImage(name="pipelines", digest="sha256:" + "a" * 64, example=example)}


def test_a_digest_that_stands_for_no_image_fails():
    found = only(machine.judge_images(locked(example=True), target()))
    assert found.level is Level.FAIL and "example digests for dev: pipelines" in found.sentence
    assert "remove these lines" in found.remedy


def test_a_built_image_passes_and_none_at_all_is_a_first_deployment():
    assert only(machine.judge_images(locked(example=False), target())).level is Level.PASS
    assert "left out" in only(machine.judge_images({}, target())).sentence


def test_the_lock_is_the_checkouts_own(tmp_path):
    (tmp_path / "stacks").mkdir()
    digest = "sha256:" + "b" * 64
    (tmp_path / "stacks" / "images.lock.yaml").write_text(f'dev:\n  pipelines: {{digest: "{digest}"}}\n')
    assert machine.fetch_images(Script().account(), target(root=tmp_path))["pipelines"].digest == digest


def test_the_local_stack_needs_no_command_and_has_no_endpoint():
    skipped = {check.name for check in machine.CHECKS if check.skip(target(emulated=True))}
    assert skipped == {"Pulumi CLI", "AWS CLI", "cluster endpoint"}
    assert [check.name for check in machine.CHECKS if check.skip(target())] == []
