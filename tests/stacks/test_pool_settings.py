"""Pools that cannot work are refused before anything is made, with the reason and a way out."""

from dataclasses import replace
from typing import Any

import pytest

from pipelines.declaration import Resources, declaration
from stacks.problems import SettingsError
from stacks.settings import parse
from stackyard.program.stackfiles import read_stack
from tests.stacks.settings_cases import problems, stack_sections, valid, with_value

RESERVATION = "cr-0123456789abcdef0"


def pool(**changes: Any) -> dict[str, Any]:
    """The valid configuration, whose second pool (one g5.xlarge on spot) has these values instead."""
    config = valid()
    config["nodePools"][1] |= changes
    return config


def efa(**changes: Any) -> dict[str, Any]:
    shared = {"instanceTypes": ["p5.48xlarge"], "maxNodes": 2, "zones": ["us-east-1a"]}
    return pool(**(shared | {"gpu": {"maxGpus": 16, "efa": True}} | changes))


def block(**changes: Any) -> dict[str, Any]:
    shared = {"instanceTypes": ["p5.48xlarge"], "zones": ["us-east-1a"], "gpu": {"maxGpus": 8}}
    taken = {"capacity": "capacity_block", "reservationIds": [RESERVATION], "capacityBlockEnds": "2027-03-15"}
    return pool(**(shared | taken | changes))


def cut(kinds: list[str], profile: str) -> dict[str, Any]:
    return pool(instanceTypes=kinds, gpu={"maxGpus": 8, "sharing": "mig", "migProfile": profile})


@pytest.mark.parametrize(
    "config",
    [
        pool(),
        efa(),
        block(),
        pool(gpu={"maxGpus": 1, "sharing": "time_slicing", "slices": 4}),
        cut(["p5.48xlarge", "p5.4xlarge"], "1g.10gb"),
        pool(capacity="reservation", reservationIds=[RESERVATION]),
        pool(instanceTypes=["g5g.xlarge"]),
    ],
)
def test_what_can_work_is_accepted(config):
    parse(config)


# Rows of the table of faults: 5, GPU types; 6, sizes; 7, images that do not fit.
MISFITS = [
    (pool(instanceTypes=["p9.huge"]), "nodePools[1].instanceTypes[0]", "p9.huge is not known to have a GPU"),
    (pool(instanceTypes=["g5.9xlarge"]), "nodePools[1].instanceTypes[0]", "did you mean g5.xlarge"),
    (pool(instanceTypes=["m7i.large"]), "nodePools[1].instanceTypes[0]", "m7i.large is not known to have a GPU"),
    (
        pool(zones=["us-east-1f"]),
        "nodePools[1].zones[0]",
        "there is no subnet in another zone, so no node would ever start",
    ),
    (pool(maxNodes=0), "nodePools[1].maxNodes", "must be at least 1"),
    (pool(maxNodes=-3), "nodePools[1].maxNodes", "must be at least 1"),
    (pool(gpu={"maxGpus": 0}), "nodePools[1].gpu.maxGpus", "must be at least 1"),
    (
        pool(instanceTypes=["g5.12xlarge"], gpu={"maxGpus": 2}),
        "nodePools[1].gpu.maxGpus",
        "must be at least 4: a single g5.12xlarge has 4 GPUs and would never start",
    ),
    (
        pool(instanceTypes=["g5.xlarge", "g5g.xlarge"]),
        "nodePools[1].instanceTypes",
        "must have one processor architecture: an image runs on arm64 or on x86-64",
    ),
    (
        with_value("nodePools[0].instanceTypes", ["m7i.large", "m7g.large"]),
        "nodePools[0].instanceTypes",
        "must have one processor architecture: an image runs on arm64 or on x86-64",
    ),
    (
        with_value("nodePools[0].instanceTypes", ["trn1.32xlarge"]),
        "nodePools[0].instanceTypes[0]",
        "must have no accelerator: the node image has a driver for NVIDIA's GPUs alone",
    ),
]


@pytest.mark.parametrize(("config", "path", "sentence"), MISFITS)
def test_types_sizes_and_images_that_do_not_fit_are_refused(config, path, sentence):
    assert sentence in str(problems(config)[path])


