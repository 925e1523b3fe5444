"""A bad value hides no other problem of its section, and makes up none."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from pipelines.declaration import Resources, declaration
from stacks.problems import within
from stacks.salvage import with_gaps
from stacks.sections.section import Unreadable
from stacks.settings import parse
from tests.stacks.settings_cases import errors, problems, put, valid, with_value
from tests.stacks.test_pool_settings import CONTRADICTIONS, MISFITS

SUBNETS = [
    {"id": "subnet-0123456789abcdef0", "zone": "us-east-1a", "cidr": "10.99.0.0/20"},
    {"id": "subnet-0123456789abcdef1", "zone": "us-east-1a", "cidr": "10.16.16.0/20"},
    {"id": "subnet-0123456789abcdef2", "zone": "us-east-1a", "cidr": "10.16.16.0/21"},
]
EXISTING = {"existing": {"vpcId": "vpc-0123456789abcdef0", "cidr": "10.16.0.0/16", "subnets": SUBNETS}}


def spoilt(*changes: tuple[str, Any]) -> dict[str, Any]:
    config = valid()
    for path, value in changes:
        config = put(config, path, value)
    return config


SEVERAL = [
    (
        spoilt(("nodePools[0].maxNodes", 0), ("nodePools[0].instanceTypes", ["g5.xlarge"])),
        {"nodePools[0].maxNodes", "nodePools[0].instanceTypes[0]"},
    ),
    (
        spoilt(("nodePools[1].gpu.maxGpus", 0), ("nodePools[1].instanceTypes", ["m7i.large"])),
        {"nodePools[1].gpu.maxGpus", "nodePools[1].instanceTypes[0]"},
    ),
    (
        spoilt(("nodePools[1].gpu", {"maxGpus": "2", "slices": 4}), ("nodePools[1].capacityBlockEnds", "2027-03-15")),
        {"nodePools[1].gpu.maxGpus", "nodePools[1].gpu.slices", "nodePools[1].capacityBlockEnds"},
    ),
    (
        spoilt(("nodePools[0].name", "CPU"), ("nodePools[0].instanceTypes", ["g5.xlarge"])),
        {"nodePools[0].name", "nodePools[0].instanceTypes[0]"},
    ),
    (
        spoilt(("nodePools[0].maxNode", 2), ("nodePools[0].instanceTypes", ["m7i.huge"])),
        {"nodePools[0].maxNode", "nodePools[0].instanceTypes[0]"},
    ),
    (
        spoilt(("dataBuckets[0]", {"name": "TODO", "lockDays": 30, "expireDays": 7})),
        {"dataBuckets[0].name", "dataBuckets[0].expireDays"},
    ),
    (spoilt(("network", {"cidr": "ten"})), {"network.cidr", "network.zones"}),
    (
        spoilt(("network", EXISTING | {"cidr": "10.0.0.0/16", "flowLogRetentionDays": 17})),
        {
            "network.cidr",
            "network.flowLogRetentionDays",
            "network.existing.subnets",
            "network.existing.subnets[0].cidr",
            "network.existing.subnets[2].cidr",
        },
    ),
    (spoilt(("tracking", {"storageGb": 5})), {"tracking.storageGb", "tracking.instanceClass"}),
    (
        spoilt(("cluster.logRetentionDays", 17), ("cluster.publicAccessCidrs", ["0.0.0.0/0"])),
        {"cluster.logRetentionDays", "cluster.publicAccessCidrs[0]"},
    ),
]


@pytest.mark.parametrize(("config", "paths"), SEVERAL)
def test_a_bad_value_hides_no_other_problem_of_its_section(config, paths):
    assert set(problems(config)) == paths


def test_a_bad_subnet_hides_no_problem_of_the_others():
    config = with_value("network", EXISTING)
    assert set(problems(put(config, "network.existing.subnets[0].cidr", "ten"))) == {
        "network.existing.subnets",
        "network.existing.subnets[0].cidr",
        "network.existing.subnets[2].cidr",
    }


@pytest.mark.parametrize(
    ("path", "bad", "rest"),
    [
        ("dataBuckets[0].lockDays", 0, {"name": "data", "expireDays": 7}),
        ("dataBuckets[0].expireDays", 0, {"name": "data", "lockDays": 30, "tieringDays": 40}),
        ("nodePools[1].capacity", "spott", {"reservationIds": ["cr-0123456789abcdef0"]}),
        ("nodePools[1].gpu", 5, {"instanceTypes": ["m7i.large"]}),
        ("nodePools[1].gpus", {"maxGpus": 1}, {"gpu": None}),
        ("nodePools[1].instanceTypes", 5, {"gpu": {"maxGpus": 1, "efa": True}, "zones": ["us-east-1a"]}),
        ("nodePools[1].instanceTypes[0]", {"secure": "v1:abc"}, {}),
        ("nodePools[1].gpu.sharing", "migg", {"gpu": {"maxGpus": 1, "migProfile": "1g.10gb"}}),
        ("nodePools[1].zones", ["nowhere"], {"gpu": {"maxGpus": 1, "efa": True}, "instanceTypes": ["p5.4xlarge"]}),
        ("network.existing", "vpc-0123456789abcdef0", {"cidr": None, "zones": None}),
        ("network.existing.cidr", "ten", {"existing": EXISTING["existing"] | {"subnets": [
            SUBNETS[0], SUBNETS[1] | {"zone": "us-east-1b"}]}, "cidr": None, "zones": None}),
        ("tracking.uri", "user:password", {}),
        ("cluster.openToWorldReason", "because", {"publicAccessCidrs": ["0.0.0.0/0"]}),
        ("cluster.adminRoleArns", [], {"viewerRoleArns": ["arn:aws:iam::111122223333:role/ml-platform-admin"]}),
        ("serving.maxReplicas", 0, {"minReplicas": 1000}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_rules_say_nothing_that_depends_on_a_bad_value(path, bad, rest):
    config = valid()
    for key, value in rest.items():
        config = put(config, f"{path[: path.index('.')]}.{key}", value)
    found = problems(put(config, path, bad))
    assert {at.removesuffix("[0]") for at in found} == {path.removesuffix("[0]")}


def leaves(value: Any, path: str) -> Iterator[str]:
    yield path
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from leaves(entry, f"{path}.{key}")
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from leaves(entry, f"{path}[{index}]")


@pytest.mark.parametrize("config", [config for config, *_ in (*SEVERAL, *MISFITS, *CONTRADICTIONS)])
def test_a_value_gone_bad_adds_no_problem_but_its_own(config):
    before = {(problem.path, problem.rule) for problem in errors(config)}
    for section in {problem.section for problem in errors(config)}:
        for leaf in leaves(config[section], section):
            after = {(problem.path, problem.rule) for problem in errors(put(config, leaf, 5.5))}
            own = {(path, rule) for path, rule in after if within(path, [leaf])}
            assert after - own <= before, f"when {leaf} is bad"


def test_rules_between_sections_judge_no_stand_in(monkeypatch):
    declared = replace(declaration("training"), resources=Resources(gpu=1))
    monkeypatch.setattr("stacks.rules.declarations", lambda: {"training": declared})
    needing = with_value("teams[0].quota", {"cpus": 8, "memoryGb": 8, "gpus": 0})
    assert list(problems(needing)) == ["teams[0].quota.gpus"]
    assert list(problems(put(needing, "pipelines[0].team", "Flights"))) == ["pipelines[0].team"]
    assert list(problems(put(needing, "teams[0].quota.gpus", "two"))) == ["teams[0].quota.gpus"]
    assert set(problems(put(needing, "teams[0].quota.cpus", 0))) == {"teams[0].quota.cpus", "teams[0].quota.gpus"}


def test_a_gap_cannot_be_read():
    gapped = with_gaps(parse(valid()).node_pools[0], "nodePools[0]", {"nodePools[0].capacity", "nodePools[0].zones[1]"})
    assert gapped.max_nodes == 3
    for name in ("capacity", "zones"):
        with pytest.raises(Unreadable):
            getattr(gapped, name)
    assert not hasattr(gapped, "colour"), "what is no field is missing as everywhere in Python"


@pytest.mark.parametrize(
    ("path", "slip", "told"),
    [
        ("cluster.publicAccessCidrs", ("cluster.publicAccess", True), "cluster.publicAccessCidrs[0]"),
        ("network.zones", ("network.zone", "x"), "network.zones[0]"),
    ],
)
def test_a_slip_beside_the_right_key_hides_no_rule_on_it(path, slip, told):
    bad = ["0.0.0.0/0"] if "Cidrs" in path else ["eu-west-1a", "eu-west-1b"]
    found = problems(put(with_value(path, bad), *slip))
    assert {told, slip[0]} <= set(found)
    assert str(found[slip[0]]).endswith("Remove it.")
