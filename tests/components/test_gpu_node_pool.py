"""GPU pools: tainted, never taken from a job to save money; shared, fast or reserved as asked, or refused."""

import pytest

from components.capacity import Capacity
from components.gpu_sharing import GpuSharing, GpuSharingMode
from stackyard.local.kubernetes.schemas import validate
from tests.components.pools import NODE_CLASS, NODE_POOL, NOT_NEEDED, OVERLAY, deleted_in, gpu_pool, requirement, spec

GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
PLACEMENT = "aws:ec2/placementGroup:PlacementGroup"

SLICED = GpuSharing(mode=GpuSharingMode.TIME_SLICING, slices=4)
CUT = GpuSharing(mode=GpuSharingMode.MIG, mig_profile="1g.10gb")


def fast_pool(**args):
    """Two p5 that talk to each other by EFA."""
    defaults = {
        "instance_types": ["p5.48xlarge"],
        "max_gpus": 16,
        "efa": True,
        "vpc_id": "vpc-1",
        "zones": ["eu-central-1a"],
        "capacity": Capacity.ON_DEMAND,
    }
    return gpu_pool(**(defaults | args))


def block_pool(**args):
    defaults = {
        "instance_types": ["p5.48xlarge"],
        "max_gpus": 8,
        "capacity": Capacity.CAPACITY_BLOCK,
        "reservation_ids": ["cr-1"],
        "capacity_block_ends": "2027-03-15",
        "zones": ["eu-central-1a"],
    }
    return gpu_pool(**(defaults | args))


def test_pods_that_ask_for_no_gpu_stay_away(capture):
    assert spec(capture(gpu_pool), NODE_POOL)["template"]["spec"]["taints"] == [
        {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}
    ]


def test_pipelines_and_the_device_plugin_find_the_nodes(capture):
    assert spec(capture(gpu_pool), NODE_POOL)["template"]["metadata"]["labels"] == {
        "stackyard.dev/pool": "gpu",
        "nvidia.com/gpu.present": "true",
        "nvidia.com/device-plugin.config": "default",
    }


def test_both_ceilings_hold(capture):
    assert spec(capture(gpu_pool), NODE_POOL)["limits"] == {"nodes": "4", "nvidia.com/gpu": "4"}


def test_nodes_go_when_they_are_empty_and_at_no_other_time(capture):
    found = spec(capture(gpu_pool, idle_minutes=20), NODE_POOL)
    assert found["disruption"]["consolidationPolicy"] == "WhenEmpty"
    assert found["disruption"]["consolidateAfter"] == "20m"
    assert {"nodes": "0", "reasons": ["Underutilized"]} in found["disruption"]["budgets"]
    assert found["template"]["spec"]["expireAfter"] == "Never", "expiry waits for no job"


def test_drift_never_begins_under_a_running_job(capture):
    template = spec(capture(gpu_pool), NODE_POOL)["template"]["spec"]
    assert "terminationGracePeriod" not in template, "with one Karpenter disrupts nodes under pods that say no"


def test_a_deadline_for_termination_is_an_explicit_choice(capture):
    template = spec(capture(gpu_pool, termination_grace_hours=12), NODE_POOL)["template"]["spec"]
    assert template["terminationGracePeriod"] == "12h"


def test_drifted_nodes_are_replaced_one_by_one_at_night(capture):
    budgets = spec(capture(gpu_pool), NODE_POOL)["disruption"]["budgets"]
    assert {"nodes": "1", "reasons": ["Drifted"]} in budgets
    assert {"nodes": "0", "reasons": ["Drifted"], "schedule": "0 5 * * *", "duration": "20h"} in budgets


def test_images_and_scratch_lie_on_local_disks_where_all_types_have_them(capture):
    assert spec(capture(gpu_pool), NODE_CLASS)["instanceStorePolicy"] == "RAID0"
    assert "instanceStorePolicy" not in spec(capture(gpu_pool, instance_types=["p3.2xlarge", "g5.xlarge"]), NODE_CLASS)


