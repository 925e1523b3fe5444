"""vCPU quotas by family and market, against the ceilings of all pools together."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.capacity import Capacity
from stacks.sections.pools import NodePool
from stackyard.preflight.account import Account
from stackyard.preflight.check import PLATFORM, Check
from stackyard.preflight.finding import Finding, Level, Unanswered, listed
from stackyard.preflight.machines import Machine, most_vcpus, read_machines, system_nodes, wanted_types
from stackyard.preflight.quota import Limit, Quota, judge_limit, read_quota
from stackyard.preflight.target import Target, tags_of

ON_DEMAND, SPOT = "on demand", "spot"


def _ec2(name: str, code: str) -> Quota:
    return Quota(name=name, service="ec2", code=code)


# Names and codes: https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
_STANDARD = "Standard (A, C, D, H, I, M, R, T, Z)"
STANDARD = {
    ON_DEMAND: _ec2(f"Running On-Demand {_STANDARD} instances", "L-1216C47A"),
    SPOT: _ec2(f"All {_STANDARD} Spot Instance Requests", "L-34B43A08"),
}
GRAPHICS = {
    ON_DEMAND: _ec2("Running On-Demand G and VT instances", "L-DB2E81BA"),
    SPOT: _ec2("All G and VT Spot Instance Requests", "L-3819A6DF"),
}
_P_ON_DEMAND = _ec2("Running On-Demand P instances", "L-417A185B")
P4 = {ON_DEMAND: _P_ON_DEMAND, SPOT: _ec2("All P4, P3 and P2 Spot Instance Requests", "L-7212CCBC")}
P5 = {ON_DEMAND: _P_ON_DEMAND, SPOT: _ec2("All P5 Spot Instance Requests", "L-C4BD4855")}
# AWS's page names no spot quota of P6.
P6 = {ON_DEMAND: _P_ON_DEMAND}
F = {
    ON_DEMAND: _ec2("Running On-Demand F instances", "L-74FC7D96"),
    SPOT: _ec2("All F Spot Instance Requests", "L-88CF9481"),
}
X = {
    ON_DEMAND: _ec2("Running On-Demand X instances", "L-7295265B"),
    SPOT: _ec2("All X Spot Instance Requests", "L-E3A00192"),
}
FAMILIES: Mapping[str, Mapping[str, Quota]] = {
    **dict.fromkeys(("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"), STANDARD),
    **dict.fromkeys(("g", "gr", "vt"), GRAPHICS),
    **dict.fromkeys(("p2", "p3", "p4"), P4),
    "p5": P5,
    "p6": P6,
    "f": F,
    "x": X,
}
"""Quotas by the letters of an instance family; of P by letter and generation."""

# Reservations were counted when they were made (CreateCapacityReservation fails beyond the on-demand quota), and a
# pool that takes nothing else needs no more; capacity blocks have limits of their own.
MARKETS: Mapping[Capacity, tuple[str, ...]] = {
    Capacity.SPOT: (SPOT,),
    Capacity.ON_DEMAND: (ON_DEMAND,),
    Capacity.SPOT_THEN_ON_DEMAND: (SPOT, ON_DEMAND),
    Capacity.RESERVATION: (),
    Capacity.CAPACITY_BLOCK: (),
}


def quota_of(instance_type: str, market: str) -> Quota | None:
    """The quota that counts a type's vCPUs; None where AWS's page names none."""
    match = re.match(r"([a-z]+)(\d*)", instance_type)
    letters, generation = (match[1], match[2]) if match else ("", "")
    key = f"{letters}{generation}" if letters == "p" else letters
    return FAMILIES.get(key, {}).get(market)


@dataclass(frozen=True, kw_only=True)
class VcpuFacts:
    machines: Mapping[str, Machine]
    """Types that the environment may start."""
    used: Mapping[Quota, int] | Unanswered
    """vCPUs of others' instances, and of all reservations of the account."""
    allowed: Mapping[Quota, float | Unanswered]


def fetch_vcpus(account: Account, target: Target) -> VcpuFacts:
    machines = read_machines(account, wanted_types(target))
    wanted = {need.quota for need in needs(target, machines) if need.quota}
    try:
        used = _used(account, target)
    except Unanswered as silence:
        used = silence
    return VcpuFacts(
        machines=machines,
        used=used,
        allowed={quota: read_quota(account, quota) for quota in sorted(wanted, key=lambda quota: quota.code)},
    )


@dataclass(frozen=True, kw_only=True)
class Need:
    """What one pool may use of one quota."""

    who: str
    quota: Quota | None
    types: tuple[str, ...]
    vcpus: int


