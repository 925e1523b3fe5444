"""JobQueue: what Kueue counts, whom it holds up, what it never stops, and in which order it goes."""

import pulumi
import pulumi_kubernetes as k8s
import pytest
import yaml

from components.chart_pin import ChartPin
from components.job_queue import NEVER_QUEUED, JobQueue, JobQueueArgs
from components.local_queues import LocalQueues, LocalQueuesArgs
from components.namespaces import RESTRICTED_LABELS
from components.pipeline_engine import PipelineEngine, PipelineEngineArgs
from components.queue_quotas import NodeTaint, QueuePool, QueueTeam
from stackyard.local.kubernetes.schemas import validate
from stackyard.program.condemned import delete_layers

PIN = ChartPin(chart="oci://charts.example/kueue", version="0.19.2")
FLAVOR, QUEUE, LOCAL = (
    f"kubernetes:kueue.x-k8s.io/v1beta2:{kind}" for kind in ("ResourceFlavor", "ClusterQueue", "LocalQueue")
)
RELEASE = "kubernetes:helm.sh/v3:Release"
NAMESPACE = "kubernetes:core/v1:Namespace"
GPU, SHARE = "nvidia.com/gpu", "nvidia.com/gpu.shared"


def pool(name, max_gpus, resource=GPU, shares=1):
    taint = NodeTaint(key=GPU, value="true")
    labels = {"karpenter.sh/nodepool": name}
    return QueuePool(
        name=name, node_labels=labels, max_gpus=max_gpus, resource=resource, shares=shares, taints=(taint,)
    )


FLIGHTS = QueueTeam(name="flights", cpus=256, memory_gb=1024, gpus=16)
RIDES = QueueTeam(name="rides", cpus=32, memory_gb=128, borrows=True)


def queue(**args):
    defaults = {"chart": PIN, "teams": (FLIGHTS,), "pools": (pool("reserved", 8), pool("spot", 16))}
    return JobQueue("queue", JobQueueArgs(**(defaults | args)))


def specs(deployment, type_):
    return {r.inputs["metadata"]["name"]: r.inputs.get("spec", {}) for r in deployment.of_type(type_)}


def quotas(deployment, team="flights"):
    """Resource and flavor to nominal quota and borrowing limit."""
    return {
        (resource["name"], flavor["name"]): (resource["nominalQuota"], resource.get("borrowingLimit"))
        for group in specs(deployment, QUEUE)[team]["resourceGroups"]
        for flavor in group["flavors"]
        for resource in flavor["resources"]
    }


def configuration(deployment):
    return yaml.safe_load(deployment.only(RELEASE).inputs["values"]["managerConfig"]["controllerManagerConfigYaml"])


@pytest.fixture
def deployment(capture):
    return capture(queue)


# What is counted


def test_a_flavor_for_each_pool_is_what_an_admitted_pod_selects(deployment):
    flavors = specs(deployment, FLAVOR)
    assert set(flavors) == {"reserved", "spot", "any-pool"}
    assert flavors["spot"] == {
        "nodeLabels": {"karpenter.sh/nodepool": "spot"},
        "nodeTaints": [{"key": GPU, "value": "true", "effect": "NoSchedule"}],
    }
    assert flavors["any-pool"] == {}, "CPUs are counted wherever they are: a label would bind pods to a pool"


def test_a_team_has_its_quota_over_all_pools_and_its_share_of_each(deployment):
    assert quotas(deployment) == {
        ("cpu", "any-pool"): ("256", "0"),
        ("memory", "any-pool"): ("1024Gi", "0"),
        ("stackyard.dev/gpus", "any-pool"): ("16", "0"),
        (GPU, "reserved"): ("8", "0"),
        (GPU, "spot"): ("16", "0"),
    }, "24 GPUs in two pools, of which the team may use 16 at once"


def test_each_gpu_counts_for_its_pool_and_for_its_team(deployment):
    (rule,) = configuration(deployment)["resources"]["transformations"]
    assert rule == {"input": GPU, "strategy": "Retain", "outputs": {"stackyard.dev/gpus": "1"}}


