"""LocalQueues: a queue for each team in each namespace, by the name that pods' labels carry."""

import pytest
from pulumi import ResourceOptions

from components.local_queues import LocalQueues, LocalQueuesArgs
from pipelines.binding import bind
from pipelines.compile.shape import QUEUE_LABEL
from pipelines.tokens import token
from stackyard.local.kubernetes.schemas import validate
from tests.components.test_job_queue import FLIGHTS, LOCAL, RIDES, queue
from tests.pipelines.contracts import contract


def queues(namespaces=("pipelines",)):
    args = LocalQueuesArgs(queue=queue(teams=(FLIGHTS, RIDES)), namespaces=namespaces, after=())
    return LocalQueues("local", args, ResourceOptions())


def test_each_team_has_a_queue_in_each_namespace(capture):
    deployment = capture(queues, namespaces=("pipelines", "drift"))
    found = {
        (r.inputs["metadata"]["namespace"], r.inputs["metadata"]["name"]): r.inputs["spec"]
        for r in deployment.of_type(LOCAL)
    }
    assert found == {
        (space, team): {"clusterQueue": team} for space in ("pipelines", "drift") for team in ("flights", "rides")
    }


def test_kueue_would_accept_them(capture):
    for found in capture(queues).of_type(LOCAL):
        validate(found.inputs, "1.35")


def test_a_pipelines_pods_name_the_queue_of_their_team(capture):
    names = {r.inputs["metadata"]["name"] for r in capture(queues).of_type(LOCAL)}
    bound = bind({"labels": {QUEUE_LABEL: token("queue")}}, contract(queue="flights"), pipeline="training")
    assert bound["labels"][QUEUE_LABEL] in names


def test_they_wait_for_their_cluster_queues(capture):
    for found in capture(queues).of_type(LOCAL):
        assert any(urn.endswith("::queue-queue-flights") for urn in found.dependencies)


def test_outputs_are_registered(capture):
    assert capture(queues).only("stackyard:index:LocalQueues").outputs == {
        "names": ["pipelines/flights", "pipelines/rides"]
    }


def test_queues_that_stand_nowhere_are_refused(capture):
    with pytest.raises(ValueError, match="a namespace to stand in"):
        capture(queues, namespaces=())
