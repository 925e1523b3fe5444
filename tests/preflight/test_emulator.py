"""Preflight against the emulated account: what it knows is judged, what it lacks is told, and nothing is written."""

import io
import json
import shutil
from typing import Any

import pytest
from rich.console import Console

from stackyard.local import emulator
from stackyard.local.places import Places
from stackyard.local.safety import client
from stackyard.preflight.command import preflight
from stackyard.preflight.finding import Level
from tests.preflight.targets import ROOT, TODAY

pytestmark = pytest.mark.local

LACKING = {
    "permissions",
    "network quotas",
    "cluster quota",
    "vCPU quotas",
    "reservations",
    "Kubernetes version",
    "node images",
    "add-ons",
    "connection to GitHub",
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkout")
    (root / "stacks").mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", root)
    for path in [*(ROOT / "stacks").glob("Pulumi.*.yaml"), ROOT / "stacks" / "images.lock.yaml"]:
        shutil.copy(path, root / "stacks")
    return root


@pytest.fixture(scope="module")
def endpoint(checkout):
    """The emulator of `prod`, with nothing in it yet."""
    places = Places(checkout, "prod")
    yield emulator.start(places).endpoint
    emulator.stop(places)


def run(root, **options) -> tuple[int, dict[str, Any]]:
    text = io.StringIO()
    console = Console(file=text, width=300, soft_wrap=True)
    code = preflight(root, "prod", console, today=TODAY, format="json", local=True, **options)
    return code, json.loads(text.getvalue())


def of(document: dict[str, Any], level: Level) -> dict[str, str]:
    return {f["check"]: f["sentence"] for f in document["findings"] if f["level"] == level}


def test_what_the_emulator_knows_passes_and_what_it_lacks_is_unknown(checkout, endpoint):
    """faults 35."""
    emulator.reset_requests(endpoint)
    code, document = run(checkout)
    assert document["emulated"] and document["account"] == "123456789012"
    assert set(of(document, Level.UNKNOWN)) == LACKING
    assert all("emulator" in f["sentence"] for f in document["findings"] if f["level"] == Level.UNKNOWN)
    known = {"account", "region", "zones", "bucket names", "zones of instance types", "instance types"}
    assert known <= set(of(document, Level.PASS))
    assert set(of(document, Level.FAIL)) == {"images"} and code == 1
    assert emulator.requests(endpoint).mutating == {}, "it only reads"


def test_a_full_quota_and_a_zone_that_is_not_there_are_found(checkout, endpoint):
    """faults 5."""
    ec2 = client("ec2", endpoint=endpoint, region="us-east-1")
    made = [ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"] for number in range(100, 104)]
    path = checkout / "stacks" / "Pulumi.prod-base.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("us-east-1c]", "us-east-1z]"), encoding="utf-8")
    try:
        _, document = run(checkout, layer="base")
    finally:
        path.write_text(text, encoding="utf-8")
        for vpc in made:
            ec2.delete_vpc(VpcId=vpc)
    assert of(document, Level.FAIL)["network quotas"] == "VPCs per Region: needs 1, 5 taken already, quota 5"
    assert "no zone us-east-1z" in of(document, Level.FAIL)["zones"]
    (command,) = [f["command"] for f in document["findings"] if f["command"]]
    assert command.endswith("--quota-code L-F678F1CE --desired-value 6 --region us-east-1")


def test_a_bucket_that_is_there_without_a_state_is_what_a_destroy_kept(checkout, endpoint):
    s3 = client("s3", endpoint=endpoint, region="us-east-1")
    name = "stackyard-prod-data-123456789012-us-east-1"
    s3.create_bucket(Bucket=name)
    try:
        _, document = run(checkout, layer="base")
    finally:
        s3.delete_bucket(Bucket=name)
    sentences = [f["sentence"] for f in document["findings"] if f["check"] == "bucket names"]
    assert any(name in sentence and "takes it up again" in sentence for sentence in sentences)