def test_teams_share_a_pool_and_lend_what_they_leave_idle(capture):
    deployment = capture(queue, teams=(FLIGHTS, RIDES))
    flights, rides = quotas(deployment), quotas(deployment, "rides")
    assert (flights[GPU, "reserved"], rides[GPU, "reserved"]) == (("4", "4"), ("4", "4"))
    assert sum(int(found[GPU, "spot"][0]) for found in (flights, rides)) == 16, "never more than the pool has"
    assert {spec["cohortName"] for spec in specs(deployment, QUEUE).values()} == {"teams"}


def test_a_team_without_a_quota_has_all_gpus_and_borrows_idle_cpus(capture):
    found = quotas(capture(queue, teams=(FLIGHTS, RIDES)), "rides")
    assert found["stackyard.dev/gpus", "any-pool"] == ("24", "0")
    assert found["cpu", "any-pool"] == ("32", None), "no limit but what others leave idle"


def test_shares_of_gpus_are_counted_under_their_own_name_and_for_their_part_of_a_gpu(capture):
    team = QueueTeam(name="flights", cpus=8, memory_gb=32, gpus=3)
    deployment = capture(queue, teams=(team,), pools=(pool("whole", 2), pool("sliced", 2, SHARE, shares=4)))
    assert quotas(deployment)[GPU, "whole"] == ("2", "0")
    assert quotas(deployment)[SHARE, "sliced"] == ("8", "0")
    assert quotas(deployment)["stackyard.dev/gpus", "any-pool"] == ("12", "0"), "3 GPUs in quarters"
    rules = {r["input"]: r["outputs"] for r in configuration(deployment)["resources"]["transformations"]}
    assert rules == {GPU: {"stackyard.dev/gpus": "4"}, SHARE: {"stackyard.dev/gpus": "1"}}


def test_pools_are_tried_in_the_order_given(deployment):
    group = specs(deployment, QUEUE)["flights"]["resourceGroups"][1]
    assert [flavor["name"] for flavor in group["flavors"]] == ["reserved", "spot"]
    assert specs(deployment, QUEUE)["flights"]["flavorFungibility"]["whenCanBorrow"] == "MayStopSearch"


def test_every_object_is_what_kueues_definitions_accept(capture):
    deployment = capture(queue, teams=(FLIGHTS, RIDES), pools=(pool("whole", 2), pool("sliced", 4, SHARE, shares=4)))
    objects = [*deployment.of_type(FLAVOR), *deployment.of_type(QUEUE)]
    assert len(objects) == 5
    for found in objects:
        validate(found.inputs, "1.35")


# Whom it holds up


def test_what_runs_is_never_stopped_for_what_waits(deployment):
    assert specs(deployment, QUEUE)["flights"]["preemption"] == {
        "withinClusterQueue": "Never",
        "reclaimWithinCohort": "Never",
        "borrowWithinCohort": {"policy": "Never"},
    }


def test_a_job_that_waits_for_gpus_does_not_hold_up_steps_without(deployment):
    assert specs(deployment, QUEUE)["flights"]["queueingStrategy"] == "BestEffortFIFO"
    assert configuration(deployment)["waitForPodsReady"]["blockAdmission"] is False


def test_only_pods_and_jobs_of_the_given_namespaces_wait_and_all_of_them_do(capture):
    deployment = capture(queue, namespaces=("pipelines", "drift"))
    config, spec = configuration(deployment), specs(deployment, QUEUE)["flights"]
    selector = {
        "matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["drift", "pipelines"]},
        ]
    }
    assert config["managedJobsNamespaceSelector"] == spec["namespaceSelector"] == selector
    assert config["manageJobsWithoutQueueName"] is True, "else a pod without a label would start beside every quota"
    assert config["integrations"] == {"frameworks": ["batch/job", "pod"]}


def test_all_pods_of_a_job_start_in_time_or_none(capture):
    found = configuration(capture(queue, ready_minutes=90))["waitForPodsReady"]
    assert (found["timeout"], found["recoveryTimeout"]) == ("90m", "90m")


def test_what_comes_with_a_node_is_not_counted(deployment):
    excluded = configuration(deployment)["resources"]["excludeResourcePrefixes"]
    assert "vpc.amazonaws.com/efa".startswith(tuple(excluded)), "a pod that asks for EFA would wait for ever"
    assert not GPU.startswith(tuple(excluded))


