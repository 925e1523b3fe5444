"""A running training job and the real Karpenter: nothing that Karpenter does by itself takes its node away."""

import pytest

from components.capacity import Capacity
from components.node_pool_spec import ReplacementWindow
from stackyard.program.run import capture_callable
from tests.cluster.fleet import INSTANCE_TYPE_LABEL, label
from tests.cluster.objects import kubernetes_objects, of_kind
from tests.components.pools import gpu_pool
from tests.waiting import WITHIN_S, eventually, throughout

pytestmark = pytest.mark.cluster

# After Karpenter has done to a twin what it must not do to training.
HOLD_S = 5
# Enough to start the node and the pod on a busy machine: a node that expires before is replaced, again and again.
EXPIRE_S = 30


def pool(name="gpu", **args):
    """A GPU pool of the kit's own whose replacement window is always open: the hour of the test must not matter."""
    wide_open = ReplacementWindow(start_hour=0, hours=24)
    args = {"instance_types": ["g5.12xlarge", "g6.xlarge"], "max_gpus": 16, "capacity": Capacity.ON_DEMAND} | args
    made = capture_callable(lambda: gpu_pool(replacement_window=wide_open, **args) and None)
    (found,) = of_kind(kubernetes_objects(made), "NodePool")
    found["metadata"]["name"] = name
    return found


def start(fleet, *pools):
    fleet.offer(pools)
    fleet.use(pools)


def identity(fleet, name):
    """Of a pod that runs; a pod that was stopped and started anew is another."""
    pod = fleet.pod(name)
    return pod["metadata"]["uid"] if fleet.is_running(name) else None


def drifted(fleet):
    """Names of the claims whose nodes are no longer what their pool asks for."""
    return [
        claim["metadata"]["name"]
        for claim in fleet.claims()
        for entry in claim["status"].get("conditions", [])
        if entry["type"] == "Drifted" and entry["status"] == "True"
    ]


def stays(fleet, name, before, for_s=HOLD_S):
    throughout(lambda: identity(fleet, name) == before, f"{name} runs on", for_s)


def test_a_job_alone_on_a_node_that_is_too_big_is_left_there(fleet):
    """Beside it, the policy that Karpenter has by default stops such a job to save money."""
    greedy = pool("greedy")
    greedy["spec"]["disruption"] |= {"consolidationPolicy": "WhenEmptyOrUnderutilized", "budgets": [{"nodes": "100%"}]}
    start(fleet, pool(), greedy)
    for name in ("gpu", "greedy"):
        # Four GPUs are the smallest node with three; one is left for the job, whose neighbour then ends.
        fleet.run(f"rest-{name}", gpus=3, pool=name)
        fleet.node_of(f"rest-{name}")
        fleet.run(f"job-{name}", gpus=1, pool=name)
        assert label(fleet.node_of(f"job-{name}"), INSTANCE_TYPE_LABEL) == "g5.12xlarge"
        fleet.finish(f"rest-{name}")
    before = identity(fleet, "job-gpu")
    eventually(lambda: not fleet.is_running("job-greedy"), "the twin's job was stopped")
    stays(fleet, "job-gpu", before)


def test_a_drifted_node_is_not_replaced_under_a_training_job(fleet):
    """Beside it, a job that does not ask to be kept is stopped for a newer node."""
    used = pool(instance_types=["g6.xlarge"])
    start(fleet, used)
    fleet.run("training", gpus=1, role="gpu", keep=True)
    fleet.run("careless", gpus=1, role="gpu")
    fleet.node_of("careless")
    claim = label(fleet.node_of("training"), "kubernetes.io/hostname")
    before = identity(fleet, "training")
    # What makes nodes outdated, as a new image does.
    used["spec"]["template"]["metadata"]["labels"]["stackyard.dev/generation"] = "2"
    fleet.use([used])
    eventually(lambda: not fleet.is_running("careless"), "the other job was stopped")
    eventually(lambda: claim in drifted(fleet), "Karpenter knows that training's node has drifted too")
    stays(fleet, "training", before)


def test_a_node_that_expired_would_be_taken_away_though_the_job_asks_to_be_kept(fleet):
    """Why pools say Never: expiry waits for no annotation, it drains."""
    assert pool()["spec"]["template"]["spec"]["expireAfter"] == "Never"
    expiring = pool()
    expiring["spec"]["template"]["spec"]["expireAfter"] = f"{EXPIRE_S}s"
    start(fleet, expiring)
    fleet.run("training", gpus=1, role="gpu", keep=True)
    fleet.node_of("training")
    eventually(
        lambda: any("deletionTimestamp" in claim["metadata"] for claim in fleet.claims()),
        "the node is being drained",
        EXPIRE_S + WITHIN_S,
    )
    fleet.finish("training")


def test_a_deleted_pool_waits_for_its_training_job_and_says_so(fleet):
    used = pool()
    start(fleet, used)
    fleet.run("training", gpus=1, role="gpu", keep=True)
    node = fleet.node_of("training")["metadata"]["name"]
    assert [claim["spec"]["expireAfter"] for claim in fleet.claims()] == ["Never"]
    before = identity(fleet, "training")
    fleet.api.ask_to_delete(used)
    fleet.says(node, "Failed to drain node")
    # No new job starts in a pool that is going.
    fleet.run("late", gpus=1, role="gpu")
    stays(fleet, "training", before)
    assert fleet.is_pending("late")
    fleet.finish("training")
    eventually(lambda: not fleet.nodes(), "the node goes when the job has ended")
    eventually(lambda: not fleet.api.list("karpenter.sh/v1", "NodePool"), "and then the pool")
