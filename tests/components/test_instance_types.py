"""Facts about instance types: processor and disks from the name, GPUs from the table."""

import gzip
import json
from functools import cache
from importlib.resources import files
from typing import Any

import pytest

from components.instance_types import (
    GPU_TYPES,
    architectures,
    has_local_disks,
    is_arm,
    looks_like_gpu,
    other_accelerator,
)

# Sold to those who had them before: EC2 no longer lists them.
OLD = {"p3.2xlarge", "p3.8xlarge", "p3.16xlarge"}
# For g7 the node image has no driver.
WITHOUT_DRIVER = ("g7.", "g7e.")


@cache
def told_by_ec2() -> dict[str, Any]:
    """EC2's own answer to DescribeInstanceTypes, as moto carries it."""
    return json.loads(gzip.decompress((files("moto") / "ec2/resources/instance_types.json.gz").read_bytes()))


def gpus(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [gpu for gpu in told.get("GpuInfo", {}).get("Gpus", []) if gpu["Manufacturer"] == "NVIDIA"]


@pytest.mark.parametrize("kind", sorted(set(GPU_TYPES) - OLD))
def test_the_table_says_what_ec2_says(kind):
    told, stated = told_by_ec2()[kind], GPU_TYPES[kind]
    (gpu,) = gpus(told)
    assert (stated.count, stated.model) == (gpu["Count"], gpu["Name"].lower())
    assert stated.adapters == told["NetworkInfo"].get("EfaInfo", {}).get("MaximumEfaInterfaces", 0)
    assert stated.arm == ("arm64" in told["ProcessorInfo"]["SupportedArchitectures"])
    assert stated.local_disks == told["InstanceStorageSupported"]


@pytest.mark.parametrize("kind", [kind for kind, gpu in GPU_TYPES.items() if gpu.adapters > 1])
def test_every_card_but_perhaps_the_first_has_one_adapter(kind):
    cards = told_by_ec2()[kind]["NetworkInfo"]["MaximumNetworkCards"]
    assert GPU_TYPES[kind].first_adapter_card + GPU_TYPES[kind].adapters == cards


def test_no_type_with_whole_nvidia_gpus_is_forgotten():
    known = {kind for kind, told in told_by_ec2().items() if gpus(told) and not other_accelerator(kind)}
    assert {kind for kind in known - set(GPU_TYPES) if not kind.startswith(WITHOUT_DRIVER)} == set()


def test_names_tell_the_processor_of_every_type():
    told = {kind: "arm64" in one["ProcessorInfo"]["SupportedArchitectures"] for kind, one in told_by_ec2().items()}
    assert len(told) > 1000
    assert [kind for kind, arm in told.items() if is_arm(kind) != arm] == []


def test_names_tell_the_disks_of_every_type_that_a_pool_may_have():
    told = {
        kind: one.get("InstanceStorageInfo", {}).get("NvmeSupport") in ("supported", "required")
        for kind, one in told_by_ec2().items()
        if not other_accelerator(kind) and not kind.startswith(WITHOUT_DRIVER)
    }
    assert [kind for kind, disks in told.items() if has_local_disks(kind) != disks] == []


@pytest.mark.parametrize("kind", ["m7g.large", "c7gn.xlarge", "r8gd.2xlarge", "t4g.small", "x2gd.large", "a1.large",
                                  "im4gn.large", "g5g.xlarge", "hpc7g.4xlarge"])  # fmt: skip
def test_graviton_stands_in_the_name(kind):
    assert is_arm(kind)


@pytest.mark.parametrize(
    "kind", ["m7i.large", "g5.xlarge", "g6e.xlarge", "m7i-flex.large", "c5ad.large", "u-6tb1.metal"]
)
def test_all_others_are_x86(kind):
    assert not is_arm(kind)


def test_the_architectures_of_several_types_are_sorted_and_named_as_kubernetes_names_them():
    assert architectures(["m7i.large", "m7g.large", "c7i.large"]) == ("amd64", "arm64")


@pytest.mark.parametrize("kind", ["m7gd.large", "c5d.large", "i4i.large", "im4gn.large", "d3.xlarge", "g5.xlarge",
                                  "p5.48xlarge", "x2idn.16xlarge"])  # fmt: skip
def test_local_disks_stand_in_the_name_or_in_the_table(kind):
    assert has_local_disks(kind)


@pytest.mark.parametrize("kind", ["m7i.large", "g5g.xlarge", "p3.2xlarge", "i2.xlarge", "u-6tb1.metal", "d2.xlarge"])
def test_types_without_nvme_disks_have_none(kind):
    assert not has_local_disks(kind)


@pytest.mark.parametrize("kind", ["inf2.xlarge", "trn1.32xlarge", "dl1.24xlarge", "f2.6xlarge", "g4ad.xlarge",
                                  "g6f.xlarge", "gr6f.4xlarge", "vt1.3xlarge"])  # fmt: skip
def test_accelerators_that_are_no_whole_nvidia_gpu_are_known_as_such(kind):
    assert other_accelerator(kind)
    assert kind not in GPU_TYPES


@pytest.mark.parametrize("kind", ["m7i.large", "g5.xlarge", "p5.48xlarge", "d3.xlarge", "t3.micro", "gr6.4xlarge"])
def test_neither_cpu_types_nor_nvidia_gpus_are_other_accelerators(kind):
    assert not other_accelerator(kind)


def test_every_gpu_type_looks_like_one():
    assert [kind for kind in GPU_TYPES if not looks_like_gpu(kind)] == []
    assert not looks_like_gpu("m7i.large")


def test_partitions_of_a_gpu_fit_into_seven_sevenths():
    for kind, gpu in GPU_TYPES.items():
        for profile, count in gpu.mig.items():
            assert count * int(profile[0]) <= 7, f"{kind} cannot have {count} of {profile}"


def test_only_the_large_gpus_can_be_partitioned():
    assert {gpu.model for gpu in GPU_TYPES.values() if gpu.mig} == {"a100", "h100", "h200", "b200", "b300"}


def test_an_adapter_is_more_than_a_yes():
    assert (GPU_TYPES["p5.48xlarge"].efa, GPU_TYPES["p5.48xlarge"].adapters) == (True, 32)
    assert (GPU_TYPES["g5.xlarge"].efa, GPU_TYPES["g5.xlarge"].adapters) == (False, 0)
