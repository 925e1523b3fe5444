"""System nodes: tainted, pinned, closed to pods' hands, with rights to join and to pull and no more."""

import json

import pytest

from components.system_nodes import SystemNodes, SystemNodesArgs
from tests.components.test_cluster import LOCATION, cluster

GROUP = "aws:eks/nodeGroup:NodeGroup"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"


def nodes(**args):
    k8s = cluster()
    defaults = {
        "location": LOCATION,
        "cluster": k8s,
        "kubernetes_version": "1.35",
        "release_version": "1.35.6-20260714",
        "subnet_ids": ["subnet-1", "subnet-2"],
        "after": [k8s],
    }
    return SystemNodes("system", SystemNodesArgs(**(defaults | args)))


def test_only_what_tolerates_the_taint_runs_there(capture):
    group = capture(nodes).only(GROUP).inputs
    assert group["taints"] == [{"key": "CriticalAddonsOnly", "value": "true", "effect": "NO_SCHEDULE"}]
    assert group["labels"] == {"stackyard/pool": "system"}


def test_the_image_is_pinned_to_a_release_of_the_clusters_minor(capture):
    group = capture(nodes).only(GROUP).inputs
    assert (group["amiType"], group["version"]) == ("AL2023_x86_64_STANDARD", "1.35")
    assert group["releaseVersion"] == "1.35.6-20260714"


def test_nodes_stand_in_the_given_subnets_on_demand_two_at_least(capture):
    group = capture(nodes).only(GROUP).inputs
    assert group["subnetIds"] == ["subnet-1", "subnet-2"]
    assert (group["capacityType"], group["instanceTypes"]) == ("ON_DEMAND", ["m7i.large"])
    assert group["scalingConfig"] == {"minSize": 2, "desiredSize": 2, "maxSize": 3}
    assert group["updateConfig"] == {"maxUnavailable": 1}
    assert group["nodeRepairConfig"] == {"enabled": True}
    assert "remoteAccess" not in group, "nobody logs in"


def test_a_number_of_nodes_set_by_hand_survives_the_next_run(capture):
    assert capture(nodes).only(GROUP).ignore_changes == ("scalingConfig.desiredSize",)


def test_pods_cannot_reach_instance_metadata(capture):
    assert capture(nodes).only(TEMPLATE).inputs["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
        "instanceMetadataTags": "disabled",
    }


@pytest.mark.parametrize("key", [None, "arn:aws:kms:eu-central-1:123456789012:key/1"])
def test_volumes_are_encrypted_with_the_accounts_key_or_a_given_one(capture, key):
    (device,) = capture(nodes, volume_key_arn=key).only(TEMPLATE).inputs["blockDeviceMappings"]
    expected = {"encrypted": "true", "volumeType": "gp3", "volumeSize": 50, "deleteOnTermination": "true"}
    assert device == {"deviceName": "/dev/xvda", "ebs": expected | ({"kmsKeyId": key} if key else {})}


def test_nodes_and_volumes_carry_the_components_tags(capture):
    tags = {entry["resourceType"]: entry["tags"] for entry in capture(nodes).only(TEMPLATE).inputs["tagSpecifications"]}
    assert tags == {kind: {"component": "system", "Name": "system-template"} for kind in ("instance", "volume")}


def test_the_template_makes_no_public_address(capture):
    assert "networkInterfaces" not in capture(nodes).only(TEMPLATE).inputs, "private subnets give none"


def test_a_new_template_version_rolls_the_nodes(capture):
    deployment = capture(nodes)
    template = deployment.only(TEMPLATE)
    launch = deployment.only(GROUP).inputs["launchTemplate"]
    assert launch == {"id": template.id, "version": str(template.outputs["latestVersion"])}


def test_the_role_joins_and_pulls_and_has_no_rights_over_the_network(capture):
    deployment = capture(nodes)
    attached = {
        r.inputs["policyArn"].rsplit("/", 1)[-1]
        for r in deployment.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        if r.name.startswith("system-")
    }
    assert attached == {"AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy"}
    (role,) = [r for r in deployment.of_type("aws:iam/role:Role") if r.name == "system-role"]
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "ec2.amazonaws.com"}


def test_nodes_come_after_their_rights_and_what_they_need(capture):
    deployment = capture(nodes)
    before = set(deployment.only(GROUP).dependencies)
    needed = [r for r in deployment if r.name.startswith("system-role-") or r.name == "k8s-cluster"]
    assert len(needed) == 3
    assert {r.urn for r in needed} <= before


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"release_version": "1.34.9-20260714"}, "is not one of Kubernetes 1.35"),
        ({"release_version": "latest"}, "node release 'latest'"),
        ({"nodes": 4}, "4 nodes of at most 3"),
        ({"nodes": 0}, "0 nodes of at most 3"),
        ({"volume_gb": 8}, "8 GB is too small"),
        ({"instance_types": []}, "instance_types is empty"),
    ],
)
def test_what_cannot_work_is_refused(capture, args, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(nodes, **args)