@pytest.mark.parametrize("namespaces", [(), *((space,) for space in NEVER_QUEUED)])
def test_queues_in_the_clusters_own_namespaces_are_refused(capture, namespaces):
    with pytest.raises(ValueError, match="are not possible: name namespaces of jobs"):
        capture(queue, namespaces=namespaces)


def test_no_time_to_start_in_is_refused(capture):
    with pytest.raises(ValueError, match="0 minutes to start in"):
        capture(queue, ready_minutes=0)


# Kueue itself


def test_its_namespace_is_restricted_and_lets_in_the_api_servers_calls_alone(deployment):
    assert deployment.only(NAMESPACE).inputs["metadata"] == {"name": "kueue-system", "labels": RESTRICTED_LABELS}
    policies = {
        r.inputs["metadata"]["name"]: r.inputs["spec"]
        for r in deployment.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    }
    assert set(policies) == {"default-deny", "egress", "api-server"}
    (rule,) = policies["api-server"]["ingress"]
    assert set(rule) == {"ports"} and {port["port"] for port in rule["ports"]} == {8082, 9443}
    assert [[port["port"] for port in rule["ports"]] for rule in policies["egress"]["egress"]] == [[53, 53], [443]]


def test_the_chart_is_pinned_and_half_an_installation_is_undone(deployment):
    release = deployment.only(RELEASE).inputs
    assert (release["name"], release["chart"], release["version"]) == ("kueue", PIN.chart, "0.19.2")
    assert (release["namespace"], release["atomic"], release["cleanupOnFail"]) == ("kueue-system", True, True)
    assert not release["values"]["enablePrometheus"], "the chart fails without the ServiceMonitor's definition"


def test_two_managers_survive_the_loss_of_one(deployment):
    manager = deployment.only(RELEASE).inputs["values"]["controllerManager"]
    assert (manager["replicas"], manager["podDisruptionBudget"]) == (2, {"enabled": True, "minAvailable": 1})
    assert manager["topologySpreadConstraints"]


def test_a_single_manager_has_no_disruption_budget_that_would_block_its_node(capture):
    manager = capture(queue, replicas=1).only(RELEASE).inputs["values"]["controllerManager"]
    assert manager["podDisruptionBudget"] == {"enabled": False}


def test_the_configuration_is_the_same_text_every_time(capture):
    texts = {
        capture(lambda: queue()).only(RELEASE).inputs["values"]["managerConfig"]["controllerManagerConfigYaml"]
        for _ in range(2)
    }
    assert len(texts) == 1


def test_the_release_waits_for_nodes_to_run_on(capture):
    def waiting():
        node = k8s.core.v1.Namespace("stands-for-the-pool")
        queue(after=[node])

    dependencies = capture(waiting).only(RELEASE).dependencies
    assert any(urn.endswith("::stands-for-the-pool") for urn in dependencies)


def test_outputs_are_registered(deployment):
    outputs = deployment.only("stackyard:index:JobQueue").outputs
    assert outputs == {"releaseName": "kueue", "teams": ["flights"]}


# The way out


def whole():
    found = queue()
    pin = ChartPin(chart="argo-workflows", version="1.0.18")
    engine = PipelineEngine("engine", PipelineEngineArgs(chart=pin, app_version="v4.0.6", after=[found]))
    args = LocalQueuesArgs(queue=found, namespaces=("pipelines",), after=[engine])
    LocalQueues("queues", args, pulumi.ResourceOptions())


def test_everything_that_kueue_holds_on_to_goes_before_kueue(capture):
    deployment = capture(whole)
    layers = delete_layers([r for r in deployment if r.custom])
    place = {r.name: index for index, layer in enumerate(layers) for r in layer}
    order = [
        "queues-pipelines-flights",
        "engine-pipelines-namespace",
        "queue-queue-flights",
        "queue-flavor-spot",
        "queue-release",
        "queue-namespace",
    ]
    assert [place[name] for name in order] == sorted({place[name] for name in order}), (
        "waiting pods, queues and flavors have finalizers that only a running Kueue removes"
    )
    assert place["engine-release"] < place["engine-pipelines-namespace"], "nothing starts in it any more"