def test_a_plain_pool_makes_nothing_in_aws_and_no_overlay(capture):
    deployment = capture(gpu_pool)
    own = [r.type for r in deployment if r.name.startswith("gpu-pool-")]
    assert own == [NODE_CLASS, NODE_POOL]


# Shared GPUs


def test_a_sliced_pool_tells_karpenter_how_many_shares_a_type_has(capture):
    types = ["g5.xlarge", "g5.12xlarge", "g6.xlarge"]
    deployment = capture(gpu_pool, instance_types=types, sharing=SLICED, node_overlays=True, max_gpus=8)
    overlays = {r.inputs["metadata"]["name"]: r.inputs["spec"] for r in deployment.of_type(OVERLAY)}
    assert overlays == {
        "gpu-1": {
            "requirements": [
                {"key": "karpenter.sh/nodepool", "operator": "In", "values": ["gpu"]},
                {
                    "key": "node.kubernetes.io/instance-type",
                    "operator": "In",
                    "values": ["g5.xlarge", "g6.xlarge"],
                },
            ],
            "capacity": {"nvidia.com/gpu.shared": "4", "nvidia.com/gpu": "0"},
        },
        "gpu-4": {
            "requirements": [
                {"key": "karpenter.sh/nodepool", "operator": "In", "values": ["gpu"]},
                {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["g5.12xlarge"]},
            ],
            "capacity": {"nvidia.com/gpu.shared": "16", "nvidia.com/gpu": "0"},
        },
    }


def test_a_sliced_pool_counts_shares_and_labels_its_nodes_for_the_device_plugin(capture):
    found = spec(capture(gpu_pool, sharing=SLICED, node_overlays=True), NODE_POOL)
    assert found["limits"] == {"nodes": "4", "nvidia.com/gpu": "4", "nvidia.com/gpu.shared": "16"}
    assert found["template"]["metadata"]["labels"]["nvidia.com/device-plugin.config"] == "timeslice-4"


def test_a_pool_is_there_after_its_overlays_and_goes_before_them(capture):
    deployment = capture(gpu_pool, sharing=SLICED, node_overlays=True)
    overlay = deployment.only(OVERLAY)
    assert overlay.urn in deployment.only(NODE_POOL).dependencies, "else it would start nodes for whole GPUs first"
    assert deleted_in(deployment)["gpu-pool-overlay-1"] < deleted_in(deployment)["nodes-release"]


def test_a_cut_pool_cuts_its_gpus_before_the_node_joins(capture):
    deployment = capture(gpu_pool, instance_types=["p5.4xlarge"], sharing=CUT, node_overlays=True)
    script = spec(deployment, NODE_CLASS)["userData"]
    assert script.startswith("#!/bin/bash\nset -euo pipefail\n")
    assert f"nvidia-smi mig -cgi {','.join(['1g.10gb'] * 7)} -C" in script
    assert deployment.only(OVERLAY).inputs["spec"]["capacity"] == {"nvidia.com/mig-1g.10gb": "7", "nvidia.com/gpu": "0"}
    assert spec(deployment, NODE_POOL)["limits"]["nvidia.com/mig-1g.10gb"] == "28"


def test_a_pool_that_is_not_cut_runs_nothing_at_boot(capture):
    assert "userData" not in spec(capture(gpu_pool, sharing=SLICED, node_overlays=True), NODE_CLASS)


# EFA


