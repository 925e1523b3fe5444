"""The cluster: closed by default, logged, encrypted, and reachable for its deployer alone."""

import json

import pytest

from components.aws_location import AwsLocation
from components.cluster import Cluster, ClusterArgs, ControlPlaneLog
from components.kubeconfig import kubeconfig

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
DEPLOYER = "arn:aws:iam::123456789012:role/acme-deploy"


def cluster(**args):
    defaults = {
        "location": LOCATION,
        "cluster_name": "acme-dev",
        "kubernetes_version": "1.35",
        "subnet_ids": ["subnet-1", "subnet-2"],
        "deployer_arn": DEPLOYER,
    }
    return Cluster("k8s", ClusterArgs(**(defaults | args)))


def eks(deployment):
    return deployment.only("aws:eks/cluster:Cluster")


def test_the_endpoint_is_private_unless_blocks_are_listed(capture):
    config = eks(capture(cluster)).inputs["vpcConfig"]
    assert config == {
        "subnetIds": ["subnet-1", "subnet-2"],
        "endpointPrivateAccess": True,
        "endpointPublicAccess": False,
    }


def test_listed_blocks_reach_the_endpoint_and_the_vpc_still_does(capture):
    config = eks(capture(cluster, public_access_cidrs=["203.0.113.0/24", "198.51.100.7/32"])).inputs["vpcConfig"]
    assert config["endpointPrivateAccess"] is True
    assert config["endpointPublicAccess"] is True
    assert config["publicAccessCidrs"] == ["198.51.100.7/32", "203.0.113.0/24"], "sorted, so order is no change"


@pytest.mark.parametrize("halves", [["0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"]])
def test_the_endpoint_is_never_open_to_everyone_not_even_in_two_halves(capture, halves):
    with pytest.raises(ValueError, match="opens the API endpoint to everyone"):
        capture(cluster, public_access_cidrs=halves)


def test_nobody_administers_by_having_created_it(capture):
    assert eks(capture(cluster)).inputs["accessConfig"] == {
        "authenticationMode": "API",
        "bootstrapClusterCreatorAdminPermissions": False,
    }


