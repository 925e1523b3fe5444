"""Capacity reservations and capacity blocks: each way in which one is not what the pool needs."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from stackyard.preflight.checks import reservations
from stackyard.preflight.checks.reservations import Reservation
from stackyard.preflight.finding import Level
from tests.preflight.targets import ACCOUNT, Script, failures, only, pool, target

ID = "cr-0123456789abcdef0"
GOOD = Reservation(
    id=ID,
    state="active",
    kind="default",
    instance_type="p5.48xlarge",
    zone="us-east-1b",
    tenancy="default",
    platform="Linux/UNIX",
    count=2,
)
RESERVED = {"nodePools[1]": pool(capacity="reservation", reservationIds=[ID], zones=["us-east-1b"])}
BLOCK = {
    "nodePools[1]": pool(
        capacity="capacity_block", reservationIds=[ID], zones=["us-east-1b"], capacityBlockEnds="2027-03-15"
    )
}
GOOD_BLOCK = replace(GOOD, kind="capacity-block", ends=date(2027, 3, 15))


def judged(reservation: Reservation | None, changes=RESERVED) -> list:
    known = {reservation.id: reservation} if reservation else {}
    return list(reservations.judge_reservations(known, target(changes)))


def test_a_reservation_that_fits_passes_and_says_what_it_is():
    found = only(judged(GOOD))
    assert found.level is Level.PASS
    assert found.sentence == f"pool gpu: {ID}, 2 p5.48xlarge in us-east-1b, active without an end"


def test_one_that_is_still_to_start_passes_with_its_day():
    found = only(judged(replace(GOOD_BLOCK, state="scheduled", starts=date(2027, 3, 1)), BLOCK))
    assert found.level is Level.PASS and "scheduled from 2027-03-01 until 2027-03-15" in found.sentence


@pytest.mark.parametrize(
    ("reservation", "sentence"),
    [
        (None, f"has no reservation {ID} that account {ACCOUNT} may use"),
        (replace(GOOD, state="expired"), "is expired, not active or scheduled"),
        (replace(GOOD, state="payment-failed"), "is payment-failed"),
        (replace(GOOD, kind="capacity-block"), "is a capacity block, and capacity is reservation"),
        (replace(GOOD, instance_type="p4d.24xlarge"), "is of p4d.24xlarge, and the pool takes p5.48xlarge"),
        (replace(GOOD, zone="us-east-1a"), "lies in us-east-1a, and the pool in us-east-1b"),
        (replace(GOOD, tenancy="dedicated"), "has the tenancy dedicated"),
        (replace(GOOD, platform="Windows"), "is for Windows"),
        (replace(GOOD, count=1), "1 instances are reserved, and maxNodes is 2"),
        (replace(GOOD, ends=date(2026, 11, 24)), "ends on 2026-11-24, and today is 2026-11-24"),
    ],
)
def test_a_reservation_that_does_not_fit_fails(reservation, sentence):
    assert [sentence in found for found in failures(judged(reservation))] == [True]


@pytest.mark.parametrize("platform", ["Linux/UNIX", "Linux/UNIX with SQL Server Standard"])
def test_linux_is_linux(platform):
    assert only(judged(replace(GOOD, platform=platform))).level is Level.PASS


@pytest.mark.parametrize(
    ("reservation", "sentence"),
    [
        (replace(GOOD_BLOCK, kind="default"), "is a capacity reservation, and capacity is capacity_block"),
        (replace(GOOD_BLOCK, ends=date(2027, 3, 14)), "ends on 2027-03-14, and capacityBlockEnds is 2027-03-15"),
    ],
)
def test_a_capacity_block_that_is_another_or_ends_on_another_day_fails(reservation, sentence):
    assert only(judged(GOOD_BLOCK, BLOCK)).level is Level.PASS
    assert [sentence in found for found in failures(judged(reservation, BLOCK))] == [True]


def test_several_reservations_are_added_up():
    other = "cr-0123456789abcdef1"
    changes = {"nodePools[1]": pool(capacity="reservation", reservationIds=[ID, other], zones=["us-east-1b"])}
    known = {ID: replace(GOOD, count=1), other: replace(GOOD, id=other, count=1)}
    assert only(reservations.judge_reservations(known, target(changes))).level is Level.PASS


def test_all_reservations_are_asked_for_since_one_wrong_id_would_fail_for_all():
    entry = {
        "CapacityReservationId": ID,
        "State": "active",
        "InstanceType": "p5.48xlarge",
        "AvailabilityZone": "us-east-1b",
        "Tenancy": "default",
        "InstancePlatform": "Linux/UNIX",
        "TotalInstanceCount": 2,
        "ReservationType": "capacity-block",
        "EndDate": datetime(2027, 3, 15, 11, 30, tzinfo=UTC),
    }
    script = Script().answer("ec2", "describe_capacity_reservations", {"CapacityReservations": [entry]}, {})
    assert reservations.fetch_reservations(script.account(), target()) == {ID: GOOD_BLOCK}


def test_without_a_reserved_pool_nothing_is_asked():
    (check,) = reservations.CHECKS
    assert "no pool names" in check.skip(target()) and check.skip(target(RESERVED)) == ""
