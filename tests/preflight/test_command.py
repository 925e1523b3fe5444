"""The command: statuses, formats, wrong usage; and accounts that refuse everything or do not answer."""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from rich.console import Console
from typer.testing import CliRunner

from stacks.problems import SettingsError
from stackyard.cli import app
from stackyard.errors import InvalidInput
from stackyard.preflight.checks import CHECKS
from stackyard.preflight.command import parsed_day, preflight, print_remedies, status, told, verdict
from stackyard.preflight.finding import Finding, Level, Unanswered, failed, passed, skipped
from tests.preflight.targets import ROOT, TODAY

UNKNOWN = Unanswered("?").finding()


@pytest.fixture
def checkout(tmp_path):
    """With the committed stack files, without images, and with both commands on PATH."""
    (tmp_path / "stacks").mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    for path in (ROOT / "stacks").glob("Pulumi.*.yaml"):
        shutil.copy(path, tmp_path / "stacks")
    (tmp_path / "stacks" / "images.lock.yaml").write_text("{}\n")
    for name in ("pulumi", "aws"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


class Refusing:
    """A client that knows who asks, and answers everything else with one error."""

    def __init__(self, account: str, error: Callable[[str], Exception]):
        self._account, self._error = account, error

    def can_paginate(self, method: str) -> bool:
        return False

    def __getattr__(self, method: str):
        def call(**arguments: Any):
            if method == "get_caller_identity" and self._account:
                return {"Account": self._account, "Arn": f"arn:aws:iam::{self._account}:user/anna"}
            raise self._error(method)

        return call


def denied(method: str) -> Exception:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, method)


def silence(method: str) -> Exception:
    return EndpointConnectionError(endpoint_url="https://ec2.us-east-1.amazonaws.com")


def run(root, client: Refusing, env: str = "prod", **options) -> tuple[int, dict]:
    text = io.StringIO()
    code = preflight(
        root,
        env,
        Console(file=text, width=300, soft_wrap=True),
        today=TODAY,
        format="json",
        clients=lambda service, region: client,
        **options,
    )
    return code, json.loads(text.getvalue())


def of(document: dict, level: Level) -> set[str]:
    return {finding["check"] for finding in document["findings"] if finding["level"] == level}


def test_an_account_that_refuses_everything_passes_nothing_that_it_was_asked(checkout, monkeypatch):
    monkeypatch.setenv("PATH", str(checkout))
    code, document = run(checkout, Refusing("777788889999", denied))
    assert code == document["status"] == 3
    asked = {check.name for check in CHECKS if check.asks_aws} - {"account", "existing VPC"}
    assert of(document, Level.UNKNOWN) == asked
    # The calendar of the version table needs nobody; that AWS did not confirm it stands beside it.
    assert of(document, Level.PASS) == {"account", "images", "Pulumi CLI", "AWS CLI", "Kubernetes version"}
    missing = [f for f in document["findings"] if f["level"] == Level.UNKNOWN and "is missing" not in f["sentence"]]
    assert missing == [], "each says which permission"


def test_an_account_that_does_not_answer_is_asked_once(checkout, monkeypatch):
    monkeypatch.setenv("PATH", str(checkout))
    code, document = run(checkout, Refusing("", silence))
    assert code == 3
    assert document["findings"][0]["sentence"].startswith("AWS in us-east-1 does not answer")
    rest = {f["sentence"] for f in document["findings"] if f["level"] == Level.UNKNOWN} - {
        document["findings"][0]["sentence"]
    }
    assert rest == {"not asked: see «account»"}


def test_another_account_fails_and_is_asked_nothing_else(checkout):
    """faults 15."""
    code, document = run(checkout, Refusing("999999999999", denied))
    assert code == 1 and "account" in of(document, Level.FAIL)
    assert of(document, Level.PASS) <= {"images", "Pulumi CLI", "AWS CLI"}


def test_a_layer_narrows_what_is_checked(checkout):
    _, base = run(checkout, Refusing("777788889999", denied), layer="base")
    assert base["layers"] == ["base"]
    assert {"vCPU quotas", "add-ons", "AWS CLI"} <= of(base, Level.SKIPPED)
    assert {"bucket names", "network quotas", "zones"} <= of(base, Level.UNKNOWN)


