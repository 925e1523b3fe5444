"""docs/gpu.md: its combinations are what the rules say, and its words are those of the code."""

import re
from typing import Any

import pytest
import yaml

from components.capacity import WEIGHTS, Capacity
from components.gpu_sharing import GpuSharing, GpuSharingMode
from components.instance_types import GPU_TYPES
from components.node_pool_spec import EVERY_NIGHT
from policies.spot_checkpoints import RULE
from stacks.settings import parse
from tests.stacks.places import ROOT
from tests.stacks.settings_cases import problems, valid

PAGE = ROOT / "docs" / "gpu.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMBINATIONS = re.findall(r"^\| `(\{.*\})` \| (yes|no) \| (.*?) ?\|$", TEXT, re.MULTILINE)


def config(entry: str) -> dict[str, Any]:
    found = valid()
    found["nodePools"][1] |= {"instanceTypes": ["g5.xlarge"], "maxNodes": 2, "gpu": {"maxGpus": 16}}
    found["nodePools"][1] |= yaml.safe_load(entry)
    return found


@pytest.mark.parametrize(("entry", "works", "why_not"), COMBINATIONS, ids=lambda value: str(value)[:60])
def test_a_combination_works_or_is_refused_as_the_page_says(entry, works, why_not):
    found = [str(problem) for problem in problems(config(entry)).values()]
    if works == "yes":
        assert found == [] and not why_not
        assert parse(config(entry))
    else:
        assert why_not and [sentence for sentence in found if why_not in sentence], found


def test_every_kind_of_capacity_and_of_sharing_stands_in_some_combination():
    assert len(COMBINATIONS) > 20
    entries = " ".join(entry for entry, _, _ in COMBINATIONS)
    assert all(word in entries for word in ("reservation", "capacity_block", "time_slicing", "mig", "efa"))


def rows(heading: str) -> list[list[str]]:
    """Cells of the first table below a heading, without its head."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in table[2:]]


def test_the_table_of_capacities_has_them_all():
    assert {row[0].strip("`") for row in rows("Where nodes come from")} == set(Capacity)


def test_pools_come_in_the_order_that_the_page_names():
    order = [str(capacity) for capacity in sorted(Capacity, key=lambda capacity: -WEIGHTS[capacity])]
    assert order == ["capacity_block", "reservation", "spot", "spot_then_on_demand", "on_demand"]
    assert "capacity block, reservation, spot, then on demand" in TEXT


def test_pods_ask_for_what_the_table_of_sharing_says():
    asked = {row[0].split("`")[1]: row[1].strip("`") for row in rows("Several pods on one GPU")}
    assert asked == {
        "none": GpuSharing().resource_name,
        "time_slicing": GpuSharing(mode=GpuSharingMode.TIME_SLICING, slices=4).resource_name,
        "mig": GpuSharing(mode=GpuSharingMode.MIG, mig_profile="1g.10gb").resource_name,
    }


def test_the_gpus_that_can_be_cut_are_those_of_the_table():
    (mig,) = [row for row in rows("Several pods on one GPU") if row[0].startswith("`mig`")]
    assert {name.lower() for name in mig[3].split(", ")} == {gpu.model for gpu in GPU_TYPES.values() if gpu.mig}


def test_the_window_and_the_rule_are_called_as_in_the_code():
    end = EVERY_NIGHT.start_hour + EVERY_NIGHT.hours
    assert f"from {EVERY_NIGHT.start_hour}:00 to {end}:00 UTC" in TEXT
    assert f"`{RULE}`" in TEXT


def test_the_page_links_to_what_is_there():
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", TEXT)
    assert links and [link for link in links if not (PAGE.parent / link).exists()] == []


def test_the_example_is_a_valid_list_of_pools():
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    pools = yaml.safe_load(example)["stackyard:nodePools"]
    assert parse(valid() | {"nodePools": pools})
