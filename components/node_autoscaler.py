"""Karpenter: starts nodes for pods that find no room, and takes them away again; with the role of all its nodes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pulumi import Input, Output, ResourceOptions

from components.autoscaler_policies import controller_policies
from components.aws_location import AwsLocation
from components.chart_pin import ChartPin
from components.chart_release import chart_release
from components.cluster import Cluster
from components.iam_policies import ANYONE, Effect, Statement, identity_policy, resource_policy
from components.invalid_argument import InvalidArgument
from components.node_role import node_role
from components.pod_identity import pod_role
from components.system_nodes import SYSTEM_LABELS, SYSTEM_TAINT
from components.tagging import child_tags

# Requests of Karpenter in other namespaces fall into the API's lowest priority, with those of any pod.
# https://karpenter.sh/v1.14/getting-started/getting-started-with-karpenter/#preventing-api-server-request-throttling
CONTROLLER_NAMESPACE = "kube-system"
RELEASE_NAME = "karpenter"
CRD_RELEASE_NAME = "karpenter-crd"
CONTROLLER_ACCOUNT = "karpenter"

EVENTS = "events.amazonaws.com"
# Older notices are about nodes that are gone.
NOTICE_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A kind of event that says: this node will go, or has gone."""

    source: str
    detail_type: str


# Source: cloudformation.yaml of Karpenter 1.14, see autoscaler_policies.py. The name is that of the rule.
NOTICES: Mapping[str, Notice] = {
    "rebalance": Notice(source="aws.ec2", detail_type="EC2 Instance Rebalance Recommendation"),
    "reservation-interruption": Notice(
        source="aws.ec2", detail_type="EC2 Capacity Reservation Instance Interruption Warning"
    ),
    "scheduled-change": Notice(source="aws.health", detail_type="AWS Health Event"),
    "spot-interruption": Notice(source="aws.ec2", detail_type="EC2 Spot Instance Interruption Warning"),
    "state-change": Notice(source="aws.ec2", detail_type="EC2 Instance State-change Notification"),
}


@dataclass(frozen=True, kw_only=True)
class NodeAutoscalerArgs:
    location: AwsLocation
    """Account and region of the cluster."""

    cluster: Cluster
    """Cluster that gets nodes."""

    cluster_name: str
    """Physical name of the cluster: the tag that marks its nodes is made of it."""

    chart: ChartPin
    """Chart `karpenter`."""

    crd_chart: ChartPin
    """Chart `karpenter-crd`, of the same version."""

    after: Sequence[pulumi.Resource]
    """What the controller needs to run: system nodes, and the Prometheus operator's definitions with `metrics`."""

    replicas: int = 2
    """Controllers, one of which leads. Default: 2, on two system nodes."""

    node_repair: bool = False
    """Whether nodes that the node monitoring agent finds broken are replaced. Without the agent only what the kubelet
    itself reports counts. Default: no."""

    node_overlay: bool = False
    """Whether NodeOverlays count: pools whose GPUs are shared start from zero only with one. Default: no."""

    metrics: bool = False
    """Whether a ServiceMonitor is made. Its definition (monitoring.coreos.com) must be installed: else it is skipped
    silently. Default: no."""

    disk_key_alias: str | None = None
    """Alias of the key with which the account encrypts disks, `AccountGuardArgs.disk_key_alias`. Default: AWS's key
    for EBS, which needs no right."""

    permissions_boundary: Input[str] | None = None
    """ARN of the policy that bounds both roles. Default: unbounded."""


