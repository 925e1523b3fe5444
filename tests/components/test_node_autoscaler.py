"""Karpenter: one role of all nodes, notices in a closed queue, rights over this cluster's nodes alone, a way out."""

import json

import pulumi_kubernetes as k8s
import pytest
from pulumi import ResourceOptions

from components.chart_pin import ChartPin
from components.node_autoscaler import NodeAutoscaler, NodeAutoscalerArgs
from stacks.versions import CHARTS
from stackyard.local.kubernetes.releases import validate_release
from tests.components.test_cluster import LOCATION, cluster

CHART = ChartPin(chart="oci://charts.example/karpenter", version="1.14.1")
CRD_CHART = ChartPin(chart="oci://charts.example/karpenter-crd", version="1.14.1")
RELEASE = "kubernetes:helm.sh/v3:Release"
ROLE = "aws:iam/role:Role"
RULE = "aws:cloudwatch/eventRule:EventRule"
TARGET = "aws:cloudwatch/eventTarget:EventTarget"
QUEUE = "aws:sqs/queue:Queue"


def autoscaler(**args):
    k8s_cluster = cluster()
    defaults = {
        "location": LOCATION,
        "cluster": k8s_cluster,
        "cluster_name": "acme-dev",
        "chart": CHART,
        "crd_chart": CRD_CHART,
        "after": [k8s_cluster],
    }
    return NodeAutoscaler("nodes", NodeAutoscalerArgs(**(defaults | args)))


def pool_in_autoscaler():
    """What a NodePool does: it depends on `ready`."""
    made = autoscaler()
    k8s.apiextensions.CustomResource(
        "pool",
        api_version="karpenter.sh/v1",
        kind="NodePool",
        metadata={"name": "general"},
        opts=ResourceOptions(depends_on=list(made.ready)),
    )
    return made


def named(deployment, name):
    (found,) = [resource for resource in deployment if resource.name == name]
    return found


def release(deployment, noun="release"):
    return named(deployment, f"nodes-{noun}")


def reaches(deployment, start):
    """URNs of everything that must be there before a resource, through others too."""
    by_urn = {resource.urn: resource for resource in deployment}
    found, todo = set(), [start.urn]
    while todo:
        for urn in by_urn[todo.pop()].dependencies:
            if urn in by_urn and urn not in found:
                found.add(urn)
                todo.append(urn)
    return found


