"""The cheapest packing of GPU pods, beside greedy ones and beside all that there are."""

from itertools import product

import pytest

from tests.bench.packing import Ceiling, NoPacking, Offer, cheapest_packing, patterns, usd_per_hour

WIDE = Ceiling(nodes=100, gpus=800)


def offer(gpus, usd, pool="gpu", kind=None):
    return Offer(pool, kind or f"x.{gpus}", "spot", gpus, usd)


def fewest_nodes(pods, offers):
    """Greedy: the largest type that there is, as long as pods are left. The sizes here divide each other."""
    largest = max(offers, key=lambda entry: entry.gpus)
    asked = sum(size * number for size, number in pods.items())
    return {largest: -(-asked // largest.gpus)}


def cheapest_a_gpu(pods, offers):
    """Greedy: the type whose GPU costs least, as long as pods are left."""
    best = min(offers, key=lambda entry: entry.usd / entry.gpus)
    asked = sum(size * number for size, number in pods.items())
    return {best: -(-asked // best.gpus)}


@pytest.mark.parametrize(
    ("greedy", "offers", "greedy_usd", "optimum"),
    [
        # Three small nodes are cheaper than the one that holds all three.
        (fewest_nodes, [offer(1, 1.0), offer(4, 3.5)], 3.5, 3.0),
        # A full large node is cheapest a GPU, a second one for a single pod is not.
        (cheapest_a_gpu, [offer(1, 1.0), offer(4, 3.0)], 6.0, 4.0),
    ],
)
def test_where_greedy_choices_pay_more_the_cheapest_packing_is_found(greedy, offers, greedy_usd, optimum):
    pods = {1: 3} if greedy is fewest_nodes else {1: 5}
    assert usd_per_hour(greedy(pods, offers)) == greedy_usd
    found = cheapest_packing(pods, offers, {"gpu": WIDE})
    assert found.usd == pytest.approx(optimum) and found.proven


def all_nodes(offers, ceilings, most):
    """Every choice of up to `most` nodes of each offer within the ceilings."""
    for numbers in product(range(most + 1), repeat=len(offers)):
        nodes = dict(zip(offers, numbers, strict=True))
        for pool, ceiling in ceilings.items():
            of_pool = {entry: number for entry, number in nodes.items() if entry.pool == pool}
            if sum(of_pool.values()) > ceiling.nodes:
                break
            if sum(entry.gpus * number for entry, number in of_pool.items()) > ceiling.gpus:
                break
        else:
            yield nodes


def holds(nodes, pods):
    """Whether pods fit: tries every node for the next pod, largest first."""
    sizes = sorted((size for size, number in pods.items() for _ in range(number)), reverse=True)

    def place(left, free):
        if not left:
            return True
        first, *others = left
        return any(
            place(others, tuple(sorted((*free[:at], room - first, *free[at + 1 :]))))
            for at, room in enumerate(free)
            if room >= first and room not in free[:at]
        )

    return place(sizes, tuple(sorted(entry.gpus for entry, number in nodes.items() for _ in range(number))))


PLANTED = [
    ({1: 3, 4: 1}, [offer(1, 1.0), offer(4, 3.5)], {"gpu": WIDE}),
    # Sizes that leave rests: 3 and 2 on nodes of 4 and 8.
    ({2: 3, 3: 3}, [offer(4, 2.0), offer(8, 3.9)], {"gpu": WIDE}),
    ({1: 2, 2: 2, 3: 2}, [offer(2, 1.1), offer(4, 1.9), offer(8, 4.2)], {"gpu": WIDE}),
    # The ceiling of nodes forces larger ones, that of GPUs smaller ones.
    ({1: 4}, [offer(1, 1.0), offer(4, 9.0)], {"gpu": Ceiling(nodes=2, gpus=16)}),
    ({1: 5}, [offer(1, 1.0), offer(4, 3.0)], {"gpu": Ceiling(nodes=9, gpus=5)}),
    # What is paid for already is filled first, as far as it goes.
    (
        {1: 2, 4: 2},
        [offer(1, 1.0), offer(4, 3.0), offer(8, 0.0, pool="reserved")],
        {"gpu": WIDE, "reserved": Ceiling(nodes=1, gpus=8)},
    ),
]


@pytest.mark.parametrize(("pods", "offers", "ceilings"), PLANTED)
def test_nothing_that_holds_the_pods_is_cheaper(pods, offers, ceilings):
    found = cheapest_packing(pods, offers, ceilings)
    every = [nodes for nodes in all_nodes(offers, ceilings, most=sum(pods.values())) if holds(nodes, pods)]
    assert found.usd == pytest.approx(min(usd_per_hour(nodes) for nodes in every))
    assert found.proven and found.bound <= found.usd + 1e-6
    assert {entry: found.nodes.get(entry, 0) for entry in offers} in every, "its own nodes hold them, too"


@pytest.mark.parametrize(
    ("pods", "ceiling"),
    [({1: 5}, Ceiling(nodes=9, gpus=4)), ({1: 5}, Ceiling(nodes=1, gpus=40)), ({8: 1}, WIDE)],
    ids=["GPUs", "nodes", "size"],
)
def test_pods_that_no_nodes_can_hold_are_refused(pods, ceiling):
    with pytest.raises(NoPacking, match=str(next(iter(pods)))):
        cheapest_packing(pods, [offer(1, 1.0), offer(4, 3.0)], {"gpu": ceiling})


def test_a_packing_whose_bound_lies_below_its_price_is_not_called_proven():
    found = cheapest_packing({1: 1}, [offer(1, 1.0)], {"gpu": WIDE})
    assert found.proven
    assert not type(found)(nodes=found.nodes, usd=found.usd, bound=found.usd - 0.01).proven


def test_a_node_is_filled_in_every_way_in_which_nothing_more_fits():
    assert patterns(8, [1, 4, 8]) == [{8: 1}, {4: 2}, {1: 4, 4: 1}, {1: 8}]
    assert patterns(4, [3]) == [{3: 1}], "what is too small for another pod stays empty"
    assert patterns(1, [4]) == [], "an empty node is no way to fill one"
