"""`stackyard drain` against the real Karpenter: jobs are a refusal, --force ends them, budgets and Kueue are minded."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from components.capacity import Capacity
from components.job_queue import QUEUE_NAMESPACE
from stackyard.drain import nodes
from stackyard.drain.api import FIELD_MANAGER, Api
from stackyard.drain.command import drain
from stackyard.errors import UserError
from stackyard.local.kubernetes.kubeconfig import read_kubeconfig
from stackyard.program.run import capture_callable
from tests.cluster.argo_definitions import argo_definitions
from tests.cluster.fleet import SPACE
from tests.cluster.objects import kubernetes_objects, of_kind
from tests.cluster.site import Site
from tests.components.pools import gpu_pool
from tests.drain.aws import Aws
from tests.waiting import eventually, throughout

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
# That of stacks/Pulumi.dev.yaml.
ACCOUNT = "111122223333"
NOTHING_LEFT = "Nothing of Karpenter's is left"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(nodes, "POLL_S", 0.3)


@pytest.fixture
def used(fleet):
    """A GPU pool of the kit's own."""
    args = {"instance_types": ["g5.12xlarge", "g6.xlarge"], "max_gpus": 16, "capacity": Capacity.ON_DEMAND}
    (pool,) = of_kind(kubernetes_objects(capture_callable(lambda: gpu_pool(**args) and None)), "NodePool")
    fleet.offer([pool])
    fleet.use([pool])
    return pool


def run(plane, *, force=False, minutes=1):
    text = io.StringIO()
    status = drain(
        ROOT,
        "dev",
        Console(file=text, width=300, soft_wrap=True),
        force=force,
        confirm=lambda question: True,
        timeout_minutes=minutes,
        clients=Aws(ACCOUNT),
        reach=lambda account, target, clients: Api(read_kubeconfig(plane.kubeconfig)),
    )
    return status, text.getvalue()


def live(fleet, pool):
    found = fleet.api.find("karpenter.sh/v1", "NodePool", pool["metadata"]["name"])
    assert found, "a drain deletes no pool"
    return found


def test_running_jobs_are_a_refusal_and_force_ends_them_and_no_node_comes_back(plane, fleet, used):
    for name in ("training", "evaluation"):
        fleet.run(name, gpus=1, role="gpu", keep=True)
        fleet.node_of(name)
    fleet.run("plain", gpus=4, role="gpu")
    fleet.node_of("plain")
    before = live(fleet, used)["spec"]
    with pytest.raises(UserError, match=r"2 jobs run \(Pod fleet/evaluation, Pod fleet/training\), and nothing was"):
        run(plane)
    assert live(fleet, used)["spec"] == before
    assert all(map(fleet.is_running, ("training", "evaluation", "plain")))
    assert not any("deletionTimestamp" in claim["metadata"] for claim in fleet.claims())

    status, said = run(plane, force=True)
    assert status == 0 and NOTHING_LEFT in said and "2 jobs run" in said, said
    assert not fleet.nodes() and not fleet.claims()

    fleet.run("late", gpus=1, role="gpu")
    throughout(lambda: fleet.is_pending("late") and not fleet.claims(), "no node starts in a closed pool", 5)

    # As it is undone: the declared number is put back.
    fleet.api.patch(live(fleet, used), {"spec": {"limits": {"nodes": used["spec"]["limits"]["nodes"]}}})
    fleet.node_of("late")


def test_what_a_drain_changes_is_written_in_the_name_that_pulumi_takes_over(plane, fleet, used):
    run(plane)
    pool = live(fleet, used)
    assert pool["spec"]["limits"] == {**used["spec"]["limits"], "nodes": "0"}
    (entry,) = [entry for entry in pool["metadata"]["managedFields"] if entry["manager"] == FIELD_MANAGER]
    assert entry["operation"] == "Update" and entry["fieldsV1"] == {"f:spec": {"f:limits": {"f:nodes": {}}}}


def test_a_service_goes_though_its_budget_asks_for_one_to_stay(plane, fleet, used):
    """Karpenter alone would wait for ever: the last pod may not be evicted, and its successor finds no node."""
    deployment = service(used)
    guard = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "service", "namespace": SPACE},
        "spec": {"minAvailable": 1, "selector": deployment["spec"]["selector"]},
    }
    try:
        for obj in (deployment, guard):
            fleet.api.apply(obj)
        eventually(lambda: allowed(fleet) == 1, "both pods run, one may go")
        assert len(fleet.nodes()) == 2, "each has a node"
        status, said = run(plane)
        assert status == 0 and not fleet.nodes(), said
    finally:
        for obj in (guard, deployment):
            fleet.api.ask_to_delete(obj)


