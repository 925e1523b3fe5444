"""Capacity reservations and capacity blocks that pools name: there, of the right kind, and long enough."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from components.capacity import RESERVED, Capacity
from stacks.sections.pools import NodePool
from stackyard.preflight.account import Account
from stackyard.preflight.check import PLATFORM, Check
from stackyard.preflight.finding import Finding, failed, passed
from stackyard.preflight.target import Target

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CapacityReservation.html
USABLE = frozenset({"active", "scheduled"})
KINDS = {Capacity.RESERVATION: "default", Capacity.CAPACITY_BLOCK: "capacity-block"}
NOUNS = {"default": "a capacity reservation", "capacity-block": "a capacity block"}
PLATFORM_NAME = "Linux/UNIX"


@dataclass(frozen=True, kw_only=True)
class Reservation:
    id: str
    state: str
    kind: str
    """`default` or `capacity-block`."""
    instance_type: str
    zone: str
    tenancy: str
    platform: str
    count: int
    owner: str = ""
    starts: date | None = None
    ends: date | None = None
    """None without an end."""


def fetch_reservations(account: Account, target: Target) -> Mapping[str, Reservation]:
    """All reservations that the account may use, its own and shared ones, by id."""
    # Not by id: one wrong id would fail the call for all.
    found = account.call("ec2", "describe_capacity_reservations")["CapacityReservations"]
    return {str(entry["CapacityReservationId"]): _reservation(entry) for entry in found}


def _reservation(entry: Any) -> Reservation:
    return Reservation(
        id=str(entry["CapacityReservationId"]),
        state=str(entry["State"]),
        kind=str(entry.get("ReservationType", "default")),
        instance_type=str(entry["InstanceType"]),
        zone=str(entry["AvailabilityZone"]),
        tenancy=str(entry["Tenancy"]),
        platform=str(entry["InstancePlatform"]),
        count=int(entry["TotalInstanceCount"]),
        owner=str(entry.get("OwnerId", "")),
        starts=entry["StartDate"].date() if entry.get("StartDate") else None,
        ends=entry["EndDate"].date() if entry.get("EndDate") else None,
    )


def judge_reservations(known: Mapping[str, Reservation], target: Target) -> Iterator[Finding]:
    for pool in _reserved(target):
        found: list[Reservation] = []
        problems: list[str] = []
        for name in pool.reservation_ids:
            if name in known:
                found.append(known[name])
                problems += _problems(pool, known[name], target)
            else:
                problems.append(f"{target.region} has no reservation {name} that account {target.account_id} may use")
        count = sum(reservation.count for reservation in found)
        if not problems and count < pool.max_nodes:
            problems.append(f"{count} instances are reserved, and maxNodes is {pool.max_nodes}: the rest never comes")
        for problem in problems:
            yield failed(
                f"pool {pool.name}: {problem}",
                f"correct the pool in {target.files}, or the reservation",
                "aws ec2 describe-capacity-reservations --capacity-reservation-ids "
                f"{' '.join(pool.reservation_ids)} --region {target.region}",
            )
        if not problems:
            yield passed(f"pool {pool.name}: {', '.join(map(_described, found))}")


def _problems(pool: NodePool, found: Reservation, target: Target) -> Iterator[str]:
    zones = target.zones_of(pool)
    if found.state not in USABLE:
        yield f"{found.id} is {found.state}, not active or scheduled"
    if found.kind != KINDS[pool.capacity]:
        yield f"{found.id} is {NOUNS.get(found.kind, found.kind)}, and capacity is {pool.capacity}"
    if found.instance_type not in pool.instance_types:
        yield f"{found.id} is of {found.instance_type}, and the pool takes {', '.join(pool.instance_types)}"
    if zones and found.zone not in zones:
        yield f"{found.id} lies in {found.zone}, and the pool in {', '.join(zones)}"
    if found.tenancy != "default":
        yield f"{found.id} has the tenancy {found.tenancy}, and nodes are started with default"
    if not found.platform.startswith(PLATFORM_NAME):
        yield f"{found.id} is for {found.platform}, and nodes run {PLATFORM_NAME}"
    if found.ends and found.ends <= target.today:
        yield f"{found.id} ends on {found.ends}, and today is {target.today}"
    stated = pool.capacity_block_ends
    if stated and found.ends and str(found.ends) != stated:
        yield f"{found.id} ends on {found.ends}, and capacityBlockEnds is {stated}"


def _described(reservation: Reservation) -> str:
    starts = f" from {reservation.starts}" if reservation.state == "scheduled" and reservation.starts else ""
    ends = f" until {reservation.ends}" if reservation.ends else " without an end"
    return (
        f"{reservation.id}, {reservation.count} {reservation.instance_type} in {reservation.zone}, "
        f"{reservation.state}{starts}{ends}"
    )


def _reserved(target: Target) -> list[NodePool]:
    return [pool for pool in target.pools if pool.capacity in RESERVED]


def _none(target: Target) -> str:
    return "" if _reserved(target) else "no pool names a reservation or capacity block"


CHECKS: tuple[Check[Any], ...] = (
    Check(name="reservations", layers=PLATFORM, fetch=fetch_reservations, judge=judge_reservations, skip=_none),
)