def test_the_account_layer_is_checked_for_its_own_needs(checkout):
    _, document = run(checkout, Refusing("777788889999", denied), env="account")
    assert of(document, Level.UNKNOWN) == {"region", "bucket names"}
    assert {"permissions", "vCPU quotas", "network quotas"} <= of(document, Level.SKIPPED)


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([passed(""), skipped("")], 0),
        ([passed(""), UNKNOWN], 3),
        ([failed("", ""), UNKNOWN], 1),
        ([failed("", ""), passed("")], 1),
    ],
)
def test_the_exit_status_says_the_worst(findings, code):
    assert status(findings) == code


def test_the_verdict_counts_by_level():
    assert verdict([passed(""), passed(""), UNKNOWN]) == "1 could not be checked, 2 passed"


def test_the_table_has_failures_on_top_and_commands_that_can_be_copied(checkout):
    text = io.StringIO()
    client = Refusing("999999999999", denied)
    preflight(checkout, "prod", Console(file=text, width=60), today=TODAY, clients=lambda service, region: client)
    lines = text.getvalue().splitlines()
    assert lines[0].startswith("prod (base, platform) in account 777788889999")
    body = [line.split()[0] for line in lines if line.startswith(("fail ", "could not check ", "pass "))]
    assert body == sorted(body, key=["fail", "could", "pass"].index) and body[0] == "fail"
    assert "   aws sts get-caller-identity" in lines


def test_a_long_command_is_never_wrapped():
    text = io.StringIO()
    command = "aws " + "x" * 200
    finding = Finding(level=Level.FAIL, sentence="", remedy="r", command=command, check="c")
    print_remedies([finding, finding], Console(file=text, width=40))
    assert text.getvalue().splitlines()[-1] == f"   {command}"
    assert text.getvalue().count(command) == 1, "the same remedy is told once"


def test_progress_is_shown_on_a_terminal_and_nowhere_else():
    terminal, pipe = io.StringIO(), io.StringIO()
    for file in (terminal, pipe):
        with told(Console(file=file, force_terminal=file is terminal)) as tell:
            tell("bucket names")
    assert "checking: bucket names" in terminal.getvalue() and pipe.getvalue() == ""


def test_a_day_is_a_day():
    assert parsed_day("2026-11-24") == TODAY
    with pytest.raises(InvalidInput, match="--today 'soon' is not a day, for example"):
        parsed_day("soon")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--env", "prd"], "environments are account, dev, prod, staging"),
        (["--env", "prod", "--layer", "middle"], "it has base, platform, for example --layer base"),
        (["--env", "prod", "--format", "yaml"], "it is one of text, json"),
        (["--env", "prod", "--today", "2026-13-01"], "is not a day"),
        (["--env", "local"], "the emulator of 'local' does not run"),
        (["--env", "prod", "--local"], "the emulator of 'prod' does not run"),
    ],
)
def test_wrong_usage_is_told_and_asks_nobody(arguments, sentence, checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    result = CliRunner().invoke(app, ["preflight", *arguments])
    assert isinstance(result.exception, InvalidInput) and sentence in str(result.exception)
    assert result.exception.exit_status == 2


def test_wrong_settings_are_told_as_everywhere(checkout):
    path = checkout / "stacks" / "Pulumi.prod-base.yaml"
    path.write_text(path.read_text().replace("protection: strict", "protection: strong"))
    with pytest.raises(SettingsError, match=r"environment\.protection"):
        run(checkout, Refusing("777788889999", denied))


def test_the_command_without_credentials_prints_the_table_and_fails(tmp_path):
    """faults 15: the whole command as a person runs it, where no credentials and no Pulumi CLI are to be found."""
    environment = {
        "PATH": str(tmp_path),
        "HOME": str(tmp_path),
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
    }
    command = [sys.executable, "-m", "stackyard", "preflight", "--env", "prod"]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "no AWS credentials were found" in result.stdout and "`pulumi` is not on PATH here" in result.stdout
    assert "aws sso login" in result.stdout
