"""Endpoint services: which there are, what they cost, and what AWS owns that must pass all the same."""

import json
from pathlib import Path

import pytest

from components.aws_location import AwsLocation
from components.endpoint_services import (
    EKS_IMAGE_ACCOUNT,
    EKS_IMAGE_ACCOUNTS,
    EndpointSet,
    interface_policy,
    monthly_usd,
    services_of,
)

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "components" / "network.md"


def statements(name, location=LOCATION, *, capture):
    found = []
    service = next(service for service in services_of(EndpointSet.ALL) if service.name == name)
    capture(lambda: [interface_policy(service, location).apply(found.append)])
    return {statement["Sid"]: statement for statement in json.loads(found[0])["Statement"]}


def test_the_standard_set_is_what_control_40_names():
    assert [service.name for service in services_of(EndpointSet.STANDARD)] == [
        "ec2",
        "ecr.api",
        "ecr.dkr",
        "logs",
        "sts",
    ]
    assert services_of(EndpointSet.S3_ONLY) == ()


def test_each_set_holds_the_one_before_it_and_nothing_twice():
    standard, everything = services_of(EndpointSet.STANDARD), services_of(EndpointSet.ALL)
    assert set(standard) < set(everything)
    assert len({service.name for service in everything}) == len(everything)
    assert all(service.reason for service in everything), "an endpoint that nobody calls is paid for nothing"


def test_the_price_follows_from_services_and_zones():
    assert monthly_usd(EndpointSet.S3_ONLY, 3) == 0
    assert monthly_usd(EndpointSet.STANDARD, 2) == 73.0
    assert monthly_usd(EndpointSet.ALL, 3) == 416.1


def test_the_page_lists_every_service_with_its_reason():
    page = PAGE.read_text(encoding="utf-8")
    missing = [s.name for s in services_of(EndpointSet.ALL) if f"| `{s.name}` |" not in page or s.reason not in page]
    assert missing == []


def test_nodes_start_from_images_of_amazon_and_of_nobody_else(capture):
    launch = statements("ec2", capture=capture)["LaunchImagesOfAmazon"]
    assert launch["Resource"] == ["arn:aws:ec2:eu-central-1::image/*", "arn:aws:ec2:eu-central-1::snapshot/*"]
    assert launch["Condition"]["StringEquals"]["ec2:Owner"] == "amazon"
    assert launch["Action"] == ["ec2:CreateFleet", "ec2:RunInstances"]


@pytest.mark.parametrize("name", ["ecr.api", "ecr.dkr"])
def test_images_of_eks_add_ons_are_pulled_and_nothing_is_pushed_there(name, capture):
    pull = statements(name, capture=capture)["PullImagesOfEks"]
    assert pull["Resource"] == f"arn:aws:ecr:eu-central-1:{EKS_IMAGE_ACCOUNT}:repository/*"
    assert not [action for action in pull["Action"] if "Put" in action or "Upload" in action]


def test_regions_whose_images_lie_in_another_account_name_that_one(capture):
    location = AwsLocation(account_id="123456789012", region="eu-central-2")
    pull = statements("ecr.dkr", location, capture=capture)["PullImagesOfEks"]
    assert EKS_IMAGE_ACCOUNTS["eu-central-2"] in pull["Resource"]


def test_public_parameters_and_documents_are_read_only(capture):
    found = statements("ssm", capture=capture)
    exceptions = [found["ReadPublicParameters"], found["ReadDocumentsOfAmazon"]]
    verbs = {action.split(":")[1][:3] for statement in exceptions for action in statement["Action"]}
    assert verbs == {"Get", "Des"}
    assert found["ReadPublicParameters"]["Resource"] == "arn:aws:ssm:eu-central-1::parameter/aws/service/*"


def test_whoever_comes_with_a_token_gets_a_role_of_this_account_alone(capture):
    token = statements("sts", capture=capture)["OwnRolesByToken"]
    assert token["Condition"] == {"StringEquals": {"aws:ResourceAccount": "123456789012"}}


def test_what_has_no_exception_has_one_statement(capture):
    assert list(statements("kms", capture=capture)) == ["ThisAccountOnly"]
