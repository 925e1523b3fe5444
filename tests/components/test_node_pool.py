"""CPU pools: pinned and closed nodes, ceilings, no GPUs; emptied to save money, but not under pods that say no."""

import pytest

from components.capacity import Capacity
from components.node_pool_spec import ReplacementWindow
from stackyard.local.kubernetes.schemas import validate
from tests.components.pools import NODE_CLASS, NODE_POOL, NOT_NEEDED, OVERLAY, cpu_pool, deleted_in, requirement, spec


def test_nodes_run_one_release_of_the_image_and_never_the_latest(capture):
    assert spec(capture(cpu_pool), NODE_CLASS)["amiSelectorTerms"] == [{"alias": "al2023@v20260724"}]


@pytest.mark.parametrize("alias", ["al2023@latest", "bottlerocket@v1.20.0", "al2@v20260724", "al2023@v2026"])
def test_an_image_that_moves_or_is_of_another_family_is_refused(capture, alias):
    with pytest.raises(ValueError, match=r"is not one release of Amazon Linux 2023: .*'al2023@v20260724'"):
        capture(cpu_pool, image_alias=alias)


@pytest.mark.parametrize("key", [None, "arn:aws:kms:eu-central-1:123456789012:key/1"])
def test_volumes_are_encrypted_and_sized_in_gb(capture, key):
    (device,) = spec(capture(cpu_pool, disk_size_gb=200, disk_key_arn=key), NODE_CLASS)["blockDeviceMappings"]
    expected = {"deleteOnTermination": True, "encrypted": True, "volumeSize": "200Gi", "volumeType": "gp3"}
    assert device == {"deviceName": "/dev/xvda", "ebs": expected | ({"kmsKeyID": key} if key else {})}


def test_pods_cannot_reach_instance_metadata(capture):
    assert spec(capture(cpu_pool), NODE_CLASS)["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpProtocolIPv6": "disabled",
        "httpPutResponseHopLimit": 1,
        "httpTokens": "required",
    }


def test_nodes_stand_in_the_given_subnets_with_the_clusters_group_and_no_public_address(capture):
    deployment = capture(cpu_pool)
    found = spec(deployment, NODE_CLASS)
    group = deployment.only("aws:eks/cluster:Cluster").outputs["vpcConfig"]["clusterSecurityGroupId"]
    assert found["subnetSelectorTerms"] == [{"id": "subnet-1"}, {"id": "subnet-2"}], "sorted, so order is no change"
    assert found["securityGroupSelectorTerms"] == [{"id": group}]
    assert found["associatePublicIPAddress"] is False


def test_nodes_take_the_one_role_of_the_autoscaler(capture):
    deployment = capture(cpu_pool)
    (role,) = [r for r in deployment.of_type("aws:iam/role:Role") if r.name == "nodes-node-role"]
    assert spec(deployment, NODE_CLASS)["role"] == role.outputs["name"]


def test_everything_that_is_started_can_be_found_and_paid_by_its_tags(capture):
    assert spec(capture(cpu_pool, tags={"owner": "ml"}), NODE_CLASS)["tags"] == {
        "component": "general-pool",
        "owner": "ml",
        "stackyard:cluster": "acme-dev",
        "stackyard:pool": "general",
    }


def test_local_disks_are_scratch_where_all_types_have_them(capture):
    assert spec(capture(cpu_pool, instance_types=["m7gd.large", "c7gd.large"]), NODE_CLASS)["instanceStorePolicy"] == (
        "RAID0"
    )
    assert "instanceStorePolicy" not in spec(capture(cpu_pool, instance_types=["m7g.large", "m7gd.large"]), NODE_CLASS)


def test_a_pool_starts_its_types_alone_of_their_architecture_and_capacity(capture):
    deployment = capture(cpu_pool)
    assert requirement(deployment, "node.kubernetes.io/instance-type") == ["m7i.large", "m7i.xlarge"]
    assert requirement(deployment, "kubernetes.io/arch") == ["amd64"]
    assert requirement(deployment, "kubernetes.io/os") == ["linux"]
    assert requirement(deployment, "karpenter.sh/capacity-type") == ["spot"]
    assert requirement(deployment, "topology.kubernetes.io/zone") is None, "all zones of the subnets"
    assert spec(deployment, NODE_POOL)["template"]["spec"]["nodeClassRef"] == {
        "group": "karpenter.k8s.aws",
        "kind": "EC2NodeClass",
        "name": "general",
    }


def test_graviton_types_ask_for_their_own_architecture(capture):
    assert requirement(capture(cpu_pool, instance_types=["m7g.large"]), "kubernetes.io/arch") == ["arm64"]


def test_a_pool_stays_in_the_zones_that_it_names(capture):
    assert requirement(capture(cpu_pool, zones=["eu-central-1b"]), "topology.kubernetes.io/zone") == ["eu-central-1b"]


def test_ceilings_are_always_written_down_and_leave_no_gpu(capture):
    assert spec(capture(cpu_pool), NODE_POOL)["limits"] == {"nodes": "4", "nvidia.com/gpu": "0"}


def test_pipelines_find_the_pool_and_nothing_keeps_them_away(capture):
    template = spec(capture(cpu_pool), NODE_POOL)["template"]
    assert template["metadata"] == {"labels": {"stackyard.dev/pool": "cpu"}}
    assert "taints" not in template["spec"]


def test_idle_and_hardly_used_nodes_go_a_few_at_a_time(capture):
    disruption = spec(capture(cpu_pool, idle_minutes=15), NODE_POOL)["disruption"]
    assert (disruption["consolidationPolicy"], disruption["consolidateAfter"]) == ("WhenEmptyOrUnderutilized", "15m")
    assert {"nodes": "10%", "reasons": ["Drifted", "Underutilized"]} in disruption["budgets"]
    assert {"nodes": "100%", "reasons": ["Empty"]} in disruption["budgets"]