def test_a_run_whose_controller_is_gone_loses_its_pods(plane, fleet, used, monkeypatch):
    monkeypatch.setattr(nodes, "RUNS_END_S", 1.0)
    Site(fleet.api).define(argo_definitions())
    workflow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}
    workflow |= {"metadata": {"name": "training-1", "namespace": SPACE}, "spec": {}}
    schedule = {**workflow, "kind": "CronWorkflow", "metadata": {"name": "training", "namespace": SPACE}}
    for obj in (workflow, schedule):
        fleet.api.create(obj)
    try:
        fleet.run("training-1-a", gpus=1, role="gpu", keep=True)
        fleet.api.patch(
            fleet.pod("training-1-a"), {"metadata": {"labels": {"workflows.argoproj.io/workflow": "training-1"}}}
        )
        fleet.node_of("training-1-a")
        with pytest.raises(UserError, match=r"1 job runs \(Workflow fleet/training-1\)"):
            run(plane)
        status, said = run(plane, force=True)
        assert status == 0 and not fleet.nodes(), said
        asked = fleet.api.find("argoproj.io/v1alpha1", "Workflow", "training-1", SPACE)
        suspended = fleet.api.find("argoproj.io/v1alpha1", "CronWorkflow", "training", SPACE)
        assert asked["spec"] == {"shutdown": "Stop"} and suspended["spec"] == {"suspend": True}
    finally:
        for obj in (workflow, schedule):
            fleet.api.ask_to_delete(obj)


def test_the_node_of_kueue_stays_for_the_destroy(plane, fleet, used):
    Site(fleet.api).make([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": QUEUE_NAMESPACE}}])
    fleet.run("beside", gpus=4, role="gpu")
    elsewhere = fleet.node_of("beside")["metadata"]["name"]
    manager = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "manager", "namespace": QUEUE_NAMESPACE}}
    pod = fleet.api.create({**manager, "spec": pod_spec(used, gpus=4)})
    try:
        eventually(lambda: len(fleet.nodes()) == 2 and all(map(has_joined, fleet.claims())), "it has a node of its own")
        status, said = run(plane)
        assert status == 0 and "Nodes that stay for the destroy: 1" in said, said
        (kept,) = fleet.nodes()
        assert kept["metadata"]["name"] != elsewhere
        assert live(fleet, used)["spec"]["limits"]["nodes"] == "1"
    finally:
        fleet.api.ask_to_delete(pod)


def test_a_pod_that_came_later_holds_its_node_and_is_named(plane, fleet, used, monkeypatch):
    """Nobody has agreed to its end."""
    fleet.run("training", gpus=1, role="gpu", keep=True)
    fleet.node_of("training")
    monkeypatch.setattr("stackyard.drain.command.running_work", lambda seen, now: [])
    clock = nodes.Clock(monotonic=iter(range(0, 10_000, 10)).__next__)
    monkeypatch.setattr("stackyard.drain.command.Clock", lambda: clock)
    status, said = run(plane)
    assert status == 1 and "pod fleet/training asks not to be disrupted" in said, said
    assert fleet.is_running("training")
    fleet.finish("training")


def pod_spec(used, *, gpus=0):
    amounts = {"limits": {"nvidia.com/gpu": str(gpus)}} if gpus else {}
    return {
        "containers": [{"name": "main", "image": "example.com/service:1", "resources": amounts}],
        "nodeSelector": {"karpenter.sh/nodepool": used["metadata"]["name"]},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
    }


def service(used):
    """Two pods that share no node."""
    labels = {"app": "service"}
    rule = {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [rule]}}
    spec = {**pod_spec(used), "affinity": apart}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "service", "namespace": SPACE},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def allowed(fleet):
    budget = fleet.api.find("policy/v1", "PodDisruptionBudget", "service", SPACE)
    return budget.get("status", {}).get("disruptionsAllowed")


def has_joined(claim):
    return "nodeName" in claim.get("status", {})
