"""Whose account, which region, which rights: what must be settled before anything else is asked."""

import pytest

from stacks.settings import Layer
from stackyard.preflight.account import Account
from stackyard.preflight.checks import identity
from stackyard.preflight.checks.identity import Caller, Simulated
from stackyard.preflight.finding import Level, Unanswered
from tests.preflight.targets import ACCOUNT, REGION, Script, only, target

ARN = f"arn:aws:iam::{ACCOUNT}:user/anna"
ALLOWED = {"EvalActionName": "ec2:CreateVpc", "EvalDecision": "allowed"}


def caller(arn: str = ARN, account: str = ACCOUNT) -> dict:
    return {"Account": account, "Arn": arn, "UserId": "U"}


def test_the_right_account_passes_and_says_who_asks():
    account = Script().answer("sts", "get_caller_identity", caller()).account()
    found = only(identity.judge_caller(identity.fetch_caller(account, target()), target()))
    assert found.level is Level.PASS and ARN in found.sentence


def test_another_account_fails_and_names_both_and_the_file():
    """faults 15: wrong account."""
    found = only(identity.judge_caller(Caller("999999999999", "arn:aws:iam::999999999999:user/x"), target()))
    assert found.level is Level.FAIL
    assert "belong to account 999999999999" in found.sentence and f"names account {ACCOUNT}" in found.sentence
    assert "stacks/Pulumi.dev.yaml" in found.sentence and "environment.accountId" in found.remedy


def test_credentials_of_another_partition_fail():
    found = only(identity.judge_caller(Caller(ACCOUNT, f"arn:aws-cn:iam::{ACCOUNT}:user/x"), target()))
    assert found.level is Level.FAIL and "partition aws-cn" in found.sentence


def test_credentials_that_are_not_usable_fail():
    """faults 15: no credentials. Nothing could be deployed with them, so it is no «could not check»."""
    script = Script().refuse("sts", "get_caller_identity", "ExpiredToken", "expired")
    found = only(identity.judge_caller(identity.fetch_caller(script.account(), target()), target()))
    assert found.level is Level.FAIL and "ExpiredToken" in found.sentence and found.remedy


def test_an_identity_that_aws_does_not_tell_is_unknown():
    script = Script().refuse("sts", "get_caller_identity", "ServiceUnavailable")
    with pytest.raises(Unanswered, match="ServiceUnavailable"):
        identity.fetch_caller(script.account(), target())


def regions(**states: str) -> dict:
    return {"Regions": [{"RegionName": k.replace("_", "-"), "OptInStatus": v} for k, v in states.items()]}


@pytest.mark.parametrize(
    ("region", "level", "words"),
    [
        ("us-east-1", Level.PASS, "is enabled"),
        ("eu-south-2", Level.PASS, "opted-in"),
        ("me-south-1", Level.FAIL, "is not enabled"),
        ("us-east-9", Level.FAIL, "did you mean us-east-1?"),
    ],
)
def test_the_region_must_exist_and_be_enabled(region, level, words):
    """faults 15: wrong region."""
    known = regions(us_east_1="opt-in-not-required", eu_south_2="opted-in", me_south_1="not-opted-in")
    account = Script().answer("ec2", "describe_regions", known, {"AllRegions": True}).account()
    place = {"environment.region": region, "network.zones": [f"{region}a", f"{region}b"]}
    asked = target(place)
    found = only(identity.judge_region(identity.fetch_regions(account, asked), asked))
    assert found.level is level and words in found.sentence
    assert ("enable-region --region-name me-south-1" in found.command) == (region == "me-south-1")


def test_the_first_region_of_the_partition_is_asked_about_the_others():
    asked: list[str] = []

    def clients(service, region):
        asked.append(region)
        return Script().answer("ec2", "describe_regions", {"Regions": []})(service, region)

    place = {"environment.region": "cn-north-1", "network.zones": ["cn-north-1a", "cn-north-1b"]}
    identity.fetch_regions(Account(clients, "cn-north-1"), target(place))
    identity.fetch_regions(Account(clients, "me-south-1"), target())
    assert asked == ["cn-north-1", "us-east-1"], "a region that is not enabled refuses all credentials"


