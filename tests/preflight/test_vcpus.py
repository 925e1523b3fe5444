"""vCPU quotas: the ceilings of all pools together, by family and market, beside what is taken already."""

from dataclasses import replace

import pytest

from stackyard.preflight.checks import vcpus
from stackyard.preflight.checks.vcpus import (
    GRAPHICS,
    ON_DEMAND,
    P4,
    P5,
    SPOT,
    STANDARD,
    VcpuFacts,
    judge_vcpus,
    needs,
    quota_of,
)
from stackyard.preflight.finding import Level, Unanswered
from stackyard.preflight.machines import Machine, most_vcpus
from tests.preflight.targets import ACCOUNT, Script, pool, target

SIZES = {
    "m7i.large": (2, 0),
    "m7i.xlarge": (4, 0),
    "g5.xlarge": (4, 1),
    "g5.12xlarge": (48, 4),
    "g6.xlarge": (4, 1),
    "p4d.24xlarge": (96, 8),
    "p5.48xlarge": (192, 8),
    "p6-b200.48xlarge": (192, 8),
}
MACHINES = {name: Machine(name=name, vcpus=size, gpus=gpus) for name, (size, gpus) in SIZES.items()}


@pytest.mark.parametrize(
    ("kind", "market", "code"),
    [
        ("m7i.large", ON_DEMAND, "L-1216C47A"),
        ("c8g.large", SPOT, "L-34B43A08"),
        ("im4gn.large", ON_DEMAND, "L-1216C47A"),
        ("g5.xlarge", ON_DEMAND, "L-DB2E81BA"),
        ("gr6.4xlarge", SPOT, "L-3819A6DF"),
        ("p3.2xlarge", ON_DEMAND, "L-417A185B"),
        ("p4d.24xlarge", SPOT, "L-7212CCBC"),
        ("p5en.48xlarge", SPOT, "L-C4BD4855"),
        ("p5en.48xlarge", ON_DEMAND, "L-417A185B"),
        ("p6-b200.48xlarge", ON_DEMAND, "L-417A185B"),
        ("x2idn.16xlarge", ON_DEMAND, "L-7295265B"),
    ],
)
def test_a_type_counts_against_the_quota_of_its_family_and_market(kind, market, code):
    quota = quota_of(kind, market)
    assert quota and quota.code == code


@pytest.mark.parametrize(("kind", "market"), [("p6-b200.48xlarge", SPOT), ("mac2.metal", ON_DEMAND), ("?", SPOT)])
def test_a_family_of_which_aws_names_no_quota_has_none(kind, market):
    assert quota_of(kind, market) is None


def test_every_quota_of_a_market_has_a_code_of_its_own():
    spot = {family[SPOT].code for family in vcpus.FAMILIES.values() if SPOT in family}
    on_demand = {family[ON_DEMAND].code for family in vcpus.FAMILIES.values()}
    assert len(spot) == 6 and len(on_demand) == 5 and not spot & on_demand


def pools(*entries) -> dict:
    return {f"nodePools[{index}]": entry for index, entry in enumerate(entries, 1)}


def test_a_pool_comes_to_its_most_nodes_of_its_largest_type_under_its_ceiling_of_gpus():
    mixed = pool(instanceTypes=["g5.xlarge", "g5.12xlarge"], capacity="spot", maxNodes=8, gpu={"maxGpus": 18})
    (one,) = [p for p in target(pools(mixed)).pools if p.gpu]
    kinds = {name: MACHINES[name] for name in one.instance_types}
    # Four of 48 vCPUs and 4 GPUs, and two of 4 vCPUs for the two GPUs that are left.
    assert most_vcpus(one, kinds) == 4 * 48 + 2 * 4
    alone = target(pools(pool(maxNodes=5, gpu={"maxGpus": 16}))).pools[1]
    assert most_vcpus(alone, {"p5.48xlarge": MACHINES["p5.48xlarge"]}) == 2 * 192, "16 GPUs are two nodes"
    general = target().pools[0]
    assert most_vcpus(general, {"m7i.large": MACHINES["m7i.large"]}) == 3 * 2


def by_quota(asked) -> dict:
    found: dict = {}
    for need in needs(asked, MACHINES):
        found.setdefault(need.quota.code if need.quota else None, {})[need.who] = need.vcpus
    return found


def test_pools_that_share_a_quota_are_added_up_with_the_system_nodes():
    asked = target(
        {
            "nodePools[0].capacity": "on_demand",
            "nodePools[0].maxNodes": 10,
            **pools(
                pool(name="a", instanceTypes=["g5.xlarge"], capacity="spot_then_on_demand", maxNodes=3),
                pool(name="b", instanceTypes=["g6.xlarge"], capacity="on_demand", maxNodes=2),
            ),
        }
    )
    assert by_quota(asked) == {
        STANDARD[ON_DEMAND].code: {"system nodes": 6, "pool general": 20},
        GRAPHICS[SPOT].code: {"pool a": 12},
        GRAPHICS[ON_DEMAND].code: {"pool a": 12, "pool b": 8},
    }


def test_a_pool_over_two_families_may_use_up_either_quota():
    asked = target(pools(pool(instanceTypes=["p4d.24xlarge", "p5.48xlarge"], capacity="spot", gpu={"maxGpus": 8})))
    found = by_quota(asked)
    assert (found[P4[SPOT].code], found[P5[SPOT].code]) == ({"pool gpu": 96}, {"pool gpu": 192})


