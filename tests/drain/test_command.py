"""The command: refusals, what it says before it asks, statuses, the way back, and the local environment."""

import io
import json
import shutil
from functools import cache

import pytest
from rich.console import Console
from typer.testing import CliRunner

from stackyard.cli import app
from stackyard.drain import command
from stackyard.drain.command import OPERATIONS, PAGE, drain
from stackyard.errors import InvalidInput, UserError
from stackyard.local.places import Places
from stackyard.local.runs import running
from stackyard.preflight.account import permission
from stackyard.program.state import Locked
from tests.drain.aws import Aws
from tests.drain.cluster import Cluster
from tests.preflight.targets import ROOT

# Parsing an environment's settings takes longer than draining it.
declared = cache(command._target)


@pytest.fixture(autouse=True)
def parsed_once(monkeypatch):
    monkeypatch.setattr(command, "_target", lambda root, env: declared(ROOT, env))


def run(cluster, *, env="dev", aws=None, force=False, agrees=True, minutes=5, text=None, meanwhile=lambda: None):
    text = text or io.StringIO()
    asked = []

    def confirm(question):
        asked.append(question)
        meanwhile()
        return agrees

    try:
        status = drain(
            ROOT,
            env,
            Console(file=text, width=300, soft_wrap=True),
            force=force,
            confirm=confirm,
            timeout_minutes=minutes,
            clients=aws or Aws(declared(ROOT, env).account_id),
            reach=lambda account, target, clients: cluster,
            clock=(cluster or Cluster()).clock,
        )
    except UserError as error:
        return error, text.getvalue(), asked
    return status, text.getvalue(), asked


def training() -> Cluster:
    cluster = Cluster()
    cluster.pool("gpu")
    cluster.node("n1", "gpu")
    cluster.schedule("pipelines/training")
    cluster.run("pipelines/training-x7k2p")
    cluster.pod("pipelines/training-x7k2p-train", "n1", keep=True, run="training-x7k2p")
    return cluster


def test_running_training_is_a_refusal_that_lists_it_and_changes_nothing():
    cluster = training()
    refusal, text, asked = run(cluster)
    assert isinstance(refusal, UserError) and refusal.exit_status == 1 and asked == [] and cluster.done == []
    assert "1 job runs (Workflow pipelines/training-x7k2p)" in str(refusal)
    assert "stackyard drain --env dev --force" in str(refusal)
    row = next(line for line in text.splitlines() if line.startswith("Workflow"))
    assert all(part in row for part in ("pipelines/training-x7k2p", "gpu", "2026-11-28T10:30:00Z", "runs"))


def test_force_names_what_it_ends_asks_and_leaves_nothing():
    cluster = training()
    status, text, asked = run(cluster, force=True)
    assert status == 0 and asked == ["Drain dev?"]
    assert "1 job runs (Workflow pipelines/training-x7k2p), and will end:" in text
    assert cluster.names("Node") == [] and cluster.list_now("Workflow")[0]["status"]["phase"] == "Failed"
    assert "Nothing of Karpenter's is left in account" in text
    assert "Next: `pulumi destroy --stack dev`" in text and "`pulumi up --stack dev --refresh`" in text


def test_without_consent_nothing_is_changed():
    cluster = Cluster()
    cluster.node("n1")
    refusal, text, _ = run(cluster, agrees=False)
    assert str(refusal) == "nothing was changed" and cluster.done == []
    assert "Nodes that will go: 1." in text and "Schedules are suspended" in text


def test_what_begins_while_the_question_is_open_is_not_ended():
    cluster = training()
    refusal, _, _ = run(cluster, force=True, meanwhile=lambda: cluster.run("pipelines/training-new"))
    assert "Workflow pipelines/training-new began since the list was made" in str(refusal) and cluster.done == []


def test_another_account_ends_it_before_anything_is_asked():
    cluster, aws = training(), Aws("999999999999")
    refusal, _, asked = run(cluster, aws=aws, force=True)
    assert "belong to account 999999999999" in str(refusal) and "Nothing was changed" in str(refusal)
    assert asked == [] and cluster.done == [] and aws.asked == ["get_caller_identity"]


