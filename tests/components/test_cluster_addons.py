"""Managed add-ons: pinned, with the least rights, the program's values, and in the order that nodes need."""

import json

import pytest

from components.cluster_addons import NODE_ADDONS, ClusterAddons, ClusterAddonsArgs
from tests.components.test_cluster import LOCATION, cluster
from tests.stack_captures import stack_capture

ADDON = "aws:eks/addon:Addon"
VERSIONS = {"coredns": "v1.14.6-eksbuild.4", "vpc-cni": "v1.23.1-eksbuild.1"}


def addons(versions=VERSIONS, **args):
    return ClusterAddons("addons", ClusterAddonsArgs(location=LOCATION, cluster=cluster(), versions=versions, **args))


def by_name(deployment):
    return {addon.inputs["addonName"]: addon for addon in deployment.of_type(ADDON)}


def roles(deployment):
    return [role for role in deployment.of_type("aws:iam/role:Role") if role.name.startswith("addons-")]


def test_each_add_on_is_pinned_and_the_program_wins_over_changes_by_hand(capture):
    found = by_name(capture(addons))
    assert {name: addon.inputs["addonVersion"] for name, addon in found.items()} == VERSIONS
    assert {addon.inputs["resolveConflictsOnUpdate"] for addon in found.values()} == {"OVERWRITE"}
    assert {addon.inputs["clusterName"] for addon in found.values()} == {"acme-dev"}


def test_the_cni_enforces_network_policies_and_says_so_in_texts(capture):
    values = json.loads(by_name(capture(addons))["vpc-cni"].inputs["configurationValues"])
    assert values["enableNetworkPolicy"] == "true", "the add-on's schema refuses a boolean"
    assert values["nodeAgent"] == {"enablePolicyEventLogs": "true"}


def test_only_the_cnis_own_account_gets_its_rights(capture):
    deployment = capture(addons, permissions_boundary="arn:aws:iam::123456789012:policy/boundary")
    (role,) = roles(deployment)
    assert by_name(deployment)["vpc-cni"].inputs["podIdentityAssociations"] == [
        {"roleArn": role.outputs["arn"], "serviceAccount": "aws-node"}
    ]
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Condition"]["ArnEquals"] == {
        "aws:SourceArn": "arn:aws:eks:eu-central-1:123456789012:cluster/acme-dev"
    }
    assert role.inputs["permissionsBoundary"] == "arn:aws:iam::123456789012:policy/boundary"


def test_an_add_on_that_calls_no_aws_api_gets_no_role(capture):
    deployment = capture(addons, versions={"coredns": VERSIONS["coredns"]})
    assert roles(deployment) == []
    assert not {"podIdentityAssociations", "serviceAccountRoleArn"} & set(by_name(deployment)["coredns"].inputs)


def test_an_add_on_has_its_rights_before_it_starts(capture):
    deployment = capture(addons)
    attachment = next(r for r in deployment if r.name == "addons-vpc-cni-role-policy")
    assert attachment.urn in by_name(deployment)["vpc-cni"].dependencies


def test_the_gpu_monitor_tolerates_gpu_nodes(capture):
    deployment = capture(addons, versions={"eks-node-monitoring-agent": "v1.6.5-eksbuild.1"})
    values = json.loads(by_name(deployment)["eks-node-monitoring-agent"].inputs["configurationValues"])
    assert values["dcgmAgent"]["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]


@pytest.mark.parametrize("stack", ["dev", "prod-platform"])
def test_network_and_credentials_come_before_nodes_and_the_rest_after(stack):
    deployment = stack_capture(stack)
    group = deployment.only("aws:eks/nodeGroup:NodeGroup")
    for name, addon in by_name(deployment).items():
        if name in NODE_ADDONS:
            assert addon.urn in group.dependencies, f"{name}: a node would not become ready"
        else:
            assert group.urn in addon.dependencies, f"{name} waits for a node to run on"


@pytest.mark.parametrize(
    ("versions", "sentence"),
    [
        ({}, "no add-on is named"),
        ({"cluster-autoscaler": "v1.0.0-eksbuild.1"}, "add-on 'cluster-autoscaler' is not known"),
        ({"coredns": "latest"}, "version 'latest' of add-on coredns"),
    ],
)
def test_what_cannot_be_pinned_is_refused(capture, versions, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(addons, versions=versions)
