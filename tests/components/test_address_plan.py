"""How a VPC's block is divided: exact blocks, stability, and blocks that cannot be divided."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.address_plan import Tier, plan_addresses

ZONES = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]


def test_the_plan_reads_like_a_table():
    assert str(plan_addresses("10.20.0.0/16", ZONES)) == "\n".join(
        [
            "tier     zone           block           usable addresses",
            "public   eu-central-1a  10.20.192.0/20  4,091",
            "public   eu-central-1b  10.20.208.0/20  4,091",
            "public   eu-central-1c  10.20.224.0/20  4,091",
            "private  eu-central-1a  10.20.0.0/18    16,379",
            "private  eu-central-1b  10.20.64.0/18   16,379",
            "private  eu-central-1c  10.20.128.0/18  16,379",
        ]
    )


def test_a_third_zone_leaves_the_first_two_where_they_are():
    two, three = plan_addresses("10.20.0.0/16", ZONES[:2]), plan_addresses("10.20.0.0/16", ZONES)
    assert set(two.subnets) < set(three.subnets)
    assert {subnet.zone for subnet in set(three.subnets) - set(two.subnets)} == {ZONES[2]}


@given(prefix=st.integers(16, 22), second=st.integers(0, 255), zones=st.integers(2, 3))
def test_subnets_lie_in_the_block_and_never_overlap(prefix, second, zones):
    plan = plan_addresses(f"10.{second}.0.0/{prefix}", ZONES[:zones])
    assert len(plan.of_tier(Tier.PUBLIC)) == len(plan.of_tier(Tier.PRIVATE)) == zones
    assert all(subnet.block.subnet_of(plan.block) for subnet in plan.subnets)
    assert not any(one.block.overlaps(other.block) for one, other in combinations(plan.subnets, 2))


def test_the_smallest_network_gives_every_zone_251_addresses():
    plan = plan_addresses("10.20.0.0/22", ZONES)
    assert [subnet.usable_addresses for subnet in plan.of_tier(Tier.PRIVATE)] == [251, 251, 251]
    assert [subnet.usable_addresses for subnet in plan.of_tier(Tier.PUBLIC)] == [59, 59, 59]


@pytest.mark.parametrize(
    ("cidr", "sentence"),
    [
        (
            "10.20.2.0/23",
            "network 10.20.2.0/23 is too small: a zone's private subnet would have 123 usable addresses and needs 251, "
            "since every pod takes one; use at least 10.20.0.0/22, better a /16",
        ),
        ("10.20.0.0/32", "would have 0 usable addresses and needs 251"),
        ("10.0.0.0/15", "network 10.0.0.0/15 is larger than AWS allows: a VPC is /16 at most"),
        ("8.8.0.0/16", "network 8.8.0.0/16 is not within RFC 1918"),
        ("10.20.1.0/16", "is not an IPv4 block (10.20.1.0/16 has host bits set); write it like 10.20.0.0/16"),
        ("10.20.0.0", "too small"),
        ("<cidr>", "network '<cidr>' is not an IPv4 block"),
        ("fd00::/16", "is not an IPv4 block"),
    ],
)
def test_a_block_that_cannot_be_divided_is_refused_with_what_is_needed(cidr, sentence):
    with pytest.raises(ValueError) as refused:
        plan_addresses(cidr, ZONES)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("zones", "sentence"),
    [
        ([], "0 availability zones (none): a network spans 2 or 3"),
        (ZONES[:1], "1 availability zones (eu-central-1a)"),
        ([*ZONES, "eu-central-1d"], "4 availability zones"),
        (["eu-central-1a", "eu-central-1a"], "an availability zone is named twice"),
    ],
)
def test_a_network_spans_two_or_three_different_zones(zones, sentence):
    with pytest.raises(ValueError) as refused:
        plan_addresses("10.20.0.0/16", zones)
    assert sentence in str(refused.value)


def test_pods_get_a_range_of_their_own_and_the_table_shows_it():
    assert str(plan_addresses("10.20.0.0/24", ZONES[:2], "100.64.0.0/16")) == "\n".join(
        [
            "tier     zone           block           usable addresses",
            "public   eu-central-1a  10.20.0.192/28  11",
            "public   eu-central-1b  10.20.0.208/28  11",
            "private  eu-central-1a  10.20.0.0/26    59",
            "private  eu-central-1b  10.20.0.64/26   59",
            "pod      eu-central-1a  100.64.0.0/18   16,379",
            "pod      eu-central-1b  100.64.64.0/18  16,379",
        ]
    )


def test_a_pod_range_moves_no_other_subnet():
    without, beside = plan_addresses("10.20.0.0/16", ZONES), plan_addresses("10.20.0.0/16", ZONES, "100.64.0.0/16")
    assert set(without.subnets) < set(beside.subnets)
    assert {subnet.tier for subnet in set(beside.subnets) - set(without.subnets)} == {Tier.POD}


@given(prefix=st.integers(16, 22), zones=st.integers(2, 3))
def test_pod_subnets_lie_in_their_range_and_never_overlap(prefix, zones):
    plan = plan_addresses("10.20.0.0/16", ZONES[:zones], f"100.64.0.0/{prefix}")
    pods = plan.of_tier(Tier.POD)
    assert len(pods) == zones
    assert plan.pod_block is not None and all(pod.block.subnet_of(plan.pod_block) for pod in pods)
    assert not any(one.block.overlaps(other.block) for one, other in combinations(plan.subnets, 2))


@pytest.mark.parametrize(
    ("cidr", "pods", "sentence"),
    [
        ("10.20.0.0/16", "192.168.0.0/16", "pod range 192.168.0.0/16 cannot join the network 10.20.0.0/16"),
        ("192.168.0.0/16", "10.0.0.0/16", "cannot join"),
        ("10.20.0.0/16", "8.8.0.0/16", "cannot join"),
        ("10.20.0.0/16", "10.20.128.0/17", "pod range 10.20.128.0/17 overlaps the network 10.20.0.0/16"),
        ("10.20.0.0/16", "100.64.0.0/23", "leaves a zone fewer than 251 pods; take 100.64.0.0/16"),
        ("10.20.0.0/16", "100.64.0.0/12", "is not a /16 to /22"),
        ("10.20.0.0/16", "pods", "pod range 'pods' is not an IPv4 block"),
        ("10.20.0.0/25", "100.64.0.0/16", "would have 27 usable addresses and needs 59, for nodes, endpoints"),
    ],
)
def test_a_pod_range_that_aws_would_not_add_is_refused(cidr, pods, sentence):
    with pytest.raises(ValueError) as refused:
        plan_addresses(cidr, ZONES, pods)
    assert sentence in str(refused.value)


def test_a_pod_range_may_lie_beside_the_network_in_the_same_private_range():
    assert plan_addresses("10.20.0.0/16", ZONES, "10.21.0.0/16").pod_block is not None