def test_the_nodes_role_joins_and_pulls_and_has_no_rights_over_the_network(capture):
    deployment = capture(autoscaler)
    attached = {
        r.inputs["policyArn"].rsplit("/", 1)[-1]
        for r in deployment.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        if r.name.startswith("nodes-")
    }
    assert attached == {"AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy"}
    (trust,) = json.loads(named(deployment, "nodes-node-role").inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert not deployment.of_type("aws:iam/instanceProfile:InstanceProfile"), "Karpenter makes and deletes them"


def test_roles_carry_the_environments_name_by_which_ci_knows_them(capture):
    deployment = capture(autoscaler)
    for noun in ("node", "controller"):
        role = named(deployment, f"nodes-{noun}-role")
        assert (role.inputs["name"], role.ignore_changes) == (f"acme-dev-nodes-{noun}-role", ("name",))


def test_nodes_join_by_an_access_entry_of_nodes(capture):
    deployment = capture(autoscaler)
    entry = named(deployment, "nodes-node-role-access").inputs
    assert (entry["type"], entry["clusterName"]) == ("EC2_LINUX", "acme-dev")
    assert entry["principalArn"] == named(deployment, "nodes-node-role").outputs["arn"]
    assert "kubernetesGroups" not in entry, "EKS gives a node its groups"


def test_both_roles_are_bounded(capture):
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    roles = [r for r in capture(autoscaler, permissions_boundary=boundary).of_type(ROLE) if r.name.startswith("nodes-")]
    assert [role.name for role in roles] == ["nodes-node-role", "nodes-controller-role"]
    assert all(role.inputs["permissionsBoundary"] == boundary for role in roles)


def test_five_kinds_of_notices_reach_the_queue(capture):
    deployment = capture(autoscaler)
    patterns = {r.name: json.loads(r.inputs["eventPattern"]) for r in deployment.of_type(RULE)}
    assert patterns == {
        f"nodes-{noun}": {"source": [source], "detail-type": [kind]}
        for noun, source, kind in (
            ("rebalance", "aws.ec2", "EC2 Instance Rebalance Recommendation"),
            ("reservation-interruption", "aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"),
            ("scheduled-change", "aws.health", "AWS Health Event"),
            ("spot-interruption", "aws.ec2", "EC2 Spot Instance Interruption Warning"),
            ("state-change", "aws.ec2", "EC2 Instance State-change Notification"),
        )
    }
    queue = deployment.only(QUEUE).outputs["arn"]
    targets = {r.inputs["rule"]: r.inputs["arn"] for r in deployment.of_type(TARGET)}
    assert targets == {rule.outputs["name"]: queue for rule in deployment.of_type(RULE)}


def test_the_queue_is_encrypted_and_forgets_notices_of_nodes_that_are_gone(capture):
    queue = capture(autoscaler).only(QUEUE).inputs
    assert (queue["sqsManagedSseEnabled"], queue["messageRetentionSeconds"]) == (True, 300)
    assert queue["tags"] == {"component": "nodes", "Name": "nodes-queue"}


def test_only_these_rules_send_to_the_queue_and_only_by_tls(capture):
    deployment = capture(autoscaler)
    policy = json.loads(deployment.only("aws:sqs/queuePolicy:QueuePolicy").inputs["policy"])
    send, tls = policy["Statement"]
    assert (send["Action"], send["Principal"]) == ("sqs:SendMessage", {"Service": "events.amazonaws.com"})
    rules = [rule.outputs["arn"] for rule in deployment.of_type(RULE)]
    assert send["Condition"] == {"ArnEquals": {"aws:SourceArn": rules}}
    assert len(rules) == 5
    assert (tls["Effect"], tls["Action"], tls["Principal"]) == ("Deny", "sqs:*", {"AWS": "*"})
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert {send["Resource"], tls["Resource"]} == {deployment.only(QUEUE).outputs["arn"]}


def test_the_controllers_role_is_one_service_accounts_of_this_cluster(capture):
    deployment = capture(autoscaler)
    role = named(deployment, "nodes-controller-role")
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    association = deployment.only("aws:eks/podIdentityAssociation:PodIdentityAssociation").inputs
    assert (association["namespace"], association["serviceAccount"]) == ("kube-system", "karpenter")
    assert association["roleArn"] == role.outputs["arn"]
    account = release(deployment).inputs["values"]["serviceAccount"]
    assert account == {"create": True, "name": "karpenter"}, "no annotation: the role comes by Pod Identity"


def test_the_controller_passes_no_role_but_the_nodes(capture):
    deployment = capture(autoscaler)
    policies = {
        r.name: json.loads(r.inputs["policy"])["Statement"]
        for r in deployment.of_type("aws:iam/rolePolicy:RolePolicy")
        if r.name.startswith("nodes-")
    }
    assert set(policies) == {f"nodes-controller-{noun}" for noun in ("discovery", "interruption", "nodes", "profiles")}
    (passing,) = [s for statements in policies.values() for s in statements if "iam:PassRole" in s["Action"]]
    assert passing["Resource"] == named(deployment, "nodes-node-role").outputs["arn"]
    (reading,) = policies["nodes-controller-interruption"]
    assert reading["Resource"] == deployment.only(QUEUE).outputs["arn"]


def test_definitions_are_upgraded_by_a_release_of_their_own(capture):
    deployment = capture(autoscaler)
    definitions, controller = release(deployment, "definitions"), release(deployment)
    assert (definitions.inputs["name"], definitions.inputs["chart"]) == ("karpenter-crd", CRD_CHART.chart)
    assert controller.inputs["skipCrds"] is True, "two releases must not own the same definitions"
    assert definitions.urn in controller.dependencies


def test_releases_are_pinned_named_and_all_or_nothing(capture):
    for made in capture(autoscaler).of_type(RELEASE):
        assert (made.inputs["namespace"], made.inputs["version"]) == ("kube-system", "1.14.1")
        assert (made.inputs["atomic"], made.inputs["cleanupOnFail"], made.inputs["timeout"]) == (True, True, 600)
        assert validate_release(made.inputs) == "", "the chart's values were read at this version"


def test_karpenter_knows_the_cluster_its_queue_and_its_region(capture):
    deployment = capture(autoscaler)
    values = release(deployment).inputs["values"]
    assert values["settings"] == {
        "clusterName": "acme-dev",
        "clusterEndpoint": deployment.only("aws:eks/cluster:Cluster").outputs["endpoint"],
        "eksControlPlane": True,
        "interruptionQueue": deployment.only(QUEUE).outputs["name"],
        "featureGates": {"nodeOverlay": False, "nodeRepair": False, "reservedCapacity": True},
    }
    assert values["controller"]["env"] == [{"name": "AWS_REGION", "value": "eu-central-1"}]


def test_karpenter_runs_on_system_nodes_alone_and_never_evicts_itself(capture):
    values = release(capture(autoscaler)).inputs["values"]
    assert values["nodeSelector"] == {"stackyard/pool": "system"}
    assert values["tolerations"] == [{"key": "CriticalAddonsOnly", "operator": "Exists"}]
    assert values["dnsPolicy"] == "Default", "the cluster's DNS may run on nodes that are gone"
    assert (values["replicas"], values["podDisruptionBudget"]["maxUnavailable"]) == (2, 1)


def test_what_karpenter_may_take_it_has_for_itself(capture):
    resources = release(capture(autoscaler)).inputs["values"]["controller"]["resources"]
    assert resources["requests"] == resources["limits"] == {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("argument", "path"),
    [
        ("node_repair", ("settings", "featureGates", "nodeRepair")),
        ("node_overlay", ("settings", "featureGates", "nodeOverlay")),
        ("metrics", ("serviceMonitor", "enabled")),
    ],
)
def test_what_may_be_switched_on_is_off_by_default(capture, argument, path):
    def value(**args):
        found = release(capture(autoscaler, **args)).inputs["values"]
        for key in path:
            found = found[key]
        return found

    assert (value(), value(**{argument: True})) == (False, True)


def test_a_pool_goes_before_karpenter_and_karpenter_before_what_it_needs(capture):
    deployment = capture(pool_in_autoscaler)
    before_pool = reaches(deployment, named(deployment, "pool"))
    controller = release(deployment)
    assert controller.urn in before_pool, "deleted first, it would leave every node behind"
    needed = {r.urn for r in deployment if r.name.startswith("nodes-") and r.name not in ("nodes-release",)}
    assert needed <= before_pool, "nodes that go still need their role, and the controller its rights"
    rights = {r.urn for r in deployment if r.name.startswith(("nodes-controller-", "nodes-queue", "nodes-definitions"))}
    assert len(rights) == 9
    assert rights <= reaches(deployment, controller)


def test_karpenter_goes_before_the_nodes_it_runs_on(capture):
    def with_nodes():
        nodes = k8s.core.v1.Namespace("stands-for-nodes", metadata={"name": "stands-for-nodes"})
        return autoscaler(after=[nodes])

    deployment = capture(with_nodes)
    assert named(deployment, "stands-for-nodes").urn in release(deployment).dependencies


def test_outputs_are_registered(capture):
    deployment = capture(autoscaler)
    role = named(deployment, "nodes-node-role").outputs
    assert deployment.only("stackyard:index:NodeAutoscaler").outputs == {
        "nodeRoleName": role["name"],
        "nodeRoleArn": role["arn"],
        "queueName": deployment.only(QUEUE).outputs["name"],
    }


def test_both_charts_are_pinned_to_one_version():
    assert CHARTS["karpenter"].version == CHARTS["karpenter-crd"].version


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"crd_chart": ChartPin(chart=CRD_CHART.chart, version="1.13.0")}, "has definitions of version '1.13.0'"),
        ({"replicas": 0}, "0 replicas start no node"),
    ],
)
def test_what_cannot_work_is_refused(capture, args, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(autoscaler, **args)