class NodeAutoscaler(pulumi.ComponentResource):
    """Creates, always:

    - the one role of all nodes that Karpenter starts (joins the cluster and pulls images, nothing else) and its access
      entry; instance profiles Karpenter makes of it, one for each node class, and deletes them with that;
    - an encrypted queue for notices that a node will go, and the EventBridge rules that fill it: spot interruption,
      rebalance, scheduled change, state change, interruption of a reservation;
    - Karpenter's definitions as a release of their own, which upgrades them, and Karpenter, on system nodes;
    - its role, handed to it by Pod Identity: it starts and stops what carries this cluster's tags, no more.

    Costs what its pods take of the system nodes; the nodes that it starts cost what their pools say.
    """

    node_role_name: Output[str]
    """What EC2NodeClasses name as `role`."""
    node_role_arn: Output[str]
    queue_name: Output[str]
    ready: Sequence[pulumi.Resource]
    """What a NodePool, an EC2NodeClass or a NodeOverlay depends on. Deleted before these, nodes go while Karpenter
    still runs, and while they may still use the cluster; deleted after, they would stay for ever."""

    def __init__(self, name: str, args: NodeAutoscalerArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:NodeAutoscaler", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        _check(args)

        node_role, node_rights = self._create_node_role()
        queue = self._create_queue()
        notices = self._create_notices(queue)
        controller = self._create_controller_role(node_role, queue)
        definitions = self._create_definitions()
        release = self._create_release(queue, after=[*controller, *notices, definitions])

        self.node_role_name, self.node_role_arn = node_role.name, node_role.arn
        self.queue_name = queue.name
        self.ready = (*node_rights, definitions, release)
        self.register_outputs(
            {"nodeRoleName": self.node_role_name, "nodeRoleArn": self.node_role_arn, "queueName": self.queue_name}
        )

    def _tags(self, child: str) -> dict[str, str]:
        return child_tags(self._name, child)

    def _create_node_role(self) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        name, args = f"{self._name}-node-role", self._args
        role, attachments = node_role(
            name,
            component=self._name,
            description="Nodes that Karpenter starts",
            location=args.location,
            stem=args.cluster_name,
            permissions_boundary=args.permissions_boundary,
            opts=self._child,
        )
        entry = aws.eks.AccessEntry(
            f"{name}-access",
            cluster_name=self._args.cluster.cluster_name,
            principal_arn=role.arn,
            # EKS itself adds the groups of nodes.
            type="EC2_LINUX",
            tags=self._tags(f"{name}-access"),
            opts=self._child,
        )
        return role, [entry, *attachments]

    def _create_queue(self) -> aws.sqs.Queue:
        name = f"{self._name}-queue"
        return aws.sqs.Queue(
            name,
            message_retention_seconds=NOTICE_SECONDS,
            # With SQS's own key: EventBridge sends no account to KMS, so a key's policy could not be limited to one.
            sqs_managed_sse_enabled=True,
            tags=self._tags(name),
            opts=self._child,
        )

    def _create_notices(self, queue: aws.sqs.Queue) -> list[pulumi.Resource]:
        rules = {noun: self._create_rule(noun, notice) for noun, notice in sorted(NOTICES.items())}
        policy = aws.sqs.QueuePolicy(
            f"{self._name}-queue-policy",
            queue_url=queue.url,
            policy=queue_policy(queue.arn, [rule.arn for rule in rules.values()]),
            opts=self._child,
        )
        # Without the policy the first notices would be lost.
        after = ResourceOptions.merge(self._child, ResourceOptions(depends_on=[policy]))
        targets = [
            aws.cloudwatch.EventTarget(f"{self._name}-{noun}-target", rule=rule.name, arn=queue.arn, opts=after)
            for noun, rule in rules.items()
        ]
        return [policy, *targets]

    def _create_rule(self, noun: str, notice: Notice) -> aws.cloudwatch.EventRule:
        name = f"{self._name}-{noun}"
        pattern = {"source": [notice.source], "detail-type": [notice.detail_type]}
        return aws.cloudwatch.EventRule(
            name,
            description=f"Karpenter hears of: {notice.detail_type}",
            event_pattern=json.dumps(pattern, sort_keys=True),
            tags=self._tags(name),
            opts=self._child,
        )

    def _create_controller_role(self, node_role: aws.iam.Role, queue: aws.sqs.Queue) -> list[pulumi.Resource]:
        name, args = f"{self._name}-controller", self._args
        role = pod_role(
            f"{name}-role",
            component=self._name,
            description="Karpenter",
            location=args.location,
            cluster_arn=args.cluster.cluster_arn,
            permissions_boundary=args.permissions_boundary,
            opts=self._child,
        )
        statements = controller_policies(
            args.location,
            cluster_name=args.cluster_name,
            node_role_arn=node_role.arn,
            queue_arn=queue.arn,
            disk_key_alias=args.disk_key_alias,
        )
        policies = [
            aws.iam.RolePolicy(f"{name}-{noun}", role=role.name, policy=identity_policy(found), opts=self._child)
            for noun, found in statements.items()
        ]
        association = aws.eks.PodIdentityAssociation(
            f"{name}-identity",
            cluster_name=args.cluster.cluster_name,
            namespace=CONTROLLER_NAMESPACE,
            service_account=CONTROLLER_ACCOUNT,
            role_arn=role.arn,
            tags=self._tags(f"{name}-identity"),
            opts=self._child,
        )
        return [association, *policies]

    def _create_definitions(self) -> k8s.helm.v3.Release:
        return chart_release(
            f"{self._name}-definitions",
            self._args.crd_chart,
            release_name=CRD_RELEASE_NAME,
            namespace=CONTROLLER_NAMESPACE,
            opts=self._child,
        )

    def _create_release(self, queue: aws.sqs.Queue, *, after: Sequence[pulumi.Resource]) -> k8s.helm.v3.Release:
        args = self._args
        return chart_release(
            f"{self._name}-release",
            args.chart,
            release_name=RELEASE_NAME,
            namespace=CONTROLLER_NAMESPACE,
            values=release_values(args, endpoint=args.cluster.endpoint, queue_name=queue.name),
            # Helm installs definitions once and never upgrades them: they come with their own release.
            skip_crds=True,
            # Nodes to run on, rights and definitions: on the way down Karpenter must still have them all.
            opts=ResourceOptions.merge(self._child, ResourceOptions(depends_on=[*args.after, *after])),
        )


def queue_policy(queue_arn: Input[str], rule_arns: Sequence[Input[str]]) -> Output[str]:
    """EventBridge, for these rules alone: their ARNs hold the account. Nobody without TLS."""
    return resource_policy(
        [
            Statement(
                sid="SendNotices",
                actions=["sqs:SendMessage"],
                resources=[queue_arn],
                principals={"Service": [EVENTS]},
                conditions={"ArnEquals": {"aws:SourceArn": rule_arns}},
            ),
            Statement(
                sid="OnlyTls",
                effect=Effect.DENY,
                actions=["sqs:*"],
                resources=[queue_arn],
                principals=ANYONE,
                conditions={"Bool": {"aws:SecureTransport": "false"}},
            ),
        ]
    )


def release_values(args: NodeAutoscalerArgs, *, endpoint: Input[str], queue_name: Input[str]) -> dict[str, Any]:
    """Values of the chart; the keys are those of aws/karpenter-provider-aws at tag v1.14.1."""
    amounts = {"cpu": "1", "memory": "1Gi"}
    return {
        "settings": {
            "clusterName": args.cluster_name,
            "clusterEndpoint": endpoint,
            "eksControlPlane": True,
            "interruptionQueue": queue_name,
            "featureGates": {
                "nodeOverlay": args.node_overlay,
                "nodeRepair": args.node_repair,
                "reservedCapacity": True,
            },
        },
        "replicas": args.replicas,
        "podDisruptionBudget": {"name": RELEASE_NAME, "maxUnavailable": 1},
        "serviceAccount": {"create": True, "name": CONTROLLER_ACCOUNT},
        "serviceMonitor": {"enabled": args.metrics},
        # Never on a node that it may take away.
        "nodeSelector": dict(SYSTEM_LABELS),
        "tolerations": [{"key": SYSTEM_TAINT, "operator": "Exists"}],
        # The node's resolver: the cluster's own may run on nodes that only Karpenter can bring back.
        "dnsPolicy": "Default",
        "controller": {
            # Pods cannot ask the instance's metadata where they are.
            "env": [{"name": "AWS_REGION", "value": args.location.region}],
            "resources": {"requests": amounts, "limits": amounts},
        },
    }


def _check(args: NodeAutoscalerArgs) -> None:
    if args.chart.version != args.crd_chart.version:
        raise InvalidArgument(
            f"chart version {args.chart.version!r} has definitions of version {args.crd_chart.version!r}: Karpenter "
            f"works with those of its own version alone, give crd_chart {args.chart.version!r}"
        )
    if args.replicas < 1:
        raise InvalidArgument(f"{args.replicas} replicas start no node: give 1 or more, for example 2")
