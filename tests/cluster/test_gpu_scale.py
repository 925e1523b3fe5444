"""The benchmark of many GPU pods, with few: it measures what it says. No test here asserts a time."""

import pytest

from tests.bench import gpu_scale
from tests.bench.measure import MeasureFailed
from tests.bench.packing import usd_per_hour
from tests.cluster.fleet import SPACE
from tests.waiting import eventually

pytestmark = pytest.mark.cluster

FEW = 20


@pytest.fixture
def emptied(fleet):
    """The benchmark stops Karpenter, without which no node goes."""
    yield fleet
    fleet.offer(gpu_scale.raised_pools([]))


def test_a_few_pods_run_on_karpenters_nodes_and_then_on_the_same_without_it(plane, emptied):
    said = []
    found = gpu_scale.scale(plane, emptied, FEW, said.append)
    assert sum(offer.gpus * number for offer, number in found.nodes.items()) >= 36, "16 × 1, 3 × 4 and 8 GPUs"
    assert {offer.pool for offer in found.nodes} == {"gpu", "gpu-reserved"}
    assert found.cheapest.proven and found.cheapest.usd <= usd_per_hour(found.nodes)
    assert found.times.placed > 0 and found.times.running > 0
    twins = emptied.api.list("v1", "Pod", SPACE)
    assert len(twins) == FEW and all(pod["metadata"]["name"].startswith("twin-") for pod in twins)
    used = {pod["spec"]["nodeName"] for pod in twins}
    assert used <= {node["metadata"]["name"] for node in emptied.nodes()}, "on the nodes that Karpenter had started"
    assert any("pool gpu: maxNodes" in line for line in said), "it says what it raised"


def is_refused(fleet):
    """Whether Karpenter has said of the pod whose events the benchmark will quote why it does not run."""
    waiting = fleet.api.list("v1", "Pod", SPACE, fields="status.phase!=Running")
    said = fleet.said_of(waiting[0]["metadata"]["name"]) if waiting else []
    assert any("exceed limits" in text for text in said), said
    return True


def test_pods_that_do_not_all_run_have_no_time(plane, emptied, monkeypatch):
    until_all_run = gpu_scale._until_all_run

    def after_the_refusal(*args):
        eventually(lambda: is_refused(emptied), "the first pod that waits is told that it would exceed limits")
        return until_all_run(*args)

    monkeypatch.setattr(gpu_scale, "_until_all_run", after_the_refusal)
    monkeypatch.setattr(gpu_scale, "raised_pools", lambda sizes, raised=gpu_scale.raised_pools: raised([]))
    with pytest.raises(MeasureFailed, match=r"of 20 pods do not run after 15 s\. pod-\d+: .*exceed limits"):
        gpu_scale.scale(plane, emptied, FEW, lambda text: None, within_s=15)
