"""Whoever follows the way out of a problem as it is written, in the very stack at hand, is rid of the problem."""

from dataclasses import replace
from typing import Any

import pytest
import yaml

from pipelines.declaration import Resources, declaration
from stacks.settings import parse
from tests.stacks.settings_cases import BASE, errors, followed, has_way_out, put, valid, with_value, without
from tests.stacks.test_pool_settings import CONTRADICTIONS, MISFITS, cut, pool
from tests.stacks.test_settings import existing
from tests.stacks.test_settings_at_once import SEVERAL
from tests.stacks.test_settings_values import BAD_VALUES

Case = tuple[dict[str, Any], str]


def abroad() -> dict[str, Any]:
    """The valid configuration in another region and account, for the stack local."""
    text = (
        BASE.replace("us-east-1", "eu-west-1")
        .replace("111122223333", "123456789012")
        .replace("name: dev", "name: local")
    )
    return yaml.safe_load(text)


def left_out(config: dict[str, Any], path: str) -> dict[str, Any]:
    *outer, last = path.split(".")
    node = config
    for part in outer:
        node = node[part]
    del node[last]
    return config


MISSING = [
    "environment", "environment.name", "environment.layers", "environment.region", "environment.accountId", "network",
    "network.cidr", "network.zones", "dataBuckets", "budget", "cluster", "cluster.adminRoleArns", "nodePools",
]  # fmt: skip
TRAINING = {"name": "training", "team": "flights"}
ARM = {"name": "arm", "instanceTypes": ["m7g.huge", "m7g.large"], "capacity": "spot", "maxNodes": 1}
VPC = existing(("10.99.0.0/20", "us-east-1a"), ("10.99.0.0/20", "us-east-1b"), ("10.16.0.0/20", "us-east-1c"))
BETWEEN_SECTIONS: list[Case] = [
    (with_value("pipelines[1]", TRAINING), ""),
    (with_value("pipelines", [TRAINING | {"name": "trains"}, TRAINING]), ""),
    (with_value("teams", [{"name": "flights"}, {"name": "flights"}, {"name": "flights-2"}]), ""),
    (with_value("teams", [{"name": "vision"}]), ""),
    (without("teams"), ""),
    (with_value("pipelines[0].team", 5), ""),
    (with_value("dataBuckets", [{"name": "data"}, {"name": "a" * 30}, {"name": "a" * 30}]), ""),
    (with_value("dataBuckets", [{"name": "state"}]), ""),
    (with_value("dataBuckets", [{"name": "data", "replicaRegion": "us-east-1"}]), ""),
    (with_value("dataBuckets", [{"name": "data", "replicaRegion": "us-west-2"}, {"name": "data-us-west-2"}]), ""),
    (with_value("environment", valid()["environment"] | {"prefix": "twelve-chars", "name": "fifteen-letters"}), ""),
    (put(with_value("network.zones", ["us-west-2a", "us-west-2b"]), "nodePools[0].zones", ["us-west-1a"]), ""),
    (with_value("network", existing(("10.16.0.0/20", "us-west-2a"), ("10.16.16.0/20", "us-west-2b"))), ""),
    (with_value("nodePools[0].name", "cpu"), ""),
    (with_value("nodePools", [valid()["nodePools"][1]]), ""),
    (with_value("buildRunner.connection", "pending"), ""),
]
WITHIN_SECTIONS: list[Case] = [
    (with_value("network", VPC), ""),
    (with_value("network.existing", VPC["existing"] | {"cidr": "ten"}), ""),
    (with_value("cluster.publicAccessCidrs", ["198.51.100.7/24"]), ""),
    (with_value("cluster.viewerRoleArns", ["arn:aws:iam::111122223333:role/admin"]), ""),
    (with_value("dataBuckets[0]", {"name": "data", "expireDays": 7, "lockDays": 30, "tieringDays": 9}), ""),
    (with_value("nodePools[2]", ARM), ""),
    (with_value("nodePools[1]", {"name": "gpu", "capacity": "spot", "maxNodes": 1, "gpu": {"maxGpus": 1}}), ""),
    (
        with_value(
            "nodePools[1]", {"instanceTypes": ["g5.xlarge"], "capacity": "spot", "maxNodes": 1, "gpu": {"maxGpus": 1}}
        ),
        "",
    ),
    (pool(instanceTypes=["g5.12xlarge", "g5.48xlarge"], gpu={"maxGpus": 0}), ""),
    (pool(instanceTypes=["g5g.xlarge", "m7i.large"]), ""),
    (pool(instanceTypes=["large"], gpu={"maxGpus": 8, "efa": True}, zones=["us-east-1b"]), ""),
    (pool(instanceTypes=["p5en.48xlarge"], gpu={"maxGpus": 8, "sharing": "mig"}), ""),
    (cut(["p4d.24xlarge", "p5en.48xlarge"], "1g.5gb"), ""),
    (cut(["g5.xlarge", "m7i.large"], "1g.5gb"), ""),
    (pool(capacity="capacity_block", zones=["us-east-1b", "us-east-1a"]), ""),
    (
        put(
            with_value("nodePools[0].capacity", "capacity_block"),
            "nodePools[0].reservationIds",
            ["cr-0123456789abcdef0"],
        ),
        "",
    ),
    (left_out(with_value("network.cdir", "10.99.0.0/16"), "network.cidr"), ""),
    (with_value("clusters", 5), ""),
    (with_value("registry", 5), ""),
    (with_value("tracking", "yes"), ""),
]
OF_STACKS: list[Case] = [
    *((with_value("environment.layers", ["base"]), stack) for stack in ("dev", "dev-base")),
    *((valid(), stack) for stack in ("local", "dev-base", "my-stack")),
    *((with_value("environment.name", name), stack) for name in (7, "Dev", "TODO") for stack in ("local", "prod")),
    *((left_out(abroad(), path), "local") for path in MISSING),
]
SHOWN_LATER: list[Case] = [
    (cut(["p4d.24xlarge", "p4de.24xlarge"], "9g.90gb"), ""),
    (put(with_value("network.zones", ["us-west-2a", "us-east-1a"]), "environment.region", "Virginia"), ""),
]
"""What is told of them depends on a value that must be mended first."""

