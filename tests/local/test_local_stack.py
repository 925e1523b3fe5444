"""`stackyard local`: up, again, changed, destroyed; on a checkout of its own, with the real emulator."""

import json
import os
import signal
import stat

import pytest

from stackyard.local import emulator, inventory
from stackyard.local.runs import running
from stackyard.local.safety import DUMMY_ACCESS_KEY_ID, client
from stackyard.program import state
from tests.local.checkouts import Checkout, make_checkout
from tests.local.traps import planted, recorded, trapped

pytestmark = pytest.mark.local


@pytest.fixture
def checkout(tmp_path):
    checkout = make_checkout(tmp_path / "checkout")
    yield checkout
    checkout.stop()


def up(checkout: Checkout, *arguments: str) -> str:
    result = checkout.run("local", "up", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_a_second_up_changes_nothing_and_makes_no_mutating_request(checkout):
    first = up(checkout)
    assert "created" in first and "recorded, not emulated" in first
    emulator.reset_requests(checkout.endpoint())
    before = checkout.places().state("local").read_bytes()
    second = up(checkout)
    assert "no changes" in second
    assert emulator.requests(checkout.endpoint()).mutating == {}
    assert checkout.places().state("local").read_bytes() == before


@pytest.mark.parametrize("env", ["account", "staging", "prod"])
def test_every_environment_lives_on_an_emulator_of_its_own(checkout, env):
    assert "created" in up(checkout, "--env", env)
    assert "no changes" in up(checkout, "--env", env)
    gone = checkout.run("local", "destroy", "--yes", "--include-data", "--env", env)
    assert gone.returncode == 0 and "Nothing is left" in gone.stdout, gone.stdout + gone.stderr


def test_a_changed_setting_changes_that_resource_alone(checkout):
    up(checkout)
    checkout.edit("stacks/Pulumi.local.yaml", "owner: machine-learning", "owner: somebody-else")
    output = up(checkout)
    assert "updated" in output and "replacement" not in output
    s3 = client("s3", endpoint=checkout.endpoint())
    bucket = next(b["Name"] for b in s3.list_buckets()["Buckets"] if "-data-" in b["Name"])
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    assert tags["owner"] == "somebody-else" and tags["component"] == "data"


def test_a_destroy_keeps_data_and_a_second_one_with_data_leaves_nothing(checkout):
    up(checkout)
    s3 = client("s3", endpoint=checkout.endpoint())
    bucket = next(b["Name"] for b in s3.list_buckets()["Buckets"] if "-data-" in b["Name"])
    s3.put_object(Bucket=bucket, Key="precious.txt", Body=b"data", ServerSideEncryption="aws:kms")

    first = checkout.run("local", "destroy", "--yes")
    assert first.returncode == 0, first.stderr
    assert s3.get_object(Bucket=bucket, Key="precious.txt")["Body"].read() == b"data"
    left = state.read(checkout.places().state("local"))
    assert left is not None and left.named("data-policy") and not left.of_type("aws:ec2/vpc:Vpc")
    retained = json.loads(checkout.places().retained("local").read_text(encoding="utf-8"))["resources"]
    (entry,) = (resource for resource in retained if resource["name"] == "data-bucket")
    assert entry == {
        "type": "aws:s3/bucket:Bucket",
        "name": "data-bucket",
        "id": bucket,
        "parent": "data",
        "provider": "aws",
        "version": "7.51.1",
    }
    assert [r["type"] for r in retained][:2] == ["pulumi:providers:aws", "stackyard:index:ContainerRegistry"]

    assert "created" in up(checkout), "the data is taken up again"
    assert s3.get_object(Bucket=bucket, Key="precious.txt")["Body"].read() == b"data"

    second = checkout.run("local", "destroy", "--yes", "--include-data")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "Nothing is left" in second.stdout
    assert not checkout.places().folder.exists()
    assert emulator.running(checkout.places()) is None


def test_a_destroy_without_the_emulator_destroys_nothing_and_says_so(checkout):
    up(checkout)
    checkout.run("local", "down")
    before = checkout.places().state("local").read_bytes()
    result = checkout.run("local", "destroy", "--yes")
    assert result.returncode == 1
    assert "nothing was destroyed" in result.stderr and "--include-data" in result.stderr
    assert "Nothing is left" not in result.stdout
    assert checkout.places().state("local").read_bytes() == before
    assert checkout.run("local", "destroy", "--yes", "--include-data").returncode == 0
    assert not checkout.places().folder.exists()


@pytest.mark.parametrize("command", [("local", "down"), ("local", "destroy", "--yes", "--include-data")])
def test_nobody_pulls_the_emulator_from_under_a_running_pipeline(checkout, command):
    up(checkout)
    with running(checkout.places()):
        result = checkout.run(*command)
    assert result.returncode == 1 and "a pipeline of this environment runs" in result.stderr
    assert emulator.running(checkout.places()), "the emulator goes on"


def test_the_environment_is_its_owners_alone(checkout):
    up(checkout)
    assert stat.S_IMODE(checkout.places().folder.stat().st_mode) == 0o700


def test_a_destroy_asks_and_does_nothing_where_nobody_can_answer(checkout):
    result = checkout.run("local", "destroy", "--include-data")
    assert result.returncode == 2 and "--yes" in result.stderr


def test_every_service_is_empty_after_a_destroy_with_data(checkout, monkeypatch):
    """The inventory is taken before the emulator is stopped: here by a destroy that is told not to stop it."""
    from rich.console import Console

    from stackyard.local import destroy as destroying

    up(checkout)
    server = emulator.running(checkout.places())
    assert server and inventory.inventory(server.endpoint), "there is something to destroy"
    monkeypatch.setattr(destroying.emulator, "stop", lambda places: False)
    try:
        destroying.destroy(checkout.root, "local", Console(quiet=True), include_data=True)
        assert inventory.inventory(server.endpoint) == {}
    finally:
        monkeypatch.undo()
        # Its record goes with the environment: nobody else would find it.
        os.kill(server.pid, signal.SIGTERM)


def test_dev_runs_on_the_emulated_account_and_says_so(checkout):
    output = up(checkout, "--env", "dev")
    assert "replaced by the emulated account" in output
    deployment = state.read(checkout.places("dev").state("dev"))
    assert deployment is not None
    assert all("123456789012" in r.outputs["arn"] for r in deployment.of_type("aws:kms/key:Key"))


def test_an_environment_without_stack_files_is_refused(checkout):
    result = checkout.run("local", "up", "--env", "production")
    assert result.returncode == 2 and "choose one of account, dev, local, prod, staging" in result.stderr


def test_bad_settings_are_refused_before_anything_starts(checkout):
    checkout.edit("stacks/Pulumi.local.yaml", "cidr: 10.0.0.0/16", "cidr: 10.0.0.0/99")
    result = checkout.run("local", "up")
    assert result.returncode == 2
    assert "network.cidr" in result.stderr and "10.0.0.0/99" in result.stderr and "Traceback" not in result.stderr
    assert emulator.running(checkout.places()) is None


def test_planted_credentials_and_endpoints_are_used_by_no_request(checkout):
    endpoint = emulator.start(checkout.places()).endpoint
    with trapped() as (url, visits), recorded(endpoint) as keys:
        for command in (("local", "up"), ("local", "refresh", "--yes"), ("local", "destroy", "--yes")):
            result = checkout.run(*command, **planted(checkout, url))
            assert result.returncode == 0, result.stdout + result.stderr
        assert visits == [], "a command went where the planted settings lead"
    assert set(keys) == {DUMMY_ACCESS_KEY_ID}, "every request is ours, and signed with keys that open nothing"
    assert len(keys) > 500, "the recording holds what the commands asked"


def test_a_killed_emulator_is_provisioned_again_and_the_buckets_contents_are_back(checkout):
    up(checkout)
    s3 = client("s3", endpoint=checkout.endpoint())
    bucket = next(b["Name"] for b in s3.list_buckets()["Buckets"] if "-data-" in b["Name"])
    s3.put_object(Bucket=bucket, Key="precious.txt", Body=b"data", ServerSideEncryption="aws:kms")
    # The other one is the pipeline's code package.
    down = checkout.run("local", "down")
    assert down.returncode == 0 and "2 objects are kept" in down.stdout, down.stdout + down.stderr

    up(checkout)
    server = emulator.running(checkout.places())
    assert server
    os.kill(server.pid, signal.SIGKILL)
    output = up(checkout)
    assert "forgotten" in output and "back from the last snapshot" in output
    again = client("s3", endpoint=checkout.endpoint())
    assert again.get_object(Bucket=bucket, Key="precious.txt")["Body"].read() == b"data"


def test_what_failed_is_named_and_the_next_up_completes(checkout):
    checkout.edit("components/flow_logs.py", 'traffic_type="ALL"', 'traffic_type="EVERYTHING"')
    failed = checkout.run("local", "up")
    assert failed.returncode == 1
    assert "network-flow-log" in failed.stdout and "EVERYTHING" in failed.stdout
    assert "Traceback" not in failed.stdout + failed.stderr
    checkout.edit("components/flow_logs.py", 'traffic_type="EVERYTHING"', 'traffic_type="ALL"')
    up(checkout)
    assert "no changes" in up(checkout)


def test_a_second_up_at_once_is_told_who_works(checkout):
    with state.locked(checkout.places().folder / "environment"):
        result = checkout.run("local", "up")
    assert result.returncode == 1 and f"pid {os.getpid()}" in result.stderr


def test_status_shows_what_is_there(checkout):
    assert "nothing is provisioned" in checkout.run("local", "status").stdout
    up(checkout)
    output = checkout.run("local", "status").stdout
    assert "Network" in output and "DataBucket" in output