def test_drifted_nodes_are_replaced_at_night_alone(capture):
    budgets = spec(capture(cpu_pool), NODE_POOL)["disruption"]["budgets"]
    assert budgets[-1] == {"nodes": "0", "reasons": ["Drifted"], "schedule": "0 5 * * *", "duration": "20h"}


def test_a_pool_may_have_another_window_or_none(capture):
    late = ReplacementWindow(start_hour=22, hours=4)
    budgets = spec(capture(cpu_pool, replacement_window=late), NODE_POOL)["disruption"]["budgets"]
    assert budgets[-1] == {"nodes": "0", "reasons": ["Drifted"], "schedule": "0 2 * * *", "duration": "20h"}
    always = ReplacementWindow(start_hour=0, hours=24)
    assert "schedule" not in spec(capture(cpu_pool, replacement_window=always), NODE_POOL)["disruption"]["budgets"][-1]


def test_nodes_live_a_month_at_most_and_a_pod_that_never_ends_cannot_keep_one(capture):
    template = spec(capture(cpu_pool), NODE_POOL)["template"]["spec"]
    assert (template["expireAfter"], template["terminationGracePeriod"]) == ("720h", "48h")
    patient = spec(capture(cpu_pool, termination_grace_hours=None), NODE_POOL)["template"]["spec"]
    assert "terminationGracePeriod" not in patient


@pytest.mark.parametrize(
    ("capacity", "types", "weight"),
    [
        (Capacity.SPOT, ["spot"], 50),
        (Capacity.SPOT_THEN_ON_DEMAND, ["on-demand", "spot"], 40),
        (Capacity.ON_DEMAND, ["on-demand"], 10),
    ],
)
def test_capacity_says_where_nodes_come_from_and_before_which_others(capture, capacity, types, weight):
    deployment = capture(cpu_pool, capacity=capacity)
    assert requirement(deployment, "karpenter.sh/capacity-type") == types
    assert spec(deployment, NODE_POOL)["weight"] == weight
    assert "capacityReservationSelectorTerms" not in spec(deployment, NODE_CLASS)


def test_a_reservation_is_taken_by_its_id_and_before_all_others(capture):
    ids = ["cr-2", "cr-1"]
    deployment = capture(cpu_pool, capacity=Capacity.RESERVATION, reservation_ids=ids)
    assert requirement(deployment, "karpenter.sh/capacity-type") == ["reserved"]
    assert spec(deployment, NODE_POOL)["weight"] == 90
    assert spec(deployment, NODE_CLASS)["capacityReservationSelectorTerms"] == [{"id": "cr-1"}, {"id": "cr-2"}]


def test_a_destroy_takes_the_pool_then_its_class_and_karpenter_last(capture):
    layer = deleted_in(capture(cpu_pool))
    assert layer["general-pool-node-pool"] < layer["general-pool-node-class"]
    for outlives in ("nodes-release", "nodes-definitions", "nodes-node-role-access"):
        assert layer["general-pool-node-class"] < layer[outlives], f"{outlives} must still be there"


def test_the_api_server_would_accept_both_objects(capture):
    deployment = capture(cpu_pool, zones=["eu-central-1a"])
    for type_ in (NODE_CLASS, NODE_POOL):
        validate(dict(deployment.only(type_).inputs), "1.35")
    assert not deployment.of_type(OVERLAY)


def test_outputs_are_registered(capture):
    assert capture(cpu_pool).only("stackyard:index:NodePool").outputs == {"poolName": "general"}


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"instance_types": []}, "instance_types is empty"),
        ({"instance_types": ["g5.xlarge"]}, r"g5\.xlarge has GPUs: without a taint CPU pods would fill such nodes"),
        ({"instance_types": ["trn1.32xlarge"]}, r"trn1\.32xlarge has an accelerator for which the node image has no"),
        ({"instance_types": ["m7i.large", "m7g.large"]}, "mixes the processor architectures amd64 and arm64"),
        ({"max_nodes": 0}, "max_nodes 0 is not possible"),
        ({"idle_minutes": 0}, "idle_minutes 0 is not possible"),
        ({"termination_grace_hours": 0}, "termination_grace_hours 0 is not possible"),
        ({"capacity": Capacity.RESERVATION}, "names no reservation: Karpenter takes capacity only from those"),
        ({"reservation_ids": ["cr-1"]}, "of capacity spot names reservations, which it would pay for and not use"),
        (
            {"capacity": Capacity.CAPACITY_BLOCK, "reservation_ids": ["cr-1"]},
            "has no GPUs, and AWS sells capacity blocks for GPUs alone",
        ),
    ],
)
def test_what_cannot_work_is_refused(capture, args, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(cpu_pool, **NOT_NEEDED, **args)


@pytest.mark.parametrize(("start", "hours"), [(24, 1), (-1, 1), (0, 0), (0, 25)])
def test_a_window_lies_within_a_day(start, hours):
    with pytest.raises(ValueError, match="is not possible: it starts at 0 to 23 and has 1 to 24 hours"):
        ReplacementWindow(start_hour=start, hours=hours)


@pytest.mark.parametrize(
    ("size", "sentence"), [(8, "a root volume of 8 GB is not possible"), (20_000, "gp3 has at most 16384")]
)
def test_a_disk_that_ec2_cannot_have_is_refused(capture, size, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(cpu_pool, disk_size_gb=size)