WITHOUT_WAY_OUT = ("must have private subnets in 2 or 3 zones", "must not overlap", "must belong to a stack called")
"""Rules that only the person can satisfy: which subnets there are, what a stack file is called."""

CASES: list[Case] = [
    *((with_value(path, value), "") for path, value, _ in BAD_VALUES),
    *((put(abroad(), path, value), "local") for path, value, _ in BAD_VALUES if value != ["eu-west-1a"]),
    *((config, "") for config, *_ in (*MISFITS, *CONTRADICTIONS, *SEVERAL)),
    *((without(path), "") for path in MISSING),
    *BETWEEN_SECTIONS,
    *WITHIN_SECTIONS,
    *OF_STACKS,
]


def told(config: dict[str, Any], stack: str) -> set[tuple[str, str]]:
    return {(problem.path, problem.rule) for problem in errors(config, stack)}


@pytest.mark.parametrize(("config", "stack"), CASES)
def test_following_a_way_out_mends_its_problem_and_following_all_leads_to_valid_settings(config, stack):
    found = errors(config, stack)
    assert found, "the case is bad"
    if all(map(has_way_out, found)):
        parse(followed(config, found), stack=stack)
    # A single one was just followed.
    for problem in filter(has_way_out, found if len(found) > 1 else ()):
        assert (problem.path, problem.rule) not in told(followed(config, [problem]), stack), str(problem)


@pytest.mark.parametrize(("config", "stack"), SHOWN_LATER)
def test_what_shows_only_after_mending_has_a_way_out_too(config, stack):
    for _ in range(2):
        found = errors(config, stack)
        assert found and all(map(has_way_out, found))
        config = followed(config, found)
    parse(config, stack=stack)


def test_only_what_nobody_else_can_know_has_no_way_out():
    found = [problem for config, stack in CASES for problem in errors(config, stack)]
    stuck = [str(problem) for problem in found if not has_way_out(problem)]
    assert [sentence for sentence in stuck if not any(rule in sentence for rule in WITHOUT_WAY_OUT)] == []


