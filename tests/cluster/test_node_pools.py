"""The pools of every environment under the real Karpenter and scheduler: where pods land, and where they never do."""

import pytest

from stackyard.program.run import capture_callable
from tests.cluster.fleet import CAPACITY_LABEL, INSTANCE_TYPE_LABEL, POOL_NAME_LABEL, label, values
from tests.cluster.instance_types import CAPACITIES, gpu_count, price
from tests.cluster.objects import kubernetes_objects, of_kind
from tests.components.pools import gpu_pool
from tests.stack_captures import STACKS, stack_capture
from tests.waiting import eventually, throughout

pytestmark = pytest.mark.cluster

ZONE_LABEL = "topology.kubernetes.io/zone"


def pools_of(stack):
    return of_kind(kubernetes_objects(stack_capture(stack)), "NodePool")


def is_gpu_pool(pool):
    return bool(pool["spec"]["template"]["spec"].get("taints"))


def gpu_pools(stack):
    return [pool for pool in pools_of(stack) if is_gpu_pool(pool)]


WITH_GPUS = ["dev", "prod-platform", "staging-platform"]


def test_every_environment_on_aws_has_gpu_pools():
    assert sorted(stack for stack in STACKS if gpu_pools(stack)) == WITH_GPUS


def cheapest(pool, gpus, capacities):
    """Price, type and capacity of the cheapest node of a pool that has so many GPUs."""
    return min(
        (price(kind, capacity), kind, capacity)
        for kind in values(pool, INSTANCE_TYPE_LABEL)
        for capacity in values(pool, CAPACITY_LABEL)
        if gpu_count(kind) >= gpus and capacity in capacities
    )


def asked_for(pool):
    """How many GPUs pods may ask for in a pool, most first: as many as each of its types has."""
    return sorted({gpu_count(kind) for kind in values(pool, INSTANCE_TYPE_LABEL)}, reverse=True)


@pytest.mark.parametrize("stack", WITH_GPUS)
def test_pods_land_on_the_cheapest_fitting_types_of_their_pools_and_empty_nodes_go(fleet, stack):
    pools, capacities = pools_of(stack), (*CAPACITIES, "reserved")
    fleet.offer(pools, capacities)
    fleet.use(pools)
    a_step_gets_what_is_paid_for_already_before_spot_and_spot_before_on_demand(fleet, stack)
    asked = {f"{pool['metadata']['name']}-{gpus}": (pool, gpus) for pool in pools for gpus in asked_for(pool)}
    for name, (pool, gpus) in asked.items():
        # Each fills its node before the next one comes, so that none takes another's.
        fleet.run(name, gpus=gpus, pool=pool["metadata"]["name"])
        node = fleet.node_of(name)
        _, kind, capacity = cheapest(pool, gpus, capacities)
        seen = (label(node, POOL_NAME_LABEL), label(node, INSTANCE_TYPE_LABEL), label(node, CAPACITY_LABEL))
        assert seen == (pool["metadata"]["name"], kind, capacity)
        zones = values(pool, ZONE_LABEL)
        assert not zones or label(node, ZONE_LABEL) in zones
    assert len(fleet.nodes()) == len(asked), "no node more than was asked for"
    for name in asked:
        fleet.finish(name)
    eventually(lambda: not fleet.nodes(), "empty nodes are gone")


def a_step_gets_what_is_paid_for_already_before_spot_and_spot_before_on_demand(fleet, stack):
    """A step of a pipeline selects the role `gpu`, not a pool: the pools' weights decide."""
    heaviest = max(gpu_pools(stack), key=lambda pool: pool["spec"]["weight"])["metadata"]["name"]
    fleet.run("step", gpus=1, role="gpu")
    node = fleet.node_of("step")
    assert label(node, POOL_NAME_LABEL) == heaviest
    expected = {"dev": "spot", "staging-platform": "spot", "prod-platform": "reserved"}
    assert label(node, CAPACITY_LABEL) == expected[stack]
    # Its node is the one that the pool's own pod gets below: empty again, and not yet gone.
    fleet.finish("step")
    eventually(lambda: fleet.pod("step") is None, "the step has ended")


