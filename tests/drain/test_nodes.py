"""How nodes go: in which order, what may end, what stays, and what is said when they do not."""

import pytest

from stackyard.drain.blockers import blockers
from stackyard.drain.nodes import Plan, drain_nodes
from stackyard.drain.snapshot import look
from stackyard.drain.work import running_work
from stackyard.local.kubernetes.api_server import NoAnswer
from tests.drain.cluster import NOW, Cluster


def fleet() -> Cluster:
    cluster = Cluster()
    cluster.pool("general")
    cluster.pool("gpu", nodes="2")
    cluster.node("n1", "general")
    cluster.node("n2", "gpu")
    return cluster


def drain(cluster, *, force=False, minutes=10):
    said = []
    work = running_work(look(cluster), NOW) if force else []
    plan = Plan(work=work, deadline=minutes * 60, tell=said.append, clock=cluster.clock)
    return drain_nodes(cluster, plan), said


def reasons(drained):
    return {claim["status"]["nodeName"]: blockers(claim, drained.seen, NOW) for claim in drained.left}


def test_all_nodes_go_and_no_pool_may_start_another():
    cluster = fleet()
    cluster.pod("tracking/mlflow-1", "n1")
    cluster.schedule("pipelines/training")
    drained, said = drain(cluster)
    assert not drained.left and not drained.kept and cluster.names("Node") == []
    assert [pool["spec"]["limits"]["nodes"] for pool in cluster.list_now("NodePool")] == ["0", "0"]
    assert said == [
        "1 schedule suspended",
        "2 of 2 pools closed: no new node starts",
        *("nodes gone: 0 of 2", "nodes gone: 1 of 2", "nodes gone: 2 of 2"),
    ]


def test_schedules_stop_first_then_runs_then_pools_then_nodes_then_pods():
    cluster = fleet()
    cluster.schedule("pipelines/training")
    cluster.run("pipelines/training-1")
    cluster.pod("pipelines/training-1-a", "n2", keep=True, run="training-1")
    cluster.pod("fleet/notebook-1", "n2", keep=True)
    drained, _ = drain(cluster, force=True)
    assert not drained.left
    assert cluster.done == [
        "change CronWorkflow pipelines/training {'suspend': True}",
        "change Workflow pipelines/training-1 {'shutdown': 'Stop'}",
        "change NodePool general {'limits': {'nodes': '0'}}",
        "change NodePool gpu {'limits': {'nodes': '0'}}",
        "delete NodeClaim n1-claim",
        "delete NodeClaim n2-claim",
        "delete Pod fleet/notebook-1",
    ]


def test_a_second_drain_changes_nothing_that_is_done_already():
    cluster = fleet()
    cluster.schedule("pipelines/training", suspend=True)
    cluster.pool("general", nodes="0")
    cluster.pool("gpu", nodes="0")
    for claim in cluster.list_now("NodeClaim"):
        claim["metadata"]["deletionTimestamp"] = "2026-11-28T11:59:00Z"
    drained, _ = drain(cluster)
    assert not drained.left and cluster.done == []


def test_a_pod_on_the_list_ends_only_when_nothing_new_lands_on_its_node():
    cluster = fleet()
    cluster.karpenter_works = False
    cluster.pod("fleet/notebook-1", "n2", keep=True)
    drained, _ = drain(cluster, force=True, minutes=1)
    assert "delete Pod fleet/notebook-1" not in cluster.done, "its successor could land there"
    assert len(drained.left) == 2


def test_a_protected_pod_that_is_not_on_the_list_is_never_ended():
    cluster = fleet()
    cluster.pod("fleet/late-1", "n2", keep=True)
    drained, said = drain(cluster, force=False, minutes=1)
    assert cluster.find("Pod", "fleet/late-1") and said[-1] == "nodes gone: 1 of 2"
    (why,) = reasons(drained)["n2"]
    assert "pod fleet/late-1 asks not to be disrupted" in why and "not among the jobs" in why


def test_a_used_up_budget_is_no_reason_to_end_a_protected_pod():
    cluster = fleet()
    cluster.pod("fleet/late-1", "n2", keep=True)
    cluster.budget("fleet/late", "late", least=1)
    drained, _ = drain(cluster, minutes=1)
    assert cluster.find("Pod", "fleet/late-1") and len(drained.left) == 1


def test_a_budget_holds_until_no_node_is_left_for_another_pod():
    cluster = fleet()
    for number, node in enumerate(("n1", "n2")):
        cluster.pod(f"argo/controller-{number}", node)
    cluster.budget("argo/controller", "controller", least=1)
    drained, _ = drain(cluster)
    assert not drained.left
    deleted = [entry for entry in cluster.done if entry.startswith("delete Pod")]
    assert len(deleted) == 1, "the first one was evicted as the budget allows, the last one could not be"


