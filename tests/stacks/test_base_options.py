"""What stack files may ask of network and buckets beyond the example environments, from settings to resources."""

import json

import pytest

from tests import contracts
from tests.stack_captures import with_sections

BUCKET = "stackyard-prod-data-777788889999-us-east-1"
COPY = "stackyard-prod-data-777788889999-us-west-2"


def prod(**sections):
    """prod-base with other sections."""
    return with_sections("prod-base", **sections)


@pytest.fixture(scope="module")
def everything():
    bucket = {"name": "data", "lockDays": 30, "tieringDays": 0, "inventory": "weekly", "replicaRegion": "us-west-2"}
    network = {"cidr": "10.48.0.0/24", "podCidr": "100.64.0.0/16", "zones": ["us-east-1a", "us-east-1b"]}
    return prod(dataBuckets=[bucket], network=network)


@pytest.fixture(scope="module")
def adopted():
    subnets = [
        {"id": f"subnet-0123456789abcdef{n}", "zone": f"us-east-1{zone}", "cidr": f"10.48.{n * 16}.0/20"}
        for n, zone in enumerate("ab")
    ]
    return prod(network={"existing": {"vpcId": "vpc-0123456789abcdef0", "cidr": "10.48.0.0/16", "subnets": subnets}})


def test_the_copy_is_made_in_its_region_by_a_provider_of_its_own_that_knows_the_same_account(everything):
    provider = everything.named("aws-us-west-2")
    assert provider.inputs["region"] == "us-west-2"
    assert json.loads(provider.inputs["allowedAccountIds"]) == ["777788889999"]
    assert everything.named("data-us-west-2-bucket").inputs["bucket"] == COPY
    assert everything.named("data-us-west-2-bucket").provider.startswith(provider.urn)
    assert everything.named("data-bucket").provider.startswith(everything.named("aws").urn)
    (rule,) = everything.named("data-replication").inputs["rules"]
    assert rule["destination"]["bucket"] == f"arn:aws:s3:::{COPY}"


def test_the_copy_is_as_well_kept_and_closed_as_the_original(everything):
    original = {r.name.removeprefix("data-") for r in everything if r.parent.endswith("::data") and r.custom}
    copy = {r.name.removeprefix("data-us-west-2-") for r in everything if r.parent.endswith("::data-us-west-2")}
    assert original - copy == {"inventory", "replication", "replication-role", "replication-role-policy"}
    assert everything.named("data-us-west-2-lock").inputs["rule"] == everything.named("data-lock").inputs["rule"]
    assert (
        everything.named("data-us-west-2-logging").inputs["targetBucket"].endswith("access-logs-777788889999-us-west-2")
    )


def test_the_log_bucket_takes_the_inventory_of_the_bucket_that_asked(everything):
    text = everything.named("access-logs-policy").inputs["policy"]
    (found,) = [s for s in json.loads(text)["Statement"] if s["Sid"] == "ReceiveInventories"]
    assert found["Condition"]["ArnLike"] == {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"}


def test_pods_have_their_range(everything):
    assert everything.named("network-pod-us-east-1b").inputs["cidrBlock"] == "100.64.64.0/18"


def test_an_existing_vpc_serves_the_rest_of_the_base_layer_and_gets_nothing(adopted):
    network = next(r for r in adopted if r.type == "stackyard:index:Network")
    assert [r.name for r in adopted if r.parent == network.urn] == []
    assert network.outputs["privateSubnetIds"] == ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    assert adopted.named("tracking-subnets").inputs["subnetIds"] == network.outputs["privateSubnetIds"]


@pytest.mark.parametrize(
    "rule",
    [
        contracts.untagged,
        contracts.without_outputs,
        contracts.unprotected,
        contracts.keys_weaker_than_what_they_encrypt,
        contracts.without_explicit_provider,
        contracts.looked_up,
        contracts.without_replacement_row,
        contracts.badly_named_children,
        contracts.parentless,
        contracts.opened_to_everyone,
    ],
    ids=lambda rule: rule.__name__,
)
@pytest.mark.parametrize("stack", ["everything", "adopted"])
def test_the_contracts_hold_for_what_no_example_environment_asks_for(rule, stack, request):
    assert list(rule(request.getfixturevalue(stack))) == []
