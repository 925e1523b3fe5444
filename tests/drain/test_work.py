"""What counts as running work, and how it is told."""

from stackyard.drain.snapshot import look
from stackyard.drain.work import running_work
from tests.drain.cluster import NOW, Cluster


def work(cluster):
    return running_work(look(cluster), NOW)


def test_a_run_is_told_with_its_pools_and_its_beginning():
    cluster = Cluster()
    cluster.node("n1", "general")
    cluster.node("n2", "gpu")
    cluster.run("pipelines/training-x7k2p")
    for number, node in enumerate(("n1", "n2")):
        cluster.pod(f"pipelines/training-x7k2p-{number}", node, keep=True, run="training-x7k2p")
    (found,) = work(cluster)
    assert found.name == "Workflow pipelines/training-x7k2p" and found.why == "runs"
    assert found.pools == ("general", "gpu") and found.since == "2026-11-28T10:30:00Z"
    assert len(found.uids) == 2, "its pods are part of it, and no jobs of their own"


def test_a_run_counts_wherever_its_pods_are_and_before_it_has_any():
    cluster = Cluster()
    cluster.run("pipelines/queued", phase="Pending")
    cluster.run("research/new", phase="")
    assert [(found.name, found.why, found.pools) for found in work(cluster)] == [
        ("Workflow pipelines/queued", "waits to run", ()),
        ("Workflow research/new", "waits to run", ()),
    ]


def test_runs_that_have_ended_do_not_count():
    cluster = Cluster()
    for phase in ("Succeeded", "Failed", "Error"):
        cluster.run(f"pipelines/{phase.lower()}", phase)
    assert work(cluster) == []


def test_a_pod_that_must_not_be_disrupted_counts_on_karpenters_nodes_alone():
    cluster = Cluster()
    cluster.node("n1")
    cluster.put("v1", "Node", "system")
    cluster.pod("fleet/notebook-1", "n1", keep=True)
    cluster.pod("fleet/plain-1", "n1")
    cluster.pod("kube-system/elsewhere-1", "system", keep=True)
    cluster.pod("fleet/going-1", "n1", keep=True, deletionTimestamp="2026-11-28T12:00:00Z")
    (found,) = work(cluster)
    assert (found.name, found.why, found.pools, found.since) == (
        "Pod fleet/notebook-1",
        "asks not to be disrupted",
        ("gpu",),
        "2026-11-28T11:00:00Z",
    )


def test_a_pod_whose_budget_allows_nothing_counts_and_one_of_a_larger_service_does_not():
    cluster = Cluster()
    cluster.node("n1")
    cluster.pod("serving/single-1", "n1")
    cluster.budget("serving/single", "single", least=1)
    for number in range(2):
        cluster.pod(f"serving/pair-{number}", "n1")
    cluster.budget("serving/pair", "pair", least=1)
    (found,) = work(cluster)
    assert found.name == "Pod serving/single-1" and "its budget serving/single allows no disruption" in found.why


def test_a_protected_pod_of_a_run_that_has_ended_counts_by_itself():
    cluster = Cluster()
    cluster.node("n1")
    cluster.run("pipelines/done", "Failed")
    cluster.pod("pipelines/done-1", "n1", keep=True, run="done")
    assert [found.name for found in work(cluster)] == ["Pod pipelines/done-1"]
