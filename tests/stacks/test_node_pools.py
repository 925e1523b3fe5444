"""Pools of the committed environments: deployed as the stack files say, and on the way out before Karpenter."""

import pytest

from components.capacity import CAPACITY_TYPES
from stacks.prices import INSTANCES, PRICES, REGION, instance_prices
from stacks.settings import parse
from stackyard.local.kubernetes.schemas import validate
from stackyard.program.condemned import delete_layers
from stackyard.program.values import plain
from tests.components.pools import NODE_CLASS, NODE_POOL, OVERLAY
from tests.stack_captures import stack_capture
from tests.stacks.settings_cases import stack_sections

PLATFORMS = ["local", "dev", "staging-platform", "prod-platform"]


def declared(stack):
    return parse(stack_sections(stack), stack=stack).node_pools


def pools(stack):
    return {r.inputs["metadata"]["name"]: r.inputs["spec"] for r in stack_capture(stack).of_type(NODE_POOL)}


@pytest.mark.parametrize("stack", PLATFORMS)
def test_every_pool_of_a_stack_file_is_made_with_a_class_of_its_own(stack):
    names = {pool.name for pool in declared(stack)}
    assert set(pools(stack)) == names
    assert {r.inputs["metadata"]["name"] for r in stack_capture(stack).of_type(NODE_CLASS)} == names


@pytest.mark.parametrize("stack", PLATFORMS)
def test_every_object_of_karpenter_would_be_accepted(stack):
    found = [r for r in stack_capture(stack) if r.type in (NODE_CLASS, NODE_POOL, OVERLAY)]
    assert found
    for resource in found:
        validate(plain(dict(resource.inputs)), "1.35")


@pytest.mark.parametrize("stack", PLATFORMS)
def test_every_pool_starts_its_types_up_to_its_ceilings(stack):
    for pool in declared(stack):
        spec = pools(stack)[pool.name]
        values = {r["key"]: list(r["values"]) for r in spec["template"]["spec"]["requirements"]}
        assert values["node.kubernetes.io/instance-type"] == sorted(pool.instance_types)
        assert values["karpenter.sh/capacity-type"] == sorted(CAPACITY_TYPES[pool.capacity])
        gpus = pool.gpu.max_gpus if pool.gpu else 0
        assert spec["limits"] == {"nodes": str(pool.max_nodes), "nvidia.com/gpu": str(gpus)}


@pytest.mark.parametrize("stack", PLATFORMS)
def test_a_destroy_deletes_every_pool_while_karpenter_still_runs(stack):
    resources = [r for r in stack_capture(stack) if r.custom and not r.is_provider and not r.external]
    layer = {r.urn: number for number, group in enumerate(delete_layers(resources)) for r in group}
    (karpenter,) = [r for r in resources if r.name == "node-autoscaler-release"]
    late = [r.name for r in resources if r.type in (NODE_CLASS, NODE_POOL) and layer[r.urn] >= layer[karpenter.urn]]
    assert late == []


@pytest.mark.parametrize("stack", PLATFORMS)
def test_pipelines_are_told_the_roles_that_have_a_pool(stack):
    deployment = stack_capture(stack)
    roles = {"cpu": "cpu"} | ({"gpu": "gpu"} if any(pool.gpu for pool in declared(stack)) else {})
    assert deployment.outputs["contract"]["pools"] == roles
    labels = {spec["template"]["metadata"]["labels"]["stackyard.dev/pool"] for spec in pools(stack).values()}
    assert labels == set(roles.values()), "else a step would wait for a node that nobody starts"


def test_what_a_pool_can_cost_is_an_output_of_the_stack():
    found = {pool["name"]: dict(pool) for pool in stack_capture("prod-platform").outputs["nodePools"]}
    assert found["gpu"] == {
        "name": "gpu",
        "capacity": "spot_then_on_demand",
        "maxNodes": 16,
        "maxGpus": 16,
        "ceilingUsdPerHour": pytest.approx(4 * 5.672),
    }
    assert found["general"]["ceilingUsdPerHour"] == pytest.approx(20 * 0.8064)
    assert found["gpu-reserved"]["ceilingUsdPerHour"] == 55.04


def test_prices_are_those_of_one_region_and_nobody_gets_them_for_another():
    assert instance_prices(REGION)["g5.xlarge"] == 1.006
    assert instance_prices("eu-central-1") == {}


def test_a_price_stands_in_one_table():
    assert not set(PRICES) & set(INSTANCES)


def test_only_dev_has_one_small_gpu_pool_and_it_starts_from_zero_on_spot():
    (gpu,) = [pool for pool in declared("dev") if pool.gpu]
    assert gpu.gpu and (str(gpu.capacity), gpu.max_nodes, gpu.gpu.max_gpus) == ("spot", 1, 1)
    assert "replicas" not in pools("dev")[gpu.name], "a fixed number of nodes would never be zero"