def simulated(results: list[dict], arn: str = ARN, role: dict | None = None) -> Script:
    script = Script().answer("sts", "get_caller_identity", caller(arn))
    if role:
        script.answer("iam", "get_role", {"Role": role}, {"RoleName": role["RoleName"]})
    for _ in identity.deploying(target()):
        script.answer("iam", "simulate_principal_policy", {"EvaluationResults": results})
    return script


def test_actions_that_are_all_allowed_pass_with_their_number():
    found = only(
        identity.judge_simulation(identity.fetch_simulation(simulated([ALLOWED]).account(), target()), target())
    )
    assert found.level is Level.PASS and "all 1 actions" in found.sentence


def test_a_denied_action_fails_with_the_principal_and_the_command():
    denied = {"EvalActionName": "iam:CreateRole", "EvalDecision": "implicitDeny"}
    facts = identity.fetch_simulation(simulated([ALLOWED, denied]).account(), target())
    assert facts == Simulated(principal=ARN, allowed=1, denied=("iam:CreateRole",))
    found = only(identity.judge_simulation(facts, target()))
    assert found.level is Level.FAIL and f"1 of 2 actions of a deployment are denied to {ARN}" in found.sentence
    assert found.command.endswith("--action-names iam:CreateRole")


def test_an_action_that_is_denied_on_one_of_several_resources_is_denied():
    script = Script().answer("sts", "get_caller_identity", caller())
    for number, _ in enumerate(identity.deploying(target())):
        decision = "explicitDeny" if number == 3 else "allowed"
        result = {"EvalActionName": "ec2:CreateVpc", "EvalDecision": decision}
        script.answer("iam", "simulate_principal_policy", {"EvaluationResults": [result]})
    assert identity.fetch_simulation(script.account(), target()).denied == ("ec2:CreateVpc",)


def test_a_session_is_simulated_as_its_role_with_the_roles_path():
    role = f"arn:aws:iam::{ACCOUNT}:role/teams/deployer"
    described = {"Path": "/teams/", "RoleName": "deployer", "RoleId": "A" * 20, "Arn": role, "CreateDate": "2026-01-01"}
    script = simulated([ALLOWED], f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/anna", described)
    assert identity.fetch_simulation(script.account(), target()).principal == role


@pytest.mark.parametrize("resource", ["root", "federated-user/anna"])
def test_who_cannot_be_simulated_is_told_and_not_passed(resource):
    script = Script().answer("sts", "get_caller_identity", caller(f"arn:aws:iam::{ACCOUNT}:{resource}"))
    with pytest.raises(Unanswered, match="users and roles only") as error:
        identity.fetch_simulation(script.account(), target())
    assert "take a role" in error.value.remedy


def test_the_simulated_actions_are_those_of_the_layers_that_are_deployed():
    base = {a for s in identity.deploying(target(layers=frozenset({Layer.BASE}))) for a in s.actions}
    both = {action for statement in identity.deploying(target()) for action in statement.actions}
    assert {"ec2:CreateVpc", "s3:CreateBucket", "rds:CreateDBInstance"} <= base
    assert "eks:CreateCluster" in both - base
    assert [action for action in both if "*" in action] == [], "IAM simulates no patterns"


def test_a_condition_becomes_the_context_in_which_it_holds():
    conditions = {
        "StringEquals": {"iam:PassedToService": ["a", "b"]},
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": ["alias/x", "alias/y"]},
        "Null": {"aws:ResourceTag/environment": "true"},
    }
    found = {entry["ContextKeyName"]: entry for entry in identity.context(conditions, REGION)}
    assert set(found) == {"aws:RequestedRegion", "iam:PassedToService", "kms:ResourceAliases"}
    assert found["iam:PassedToService"]["ContextKeyValues"] == ["a"], "a request has one value"
    assert found["kms:ResourceAliases"]["ContextKeyValues"] == ["alias/x", "alias/y"]
    assert found["kms:ResourceAliases"]["ContextKeyType"] == "stringList"


def test_an_administrators_layer_is_not_simulated():
    (check,) = [check for check in identity.CHECKS if check.name == "permissions"]
    assert "administrator" in check.skip(target(layers=frozenset({Layer.ACCOUNT})))
    assert check.skip(target()) == ""
