"""Every AWS type is in the table of stateful types or outside it on purpose, and what is in it survives a destroy."""

import json
from importlib.resources import files

import pytest

from stackyard.program.replacement import ROWS
from stackyard.program.stateful import HOLDS_NO_DATA, LOSS_ACCEPTED, STATEFUL, is_classified
from tests import contracts
from tests.stack_captures import STACKS, stack_capture

# Controls 83, 84, 85 and 87 concern these services: nothing of them is used, and whoever adds it meets them first.
UNUSED_SERVICES = ("dynamodb", "efs", "fsx", "lb", "alb", "elb", "sagemaker")

# CloudFormation calls some services otherwise.
SERVICES = {
    "cloudwatch": ("logs", "cloudwatch", "events"),
    "ebs": ("ec2",),
    "s3": ("s3",),
    "opensearch": ("opensearchservice",),
}


def registered_types() -> set[str]:
    captured = {r.type for stack in STACKS for r in stack_capture(stack) if r.custom}
    return {type_ for type_ in captured | ROWS.keys() if type_.startswith("aws:")}


def unclassified(types: set[str]) -> list[str]:
    return sorted(type_ for type_ in types if not is_classified(type_))


def cfn_lint_stateful() -> set[tuple[str, str]]:
    """Service and type, both in lower case, that cfn-lint's rule I3011 calls stateful."""
    data = files("cfnlint") / "data" / "AdditionalSpecs" / "StatefulResources.json"
    names = json.loads(data.read_text(encoding="utf-8"))["ResourceTypes"]
    return {(service.lower(), noun.lower()) for _, service, noun in (name.split("::") for name in names)}


def called_stateful_by_cfn_lint(types: set[str]) -> set[str]:
    judged = cfn_lint_stateful()
    found: set[str] = set()
    for type_ in types:
        service, noun = type_.split(":")[1].split("/")[0], type_.rsplit(":", 1)[1]
        nouns = {noun.lower(), f"db{noun.lower()}"}
        if any((name, each) in judged for name in SERVICES.get(service, (service,)) for each in nouns):
            found.add(type_)
    return found


def test_every_type_that_is_registered_has_been_classified():
    assert unclassified(registered_types()) == [], (
        "say in stackyard/program/stateful.py what is lost with it (STATEFUL), why that may be (LOSS_ACCEPTED), "
        "or that it holds no data"
    )


def test_a_type_that_nobody_classified_is_found():
    assert unclassified({"aws:kinesis/stream:Stream", "aws:s3/bucket:Bucket"}) == ["aws:kinesis/stream:Stream"]


def test_no_type_stands_in_two_tables():
    assert not STATEFUL.keys() & LOSS_ACCEPTED.keys()
    assert not (STATEFUL.keys() | LOSS_ACCEPTED.keys()) & HOLDS_NO_DATA


def test_what_cfn_lint_calls_stateful_is_not_taken_for_empty():
    assert called_stateful_by_cfn_lint(set(HOLDS_NO_DATA)) == set()


def test_cfn_lint_would_notice_a_database_a_bucket_a_key_and_a_log_group():
    noticed = called_stateful_by_cfn_lint(registered_types())
    assert {
        "aws:rds/instance:Instance",
        "aws:s3/bucket:Bucket",
        "aws:kms/key:Key",
        "aws:cloudwatch/logGroup:LogGroup",
    } <= noticed


def test_the_contract_on_protection_covers_the_table():  # controls 15, 17
    held = {type_ for type_ in registered_types() if type_ in STATEFUL}
    elsewhere = {"aws:eks/cluster:Cluster", "aws:cloudtrail/trail:Trail", "aws:secretsmanager/secret:Secret"}
    assert held - elsewhere <= contracts.STATEFUL, "tests/contracts.py checks that these are protected and retained"


@pytest.mark.parametrize("stack", STACKS)
def test_a_cluster_is_protected_unless_the_environment_protects_nothing(stack):  # control 51
    for cluster in stack_capture(stack).of_type("aws:eks/cluster:Cluster"):
        assert cluster.protect == cluster.inputs["deletionProtection"]


def test_strict_and_standard_environments_protect_their_cluster():  # control 51
    assert stack_capture("prod-platform").only("aws:eks/cluster:Cluster").protect
    assert stack_capture("staging-platform").only("aws:eks/cluster:Cluster").protect


@pytest.mark.parametrize("stack", STACKS)
def test_no_service_is_used_whose_controls_nobody_has_met(stack):  # controls 83, 84, 85, 87
    used = {resource.type.split(":")[1].split("/")[0] for resource in stack_capture(stack) if resource.custom}
    assert not used & set(UNUSED_SERVICES)