def test_nodes_of_an_efa_pool_talk_to_each_other_alone_in_a_group_of_their_own(capture):
    deployment = capture(fast_pool)
    group = deployment.only(GROUP)
    assert group.inputs["vpcId"] == "vpc-1"
    for type_ in (INGRESS, EGRESS):
        rule = deployment.only(type_).inputs
        assert (rule["securityGroupId"], rule["referencedSecurityGroupId"]) == (group.id, group.id)
        assert rule["ipProtocol"] == "-1"
        assert not {"cidrIpv4", "cidrIpv6", "prefixListId"} & set(rule)
    cluster_group = deployment.only("aws:eks/cluster:Cluster").outputs["vpcConfig"]["clusterSecurityGroupId"]
    assert spec(deployment, NODE_CLASS)["securityGroupSelectorTerms"] == [{"id": cluster_group}, {"id": group.id}]


def test_nodes_of_an_efa_pool_stand_close_together(capture):
    deployment = capture(fast_pool)
    group = deployment.only(PLACEMENT)
    assert group.inputs["strategy"] == "cluster"
    assert spec(deployment, NODE_CLASS)["placementGroupSelector"] == {"id": group.outputs["placementGroupId"]}
    assert requirement(deployment, "topology.kubernetes.io/zone") == ["eu-central-1a"]


@pytest.mark.parametrize(
    ("kind", "interfaces"),
    [
        ("g5.48xlarge", [(0, 0, "interface"), (0, 1, "efa-only")]),
        ("p4d.24xlarge", [(0, 0, "interface"), (0, 1, "efa-only"), *((n, 0, "efa-only") for n in range(1, 4))]),
        ("p5.48xlarge", [(0, 0, "interface"), (0, 1, "efa-only"), *((n, 0, "efa-only") for n in range(1, 32))]),
        ("p6-b300.48xlarge", [(0, 0, "interface"), *((n, 0, "efa-only") for n in range(1, 17))]),
    ],
)
def test_every_network_card_has_its_adapter_and_one_interface_has_an_address(capture, kind, interfaces):
    found = spec(capture(fast_pool, instance_types=[kind]), NODE_CLASS)
    assert [
        (one["networkCardIndex"], one["deviceIndex"], one["interfaceType"]) for one in found["networkInterfaces"]
    ] == interfaces
    assert "associatePublicIPAddress" not in found, "EC2 takes no word about it with several interfaces"


@pytest.mark.parametrize("capacity", [Capacity.RESERVATION, Capacity.CAPACITY_BLOCK])
def test_a_reservation_lies_where_it_lies_and_gets_no_placement_group(capture, capacity):
    ends = "2027-03-15" if capacity is Capacity.CAPACITY_BLOCK else None
    deployment = capture(fast_pool, capacity=capacity, reservation_ids=["cr-1"], capacity_block_ends=ends)
    assert not deployment.of_type(PLACEMENT), "EC2 finds no capacity for a reservation that was not made in the group"
    assert "placementGroupSelector" not in spec(deployment, NODE_CLASS)
    assert deployment.of_type(GROUP), "EFA needs its group all the same"


def test_groups_outlive_the_nodes_that_use_them(capture):
    layer = deleted_in(capture(fast_pool))
    for group in ("gpu-pool-security-group", "gpu-pool-placement-group"):
        assert layer["gpu-pool-node-class"] < layer[group]


def test_what_can_be_tagged_names_its_component(capture):
    deployment = capture(fast_pool)
    for type_ in (GROUP, INGRESS, EGRESS, PLACEMENT):
        assert deployment.only(type_).inputs["tags"]["component"] == "gpu-pool"


# Capacity blocks


def test_a_capacity_block_is_taken_by_its_id_and_its_end_can_be_read_in_the_cluster(capture):
    deployment = capture(block_pool)
    pool = deployment.only(NODE_POOL).inputs
    assert pool["metadata"] == {"name": "gpu", "annotations": {"stackyard.dev/capacity-block-ends": "2027-03-15"}}
    assert pool["spec"]["weight"] == 100
    assert spec(deployment, NODE_CLASS)["capacityReservationSelectorTerms"] == [{"id": "cr-1"}]


