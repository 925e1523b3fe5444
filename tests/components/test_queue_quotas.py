"""The arithmetic of quotas: nobody gets more than their cap, a pool never gives more than it has."""

import doctest
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import queue_quotas
from components.queue_quotas import (
    TEAM_GPUS,
    QueuePool,
    QueueTeam,
    Quota,
    fair_shares,
    gpu_quotas,
    parts_of_a_gpu,
    transformations,
)


def pool(max_gpus, **more):
    return QueuePool(name="gpu", node_labels={"karpenter.sh/nodepool": "gpu"}, max_gpus=max_gpus, **more)


def team(name, gpus):
    return QueueTeam(name=name, cpus=8, memory_gb=32, gpus=gpus)


def test_the_docstrings_examples_hold():
    assert doctest.testmod(queue_quotas).failed == 0


def test_a_single_team_has_what_it_may_have_and_borrows_nothing():
    assert gpu_quotas([team("flights", 4)], pool(8)) == {"flights": Quota(nominal=4)}
    assert gpu_quotas([team("flights", 16)], pool(8)) == {"flights": Quota(nominal=8)}, "no more than the pool has"


def test_a_team_without_a_limit_may_have_the_whole_pool():
    assert gpu_quotas([team("flights", None)], pool(8)) == {"flights": Quota(nominal=8)}


def test_teams_that_want_more_than_there_is_share_and_borrow_up_to_their_cap():
    found = gpu_quotas([team("flights", 8), team("rides", 4)], pool(8))
    assert found == {"flights": Quota(nominal=5, borrowing=3), "rides": Quota(nominal=3, borrowing=1)}


def test_a_teams_gpus_are_worth_their_shares():
    found = gpu_quotas([team("flights", 1), team("rides", 1)], pool(2, shares=4))
    assert found == {"flights": Quota(nominal=4), "rides": Quota(nominal=4)}


def test_pools_that_cut_gpus_differently_are_counted_without_fractions():
    pools = [
        QueuePool(name=str(shares), node_labels={"a": "b"}, max_gpus=1, resource=f"share-{shares}", shares=shares)
        for shares in (1, 4, 6)
    ]
    counted = {rule["input"]: int(rule["outputs"][TEAM_GPUS]) for rule in transformations(pools)}
    assert (parts_of_a_gpu(pools), counted) == (12, {"share-1": 12, "share-4": 3, "share-6": 2})


def test_of_two_shares_with_one_name_the_larger_counts():
    pools = [
        QueuePool(name=str(shares), node_labels={"a": "b"}, max_gpus=1, resource="share", shares=shares)
        for shares in (2, 4)
    ]
    (rule,) = transformations(pools)
    assert rule["outputs"] == {TEAM_GPUS: "2"}, "half a GPU each: a team must not get more than its quota"


def test_a_team_without_gpus_has_none_and_borrows_none():
    assert gpu_quotas([team("flights", 0), team("rides", 2)], pool(2))["flights"] == Quota(nominal=0)


@given(st.integers(1, 1000), st.lists(st.integers(0, 1000), min_size=1, max_size=8))
def test_shares_never_exceed_caps_or_the_total_and_leave_nothing_that_somebody_wants(total, caps):
    shares = fair_shares(total, caps)
    assert all(0 <= share <= cap for share, cap in zip(shares, caps, strict=True))
    assert sum(shares) == min(total, sum(caps))


@given(st.integers(1, 100), st.lists(st.integers(0, 100), min_size=2, max_size=6))
def test_who_may_have_more_gets_no_less(total, caps):
    shares = fair_shares(total, caps)
    ordered = sorted(zip(caps, shares, strict=True))
    assert all(less[1] <= more[1] + (less[0] == more[0]) for less, more in pairwise(ordered))


@pytest.mark.parametrize(
    ("teams", "pools", "sentence"),
    [
        ([], [pool(1)], "a team and a pool of GPU nodes at least"),
        ([team("a", 1)], [], "a team and a pool of GPU nodes at least"),
        ([team("a", 1), team("a", 2)], [pool(1)], "a team is named twice"),
        ([team("a", 1)], [pool(1), pool(2)], "a pool is named twice"),
        ([team("a", -1)], [pool(1)], "could run nothing"),
        ([QueueTeam(name="a", cpus=0, memory_gb=1)], [pool(1)], "could run nothing"),
        ([team("a", 1)], [pool(0)], "admits nothing"),
        (
            [team("a", 1)],
            [QueuePool(name="any-pool", node_labels={"a": "b"}, max_gpus=1)],
            "cannot be called 'any-pool'",
        ),
        ([team("a", 1)], [QueuePool(name="gpu", node_labels={}, max_gpus=1)], "by a label at least"),
    ],
)
def test_queues_that_nothing_could_pass_are_refused(teams, pools, sentence):
    with pytest.raises(ValueError, match=sentence):
        queue_quotas.check_quotas(teams, pools)
