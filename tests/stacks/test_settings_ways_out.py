"""Ways out of several problems go together, spare what is right, and are not taken from a value that may be wrong."""

import json
from typing import Any

import pulumi
import pytest
from pydantic import ValidationError

from stacks.salvage import meant_fields
from stacks.sections.pools import NodePool
from stacks.settings import load, parse
from stacks.translate import adapter
from stackyard.program.stackfiles import read_stack, to_environment
from tests.stacks.places import ROOT
from tests.stacks.settings_cases import errors, followed, problems, put, stack_sections, with_value, without
from tests.stacks.test_pool_settings import pool
from tests.stacks.test_settings import existing

ADMIN = "arn:aws:iam::111122223333:role/admin"
TWO = existing(("10.16.0.0/20", "eu-west-1a"), ("10.16.16.0/20", "eu-west-1b"))


def paths(config: dict[str, Any], stack: str = "") -> list[str]:
    return [problem.path for problem in errors(config, stack)]


@pytest.mark.parametrize(
    ("value", "meant"),
    [({"maxNodes": 6, "minNodes": 1}, []), ({"minNodes": 1}, ["nodePools[0].maxNodes"])],
    ids=["beside", "alone"],
)
def test_a_slip_stands_for_a_field_only_where_that_is_absent(value, meant):
    with pytest.raises(ValidationError) as failure:
        adapter(NodePool).validate_python(value)
    assert list(meant_fields(failure.value, NodePool, ("nodePools", 0), value)) == meant


@pytest.mark.parametrize(("stack", "layers"), [("dev", ["base"]), ("dev", ["platform"]), ("local", ["base"])])
def test_where_the_layers_are_wrong_nothing_else_is_told(stack, layers):
    config = put(stack_sections(stack), "environment.layers", layers)
    (problem,) = errors(config, stack)
    assert problem.path == "environment.layers"
    assert problem.rule == f"must be base and platform in a stack called {stack}"
    parse(followed(config, [problem]), stack=stack)


@pytest.mark.parametrize("layers", [["base"], ["base", "platform"]])
def test_the_layers_of_half_an_environment_are_what_its_stacks_name_says(layers):
    config = put(stack_sections("prod-platform"), "environment.layers", layers)
    (problem,) = errors(config, "prod-platform")
    assert (problem.path, problem.rule) == ("environment.layers", "must be platform in a stack called prod-platform")
    parse(followed(config, [problem]), stack="prod-platform")


def test_sections_are_judged_by_the_layers_that_the_stacks_name_says():
    config = put(without("cluster"), "environment.layers", ["base"])
    assert set(paths(config, "dev")) == {"environment.layers", "cluster"}
    assert problems(config, stack="dev")["cluster"].rule == "is missing and must be given"


def test_layers_named_twice_are_told_as_that():
    for layers, example in ((["base", "base"], "[base, platform]"), (["account", "account"], "[account]")):
        (problem,) = errors(with_value("environment.layers", layers))
        assert (problem.rule, str(problem).endswith(f"environment.layers: {example}")) == (
            "must list each layer once",
            True,
        )


@pytest.mark.parametrize(
    ("cidr", "pods"),
    [("10.16.0.0/24", "10.16.1.0/24"), ("10.16.0.0/16", "10.16.0.0/24"), ("10.16.0.0/16", "192.168.0.0/24")],
)
def test_a_larger_range_for_pods_is_none_that_the_network_has(cidr, pods):
    config = put(with_value("network.cidr", cidr), "network.podCidr", pods)
    parse(followed(config, errors(config)))


def test_a_larger_range_for_pods_keeps_their_addresses_where_it_can():
    config = put(with_value("network.cidr", "10.16.0.0/16"), "network.podCidr", "10.99.1.0/24")
    assert str(problems(config)["network.podCidr"]).endswith("network.podCidr: 10.99.0.0/22")


def test_a_reason_without_its_exception_is_to_be_removed_however_short():
    (problem,) = errors(with_value("cluster.openToWorldReason", "because"))
    assert str(problem).endswith("Remove it.")


def test_a_small_network_is_told_how_it_would_be_cut():
    (problem,) = errors(with_value("network.cidr", "10.16.0.0/24"))
    assert problem.reason == (
        "it is cut into 4 equal parts, one a zone for 3 zones at most and one for all public subnets; each needs 256 "
        "addresses, 1024 in all, and a /24 has 256"
    )