def test_when_there_is_no_spot_a_pool_that_may_falls_back_to_on_demand_and_one_that_may_not_waits(fleet):
    staging, dev = gpu_pools("staging-platform"), gpu_pools("dev")
    (both,), (spot_only,) = staging, dev
    assert values(both, CAPACITY_LABEL) == ["on-demand", "spot"] and values(spot_only, CAPACITY_LABEL) == ["spot"]
    fleet.offer([*staging, *dev], ["on-demand"])
    fleet.use([*staging, *dev])
    fleet.run("falls-back", gpus=1, pool=both["metadata"]["name"])
    fleet.run("waits", gpus=1, pool=spot_only["metadata"]["name"])
    assert label(fleet.node_of("falls-back"), CAPACITY_LABEL) == "on-demand"
    fleet.says("gpu-small", "filtered out all compatible available instance types")
    assert fleet.is_pending("waits")
    # Spot is back.
    fleet.offer([*staging, *dev])
    assert label(fleet.node_of("waits"), CAPACITY_LABEL) == "spot"


def few_gpus():
    """A pool of the kit's own that could have more nodes, but no more GPUs."""
    made = capture_callable(lambda: gpu_pool(instance_types=["g6.xlarge"], max_gpus=1, max_nodes=4) and None)
    return of_kind(kubernetes_objects(made), "NodePool")


@pytest.mark.parametrize(
    ("pools", "limits", "reason"),
    [
        (lambda: gpu_pools("dev"), {"nodes": "1", "nvidia.com/gpu": "1"}, "node limits have been exhausted"),
        (few_gpus, {"nodes": "4", "nvidia.com/gpu": "1"}, "all available instance types exceed limits"),
    ],
    ids=["nodes", "gpus"],
)
def test_above_the_ceiling_one_pod_waits_and_says_why(fleet, pools, limits, reason):
    used = pools()
    assert [pool["spec"]["limits"] for pool in used] == [limits]
    fleet.offer(used)
    fleet.use(used)
    fleet.run("first", gpus=1, role="gpu")
    fleet.node_of("first")
    fleet.run("second", gpus=1, role="gpu")
    fleet.says("second", reason)
    throughout(lambda: fleet.is_pending("second") and len(fleet.claims()) == 1, "the ceiling holds", 3)
    # The one that waits is the next.
    fleet.finish("first")
    fleet.node_of("second")


def test_a_pod_without_a_gpu_never_lands_on_a_gpu_node(fleet):
    pools, alone = pools_of("staging-platform"), gpu_pools("staging-platform")
    fleet.offer(pools)
    fleet.use(alone)
    fleet.run("training", gpus=1, role="gpu")
    fleet.node_of("training")
    # The GPU node has room for it, the pool may start another, and there is no other pool.
    fleet.run("plain")
    fleet.says("plain", "untolerated taint")
    fleet.says("plain", "did not tolerate taint")
    throughout(lambda: fleet.is_pending("plain"), "it waits", 3)
    fleet.use(pools)
    assert label(fleet.node_of("plain"), POOL_NAME_LABEL) == "general"
    assert fleet.is_running("training")


def test_without_the_taint_it_would(fleet):
    """The planted twin of the test above."""
    (pool,) = gpu_pools("dev")
    del pool["spec"]["template"]["spec"]["taints"]
    fleet.offer([pool])
    fleet.use([pool])
    fleet.run("plain")
    assert label(fleet.node_of("plain"), POOL_NAME_LABEL) == pool["metadata"]["name"]


def test_a_gpu_pod_never_lands_in_a_pool_without_gpus(fleet):
    pools = pools_of("dev")
    general = [pool for pool in pools if not is_gpu_pool(pool)]
    fleet.offer(pools)
    fleet.use(general)
    fleet.run("step", gpus=1)
    eventually(lambda: fleet.said_of("step"), "it says why")
    throughout(lambda: fleet.is_pending("step") and not fleet.claims(), "it waits, and no node starts", 3)
