"""Instance types: offered where the pools are, and what EC2 says of them against our table."""

from dataclasses import replace

import pytest

from components.instance_types import GPU_TYPES
from stackyard.preflight.checks import instances
from stackyard.preflight.finding import Level
from stackyard.preflight.machines import Machine, machine_of, read_machines
from tests.preflight.targets import Script, failures, levels, target

BOTH = frozenset({"us-east-1a", "us-east-1b"})
OFFERED = {"m7i.large": BOTH, "g5.xlarge": BOTH}
MACHINES = {
    "m7i.large": Machine(name="m7i.large", vcpus=2),
    "g5.xlarge": Machine(name="g5.xlarge", vcpus=4, gpu_model="a10g", gpus=1, local_disks=True),
}


def test_types_that_all_zones_have_pass():
    assert levels(instances.judge_offerings(OFFERED, target())) == [Level.PASS] * 3


def test_a_type_that_no_zone_of_the_pool_has_fails_with_the_zones_that_have_it():
    """faults 5: not offered in the zone."""
    offered = OFFERED | {"g5.xlarge": frozenset({"us-east-1c"})}
    (sentence,) = failures(instances.judge_offerings(offered, target()))
    assert sentence == "pool gpu: g5.xlarge is not offered in us-east-1a or us-east-1b, but in us-east-1c"
    nowhere = OFFERED | {"g5.xlarge": frozenset()}
    assert "nor elsewhere in us-east-1" in failures(instances.judge_offerings(nowhere, target()))[0]


def test_the_pools_own_zones_count_and_not_the_networks():
    asked = target({"nodePools[1].zones": ["us-east-1b"]})
    offered = OFFERED | {"g5.xlarge": frozenset({"us-east-1a"})}
    assert len(failures(instances.judge_offerings(offered, asked))) == 1


def test_a_type_that_some_zones_lack_passes_with_a_note():
    offered = OFFERED | {"g5.xlarge": frozenset({"us-east-1a"})}
    found = list(instances.judge_offerings(offered, target()))
    assert Level.FAIL not in levels(found)
    assert any("g5.xlarge not in us-east-1b" in finding.sentence for finding in found)


def test_a_named_zone_without_any_type_of_the_pool_fails():
    asked = target({"nodePools[1].zones": ["us-east-1a", "us-east-1b"]})
    offered = OFFERED | {"g5.xlarge": frozenset({"us-east-1a"})}
    assert failures(instances.judge_offerings(offered, asked)) == [
        "pool gpu: none of its types is offered in us-east-1b, which it names"
    ]


def test_offerings_are_asked_for_all_types_at_once():
    wanted = {
        "LocationType": "availability-zone",
        "Filters": [{"Name": "instance-type", "Values": ["g5.xlarge", "m7i.large"]}],
    }
    answer = [{"InstanceType": "g5.xlarge", "LocationType": "availability-zone", "Location": "us-east-1a"}]
    script = Script().answer("ec2", "describe_instance_type_offerings", {"InstanceTypeOfferings": answer}, wanted)
    found = instances.fetch_offerings(script.account(), target())
    assert found == {"g5.xlarge": {"us-east-1a"}, "m7i.large": frozenset()}


def test_types_that_are_as_the_table_says_pass():
    assert levels(instances.judge_machines(MACHINES, target())) == [Level.PASS]


@pytest.mark.parametrize(
    ("kind", "values", "sentence"),
    [
        ("g5.xlarge", {"gpus": 2}, "EC2 says 2 a10g for NVIDIA GPUs"),
        ("g5.xlarge", {"gpu_model": "l4"}, "EC2 says 1 l4 for NVIDIA GPUs"),
        ("g5.xlarge", {"gpus": 0, "gpu_model": ""}, "EC2 says none for NVIDIA GPUs"),
        ("g5.xlarge", {"adapters": 1}, "EC2 says 1 for EFA interfaces"),
        ("g5.xlarge", {"arm": True}, "EC2 says arm64 for the processor"),
        ("g5.xlarge", {"local_disks": False}, "EC2 says no for NVMe disks"),
        ("m7i.large", {"gpus": 1, "gpu_model": "t4"}, "EC2 says 1 t4 for NVIDIA GPUs"),
        ("m7i.large", {"arm": True}, "EC2 says arm64 for the processor"),
    ],
)
def test_a_fact_that_differs_from_the_table_fails(kind, values, sentence):
    """faults 5 and 7: without GPU, another architecture than the image's."""
    machines = MACHINES | {kind: replace(MACHINES[kind], **values)}
    assert [sentence in found for found in failures(instances.judge_machines(machines, target()))] == [True]


def test_a_type_that_ec2_does_not_have_fails():
    """faults 5: unknown type."""
    asked = target({"nodePools[0].instanceTypes": ["m99i.large"]})
    (sentence,) = failures(instances.judge_machines(MACHINES, asked))
    assert sentence == "us-east-1 has no instance type m99i.large"


def test_what_ec2_says_is_read_by_filter_in_portions():
    names = [f"m7i.{number}xlarge" for number in range(201)]
    script = Script()
    for portion in (sorted(names)[:200], sorted(names)[200:]):
        filters = {"Filters": [{"Name": "instance-type", "Values": portion}]}
        script.answer("ec2", "describe_instance_types", {"InstanceTypes": []}, filters)
    assert read_machines(script.account(), names) == {}
    script.assert_used_up()


def test_gpus_of_other_makers_are_not_counted():
    described = {
        "InstanceType": "g4ad.xlarge",
        "VCpuInfo": {"DefaultVCpus": 4},
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        "GpuInfo": {"Gpus": [{"Name": "Radeon Pro V520", "Manufacturer": "AMD", "Count": 1}]},
        "InstanceStorageInfo": {"NvmeSupport": "required"},
        "NetworkInfo": {"EfaSupported": True, "EfaInfo": {"MaximumEfaInterfaces": 2}},
    }
    script = Script().answer("ec2", "describe_instance_types", {"InstanceTypes": [described]})
    found = read_machines(script.account(), ["g4ad.xlarge"])["g4ad.xlarge"]
    assert found == Machine(name="g4ad.xlarge", vcpus=4, adapters=2, local_disks=True)


def test_the_table_agrees_with_a_copy_of_ec2s_own_descriptions():
    """moto's, which holds what EC2 answered; it lacks the retired p3."""
    pytest.importorskip("moto", reason="the emulator's group is not installed")
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    known = {kind for kind in GPU_TYPES if kind in INSTANCE_TYPES}
    assert set(GPU_TYPES) - known <= {"p3.2xlarge", "p3.8xlarge", "p3.16xlarge"}
    facts = [fact for kind in known for fact in instances.compared(kind, machine_of(INSTANCE_TYPES[kind]))]
    assert [fact for fact in facts if fact[1] != fact[2]] == []