BESIDE_A_BAD_ENTRY = [
    (
        with_value("cluster.publicAccessCidrs", ["203.0.113.7", "0.0.0.0/0"]),
        ["cluster.publicAccessCidrs[0]", "cluster.publicAccessCidrs[1]"],
    ),
    (
        put(with_value("cluster.adminRoleArns", [ADMIN, "x"]), "cluster.viewerRoleArns", [ADMIN]),
        ["cluster.adminRoleArns[1]", "cluster.viewerRoleArns"],
    ),
    (
        put(with_value("cluster.adminRoleArns", [ADMIN]), "cluster.viewerRoleArns", ["x", ADMIN]),
        ["cluster.viewerRoleArns", "cluster.viewerRoleArns[0]"],
    ),
    (
        with_value("ci", {"repository": "example-org/stackyard", "stacks": ["account", "Dev"]}),
        ["ci.stacks", "ci.stacks[1]"],
    ),
    (
        with_value("nodePools[0].instanceTypes", ["m7i.lrage", "m7ixlarge"]),
        ["nodePools[0].instanceTypes[0]", "nodePools[0].instanceTypes[1]"],
    ),
    (
        with_value("nodePools[0].zones", ["nowhere", "us-east-1f"]),
        ["nodePools[0].zones[0]", "nodePools[0].zones[1]"],
    ),
    (with_value("network.zones", ["nowhere", "eu-west-1a"]), ["network.zones[0]", "network.zones[1]"]),
    (
        put(with_value("network", TWO), "network.existing.subnets[1].id", "nope"),
        ["network.existing.subnets[0].zone", "network.existing.subnets[1].id", "network.existing.subnets[1].zone"],
    ),
    (
        put(with_value("network", TWO), "network.existing.subnets[1]", 5),
        ["network.existing.subnets[0].zone", "network.existing.subnets[1]"],
    ),
    (
        with_value("dataBuckets[1]", {"name": "Copies", "replicaRegion": "us-east-1"}),
        ["dataBuckets[1].name", "dataBuckets[1].replicaRegion"],
    ),
]


@pytest.mark.parametrize(("config", "expected"), BESIDE_A_BAD_ENTRY)
def test_a_bad_entry_hides_no_problem_of_the_others(config, expected):
    assert sorted(paths(config)) == expected


@pytest.mark.parametrize(
    "config",
    [
        put(with_value("cluster.publicAccessCidrs", ["0.0.0.0/00"]), "cluster.openToWorldReason", "r" * 20),
        pool(instanceTypes=["g5.xlarge", "g5xlarge"], gpu=None),
        pool(instanceTypes=["g5.xlarge", "g5g"]),
        pool(instanceTypes=["p5.4xlarge"], zones=["us-east-1a", "here"], gpu={"maxGpus": 1, "efa": True}),
        put(with_value("network", existing(("10.16.0.0/20", "us-east-1a"))), "network.existing.subnets[1]", 5),
    ],
)
def test_rules_over_a_whole_list_say_nothing_beside_a_bad_entry(config):
    (path,) = paths(config)
    assert path.endswith("]"), "only the bad entry itself"


@pytest.mark.parametrize(
    ("config", "path", "sentence"),
    [
        (
            with_value("dataBuckets[0].replicaRegion", "cn-north-1"),
            "dataBuckets[0].replicaRegion",
            "must be a region of the partition aws, as us-east-1 is",
        ),
        (
            with_value("environment.tags", {"Team": "a", "team": "b", "x": "c"}),
            "environment.tags",
            'is ["Team", "team"], but must have keys that differ in more than capitals: IAM takes such keys for one',
        ),
        (
            with_value("nodePools[0].instanceTypes", ["m7i.large", "m7i.xlarge", "m7i.large"]),
            "nodePools[0].instanceTypes[2]",
            "must not be given twice",
        ),
        (
            with_value("nodePools[0].zones", ["us-east-1a", "us-east-1a"]),
            "nodePools[0].zones[1]",
            "must not be given twice",
        ),
    ],
)
def test_what_aws_refuses_or_says_the_same_twice_is_refused(config, path, sentence):
    (problem,) = errors(config)
    assert problem.path == path
    assert sentence in str(problem)
    if path != "environment.tags":
        parse(followed(config, [problem]))


def test_one_subnet_listed_twice_is_refused():
    network = existing(("10.16.0.0/20", "us-east-1a"), ("10.16.16.0/20", "us-east-1b"))
    network["existing"]["subnets"][1]["id"] = network["existing"]["subnets"][0]["id"]
    (problem,) = errors(with_value("network", network))
    assert problem.path == "network.existing.subnets[1].id"
    assert problem.rule == "must be another subnet than network.existing.subnets[0]"


def test_zones_named_twice_are_one_zone_for_a_placement_group():
    config = pool(instanceTypes=["p5.4xlarge"], zones=["us-east-1a", "us-east-1a"], gpu={"maxGpus": 1, "efa": True})
    assert paths(config) == ["nodePools[1].zones[1]"]


@pytest.mark.parametrize(
    "config",
    [
        pool(instanceTypes=["m7g.large", "m7i.large"]),
        pool(instanceTypes=["g5.xlarge", "m7i.large", "m7i.xlarge"]),
        with_value("nodePools[0].instanceTypes", ["m7i.huge", "m7i.giant", "m7i.large"]),
        with_value("nodePools[0].instanceTypes", ["m7g.huge", "m7g.large"]),
    ],
)
def test_types_proposed_for_several_entries_differ_and_go_together(config):
    found = errors(config)
    assert found
    parse(followed(config, found))


def test_under_the_engine_a_slip_of_the_projects_name_is_one_sentence():
    environ = to_environment(read_stack(ROOT, "dev"))
    values = json.loads(environ["PULUMI_CONFIG"]) | {"stackyrd:registry": '{"keepImages":0}', "aws:region": "us-east-1"}
    with pytest.raises(pulumi.RunError, match="nothing reads `stackyrd:registry`"):
        load(environ | {"PULUMI_CONFIG": json.dumps(values)})
