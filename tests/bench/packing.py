"""The cheapest nodes that could hold a set of GPU pods: an integer program over the ways to fill a node.

A pattern is one way to fill a node of a type with pods, as in Gilmore and Gomory's formulation of the cutting stock
problem (https://doi.org/10.1287/opre.9.6.849). Here sizes are few, so all of them are listed. GPUs alone are counted:
CPUs and memory must not be what fills a node first (tests/bench/test_gpu_scale.py).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import inf

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

SOLVER_S = 60.0
# Dollars an hour by which two prices may differ that are the same.
SAME_USD = 1e-6

Pattern = Mapping[int, int]
"""Pods of a node by the number of GPUs that they ask for."""


class NoPacking(ValueError):
    """No nodes within the ceilings hold the pods, or none were found in time."""


@dataclass(frozen=True, order=True)
class Offer:
    """Nodes that may be started."""

    pool: str
    kind: str
    """Instance type."""
    capacity: str
    """`reserved`, `spot` or `on-demand`."""
    gpus: int
    usd: float
    """Dollars an hour."""


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """Of a pool."""

    nodes: int
    gpus: int


@dataclass(frozen=True, kw_only=True)
class Packing:
    nodes: Mapping[Offer, int]
    usd: float
    """Dollars an hour of these nodes."""
    bound: float
    """Dollars an hour below which no packing costs."""

    @property
    def proven(self) -> bool:
        """Whether nothing is cheaper."""
        return self.usd - self.bound <= SAME_USD


def cheapest_packing(
    pods: Mapping[int, int], offers: Sequence[Offer], ceilings: Mapping[str, Ceiling], within_s: float = SOLVER_S
) -> Packing:
    """The cheapest nodes for `pods` (number by GPUs asked for), which may land in any pool.

    After `within_s` the best that was found, with the bound that shows how much cheaper another could be. Raises
    NoPacking.
    """
    columns = [(offer, pattern) for offer in offers for pattern in patterns(offer.gpus, sorted(pods))]
    if not columns:
        raise NoPacking(f"no node has the GPUs of a pod: pods ask for {sorted(pods)}")
    answer = milp(
        np.array([offer.usd for offer, _ in columns]),
        constraints=[*_every_pod_has_a_place(pods, columns), *_below_the_ceilings(ceilings, columns)],
        bounds=Bounds(0, inf),
        integrality=np.ones(len(columns)),
        options={"mip_rel_gap": 0, "time_limit": within_s},
    )
    if answer.status == 2:
        raise NoPacking(f"no nodes of {sorted(ceilings)} hold {dict(pods)} within {dict(ceilings)}: raise a ceiling")
    if answer.x is None:
        raise NoPacking(f"the solver found none in {within_s:.0f} s: {answer.message}")
    nodes: Counter[Offer] = Counter()
    for (offer, _), number in zip(columns, answer.x, strict=True):
        nodes[offer] += round(number)
    chosen = {offer: number for offer, number in sorted(nodes.items()) if number}
    return Packing(nodes=chosen, usd=usd_per_hour(chosen), bound=float(answer.mip_dual_bound))


def patterns(gpus: int, sizes: Sequence[int]) -> list[Pattern]:
    """All ways to fill a node until no further pod fits.

    >>> patterns(4, [1, 3])
    [{1: 1, 3: 1}, {1: 4}]
    """
    found: list[Pattern] = []
    for numbers in product(*(range(gpus // size + 1) for size in sizes)):
        left = gpus - sum(size * number for size, number in zip(sizes, numbers, strict=True))
        if any(numbers) and 0 <= left < min(sizes):
            found.append({size: number for size, number in zip(sizes, numbers, strict=True) if number})
    return found


def usd_per_hour(nodes: Mapping[Offer, int]) -> float:
    return sum(offer.usd * number for offer, number in nodes.items())


def _every_pod_has_a_place(pods: Mapping[int, int], columns: Sequence[tuple[Offer, Pattern]]) -> list[LinearConstraint]:
    return [
        LinearConstraint(np.array([pattern.get(size, 0) for _, pattern in columns]), lb=number)
        for size, number in pods.items()
    ]


def _below_the_ceilings(
    ceilings: Mapping[str, Ceiling], columns: Sequence[tuple[Offer, Pattern]]
) -> list[LinearConstraint]:
    constraints: list[LinearConstraint] = []
    for pool, ceiling in ceilings.items():
        of_pool = np.array([offer.pool == pool for offer, _ in columns], dtype=float)
        gpus = np.array([offer.gpus for offer, _ in columns])
        constraints.append(LinearConstraint(of_pool, ub=ceiling.nodes))
        constraints.append(LinearConstraint(of_pool * gpus, ub=ceiling.gpus))
    return constraints
