"""Which stacks have queues, whose quotas they hold, and that pipelines go through the queue of their team."""

import pytest

from stacks.queues import WAITING
from stackyard.program.deployment import Deployment
from tests.stack_captures import stack_capture, with_sections

LABEL = "kueue.x-k8s.io/queue-name"
KUEUE = "kubernetes:kueue.x-k8s.io/v1beta2:"
TEMPLATE = "kubernetes:argoproj.io/v1alpha1:WorkflowTemplate"
WITH_GPUS = ["dev", "staging-platform", "prod-platform"]


def dev(**sections) -> Deployment:
    """The stack dev with other sections."""
    return with_sections("dev", **sections)


def queue_label(deployment: Deployment) -> str | None:
    return deployment.only(TEMPLATE).inputs["spec"]["podMetadata"]["labels"].get(LABEL)


def nominal(deployment: Deployment, team: str) -> dict[tuple[str, str], str]:
    (queue,) = (r for r in deployment.of_type(f"{KUEUE}ClusterQueue") if r.inputs["metadata"]["name"] == team)
    return {
        (resource["name"], flavor["name"]): resource["nominalQuota"]
        for group in queue.inputs["spec"]["resourceGroups"]
        for flavor in group["flavors"]
        for resource in flavor["resources"]
    }


def hard(deployment: Deployment) -> dict[str, str]:
    return deployment.named("pipeline-engine-pipelines-namespace-quota").inputs["spec"]["hard"]


@pytest.mark.parametrize("stack", WITH_GPUS)
def test_where_there_are_gpus_pipelines_wait_in_the_queue_of_their_team(stack):
    deployment = stack_capture(stack)
    (local,) = deployment.of_type(f"{KUEUE}LocalQueue")
    assert local.inputs["metadata"] == {"name": "flights", "namespace": "pipelines"}
    assert queue_label(deployment) == "flights"
    template = deployment.only(TEMPLATE)
    assert local.urn in template.dependencies, "a run that starts before its queue is there would wait for ever"


def test_without_gpus_there_is_no_queue_and_the_namespaces_quota_limits_what_runs():
    deployment = stack_capture("local")
    assert [r.name for r in deployment if r.type.startswith(KUEUE) or "JobQueue" in r.type] == []
    assert queue_label(deployment) is None
    assert (hard(deployment)["requests.cpu"], hard(deployment)["requests.nvidia.com/gpu"]) == ("64", "0")


def test_without_teams_there_is_no_queue():
    deployment = dev(teams=[], pipelines=[])
    assert not deployment.of_type(f"{KUEUE}ClusterQueue")


def test_a_queue_leaves_the_namespaces_quota_room_for_what_waits():
    deployment = stack_capture("prod-platform")
    assert nominal(deployment, "flights")["cpu", "any-pool"] == "256"
    assert hard(deployment)["requests.cpu"] == str(WAITING * 256)
    assert hard(deployment)["requests.nvidia.com/gpu"] == str(WAITING * 16)


def test_a_quota_of_gpus_counts_the_shares_that_pools_cut_them_into():
    pool = {"name": "general", "instanceTypes": ["m7i.large"], "capacity": "on_demand", "maxNodes": 2}
    shared = {
        "name": "shared",
        "instanceTypes": ["g5.xlarge"],
        "capacity": "on_demand",
        "maxNodes": 1,
        "gpu": {"maxGpus": 1, "sharing": "time_slicing", "slices": 4},
    }
    quota = hard(dev(nodePools=[pool, shared]))
    assert int(quota["requests.nvidia.com/gpu.shared"]) == 4 * int(quota["requests.nvidia.com/gpu"]) > 0


def test_reserved_gpus_are_tried_first_and_the_teams_sum_is_its_quota():
    deployment = stack_capture("prod-platform")
    found = nominal(deployment, "flights")
    assert [flavor for resource, flavor in found if resource == "nvidia.com/gpu"] == ["gpu-reserved", "gpu"]
    assert (found["nvidia.com/gpu", "gpu-reserved"], found["nvidia.com/gpu", "gpu"]) == ("8", "16")
    assert found["stackyard.dev/gpus", "any-pool"] == "16"


def test_flavors_select_the_nodes_of_their_pool():
    deployment = stack_capture("prod-platform")
    pools = {
        r.inputs["metadata"]["name"]: r.inputs["spec"]
        for r in deployment.of_type("kubernetes:karpenter.sh/v1:NodePool")
    }
    flavors = {
        r.inputs["metadata"]["name"]: r.inputs.get("spec", {}) for r in deployment.of_type(f"{KUEUE}ResourceFlavor")
    }
    assert set(flavors) - {"any-pool"} == {"gpu", "gpu-reserved"}
    for name in ("gpu", "gpu-reserved"):
        assert flavors[name]["nodeLabels"] == {"karpenter.sh/nodepool": name}
        assert flavors[name]["nodeTaints"] == pools[name]["template"]["spec"]["taints"]


def test_shared_gpus_are_counted_in_shares():
    pools = [
        {"name": "general", "instanceTypes": ["m7i.large"], "capacity": "spot", "maxNodes": 2},
        {
            "name": "shared",
            "instanceTypes": ["g5.xlarge"],
            "capacity": "spot",
            "maxNodes": 2,
            "gpu": {"maxGpus": 2, "sharing": "time_slicing", "slices": 4},
        },
    ]
    found = nominal(dev(nodePools=pools, teams=[{"name": "flights"}]), "flights")
    assert found["nvidia.com/gpu.shared", "shared"] == "8"
    assert found["stackyard.dev/gpus", "any-pool"] == "8", "two GPUs in quarters: what the pools have"


def test_kueue_runs_on_the_cpu_pool_and_leaves_before_it():
    deployment = stack_capture("dev")
    release = deployment.named("job-queue-release")
    assert any("general-pool" in urn for urn in release.dependencies)
