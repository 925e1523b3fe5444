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
    if max_gpus is None:
        return round(max_nodes * max(prices[kind] for kind in instance_types), 6)
    return round(_most_expensive(_dearest_by_count(instance_types, prices), max_nodes, max_gpus), 6)


def _dearest_by_count(instance_types: Sequence[str], prices: Mapping[str, float]) -> list[tuple[int, float]]:
    """GPUs and price of the types that matter, most GPUs first: not those that have more GPUs for less money."""
    dearest: dict[int, float] = {}
    for kind in instance_types:
        count = GPU_TYPES[kind].count
        dearest[count] = max(dearest.get(count, 0.0), prices[kind])
    worth = [(n, usd) for n, usd in dearest.items() if not any(m < n and dearest[m] >= usd for m in dearest)]
    return sorted(worth, reverse=True)


def _most_expensive(types: Sequence[tuple[int, float]], nodes: int, gpus: int) -> float:
    """The dearest choice of nodes: every number of the first type, with the best of the others for what is left."""
    (count, usd), others = types[0], types[1:]
    most = min(nodes, gpus // count)
    if not others:
        return most * usd
    return max(n * usd + _most_expensive(others, nodes - n, gpus - n * count) for n in range(most + 1))