def test_only_the_deployer_administers_the_whole_cluster(capture):
    deployment = capture(cluster)
    entry = deployment.only("aws:eks/accessEntry:AccessEntry")
    association = deployment.only("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
    assert (entry.inputs["principalArn"], entry.inputs["type"]) == (DEPLOYER, "STANDARD")
    assert association.inputs["principalArn"] == DEPLOYER
    assert association.inputs["accessScope"] == {"type": "cluster"}
    assert association.inputs["policyArn"] == "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    assert entry.urn in association.dependencies


CI = "arn:aws:iam::123456789012:role/acme-ci-dev-platform-deploy"


def test_where_ci_deploys_its_role_administers_too_and_everything_in_the_cluster_waits_for_that(capture):
    deployment = capture(cluster, ci_role_arn=CI)
    entries = {e.name: e.inputs["principalArn"] for e in deployment.of_type("aws:eks/accessEntry:AccessEntry")}
    assert entries == {"k8s-deployer-access": DEPLOYER, "k8s-ci-access": CI}
    associations = deployment.of_type("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
    assert {a.inputs["principalArn"] for a in associations} == {DEPLOYER, CI}
    provider = deployment.only("pulumi:providers:kubernetes")
    assert {a.urn for a in associations} <= set(provider.dependencies)


def test_admitted_groups_reach_the_endpoint_and_nothing_else_of_the_cluster(capture):
    deployment = capture(cluster, admitted_groups={"runner": "sg-0123456789abcdef0"})
    rule = deployment.only("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert rule.name == "k8s-from-runner"
    assert rule.inputs["securityGroupId"] == eks(deployment).outputs["vpcConfig"]["clusterSecurityGroupId"]
    assert rule.inputs["referencedSecurityGroupId"] == "sg-0123456789abcdef0"
    assert (rule.inputs["ipProtocol"], rule.inputs["fromPort"], rule.inputs["toPort"]) == ("tcp", 443, 443)
    assert rule.urn in deployment.only("pulumi:providers:kubernetes").dependencies, "the deployer may be in that group"


def test_nobody_is_admitted_by_default(capture):
    assert capture(cluster).of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule") == []


def test_secrets_are_encrypted_with_the_clusters_own_key(capture):
    deployment = capture(cluster)
    key = deployment.only("aws:kms/key:Key")
    assert eks(deployment).inputs["encryptionConfig"] == {
        "provider": {"keyArn": key.outputs["arn"]},
        "resources": ["secrets"],
    }
    assert key.inputs["enableKeyRotation"] is True


def test_all_five_logs_go_to_an_encrypted_group_that_is_there_first(capture):
    deployment = capture(cluster, log_retention_days=90)
    group = deployment.only("aws:cloudwatch/logGroup:LogGroup")
    assert eks(deployment).inputs["enabledClusterLogTypes"] == [
        "api",
        "audit",
        "authenticator",
        "controllerManager",
        "scheduler",
    ]
    assert group.inputs["name"] == "/aws/eks/acme-dev/cluster"
    assert group.inputs["retentionInDays"] == 90
    assert group.inputs["kmsKeyId"] == deployment.only("aws:kms/key:Key").outputs["arn"]
    assert group.urn in eks(deployment).dependencies


def test_the_clusters_key_serves_its_log_group_alone(capture):
    _, logs = json.loads(capture(cluster).only("aws:kms/key:Key").inputs["policy"])["Statement"]
    arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/eks/acme-dev/cluster"
    assert logs["Condition"] == {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": arn}}


def test_a_cheap_environment_keeps_fewer_logs(capture):
    kept = [ControlPlaneLog.AUTHENTICATOR, ControlPlaneLog.AUDIT]
    assert eks(capture(cluster, log_types=kept)).inputs["enabledClusterLogTypes"] == ["audit", "authenticator"]


def test_the_role_is_for_this_cluster_alone_and_outlives_it(capture):
    deployment = capture(cluster, permissions_boundary="arn:aws:iam::123456789012:policy/boundary")
    role = deployment.only("aws:iam/role:Role")
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "eks.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:eks:eu-central-1:123456789012:cluster/acme-dev"},
    }
    assert role.inputs["maxSessionDuration"] == 3600
    assert role.inputs["permissionsBoundary"] == "arn:aws:iam::123456789012:policy/boundary"
    attachment = deployment.only("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    assert attachment.inputs["policyArn"] == "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
    assert attachment.urn in eks(deployment).dependencies


def test_a_protected_cluster_is_neither_deleted_nor_replaced(capture):
    deployment = capture(cluster)
    assert eks(deployment).inputs["deletionProtection"] is True
    assert {r.name for r in deployment if r.protect} == {"k8s-cluster", "k8s-key"}


def test_an_unprotected_cluster_can_be_rebuilt(capture):
    deployment = capture(cluster, deletion_protection=False)
    assert eks(deployment).inputs["deletionProtection"] is False
    assert not [r.name for r in deployment if r.protect or r.retain_on_delete], "a rebuild meets no retained name"


def test_the_cluster_stays_in_standard_support_and_installs_nothing_by_itself(capture):
    inputs = eks(capture(cluster)).inputs
    assert inputs["upgradePolicy"] == {"supportType": "STANDARD"}
    assert inputs["bootstrapSelfManagedAddons"] is False
    assert (inputs["name"], inputs["version"]) == ("acme-dev", "1.35")


def test_the_one_kubernetes_provider_knows_the_cluster_by_its_arn(capture):
    deployment = capture(cluster)
    provider = deployment.only("pulumi:providers:kubernetes")
    outputs = eks(deployment).outputs
    assert provider.name == "k8s-kubernetes"
    assert provider.inputs["clusterIdentifier"] == outputs["arn"]
    assert provider.inputs["kubeconfig"] == kubeconfig(
        cluster_name="acme-dev",
        endpoint=outputs["endpoint"],
        certificate_authority=outputs["certificateAuthority"]["data"],
        region="eu-central-1",
    )
    assert not {"deleteUnreachable", "enableServerSideApply"} & set(provider.inputs)


def test_the_provider_comes_after_the_deployers_access(capture):
    deployment = capture(cluster)
    association = deployment.only("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
    assert association.urn in deployment.only("pulumi:providers:kubernetes").dependencies


def test_outputs_are_registered(capture):
    deployment = capture(cluster)
    outputs = deployment.only("stackyard:index:Cluster").outputs
    assert set(outputs) == {"clusterName", "clusterArn", "endpoint", "securityGroupId", "kubeconfig"}
    assert outputs["clusterName"] == "acme-dev"
    assert outputs["clusterArn"] == "arn:aws:eks:eu-central-1:123456789012:cluster/acme-dev"


def test_everything_that_can_be_tagged_names_its_component(capture):
    untagged = {
        r.name
        for r in capture(cluster)
        if r.custom and not r.is_provider and r.inputs.get("tags", {}).get("component") != "k8s"
    }
    assert untagged == {"k8s-role-policy", "k8s-deployer-access-policy"}, "these types carry no tags"


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"cluster_name": "-dev"}, "cluster name '-dev' is not possible"),
        ({"ci_role_arn": DEPLOYER}, "EKS keeps one access entry per principal"),
        ({"ci_role_arn": "acme-ci"}, "ci_role_arn 'acme-ci' is not the ARN of an IAM role or user"),
        ({"cluster_name": "x" * 101}, "is not possible"),
        ({"subnet_ids": ["subnet-1"]}, "at least 2 zones, got 1"),
        ({"deployer_arn": "arn:aws:sts::123456789012:assumed-role/deploy/me"}, "access entries know no sessions"),
        ({"deployer_arn": "acme-deploy"}, "is not the ARN of an IAM role or user"),
        ({"log_retention_days": 17}, "use 30"),
        ({"public_access_cidrs": ["home"]}, "'home' is no block for the API endpoint"),
        ({"public_access_cidrs": ["10.0.0.0/8"]}, "is private, and EKS refuses it"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_registered(capture, args, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(cluster, **args)
