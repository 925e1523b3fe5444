"""Facts about a VPC that exists: what they must say, and in what order they are handed on."""

import pytest

from components.existing_vpc import ExistingSubnet, ExistingVpc


def subnet(id, zone, cidr, *, public=False):
    return ExistingSubnet(id=id, zone=zone, cidr=cidr, public=public)


A = subnet("a", "eu-west-1a", "10.30.0.0/20")
A2 = subnet("a2", "eu-west-1a", "10.30.32.0/20")
B = subnet("b", "eu-west-1b", "10.30.16.0/20")
PUBLIC = subnet("p", "eu-west-1c", "10.30.48.0/20", public=True)


def vpc(*subnets):
    return ExistingVpc(vpc_id="vpc-1", cidr="10.30.0.0/16", subnets=subnets)


def test_subnets_come_in_the_order_of_their_zones_and_kinds_apart():
    found = vpc(B, A, PUBLIC, A2)
    assert found.zones == ("eu-west-1a", "eu-west-1b"), "public subnets make no zone usable"
    assert found.ids(public=False) == ["a", "a2", "b"]
    assert found.ids(public=True) == ["p"]


def test_an_endpoint_takes_the_first_private_subnet_of_each_zone():
    assert vpc(B, A2, A).one_private_per_zone() == ["a2", "b"]


@pytest.mark.parametrize(
    ("subnets", "sentence"),
    [
        ((A,), r"private subnets in 1 availability zones \(eu-west-1a\)"),
        ((A, A2, PUBLIC), "in 1 availability zones"),
        ((), r"in 0 availability zones \(none\)"),
        ((A, subnet("c", "eu-west-1b", "10.99.0.0/20")), r"subnet c \(10.99.0.0/20\) does not lie in vpc-1"),
    ],
)
def test_facts_that_cannot_be_true_are_refused(subnets, sentence):
    with pytest.raises(ValueError, match=sentence):
        vpc(*subnets)
