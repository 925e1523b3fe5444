"""Kinds of capacity in their order, and the most that a pool can cost."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.capacity import CAPACITY_TYPES, RESERVED, WEIGHTS, Capacity, ceiling_usd_per_hour
from components.instance_types import GPU_TYPES
from stacks.prices import instance_prices

PRICES = instance_prices("us-east-1")
KINDS = ["g5.xlarge", "g5.12xlarge", "g5.48xlarge", "g6.xlarge", "g6.12xlarge"]


def ceiling(*kinds, capacity=Capacity.ON_DEMAND, nodes=1, gpus=None, prices=PRICES):
    return ceiling_usd_per_hour(kinds, capacity, max_nodes=nodes, max_gpus=gpus, prices=prices)


def test_every_kind_of_capacity_has_its_place():
    assert set(CAPACITY_TYPES) == set(WEIGHTS) == set(Capacity)


def test_what_is_paid_for_comes_first_then_spot_then_on_demand():
    order = sorted(Capacity, key=lambda capacity: -WEIGHTS[capacity])
    assert [str(capacity) for capacity in order] == [
        "capacity_block",
        "reservation",
        "spot",
        "spot_then_on_demand",
        "on_demand",
    ]


def test_a_reservation_never_falls_back_to_what_would_be_paid_a_second_time():
    assert {CAPACITY_TYPES[capacity] for capacity in RESERVED} == {("reserved",)}


def test_a_cpu_pool_costs_its_nodes_of_the_dearest_type():
    assert ceiling("m7i.large", "m7i.xlarge", nodes=6) == pytest.approx(6 * 0.2016)


def test_spot_is_counted_as_on_demand_which_it_never_exceeds():
    assert ceiling("g5.xlarge", capacity=Capacity.SPOT, nodes=1, gpus=1) == 1.006


def test_the_ceiling_of_gpus_holds_before_that_of_nodes():
    assert ceiling("g5.12xlarge", nodes=8, gpus=16) == pytest.approx(4 * 5.672)


def test_the_dearest_combination_need_not_be_of_one_type():
    # Three of the large one leave room for a small one: more than four of either allow.
    assert ceiling("g5.12xlarge", "g5.xlarge", nodes=4, gpus=13) == pytest.approx(3 * 5.672 + 1.006)


def test_a_type_with_more_gpus_for_less_money_does_not_lower_the_ceiling():
    cheap = {"g6.12xlarge": 1.0, "g5.xlarge": 2.0}
    assert ceiling("g6.12xlarge", "g5.xlarge", nodes=3, gpus=12, prices=cheap) == 6.0


def test_a_type_without_a_price_makes_the_ceiling_unknown():
    assert ceiling("m7i.large", "m9z.large", nodes=2) is None


def test_a_capacity_block_is_paid_in_advance_at_a_price_of_its_own():
    assert ceiling("p5.48xlarge", capacity=Capacity.CAPACITY_BLOCK, nodes=1, gpus=8) is None


def test_a_reservation_costs_its_instances_used_or_not():
    assert ceiling("p5.48xlarge", capacity=Capacity.RESERVATION, nodes=1, gpus=8) == 55.04


@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4, unique=True),
    nodes=st.integers(1, 5),
    gpus=st.integers(1, 24),
)
def test_no_combination_below_the_ceilings_costs_more(kinds, nodes, gpus):
    possible = [
        sum(n * PRICES[kind] for n, kind in zip(numbers, kinds, strict=True))
        for numbers in product(range(nodes + 1), repeat=len(kinds))
        if sum(numbers) <= nodes and sum(n * GPU_TYPES[k].count for n, k in zip(numbers, kinds, strict=True)) <= gpus
    ]
    assert ceiling(*kinds, nodes=nodes, gpus=gpus) == pytest.approx(max(possible))


def test_large_ceilings_are_computed_too():
    assert ceiling("g6.xlarge", "g6.12xlarge", "g6.48xlarge", nodes=200, gpus=800) == pytest.approx(100 * 13.3504)
