"""Roles, a secret and a connection that the settings name and somebody else must have made."""

import pytest

from stackyard.preflight.checks import named
from stackyard.preflight.checks.named import Connection
from stackyard.preflight.finding import Level, Unanswered
from tests.preflight.targets import ACCOUNT, Script, levels, only, target

ADMIN = f"arn:aws:iam::{ACCOUNT}:role/admin"
VIEWER = f"arn:aws:iam::{ACCOUNT}:role/teams/viewer"
SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:github-app-AbCdEf"
NAMED = {
    "cluster.viewerRoleArns": [VIEWER],
    "runners": {"maxRunners": 2, "githubAppSecretArn": SECRET},
    "ci": {"repository": "example-org/stackyard"},
}


def role(arn: str) -> dict:
    return {"Role": {"Path": "/", "RoleName": "x", "RoleId": "A" * 20, "Arn": arn, "CreateDate": "2026-01-01"}}


def test_each_named_thing_is_looked_for():
    script = (
        Script()
        .answer("iam", "get_role", role(ADMIN), {"RoleName": "admin"})
        .refuse("iam", "get_role", "NoSuchEntity", status=404)
        .answer("secretsmanager", "describe_secret", {"ARN": SECRET}, {"SecretId": SECRET})
    )
    found = named.fetch_named(script.account(), target(NAMED))
    assert found == {ADMIN: True, VIEWER: False, SECRET: True}
    script.assert_used_up()


def test_a_role_that_is_missing_fails_and_one_that_is_not_told_is_unknown():
    found = list(named.judge_named({ADMIN: False, VIEWER: Unanswered("forbidden"), SECRET: True}, target()))
    assert levels(found) == [Level.FAIL, Level.UNKNOWN, Level.PASS]
    assert found[0].sentence == f"{ADMIN} does not exist, and stacks/Pulumi.dev.yaml names it"


def test_a_secret_that_nothing_reads_yet_stops_nobody():
    found = list(named.judge_named({SECRET: False}, target()))
    assert levels(found) == [Level.SKIPPED] and SECRET in found[0].sentence


def runner(state: str) -> dict:
    return {"buildRunner.connection": state, "ci": {"repository": "example-org/stackyard"}}


@pytest.mark.parametrize(
    ("stated", "live", "level", "words"),
    [
        ("confirmed", "AVAILABLE", Level.PASS, "is confirmed"),
        ("confirmed", "PENDING", Level.FAIL, "AWS says that arn:c is PENDING"),
        ("confirmed", None, Level.FAIL, "has no such connection yet"),
        ("pending", "PENDING", Level.PASS, "is PENDING, as buildRunner.connection says"),
        ("pending", "AVAILABLE", Level.PASS, "may be set to confirmed"),
        ("pending", None, Level.PASS, "is made by the deployment"),
    ],
)
def test_the_connection_to_github_is_what_the_settings_say(stated, live, level, words):
    found = only(named.judge_connection(Connection("arn:c", live) if live else None, target(runner(stated))))
    assert found.level is level and words in found.sentence


def test_the_connection_is_known_by_its_name():
    def entry(name, status):
        return {"ConnectionName": name, "ConnectionArn": f"arn:{name}", "ConnectionStatus": status}

    answer = {"Connections": [entry("other", "AVAILABLE"), entry("stackyard-dev", "PENDING")]}
    script = Script().answer("codeconnections", "list_connections", answer, {"ProviderTypeFilter": "GitHub"})
    assert named.fetch_connection(script.account(), target()) == Connection("arn:stackyard-dev", "PENDING")
    none = Script().answer("codeconnections", "list_connections", {"Connections": []})
    assert named.fetch_connection(none.account(), target()) is None


def test_without_a_runner_there_is_no_connection_to_look_for():
    (check,) = [check for check in named.CHECKS if check.name == "connection to GitHub"]
    assert "no build runner" in check.skip(target()) and check.skip(target(runner("pending"))) == ""
