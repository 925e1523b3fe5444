"""What the benchmark of many GPU pods asks for, raises and prints. No test here asserts a time."""

from collections import Counter
from math import ceil

import pytest

from components.gpu_sharing import NOT_SHARED, WHOLE_GPU
from components.node_pool_spec import INSTANCE_TYPE_LABEL, gpu_labels, gpu_taints
from tests.bench import gpu_scale
from tests.bench.measure import MeasureFailed, table
from tests.bench.packing import Ceiling, Offer, Packing, cheapest_packing
from tests.cluster.fleet import ZONES, values
from tests.cluster.instance_types import instance_types
from tests.cluster.objects import kubernetes_objects, of_kind
from tests.stack_captures import stack_capture

SIZES = gpu_scale.pod_sizes(gpu_scale.PODS)
SMALL = Offer("gpu", "g6.xlarge", "spot", 1, 0.28)
LARGE = Offer("gpu", "g5.12xlarge", "spot", 4, 2.0)
PAID = Offer("gpu-reserved", "p5.48xlarge", "reserved", 8, 0.0)


def of_prod(kind):
    return of_kind(kubernetes_objects(stack_capture("prod-platform")), kind)


def test_the_mix_is_the_same_in_every_run():
    assert Counter(SIZES) == {1: 800, 4: 150, 8: 50}
    assert gpu_scale.pod_sizes(20) == SIZES[:20] == SIZES[20:40], "all sizes come from the start on"


@pytest.mark.parametrize("gpus", sorted(gpu_scale.POOL_OF))
def test_a_pod_asks_for_what_a_pipelines_gpu_step_asks_for_once_kueue_has_admitted_it(gpus):
    pod = gpu_scale.training_pod("step", gpus)["spec"]
    (flavor,) = (f for f in of_prod("ResourceFlavor") if f["metadata"]["name"] == gpu_scale.POOL_OF[gpus])
    assert pod["nodeSelector"].items() <= {**gpu_labels(NOT_SHARED), **flavor["spec"]["nodeLabels"]}.items()
    assert flavor["spec"]["nodeLabels"].items() <= pod["nodeSelector"].items()
    assert [entry["key"] for entry in pod["tolerations"]] == [taint["key"] for taint in gpu_taints()]
    assert pod["containers"][0]["resources"]["limits"][WHOLE_GPU] == str(gpus)


def test_every_pod_fits_a_node_of_its_pool_and_gpus_are_what_fills_nodes():
    """The solver counts GPUs alone."""
    pools = {pool["metadata"]["name"]: values(pool, INSTANCE_TYPE_LABEL) for pool in of_prod("NodePool")}
    for size, pool in gpu_scale.POOL_OF.items():
        assert max(gpu_scale.gpu_count(kind) for kind in pools[pool]) >= size
    for kind in instance_types([kind for name in set(gpu_scale.POOL_OF.values()) for kind in pools[name]], ZONES):
        amounts = kind["resources"]
        gpus = int(amounts["nvidia.com/gpu"])
        # Less than all of it: Karpenter keeps something for the node itself.
        assert gpus * gpu_scale.CPUS < int(amounts["cpu"]), kind["name"]
        assert gpus * gpu_scale.MEMORY_GB * 1024 < int(amounts["memory"].removesuffix("Mi")), kind["name"]


def test_both_ceilings_of_a_pool_are_raised_by_the_same_factor_and_nothing_else_is_changed():
    raised, before = gpu_scale.raised_pools(SIZES), of_prod("NodePool")
    committed, now = gpu_scale.ceilings(before), gpu_scale.ceilings(raised)
    assert now["general"] == committed["general"]
    # 800 × 1 and 150 × 4, and 150 × 4 once more; 50 × 8 is the only size in its pool, so nobody takes another's place.
    for name, needed in (("gpu", 2000), ("gpu-reserved", 400)):
        factor = ceil(needed / committed[name].gpus)
        assert now[name] == Ceiling(nodes=factor * committed[name].nodes, gpus=factor * committed[name].gpus)
    assert [line.split(":")[0] for line in gpu_scale.raised_lines(raised)] == ["pool gpu", "pool gpu-reserved"]
    assert gpu_scale.raised_lines(raised)[1].endswith("maxNodes 1 raised to 50, maxGpus 8 to 400")
    for pool in (*raised, *before):
        del pool["spec"]["limits"]
    assert raised == before


def test_below_the_committed_ceilings_nothing_is_raised():
    assert gpu_scale.raised_lines(gpu_scale.raised_pools([1, 4, 8])) == []


def test_the_cheapest_nodes_are_known_for_the_full_mix():
    pools = gpu_scale.raised_pools(SIZES)
    found = cheapest_packing(Counter(SIZES), gpu_scale.offers(pools), gpu_scale.ceilings(pools))
    assert found.proven
    kinds = {(offer.kind, offer.capacity): number for offer, number in found.nodes.items()}
    assert kinds == {("g6.xlarge", "spot"): 800, ("g5.12xlarge", "spot"): 150, ("p5.48xlarge", "reserved"): 50}


def test_nodes_below_the_bound_are_refused():
    cheapest = Packing(nodes={SMALL: 4}, usd=1.12, bound=1.12)
    gpu_scale.checked({LARGE: 1}, cheapest)
    with pytest.raises(MeasureFailed, match=r"0\.84 dollars an hour hold .* less than 1\.12: 3 × g6\.xlarge spot"):
        gpu_scale.checked({SMALL: 3}, cheapest)


def measured(bound=1.12):
    return gpu_scale.Scale(
        pods=1000,
        times=gpu_scale.Times(placed=40.0, running=80.0),
        floor=gpu_scale.Times(placed=20.0, running=20.0),
        nodes={LARGE: 1, PAID: 1},
        cheapest=Packing(nodes={SMALL: 4, PAID: 1}, usd=1.12, bound=bound),
    )


def test_times_stand_beside_the_same_pods_on_nodes_that_are_there_and_the_price_beside_the_cheapest():
    results = gpu_scale.results(measured())
    assert [(r.name, r.ratio, r.met) for r in results] == [
        ("gpu-scale-nominated", 2.0, None),
        ("gpu-scale-running", 4.0, True),
        ("gpu-scale-price", pytest.approx(2.0 / 1.12), None),
    ]
    price = table(results).splitlines()[-1].split()
    assert price[:5] == ["price", "of", "their", "2", "nodes"] and price[5:9] == ["2.00", "$/h", "1.12", "$/h"]


def test_what_is_not_proven_is_compared_with_the_bound_and_says_so():
    price = gpu_scale.results(measured(bound=1.0))[-1]
    assert price.ratio == 2.0 and price.details["proven"] is False
    assert gpu_scale.results(measured())[-1].details["proven"] is True


def test_a_reservation_costs_nothing_more_and_its_price_is_told_beside():
    written = gpu_scale.results(measured())[-1].to_dict()
    assert written["measured_usd_per_hour"] == [2.0]
    assert [(e["type"], e["nodes"], e["usd_per_hour"], e["on_demand_usd_per_hour"]) for e in written["nodes"]] == [
        ("g5.12xlarge", 1, 2.0, 5.672),
        ("p5.48xlarge", 1, 0.0, 55.04),
    ]
    assert gpu_scale.listed({PAID: 2}) == "2 × p5.48xlarge reserved (paid for anyway; on demand 110.08 $/h)"
