"""What keeps a pod where it is: its own word, a budget, and what Karpenter does not wait for."""

import pytest

from stackyard.drain.protection import asks_to_stay, budget_of, holds_its_node
from tests.drain.cluster import NOW, Cluster

GOING = "karpenter.sh/disrupted"


def pod(*, value=None, **parts):
    made = Cluster().pod("fleet/job-1", "n1")
    if value is not None:
        made["metadata"]["annotations"] = {"karpenter.sh/do-not-disrupt": value}
    made["spec"] |= parts
    return made


@pytest.mark.parametrize(
    ("value", "stays"),
    [
        ("true", True),
        ("4h", True),
        ("1h30m", True),
        ("59m", False),
        ("1h", False),
        (None, False),
        ("false", False),
        ("", False),
        ("4 hours", False),
        ("0s", False),
    ],
)
def test_the_annotation_counts_as_karpenter_counts_it(value, stays):
    """The pod has run for an hour."""
    assert asks_to_stay(pod(value=value), NOW) is stays


def test_a_pod_that_has_not_started_has_all_its_time_before_it():
    waiting = pod(value="1m")
    del waiting["status"]["startTime"]
    assert asks_to_stay(waiting, NOW)


@pytest.mark.parametrize(
    ("toleration", "holds"),
    [
        ({"operator": "Exists"}, False),
        ({"key": GOING, "operator": "Exists", "effect": "NoSchedule"}, False),
        ({"key": GOING, "effect": "NoSchedule"}, False),
        ({"key": GOING, "operator": "Exists", "effect": "NoExecute"}, True),
        ({"key": "nvidia.com/gpu", "operator": "Exists"}, True),
    ],
)
def test_pods_that_tolerate_a_node_that_goes_are_not_waited_for(toleration, holds):
    assert holds_its_node(pod(tolerations=[toleration])) is holds


def test_neither_static_pods_nor_those_that_have_ended_are_waited_for():
    static, ended = pod(), pod()
    static["metadata"]["ownerReferences"] = [{"kind": "Node", "apiVersion": "v1", "name": "n1"}]
    ended["status"]["phase"] = "Failed"
    assert holds_its_node(pod()) and not holds_its_node(static) and not holds_its_node(ended)


def test_a_budget_guards_when_it_allows_nothing_now():
    cluster = Cluster()
    one, other = cluster.pod("serving/api-1", "n1"), cluster.pod("serving/api-2", "n2")
    budget = cluster.budget("serving/api", "api", least=2)
    assert budget_of(one, [budget]) == budget_of(other, [budget]) == "serving/api"
    assert budget_of(one, [cluster.budget("serving/api", "api", least=1)]) == ""


def test_a_budget_is_about_its_own_namespace_and_labels_and_about_running_pods():
    cluster = Cluster()
    budget = cluster.budget("serving/api", "api", least=2)
    assert not budget_of(cluster.pod("other/api-1", "n1"), [budget])
    assert not budget_of(cluster.pod("serving/db-1", "n1"), [budget])
    pending = cluster.pod("serving/api-1", "n1")
    pending["status"]["phase"] = "Pending"
    assert not budget_of(pending, [budget])
    assert not budget_of(cluster.pod("serving/api-2", "n1", deletionTimestamp="2026-11-28T12:00:00Z"), [budget])


@pytest.mark.parametrize(
    ("selector", "guards"),
    [
        ({}, True),
        (None, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["job", "x"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["job"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchLabels": {"app": "job"}, "matchExpressions": [{"key": "gone", "operator": "Exists"}]}, False),
    ],
)
def test_selectors_of_budgets_are_read_in_full(selector, guards):
    budget = {"metadata": {"name": "b", "namespace": "fleet"}, "spec": {"selector": selector}, "status": {}}
    assert bool(budget_of(pod(), [budget])) is guards