@pytest.mark.parametrize("make", [gpu_pool, fast_pool, block_pool])
def test_the_api_server_would_accept_every_object(capture, make):
    deployment = capture(make)
    for type_ in (NODE_CLASS, NODE_POOL):
        validate(dict(deployment.only(type_).inputs), "1.35")


@pytest.mark.parametrize(("sharing", "kind"), [(SLICED, "g5.xlarge"), (CUT, "p5.48xlarge")])
def test_the_api_server_would_accept_overlays(capture, sharing, kind):
    deployment = capture(gpu_pool, sharing=sharing, instance_types=[kind], max_gpus=8, node_overlays=True)
    validate(dict(deployment.only(OVERLAY).inputs), "1.35")


def test_a_destroy_takes_the_pool_then_its_class_and_karpenter_last(capture):
    layer = deleted_in(capture(gpu_pool))
    assert layer["gpu-pool-node-pool"] < layer["gpu-pool-node-class"] < layer["nodes-release"]


def test_outputs_are_registered(capture):
    assert capture(gpu_pool).only("stackyard:index:GpuNodePool").outputs == {"poolName": "gpu"}


MIXED_CUTS = {"instance_types": ["p4d.24xlarge", "p5.48xlarge"], "sharing": CUT, "node_overlays": True, "max_gpus": 8}


@pytest.mark.parametrize(
    ("make", "args", "sentence"),
    [
        (gpu_pool, {"instance_types": ["m7i.large"]}, r"m7i\.large is not known to have an NVIDIA GPU"),
        (gpu_pool, {"instance_types": ["p9.huge"]}, r"p9\.huge is not known to have an NVIDIA GPU"),
        (gpu_pool, {"instance_types": ["g5.xlarge", "g5g.xlarge"]}, "mixes the processor architectures"),
        (gpu_pool, {"instance_types": ["g5.12xlarge"], "max_gpus": 2}, "a single g5.12xlarge has 4 GPUs and would"),
        (gpu_pool, {"sharing": SLICED}, "shares its GPUs and starts from zero: Karpenter counts whole GPUs"),
        (gpu_pool, {"sharing": CUT, "node_overlays": True}, "the a10g cannot be partitioned"),
        (
            gpu_pool,
            {"sharing": CUT, "instance_types": ["p5en.48xlarge"], "max_gpus": 8, "node_overlays": True},
            r"profile '1g.10gb' is none of p5en.48xlarge, whose h200 knows 1g.18gb",
        ),
        (gpu_pool, MIXED_CUTS, "into 4 and 7 partitions of 1g.10gb"),
        (gpu_pool, {"reservation_ids": ["cr-1"]}, "of capacity spot names reservations"),
        (gpu_pool, {"capacity_block_ends": "2027-03-15"}, "of capacity spot has no end"),
        (gpu_pool, {"efa": True, "vpc_id": "vpc-1"}, r"g5\.xlarge has no EFA interfaces"),
        (gpu_pool, {"vpc_id": "vpc-1"}, "vpc_id belongs to efa"),
        (fast_pool, {"vpc_id": None}, "vpc_id belongs to efa"),
        (fast_pool, {"zones": None}, "EFA works inside one zone, and pool 'gpu' has all"),
        (fast_pool, {"zones": ["eu-central-1a", "eu-central-1b"]}, "EFA works inside one zone, and pool 'gpu' has 2"),
        (
            fast_pool,
            {"instance_types": ["p4d.24xlarge", "p5.48xlarge"]},
            r"different numbers of EFA interfaces \(p4d.24xlarge 4, p5.48xlarge 32\)",
        ),
        (block_pool, {"reservation_ids": []}, "of capacity capacity_block names no reservation"),
        (block_pool, {"capacity_block_ends": None}, "names no end: AWS takes the nodes then, whatever runs on them"),
        (block_pool, {"zones": None}, "lies in one zone, and all are given"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(capture, make, args, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(make, **NOT_NEEDED, **args)
