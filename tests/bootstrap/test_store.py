"""What bootstrap would make, from the stack files alone; and the commands that follow it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stacks.problems import SettingsError
from stackyard.bootstrap.calls import permissions
from stackyard.bootstrap.change import covers, policy_difference
from stackyard.bootstrap.guide import steps
from stackyard.bootstrap.store import LOCK_DAYS, state_store
from stackyard.cli import app
from stackyard.errors import InvalidInput

ROOT = Path(__file__).resolve().parents[2]
DOC = ROOT / "docs" / "first-deployment.md"


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "stacks").mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    for path in (ROOT / "stacks").glob("Pulumi.*.yaml"):
        shutil.copy(path, tmp_path / "stacks")
    return tmp_path


def edit(root, stack, old, new):
    path = root / "stacks" / f"Pulumi.{stack}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def commands(environment):
    return [command for step in steps(ROOT, state_store(ROOT, environment)) for command in step.commands]


def test_names_follow_from_environment_account_and_region():
    store = state_store(ROOT, "prod")
    assert store.bucket == "stackyard-prod-state-777788889999-us-east-1"
    assert store.log_bucket == "stackyard-prod-state-logs-777788889999-us-east-1"
    assert store.alias == f"alias/{store.bucket}"
    assert [stack.name for stack in store.stacks] == ["prod-base", "prod-platform"], "base first"


@pytest.mark.parametrize(("environment", "days"), [("dev", 30), ("staging", 90), ("prod", 365)])
def test_overwritten_states_are_kept_as_long_as_the_protection_says(environment, days):
    assert state_store(ROOT, environment).noncurrent_days == days


@pytest.mark.parametrize("environment", ["dev", "staging", "prod", "account"])
def test_old_states_outlast_their_lock(environment):
    assert state_store(ROOT, environment).noncurrent_days >= LOCK_DAYS, "else the lifecycle fails on every one"


def test_each_environment_has_a_store_of_its_own():
    stores = [state_store(ROOT, name) for name in ("dev", "staging", "prod", "account")]
    assert len({store.bucket for store in stores}) == len({store.alias for store in stores}) == 4


def test_the_tags_say_whose_it_is():
    tags = state_store(ROOT, "prod").tags
    assert tags["component"] == "bootstrap" and tags["owner"] == "machine-learning" and tags["environment"] == "prod"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [("prd", "environments are account, dev, prod, staging"), ("local", "on an emulator")],
)
def test_an_environment_that_has_no_account_is_refused(environment, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        state_store(ROOT, environment)


def test_stacks_that_disagree_about_their_account_are_refused(checkout):
    edit(checkout, "prod-platform", "777788889999", "222233334444")
    with pytest.raises(InvalidInput, match="one environment lives in one place"):
        state_store(checkout, "prod")


def test_a_wrong_setting_of_the_environment_is_told_as_everywhere(checkout):
    edit(checkout, "prod-base", "protection: strict", "protection: strong")
    with pytest.raises(SettingsError, match=r"environment\.protection"):
        state_store(checkout, "prod")
    assert state_store(checkout, "dev").environment == "dev", "a mistake in another environment stops nobody"


@pytest.mark.parametrize("noun", ["state", "state-logs"])
def test_a_data_bucket_cannot_take_the_name_of_a_state_bucket(checkout, noun):
    edit(checkout, "prod-base", "- name: data", f"- name: data\n    - name: {noun}")
    with pytest.raises(SettingsError, match=f"Stackyard itself creates a bucket {noun}"):
        state_store(checkout, "prod")


def test_the_commands_for_two_stacks_are_those_of_the_pulumi_cli():
    store = state_store(ROOT, "prod")
    login = "pulumi login 's3://stackyard-prod-state-777788889999-us-east-1?region=us-east-1'"
    provider = "--secrets-provider='awskms://alias/stackyard-prod-state-777788889999-us-east-1?region=us-east-1'"
    found = commands("prod")
    assert found[:1] == ["stackyard bootstrap --env account"]
    assert found[1:4] == [command.replace("prod", "account") for command in (
        login, f"pulumi stack init account {provider}", "pulumi up --stack account"
    )]  # fmt: skip
    assert found[4:] == [
        login,
        f"pulumi stack init prod-base {provider}",
        "pulumi up --stack prod-base",
        "stackyard pipelines compile",
        f"pulumi stack init prod-platform {provider}",
        "pulumi up --stack prod-platform",
    ]
    platform = steps(ROOT, store)[-1]
    assert "from inside the VPC" in platform.note


def test_one_stack_with_both_layers_is_applied_before_and_after_the_images():
    found = commands("dev")
    assert [command for command in found if command.startswith("pulumi up")] == ["pulumi up --stack dev"] * 2
    first, again = (number for number, command in enumerate(found) if command.startswith("pulumi up"))
    assert "stackyard pipelines compile" in found[:first], "the first `up` asks for the code package already"
    digests, platform, images = steps(ROOT, state_store(ROOT, "dev"))[-3:]
    assert "example: true" in digests.note and "publicAccessCidrs" in platform.note
    assert (found[first] in platform.commands, found[again] in images.commands) == (True, True)


def test_an_account_that_no_stack_file_describes_is_said():
    first = steps(ROOT, state_store(ROOT, "dev"))[0]
    assert first.commands == () and "No stack file has the layer account for 111122223333" in first.note


def test_the_account_stack_needs_no_other_account_step():
    assert [step.title for step in steps(ROOT, state_store(ROOT, "account"))] == ["State", "Account"]


def test_the_page_shows_the_commands_for_prod_word_for_word():
    text = DOC.read_text(encoding="utf-8")
    assert [command for command in commands("prod") if command not in text] == []


def test_the_page_lists_exactly_the_permissions_that_bootstrap_may_need():
    section = DOC.read_text(encoding="utf-8").partition("## Permissions of bootstrap")[2].partition("\n## ")[0]
    document = json.loads(section.partition("```json")[2].partition("```")[0])
    listed = {action for statement in document["Statement"] for action in statement["Action"]}
    # AWS checks these beside the operations' own: tags of a create, and a bucket that is created with object lock.
    beside = {"kms:TagResource"}
    assert listed == (set(permissions()) | beside) - {"sts:GetCallerIdentity"}, "sts:GetCallerIdentity needs none"


def test_more_than_was_wanted_is_fine_in_a_mapping_and_not_in_a_list():
    assert covers({"a": 1, "b": 2}, {"a": 1})
    assert covers({}, {"prefix": ""}) and not covers({"prefix": "x"}, {"prefix": ""})
    assert not covers({"a": 2}, {"a": 1}) and not covers({}, {"a": 1}) and not covers(None, {"a": 1})
    assert not covers([{"ID": "clean-up"}, {"ID": "delete-all"}], [{"ID": "clean-up"}])


def test_a_difference_of_policies_names_statements():
    wanted = {"Statement": [{"Sid": "A", "Effect": "Deny"}, {"Sid": "B", "Effect": "Deny"}]}
    live = {"Statement": [{"Sid": "B", "Effect": "Allow"}, {"Effect": "Allow"}]}
    assert policy_difference(live, wanted) == "adds A; removes statement 2; sets back B"
    assert policy_difference(None, wanted) == "adds A, B"
    assert policy_difference({**wanted, "Id": "x"}, wanted) is None


def test_without_anybody_to_ask_it_wants_yes_or_dry_run():
    result = CliRunner().invoke(app, ["bootstrap", "--env", "prod"])
    assert isinstance(result.exception, InvalidInput) and "add --yes or --dry-run" in str(result.exception)


def test_the_command_without_credentials_ends_with_a_sentence(tmp_path):
    """faults 15: the whole command as a person runs it, where no credentials are to be found."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": str(ROOT),
    }
    result = subprocess.run(
        [sys.executable, "-m", "stackyard", "bootstrap", "--env", "prod", "--dry-run"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: no AWS credentials were found.") and "Traceback" not in result.stderr
    assert result.stdout == ""