@pytest.mark.parametrize("capacity", ["reservation", "capacity_block"])
def test_reserved_capacity_needs_no_further_quota(capacity):
    more = {"capacityBlockEnds": "2027-03-15"} if capacity == "capacity_block" else {}
    reserved = pool(capacity=capacity, reservationIds=["cr-0123456789abcdef0"], zones=["us-east-1a"], **more)
    assert {STANDARD[ON_DEMAND].code, STANDARD[SPOT].code} == set(by_quota(target(pools(reserved))))


def facts(asked, *, used=None, allowed=1000.0) -> VcpuFacts:
    quotas = {need.quota for need in needs(asked, MACHINES) if need.quota}
    return VcpuFacts(machines=MACHINES, used=used or {}, allowed=dict.fromkeys(quotas, allowed))


def test_a_quota_of_zero_fails_with_the_code_and_the_sum_of_what_is_needed_and_taken():
    asked = target(pools(pool(capacity="on_demand", maxNodes=2)))
    quota = P5[ON_DEMAND]
    found = {f.sentence.partition(":")[0]: f for f in judge_vcpus(facts(asked, used={quota: 96}, allowed=384.0), asked)}
    failure = found[quota.name]
    assert failure.level is Level.FAIL
    assert failure.sentence == f"{quota.name}: needs 384 vCPUs (384 for pool gpu), 96 taken already, quota 384"
    assert "--service-code ec2 --quota-code L-417A185B --desired-value 480" in failure.command
    assert found[STANDARD[ON_DEMAND].name].level is Level.PASS


def test_a_quota_that_suffices_exactly_passes():
    asked = target(pools(pool(capacity="on_demand", maxNodes=2)))
    assert {f.level for f in judge_vcpus(facts(asked, allowed=384.0), asked)} == {Level.PASS}


def test_room_is_no_pass_while_nobody_says_what_is_taken_and_a_lack_is_a_lack_all_the_same():
    asked = target()
    silent = replace(facts(asked), used=Unanswered("the permission ec2:DescribeInstances is missing"))
    found = list(judge_vcpus(silent, asked))
    assert {f.level for f in found} == {Level.UNKNOWN} and "ec2:DescribeInstances" in found[0].sentence
    none = replace(silent, allowed=dict.fromkeys(silent.allowed, 0.0))
    assert {f.level for f in judge_vcpus(none, asked)} == {Level.FAIL}


def test_a_family_without_a_quota_and_an_unknown_type_are_told_and_not_passed():
    asked = target(pools(pool(instanceTypes=["p6-b200.48xlarge"], capacity="spot", gpu={"maxGpus": 8})))
    unknown = [f.sentence for f in judge_vcpus(facts(asked), asked) if f.level is Level.UNKNOWN]
    assert unknown == ["AWS names no quota for p6-b200.48xlarge, which pool gpu may start"]
    less = {name: machine for name, machine in MACHINES.items() if name != "p6-b200.48xlarge"}
    absent = [f for f in judge_vcpus(replace(facts(asked), machines=less), asked) if f.level is Level.UNKNOWN]
    assert ["p6-b200.48xlarge" in f.sentence for f in absent] == [True]


def described(name: str) -> dict:
    size, gpus = SIZES[name]
    found = {
        "InstanceType": name,
        "VCpuInfo": {"DefaultVCpus": size},
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
    }
    if gpus:
        found["GpuInfo"] = {"Gpus": [{"Name": "H100", "Manufacturer": "NVIDIA", "Count": gpus}]}
    return found


def test_what_is_taken_is_others_instances_and_all_own_reservations_once():
    ours = [{"Key": "kubernetes.io/cluster/stackyard-dev", "Value": "owned"}]
    instances = [
        {"InstanceType": "m7i.xlarge"},
        {"InstanceType": "m7i.xlarge", "InstanceLifecycle": "spot"},
        {"InstanceType": "m7i.xlarge", "Tags": ours},
        {"InstanceType": "p5.48xlarge", "CapacityReservationId": "cr-1"},
    ]
    reserved = {"InstanceType": "p5.48xlarge", "TotalInstanceCount": 2, "State": "active", "OwnerId": ACCOUNT}
    reservations = [
        {**reserved, "CapacityReservationId": "cr-1"},
        {**reserved, "CapacityReservationId": "cr-2", "OwnerId": "999999999999"},
        {**reserved, "CapacityReservationId": "cr-3", "State": "expired"},
        {**reserved, "CapacityReservationId": "cr-4", "ReservationType": "capacity-block"},
    ]
    own = [described(name) for name in ("m7i.large", "g5.xlarge")]
    others = [described(name) for name in ("m7i.xlarge", "p5.48xlarge")]
    script = (
        Script()
        .answer("ec2", "describe_instance_types", {"InstanceTypes": own})
        .answer("ec2", "describe_instances", {"Reservations": [{"Instances": instances}]})
        .answer("ec2", "describe_capacity_reservations", {"CapacityReservations": reservations})
        .answer("ec2", "describe_instance_types", {"InstanceTypes": others})
    )
    for _ in range(3):
        script.answer("service-quotas", "get_service_quota", {"Quota": {"Value": 64.0}})
    found = vcpus.fetch_vcpus(script.account(), target())
    assert found.used == {STANDARD[ON_DEMAND]: 4, STANDARD[SPOT]: 4, P5[ON_DEMAND]: 2 * 192}
    assert set(found.allowed.values()) == {64.0}
    script.assert_used_up()