CONTRADICTIONS = [
    (
        efa(zones=["us-east-1a", "us-east-1b"]),
        "nodePools[1].zones",
        "must be one zone with gpu.efa: EFA works inside one placement group, and that lies in one zone",
    ),
    (
        efa(instanceTypes=["p4d.24xlarge", "p5.48xlarge"]),
        "nodePools[1].instanceTypes",
        "nodes of a pool all get the same ones, and these have p4d.24xlarge 4, p5.48xlarge 32",
    ),
    (
        efa(instanceTypes=["g5.xlarge"]),
        "nodePools[1].gpu.efa",
        "must be false with g5.xlarge: g5.xlarge has no EFA interfaces",
    ),
    (
        block(reservationIds=[]),
        "nodePools[1].reservationIds",
        "Karpenter takes capacity only from reservations that the pool names",
    ),
    (
        block(capacityBlockEnds=None),
        "nodePools[1].capacityBlockEnds",
        "is missing and must be given with capacity capacity_block: AWS takes the nodes on that day, whatever runs",
    ),
    (block(zones=["us-east-1a", "us-east-1b"]), "nodePools[1].zones", "must be the one zone of the capacity block"),
    (
        with_value("nodePools[0].capacity", "capacity_block"),
        "nodePools[0].capacity",
        "AWS sells capacity blocks for GPUs alone, and the pool has no gpu part",
    ),
    (
        pool(capacityBlockEnds="2027-03-15"),
        "nodePools[1].capacityBlockEnds",
        "must only be given with capacity capacity_block: capacity spot has no end",
    ),
    (block(capacityBlockEnds="2027-02-30"), "nodePools[1].capacityBlockEnds", "must be a day of the calendar"),
    (block(capacityBlockEnds="15.3.2027"), "nodePools[1].capacityBlockEnds", "must be a day of the calendar"),
    (
        pool(reservationIds=[RESERVATION]),
        "nodePools[1].reservationIds",
        "capacity spot would pay for the reservation and not use it",
    ),
    (
        pool(gpu={"maxGpus": 1, "sharing": "mig", "migProfile": "1g.10gb"}),
        "nodePools[1].gpu.sharing",
        "must not be mig with g5.xlarge: the a10g has no MIG",
    ),
    (
        cut(["p5en.48xlarge"], "1g.10gb"),
        "nodePools[1].gpu.migProfile",
        "must be one of 1g.18gb, 1g.35gb, 2g.35gb, 3g.71gb, 4g.71gb, 7g.141gb: the h200 of p5en.48xlarge",
    ),
    (
        cut(["p4d.24xlarge", "p5.48xlarge"], "1g.10gb"),
        "nodePools[1].instanceTypes",
        "must have GPUs that MIG cuts into the same number of 1g.10gb",
    ),
    (pool(name="general"), "nodePools[1].name", "it names one resource"),
    (with_value("nodePools[0].name", "cpu"), "nodePools", "must have a CPU pool called general"),
]


@pytest.mark.parametrize(("config", "path", "sentence"), CONTRADICTIONS)
def test_combinations_that_cannot_work_are_refused_with_the_reason(config, path, sentence):
    assert sentence in str(problems(config)[path])


@pytest.mark.parametrize("stack", ["local", "dev", "staging-platform", "prod-platform"])
def test_every_environment_has_its_pool_for_cpu_work(stack):
    names = [one.name for one in parse(stack_sections(stack), stack=stack).node_pools if not one.gpu]
    assert "general" in names


def test_a_day_may_stand_in_a_stack_file_with_quotes_or_without(tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("name: stackyard\nruntime: python\n")
    for day in ("2027-03-15", '"2027-03-15"'):
        (tmp_path / "Pulumi.dev.yaml").write_text(f"config:\n  stackyard:nodePools: [{{capacityBlockEnds: {day}}}]\n")
        (section,) = read_stack(tmp_path, "dev").config["stackyard:nodePools"]
        assert parse(block(**section)).node_pools[1].capacity_block_ends == "2027-03-15"


def _needing_gpus(monkeypatch, gpus):
    training = declaration("training")
    needing = replace(training, step_resources={"train": Resources(gpu=gpus)})
    monkeypatch.setattr("stacks.rules.declarations", lambda: {"training": needing})


@pytest.mark.parametrize(
    ("stack", "gpus", "sentence"),
    [
        ("local", 1, r'nodePools is "0 GPUs at most", but must have a pool with a type of 1 or more GPUs.*not shared'),
        ("dev", 4, r'nodePools is "1 GPUs at most", but must have a pool with a type of 4 or more GPUs.*wait for ever'),
        ("dev", 4, r"teams\[0\].quota.gpus is 1, but must be at least 4: a step of pipeline training asks for 4"),
    ],
)
def test_a_step_that_would_wait_for_gpus_for_ever_is_refused(monkeypatch, stack, gpus, sentence):
    _needing_gpus(monkeypatch, gpus)
    with pytest.raises(SettingsError, match=sentence):
        parse(stack_sections(stack), stack=stack)


def test_a_step_whose_gpus_are_there_is_taken(monkeypatch):
    _needing_gpus(monkeypatch, 1)
    parse(stack_sections("dev"), stack="dev")
