"""docs/cost.md says what the captures say; and the pages about AWS name only what exists."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from stacks.prices import INSTANCES, PRICES
from stackyard.program.replacement import ROWS
from tests.stack_captures import stack_capture
from tests.test_repository import commands_in, unknown_part
from tools import cost_page

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "docs" / f"{name}.md" for name in ("first-deployment", "cost", "access")]


def resource(type_, **inputs):
    return SimpleNamespace(type=type_, inputs=inputs, custom=not type_.startswith("stackyard:"))


def counted(*resources):
    return {line.what: (line.count, round(line.usd, 2)) for line in cost_page.lines(resources)}


NAT = resource("aws:ec2/natGateway:NatGateway")


def test_the_page_shows_what_the_captures_of_the_committed_stacks_cost():
    text = cost_page.PAGE.read_text(encoding="utf-8")
    assert cost_page.with_table(text) == text, "run `python -m tools.cost_page --write`"


def test_a_page_that_says_something_else_would_be_found():
    text = cost_page.PAGE.read_text(encoding="utf-8")
    stale = text.replace("| NAT gateways | 1:", "| NAT gateways | 2:")
    assert stale != text and cost_page.with_table(stale) == text
    with pytest.raises(ValueError, match="must hold the marks"):
        cost_page.with_table("# a page without marks")


def test_what_is_there_several_times_is_added_up():
    assert counted(NAT, NAT, NAT) == {"NAT gateways": (3, 98.55)}


def test_an_interface_endpoint_counts_once_for_each_zone_and_a_gateway_endpoint_not_at_all():
    interface = resource("aws:ec2/vpcEndpoint:VpcEndpoint", vpcEndpointType="Interface", subnetIds=["a", "b", "c"])
    gateway = resource("aws:ec2/vpcEndpoint:VpcEndpoint", vpcEndpointType="Gateway", routeTableIds=["a"])
    assert counted(interface, gateway) == {"interface endpoints × zones": (3, 21.9)}


def pool(name, *types, taints=()):
    requirements = [{"key": "node.kubernetes.io/instance-type", "operator": "In", "values": list(types)}]
    spec = {"nodeClassRef": {"name": name}, "requirements": requirements, "taints": list(taints)}
    return resource("kubernetes:karpenter.sh/v1:NodePool", spec={"template": {"spec": spec}})


def node_class(name, size):
    spec = {"blockDeviceMappings": [{"ebs": {"volumeSize": size}}]}
    return resource("kubernetes:karpenter.k8s.aws/v1:EC2NodeClass", metadata={"name": name}, spec=spec)


ENGINE = resource("stackyard:index:PipelineEngine")
GENERAL = (pool("general", "m7i.2xlarge", "m7i.large"), node_class("general", "50Gi"))
GPU = (pool("gpu", "g5.xlarge", taints=[{"key": "nvidia.com/gpu"}]), node_class("gpu", "100Gi"))


def test_controllers_keep_the_cheapest_node_of_a_pool_that_lets_them_in():
    counts = {
        line.what: (line.count, round(line.usd, 2)) for line in cost_page.controller_lines([ENGINE, *GPU, *GENERAL])
    }
    assert counts == {"controller nodes": (1, 73.58), "GB of the controller nodes' volumes": (50, 4.0)}


@pytest.mark.parametrize("resources", [[*GPU, *GENERAL], [ENGINE, *GPU], [ENGINE]], ids=["none", "closed", "no pools"])
def test_without_controllers_or_a_pool_for_them_no_node_stays(resources):
    assert list(cost_page.controller_lines(resources)) == []


def test_a_database_in_two_zones_counts_twice_with_its_storage():
    database = {"instanceClass": "db.m7g.large", "allocatedStorage": 100, "manageMasterUserPassword": True}
    one = counted(resource("aws:rds/instance:Instance", **database))
    two = counted(resource("aws:rds/instance:Instance", multiAz=True, **database))
    assert one["database instances"] == (1, 122.64) and two["database instances"] == (2, 245.28)
    assert two["GB of the database"] == (200, 23.0) and one["secrets"] == two["secrets"] == (1, 0.4)


def test_nodes_count_as_many_as_there_are_at_the_start_with_their_volumes():
    group = resource(
        "aws:eks/nodeGroup:NodeGroup", scalingConfig={"desiredSize": 3, "maxSize": 9}, instanceTypes=["m7i.large"]
    )
    assert counted(group) == {"system nodes": (3, 220.75), "GB of the system nodes' volumes": (150, 12.0)}


def test_a_type_that_nobody_judged_stops_the_table():
    with pytest.raises(ValueError, match="nobody has said whether aws:neptune/cluster:Cluster costs"):
        cost_page.lines([NAT, resource("aws:neptune/cluster:Cluster")])


def test_an_instance_without_a_price_stops_the_table():
    database = resource("aws:rds/instance:Instance", instanceClass="db.x2g.large", allocatedStorage=20)
    with pytest.raises(ValueError, match=r"there is no price of db\.x2g\.large"):
        cost_page.lines([database])


def test_what_is_free_when_idle_is_spelled_as_the_components_types():
    known = {type_ for type_ in ROWS if type_.startswith("aws:")} & cost_page.FREE_WHEN_IDLE
    assert {"aws:ec2/vpc:Vpc", "aws:iam/role:Role", "aws:sqs/queue:Queue"} <= known
    assert not {"aws:ec2/natGateway:NatGateway", "aws:kms/key:Key"} & cost_page.FREE_WHEN_IDLE


def test_a_pool_shows_its_ceilings_and_says_when_its_price_is_not_known():
    pool = {"name": "gpu", "capacity": "spot", "maxNodes": 2, "maxGpus": 8, "ceilingUsdPerHour": 11.344}
    assert cost_page.pool_row("dev", pool) == "| dev | gpu | spot | 2 | 8 | 11.34 |"
    unknown = cost_page.pool_row("dev", {**pool, "maxGpus": 0, "ceilingUsdPerHour": None})
    assert unknown == "| dev | gpu | spot | 2 | – | not known |"


def test_every_pool_of_every_environment_has_a_row():
    rows = cost_page.pools_table().splitlines()[2:]
    assert {row.split(" | ")[0].strip("| ") for row in rows} == {"dev", "staging", "prod"}
    assert not [row for row in rows if "not known" in row], "all types of the committed stacks have a price"


@pytest.mark.parametrize("name", [*PRICES, *INSTANCES])
def test_every_price_has_a_source_and_a_month(name):
    price = PRICES.get(name) or INSTANCES[name]
    assert price.usd > 0 and len(price.source) > 10 and re.fullmatch(r"20\d\d-\d\d", price.date)


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_budget_of_an_environment_leaves_room_above_its_floor(environment):
    stack = environment if environment == "dev" else f"{environment}-base"
    config = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    budget = config["stackyard:budget"]["monthlyUsd"]
    idle = sum(line.usd for line in cost_page.floor(environment)) + reservations(environment)
    assert idle < 0.8 * budget, "else it alerts while nobody works"


def reservations(environment):
    """US dollars a month: reserved nodes are paid for whether used or not."""
    outputs = stack_capture(environment if environment == "dev" else f"{environment}-platform").outputs["nodePools"]
    reserved = [pool["ceilingUsdPerHour"] for pool in outputs if pool["capacity"] == "reservation"]
    return sum(reserved) * cost_page.HOURS


def test_the_reservation_of_prod_is_counted():
    assert round(reservations("prod")) == 40179 and reservations("staging") == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_pages_link_to_what_is_there(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_pages_name_commands_that_exist(page):
    used = commands_in(page.read_text(encoding="utf-8"), "stackyard")
    assert [" ".join(words) for words in used if unknown_part(words)] == []


def test_the_permissions_of_a_session_stand_in_valid_policies():
    found = re.findall(r"```json\n(.*?)```", PAGES[2].read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1
    statement = json.loads(found[0])["Statement"][0]
    assert "AWS-StartPortForwardingSessionToRemoteHost" in str(statement["Resource"])
    assert statement["Condition"] == {"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}}, (
        "else a shell is open"
    )


def test_the_readme_leads_to_the_pages():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"(docs/{page.name})" not in text] == []