@pytest.mark.parametrize(
    ("path", "slip"), [("budget", "budgets"), ("environment.costCentre", "environment.costCenter")]
)
def test_a_slip_of_a_key_is_told_once(path, slip):
    config = left_out(valid(), path)
    value = valid()["budget"] if path == "budget" else "ml-1001"
    (problem,) = errors(put(config, slip, value))
    assert (problem.path, problem.example.partition(":")[0]) == (slip, path)


@pytest.mark.parametrize("gpus", [2, 8])
def test_a_pool_that_a_step_waits_for_is_proposed_with_enough_gpus(monkeypatch, gpus):
    declared = replace(declaration("training"), step_resources={"train": Resources(gpu=gpus)})
    monkeypatch.setattr("stacks.rules.declarations", lambda: {"training": declared})
    found = errors(valid())
    assert found
    parse(followed(valid(), found))


def test_no_pool_is_proposed_for_more_gpus_than_a_node_has(monkeypatch):
    declared = replace(declaration("training"), step_resources={"train": Resources(gpu=99)})
    monkeypatch.setattr("stacks.rules.declarations", lambda: {"training": declared})
    (problem,) = errors(valid())
    assert problem.example == ""


def test_a_pipeline_deployed_twice_is_to_be_removed_where_there_is_no_other():
    (problem,) = errors(with_value("pipelines[1]", TRAINING))
    assert str(problem) == (
        'pipelines[1] is "training", but must not be given twice: an earlier entry deploys training, and each pipeline '
        "is deployed once, from its folder in pipelines/. Remove it."
    )


def test_a_second_entry_may_be_another_pipeline(monkeypatch):
    names = {"training": declaration("training"), "scoring": declaration("training")}
    for module in ("rules", "examples"):
        monkeypatch.setattr(f"stacks.{module}.declarations", lambda: names)
    (problem,) = errors(with_value("pipelines[1]", TRAINING))
    assert problem.example == "pipelines[1].name: scoring"


@pytest.mark.parametrize(
    ("config", "stack", "example"),
    [
        (without("network"), "", "network: {cidr: 10.20.0.0/16, zones: [us-east-1a, us-east-1b]}"),
        (left_out(abroad(), "network"), "local", "network: {cidr: 10.20.0.0/16, zones: [eu-west-1a, eu-west-1b]}"),
        (with_value("nodePools[1].instanceTypes", ["m7i.large"]), "", "nodePools[1].instanceTypes[0]: g5.xlarge"),
        (with_value("nodePools[1].instanceTypes", ["large"]), "", "nodePools[1].instanceTypes[0]: g5.xlarge"),
        (with_value("nodePools[0].instanceTypes", ["g5g.xlarge", "m7g.large"]), "",
         "nodePools[0].instanceTypes[0]: m7g.xlarge"),
        (with_value("nodePools[2]", ARM | {"instanceTypes": ["g5.12xlarge"]}),
         "", "nodePools[2].gpu: {maxGpus: 4}"),
        (with_value("environment.accountId", 210987654321), "", 'environment.accountId: "210987654321"'),
        (with_value("budget.monthlyUsd", "750"), "", "budget.monthlyUsd: 750"),
        (with_value("notifications.page", "me@example.com"), "", "notifications.page: [me@example.com]"),
        (with_value("dataBuckets", {"name": "data"}), "", "dataBuckets: [{name: data}]"),
        (with_value("nodePools[0].capacity", "on-demand"), "", "nodePools[0].capacity: on_demand"),
        (with_value("cluster.publicAccessCidrs", ["198.51.100.17"]), "",
         "cluster.publicAccessCidrs[0]: 198.51.100.17/32"),
        (valid(), "local", "environment.name: local"),
        (with_value("environment.name", 7), "local", "environment.name: local"),
        (left_out(put(valid(), "network.cdir", "10.99.0.0/16"), "network.cidr"), "", "network.cidr: 10.99.0.0/16"),
        (with_value("dataBuckets", [{"name": "other"}]), "", "dataBuckets[1]: {name: data}"),
        (put(abroad(), "cluster.adminRoleArns", []), "local",
         "cluster.adminRoleArns: [arn:aws:iam::123456789012:role/ml-platform-admin]"),
    ],
)  # fmt: skip
def test_an_example_is_made_for_the_stack_at_hand(config, stack, example):
    assert example in [problem.example for problem in errors(config, stack)]
