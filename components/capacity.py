"""Where a pool's nodes come from, in which order, and the most that they can cost. Plain functions."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from components.instance_types import GPU_TYPES


class Capacity(StrEnum):
    SPOT = "spot"
    """What AWS has to spare, cheaper; taken back with two minutes' notice."""
    ON_DEMAND = "on_demand"
    SPOT_THEN_ON_DEMAND = "spot_then_on_demand"
    """Spot where there is some, on demand where there is none."""
    RESERVATION = "reservation"
    """Named capacity reservations, which are paid for whether used or not."""
    CAPACITY_BLOCK = "capacity_block"
    """Named capacity blocks: GPUs paid in advance, from one date to another."""


# Values of `karpenter.sh/capacity-type`. Within one pool Karpenter takes reserved first, then spot, then on demand.
CAPACITY_TYPES: Mapping[Capacity, Sequence[str]] = {
    Capacity.SPOT: ("spot",),
    Capacity.ON_DEMAND: ("on-demand",),
    Capacity.SPOT_THEN_ON_DEMAND: ("on-demand", "spot"),
    # A pool that fell back to on demand would cost a second time what is paid for already.
    Capacity.RESERVATION: ("reserved",),
    Capacity.CAPACITY_BLOCK: ("reserved",),
}
# Between pools the same order, by Karpenter's weights (1 to 100): what is paid for already, then what is cheap.
WEIGHTS: Mapping[Capacity, int] = {
    Capacity.CAPACITY_BLOCK: 100,
    Capacity.RESERVATION: 90,
    Capacity.SPOT: 50,
    Capacity.SPOT_THEN_ON_DEMAND: 40,
    Capacity.ON_DEMAND: 10,
}
RESERVED = frozenset({Capacity.RESERVATION, Capacity.CAPACITY_BLOCK})
INTERRUPTIBLE = frozenset({Capacity.SPOT, Capacity.SPOT_THEN_ON_DEMAND})


def ceiling_usd_per_hour(
    instance_types: Sequence[str],
    capacity: Capacity,
    *,
    max_nodes: int,
    max_gpus: int | None,
    prices: Mapping[str, float],
) -> float | None:
    """Dollars an hour of the most expensive nodes that a pool may have at once: its ceilings, at on-demand prices.

    `max_gpus` is None for a pool without a ceiling of GPUs, `prices` are dollars an hour by type. None when a type has
    no price, and for capacity blocks, which are paid in advance at a price of their own. Volumes and traffic are not
    in it.
    """
    if capacity is Capacity.CAPACITY_BLOCK or any(kind not in prices for kind in instance_types):
        return None
    return round(most_at_once({kind: prices[kind] for kind in instance_types}, max_nodes, max_gpus), 6)


def most_at_once(amounts: Mapping[str, float], max_nodes: int, max_gpus: int | None) -> float:
    """The most that nodes of a pool come to together, under its ceilings: dollars, or vCPUs, by instance type."""
    if max_gpus is None:
        return max_nodes * max(amounts.values())
    return _most(_largest_by_count(amounts), max_nodes, max_gpus)


def _largest_by_count(amounts: Mapping[str, float]) -> list[tuple[int, float]]:
    """GPUs and amount of the types that matter, most GPUs first: not those that have more GPUs and less of it."""
    largest: dict[int, float] = {}
    for kind, amount in amounts.items():
        count = GPU_TYPES[kind].count
        largest[count] = max(largest.get(count, 0.0), amount)
    matter = [(n, amount) for n, amount in largest.items() if not any(m < n and largest[m] >= amount for m in largest)]
    return sorted(matter, reverse=True)


def _most(types: Sequence[tuple[int, float]], nodes: int, gpus: int) -> float:
    """The largest choice of nodes: every number of the first type, with the best of the others for what is left."""
    (count, amount), others = types[0], types[1:]
    most = min(nodes, gpus // count)
    if not others:
        return most * amount
    return max(n * amount + _most(others, nodes - n, gpus - n * count) for n in range(most + 1))