def needs(target: Target, machines: Mapping[str, Machine]) -> list[Need]:
    """By pool and quota; the quota is None for a family of which AWS names none."""
    found: list[Need] = []
    types, most = system_nodes()
    system = [machines[kind] for kind in types if kind in machines]
    if system:
        # A node group takes the first type that is to be had.
        vcpus = most * max(machine.vcpus for machine in system)
        found.append(Need(who="system nodes", quota=quota_of(types[0], ON_DEMAND), types=types, vcpus=vcpus))
    for pool in target.pools:
        for market in MARKETS[pool.capacity]:
            found += _pool_needs(pool, market, machines)
    return found


def _pool_needs(pool: NodePool, market: str, machines: Mapping[str, Machine]) -> Iterator[Need]:
    by_quota: dict[Quota | None, dict[str, Machine]] = {}
    for kind in pool.instance_types:
        if kind in machines:
            by_quota.setdefault(quota_of(kind, market), {})[kind] = machines[kind]
    for quota, chosen in by_quota.items():
        yield Need(who=f"pool {pool.name}", quota=quota, types=tuple(chosen), vcpus=most_vcpus(pool, chosen))


def _used(account: Account, target: Target) -> Mapping[Quota, int]:
    alive = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    launches = account.call("ec2", "describe_instances", Filters=alive)["Reservations"]
    reservations = account.call("ec2", "describe_capacity_reservations")["CapacityReservations"]
    instances = [i for launch in launches for i in launch["Instances"] if _counts_for_others(i, target)]
    reserved = [reservation for reservation in reservations if _counts(reservation, target)]
    machines = read_machines(account, {str(one["InstanceType"]) for one in (*instances, *reserved)})
    used: Counter[Quota] = Counter()
    for instance in instances:
        market = SPOT if instance.get("InstanceLifecycle") == "spot" else ON_DEMAND
        _count(used, machines, str(instance["InstanceType"]), market, 1)
    for reservation in reserved:
        _count(used, machines, str(reservation["InstanceType"]), ON_DEMAND, int(reservation["TotalInstanceCount"]))
    return used


def _counts_for_others(instance: Any, target: Target) -> bool:
    # EKS and Karpenter both tag the cluster's nodes so; an instance in a reservation counts with that.
    ours = f"kubernetes.io/cluster/{target.stem}" in tags_of(instance)
    return not ours and not instance.get("CapacityReservationId")


def _counts(reservation: Any, target: Target) -> bool:
    """Whether a reservation counts against this account's quota: its owner's, used or not; not a capacity block."""
    own = reservation.get("OwnerId") == target.account_id
    return own and reservation["State"] == "active" and reservation.get("ReservationType", "default") == "default"


def _count(used: "Counter[Quota]", machines: Mapping[str, Machine], kind: str, market: str, count: int) -> None:
    quota = quota_of(kind, market)
    if quota and kind in machines:
        used[quota] += machines[kind].vcpus * count


def judge_vcpus(facts: VcpuFacts, target: Target) -> Iterator[Finding]:
    parts: dict[Quota, dict[str, int]] = {}
    for need in needs(target, facts.machines):
        if need.quota is None:
            sentence = f"AWS names no quota for {listed(list(need.types))}, which {need.who} may start"
            yield Finding(level=Level.UNKNOWN, sentence=sentence, remedy="look in Service Quotas, under EC2")
        else:
            parts.setdefault(need.quota, {})[need.who] = need.vcpus
    used: Mapping[Quota, int] = {} if isinstance(facts.used, Unanswered) else facts.used
    for quota, counts in parts.items():
        limit = Limit(
            quota=quota,
            allowed=facts.allowed[quota],
            used=used.get(quota, 0),
            needed=sum(counts.values()),
            parts=counts,
            unit="vCPUs",
        )
        finding = judge_limit(limit, target)
        if finding.level is Level.PASS and isinstance(facts.used, Unanswered):
            # Room for this environment alone is no room where others take it.
            finding = facts.used.finding(f"{finding.sentence}, but what is taken already is not known")
        yield finding
    unknown = sorted(wanted_types(target) - set(facts.machines))
    if unknown:
        sentence = f"EC2 does not know {listed(unknown)} here, so the vCPUs are not counted: see «instance types»"
        yield Finding(level=Level.UNKNOWN, sentence=sentence)


CHECKS: tuple[Check[Any], ...] = (Check(name="vCPU quotas", layers=PLATFORM, fetch=fetch_vcpus, judge=judge_vcpus),)