def test_nodes_that_stay_too_long_are_named_with_what_holds_them():
    cluster = training()
    cluster.karpenter_works = False
    status, text, _ = run(cluster, force=True, minutes=1)
    assert status == 1 and "Still there after 1 minute: 1 node" in text
    assert "  n1: " in text and "Run the command again" in text and "pulumi destroy" not in text


def test_leftovers_are_a_failure_with_a_command_each():
    aws = Aws(declared(ROOT, "dev").account_id, "i-lost")
    status, text, _ = run(Cluster(), aws=aws)
    assert status == 1 and "instance i-lost (g5.xlarge, running, pool gpu)" in text
    assert "\n   aws ec2 terminate-instances --region us-east-1 --instance-ids i-lost\n" in text


def test_instances_of_nodes_that_stay_are_no_leftovers():
    cluster = training()
    cluster.node("n2", "general")
    cluster.pool("general")
    cluster.pod("kueue-system/kueue-1", "n2")
    status, text, _ = run(cluster, aws=Aws(declared(ROOT, "dev").account_id, "i-of-n2"), force=True)
    assert status == 0 and "Nodes that stay for the destroy: 1, with Kueue" in text
    assert "After the destroy, `stackyard drain --env dev` says whether anything is left" in text


def test_after_the_destroy_it_looks_for_what_is_left():
    aws = Aws(declared(ROOT, "dev").account_id)
    status, text, asked = run(None, aws=aws)
    assert status == 0 and asked == [] and "does not exist: no node to drain" in text
    assert {"describe_launch_templates", "list_instance_profiles"} <= set(aws.asked)


def test_an_interruption_in_the_middle_tells_the_way_back():
    cluster = training()

    def interrupt():
        raise KeyboardInterrupt

    cluster.step = interrupt
    text = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        run(cluster, force=True, text=text)
    assert "stopped in the middle" in text.getvalue()
    assert "`pulumi up --stack dev --refresh` opens pools and schedules" in text.getvalue()


def test_the_stack_that_is_named_is_the_platforms():
    assert "Next: `pulumi destroy --stack prod-platform`" in run(Cluster(), env="prod")[1]


@pytest.mark.parametrize("env", ["account", "nowhere"])
def test_an_environment_without_a_platform_is_wrong_usage(env):
    with pytest.raises(InvalidInput, match=env):
        drain(ROOT, env, Console(), force=False, confirm=lambda question: True, timeout_minutes=5)


def local(root):
    text = io.StringIO()
    console = Console(file=text, width=300, soft_wrap=True)
    status = drain(root, "local", console, force=False, confirm=lambda question: False, timeout_minutes=5)
    return status, text.getvalue()


def test_the_local_environment_has_nothing_to_drain(tmp_path):
    status, text = local(tmp_path)
    assert status == 0 and "no nodes" in text
    assert not (tmp_path / ".stackyard").exists(), "it looks, and makes nothing"


def test_the_local_environment_is_not_drained_under_a_running_pipeline(tmp_path):
    places = Places(tmp_path, "local")
    with running(places), pytest.raises(Locked, match="a pipeline of this environment runs, started by"):
        local(tmp_path)
    assert local(tmp_path)[0] == 0


def test_wrong_usage_has_its_own_status(tmp_path, monkeypatch):
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    assert runner.invoke(app, ["drain"]).exit_code == 2
    assert runner.invoke(app, ["drain", "--env", "local", "--timeout", "0"]).exit_code == 2
    assert runner.invoke(app, ["drain", "--env", "local"]).exit_code == 0


def test_the_page_lists_exactly_the_permissions_that_a_drain_may_need():
    section = (ROOT / PAGE).read_text(encoding="utf-8").partition("## Permissions")[2]
    document = json.loads(section.partition("```json")[2].partition("```")[0])
    listed = {action for statement in document["Statement"] for action in statement["Action"]}
    needed = {permission(service, method) for service, methods in OPERATIONS.items() for method in methods}
    # The caller's identity needs no permission.
    assert listed == needed - {"sts:GetCallerIdentity"}


def test_every_operation_exists_and_only_reads():
    import boto3

    from stackyard.local import safety

    session = boto3.Session("k", "s", region_name="us-east-1", botocore_session=safety.bare_session())
    for service, methods in OPERATIONS.items():
        known = session.client(service).meta.method_to_api_mapping
        assert set(methods) <= set(known) and all(m.startswith(("describe_", "get_", "list_")) for m in methods)