def test_a_run_that_does_not_end_by_itself_loses_its_pods():
    cluster = fleet()
    cluster.argo_works = False
    cluster.run("pipelines/training-1")
    cluster.pod("pipelines/training-1-a", "n2", keep=True, run="training-1")
    drained, said = drain(cluster, force=True)
    assert not drained.left and "delete Pod pipelines/training-1-a" in cluster.done
    assert any("Workflow pipelines/training-1: told to stop 3 minutes ago" in text for text in said)


def test_nodes_of_kueue_stay_and_their_pool_may_replace_them():
    cluster = fleet()
    cluster.node("n3", "general")
    cluster.pod("kueue-system/kueue-1", "n3")
    drained, _ = drain(cluster)
    assert not drained.left and cluster.names("Node") == ["n3"]
    assert [claim["status"]["nodeName"] for claim in drained.kept] == ["n3"]
    assert drained.kept_instances == {"i-of-n3"}
    ceilings = {p["metadata"]["name"]: p["spec"]["limits"]["nodes"] for p in cluster.list_now("NodePool")}
    assert ceilings == {"general": "1", "gpu": "0"}


def test_a_job_beside_kueue_ends_though_its_node_stays():
    cluster = fleet()
    cluster.pod("kueue-system/kueue-1", "n1")
    cluster.pod("fleet/notebook-1", "n1", keep=True)
    drained, _ = drain(cluster, force=True)
    assert cluster.names("Pod") == ["kueue-system/kueue-1"] and cluster.names("Node") == ["n1"]
    assert not drained.left


def test_a_node_that_starts_meanwhile_goes_too():
    cluster = fleet()
    step = cluster.step

    def step_with_a_late_node():
        if cluster.elapsed == 3.0:
            cluster.node("late", "gpu")
        step()

    cluster.step = step_with_a_late_node
    drained, said = drain(cluster)
    assert not drained.left and "delete NodeClaim late-claim" in cluster.done
    assert said[-1] == "nodes gone: 3 of 3"


def test_a_cluster_without_nodes_is_drained_at_once():
    cluster = Cluster()
    drained, said = drain(cluster)
    assert not drained.left and said == ["no node to drain"] and cluster.elapsed == 0


def test_a_server_that_is_silent_for_a_moment_is_asked_again():
    cluster = fleet()
    step = cluster.step

    def step_and_fall_silent():
        if cluster.elapsed == 3.0:
            cluster.silent = 3
        step()

    cluster.step = step_and_fall_silent
    assert not drain(cluster)[0].left


def test_a_server_that_stays_silent_ends_the_drain():
    cluster = fleet()
    step = cluster.step

    def step_and_fall_silent():
        cluster.silent = 1000
        step()

    cluster.step = step_and_fall_silent
    with pytest.raises(NoAnswer):
        drain(cluster)


def stuck(change):
    """Why a node is still there, of a cluster that was changed and whose Karpenter does nothing."""
    cluster = fleet()
    cluster.karpenter_works = False
    change(cluster)
    drained, _ = drain(cluster, minutes=1)
    return reasons(drained)["n2"]


def finalized(cluster):
    cluster.pod("fleet/job-1", "n2", deletionTimestamp="x", finalizers=["kueue.x-k8s.io/managed"])


def slow(cluster):
    cluster.pod("fleet/job-1", "n2", deletionTimestamp="x", deletionGracePeriodSeconds=600, finalizers=[])
    cluster._end_pods = lambda: None


def guarded(cluster):
    cluster.pod("serving/single-1", "n2")
    cluster.budget("serving/single", "single", least=1)


def ending(cluster):
    conditions = [{"type": "InstanceTerminating", "status": "True"}]
    cluster.find("NodeClaim", "n2-claim")["status"]["conditions"] = conditions


def unattended(cluster):
    cluster.find("NodeClaim", "n2-claim")["metadata"]["finalizers"] = ["karpenter.sh/termination"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (finalized, "is being deleted and waits for the finalizers kueue.x-k8s.io/managed"),
        (slow, "is being deleted: it has 600 s to end"),
        (guarded, "is guarded by the budget serving/single, which allows no disruption now"),
        (ending, "EC2 is asked to end the instance i-of-n2"),
        (unattended, "waits for Karpenter (finalizers: karpenter.sh/termination): see that it runs, kubectl"),
        (lambda cluster: cluster.pod("fleet/plain-1", "n2"), "has not been evicted yet"),
    ],
)
def test_a_node_that_does_not_go_says_what_it_waits_for(change, why):
    (sentence,) = stuck(change)
    assert why in sentence
