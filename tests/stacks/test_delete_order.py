"""The way out of a cluster: what is deleted, read from what each resource depends on."""

import pytest

from tests.stack_captures import STACKS, stack_capture

PLATFORMS = [stack for stack in STACKS if stack != "account" and not stack.endswith("-base")]
RELEASE = "kubernetes:helm.sh/v3:Release"


def needs(deployment, resource):
    """Names of all that is still there when the resource goes: what it depends on, directly or not."""
    by_urn = {found.urn: found for found in deployment}
    seen, todo = set(), [resource]
    while todo:
        current = todo.pop()
        for urn in (*current.dependencies, current.parent):
            if urn in by_urn and urn not in seen:
                seen.add(urn)
                todo.append(by_urn[urn])
    return {by_urn[urn].name for urn in seen}


def of_karpenter(deployment):
    return [r for r in deployment if r.type.startswith(("kubernetes:karpenter.sh/", "kubernetes:karpenter.k8s.aws/"))]


@pytest.mark.parametrize("stack", PLATFORMS)
def test_pools_go_while_karpenter_runs_and_its_definitions_exist(stack):
    deployment = stack_capture(stack)
    pools = of_karpenter(deployment)
    assert pools, "every environment has a pool"
    for pool in pools:
        assert {"node-autoscaler-release", "node-autoscaler-definitions"} <= needs(deployment, pool)


@pytest.mark.parametrize("stack", PLATFORMS)
def test_nodes_that_go_may_still_use_the_cluster(stack):
    deployment = stack_capture(stack)
    rights = {r.name for r in deployment if r.name.startswith("node-autoscaler-node-role")}
    assert len(rights) == 4, "the role, its access entry, two policies"
    for pool in of_karpenter(deployment):
        assert rights <= needs(deployment, pool)


@pytest.mark.parametrize("stack", PLATFORMS)
def test_karpenter_goes_before_its_rights_its_queue_and_the_nodes_it_runs_on(stack):
    deployment = stack_capture(stack)
    (release,) = [r for r in deployment.of_type(RELEASE) if r.name == "node-autoscaler-release"]
    left = needs(deployment, release)
    own = {r.name for r in deployment if r.name.startswith(("node-autoscaler-controller", "node-autoscaler-queue"))}
    assert len(own) == 8
    assert own <= left
    assert {"system-nodes-nodes", "cluster-addons-coredns", "node-addons-vpc-cni"} <= left
    assert "monitoring-crds-release" in left, "its ServiceMonitor goes before the definition"


@pytest.mark.parametrize("stack", PLATFORMS)
def test_gpu_agents_go_before_the_nodes_they_run_on_and_their_definitions(stack):
    deployment = stack_capture(stack)
    for release in (r for r in deployment.of_type(RELEASE) if r.name.startswith("gpu-runtime-")):
        assert {"system-nodes-nodes", "monitoring-crds-release"} <= needs(deployment, release)


@pytest.mark.parametrize("stack", ["local", "dev"])
def test_nodes_go_before_the_networks_ways_out(stack):
    """Karpenter ends its nodes by AWS's API: in one stack with the network, that must still be within reach."""
    deployment = stack_capture(stack)
    ways_out = {
        r.name
        for r in deployment
        if r.name.startswith("network-") and r.type.startswith(("aws:ec2/nat", "aws:ec2/rou"))
    }
    assert any("nat" in name for name in ways_out) and any(name.endswith("-out") for name in ways_out)
    for pool in of_karpenter(deployment):
        assert ways_out <= needs(deployment, pool)


@pytest.mark.parametrize("stack", PLATFORMS)
def test_what_runs_on_the_pool_general_comes_after_it_and_goes_before_it(stack):
    deployment = stack_capture(stack)
    for release in ("pipeline-engine-release", "job-queue-release"):
        for found in (r for r in deployment.of_type(RELEASE) if r.name == release):
            assert "general-pool-node-pool" in needs(deployment, found), "no node, and the release rolls back"


@pytest.mark.parametrize("stack", PLATFORMS)
def test_pools_get_the_time_that_aws_takes_to_end_their_nodes(stack):
    for pool in (r for r in of_karpenter(stack_capture(stack)) if not r.type.endswith("NodeOverlay")):
        assert pool.custom_timeouts == {"delete": 3600}
