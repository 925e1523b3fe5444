"""Who can start something that runs under another role: the edges that make access transitive."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stackyard.program.deployment import Resource
from stackyard.program.values import plain
from tools.policy_evaluator import Account, Role, decide, matches

# Policies of EKS that let their holder create pods, and so run as any service account in their scope.
# https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html
STARTS_PODS = ("AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy", "AmazonEKSEditPolicy")
ADMINISTERS_CLUSTER = ("AmazonEKSClusterAdminPolicy",)

# Objects of Kubernetes whose creation starts pods.
POD_STARTERS = frozenset(
    {
        *("cronjobs", "daemonsets", "deployments", "jobs", "pods", "pods/exec", "replicasets", "statefulsets"),
        *("cronworkflows", "workflows", "workflowtemplates", "*"),
    }
)
WRITES = frozenset({"create", "update", "patch", "*"})

# Changing another role, or who may take it on, is as good as having it.
CHANGES_ROLES = ("iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy")
CHANGES_CLUSTER_ACCESS = ("eks:AssociateAccessPolicy", "eks:CreateAccessEntry", "eks:UpdateAccessEntry")
FROM_NODE = "eks-auth:AssumeRoleForPodIdentity"


@dataclass(frozen=True, kw_only=True, order=True)
class Edge:
    """`source` can act as `target`; both are names as the table shows them."""

    source: str
    target: str
    how: str


@dataclass(frozen=True, kw_only=True)
class _PodRole:
    namespace: str
    service_account: str
    role: Role


def edges(resources: Iterable[Resource], account: Account) -> tuple[Edge, ...]:
    """All edges of an environment, sorted, without those from a role to itself."""
    resources = list(resources)
    pods = [
        _PodRole(
            namespace=str(r.inputs["namespace"]),
            service_account=str(r.inputs["serviceAccount"]),
            role=account.roles[str(r.inputs["roleArn"])],
        )
        for r in resources
        if r.type == "aws:eks/podIdentityAssociation:PodIdentityAssociation"
        and str(r.inputs["roleArn"]) in account.roles
    ]
    found = {
        *_by_access_entries(resources, account, pods),
        *_by_kubernetes_roles(resources, pods),
        *_by_iam(resources, account, pods),
    }
    return tuple(sorted(edge for edge in found if edge.source != edge.target))


def principal_name(arn: str, account: Account) -> str:
    """A role of the stack by its logical name, any other principal by its ARN without the account."""
    return account.roles[arn].name if arn in account.roles else arn.rsplit(":", 1)[-1]


def _by_access_entries(resources: list[Resource], account: Account, pods: list[_PodRole]) -> Iterator[Edge]:
    nodes = _node_roles(resources, account)
    for association in resources:
        if association.type != "aws:eks/accessPolicyAssociation:AccessPolicyAssociation":
            continue
        policy = str(association.inputs["policyArn"]).rsplit("/", 1)[1]
        who = principal_name(str(association.inputs["principalArn"]), account)
        scope: Mapping[str, Any] = plain(association.inputs["accessScope"])
        if policy not in STARTS_PODS:
            continue
        for pod in pods:
            if scope["type"] == "cluster" or pod.namespace in scope.get("namespaces", ()):
                how = f"starts pods as {pod.namespace}/{pod.service_account} ({policy})"
                yield Edge(source=who, target=pod.role.name, how=how)
        if policy in ADMINISTERS_CLUSTER:
            for node in nodes:
                yield Edge(source=who, target=node.name, how=f"starts privileged pods on nodes ({policy})")


def _node_roles(resources: list[Resource], account: Account) -> list[Role]:
    arns = {str(r.inputs["nodeRoleArn"]) for r in resources if r.type == "aws:eks/nodeGroup:NodeGroup"}
    arns |= {
        str(r.inputs["principalArn"])
        for r in resources
        if r.type == "aws:eks/accessEntry:AccessEntry" and str(r.inputs.get("type", "")).startswith("EC2")
    }
    return [account.roles[arn] for arn in sorted(arns) if arn in account.roles]


def _by_kubernetes_roles(resources: list[Resource], pods: list[_PodRole]) -> Iterator[Edge]:
    """A service account that may create pods, or Workflows, runs as any account of the namespace.

    An admission policy may allow less: it counts as if it were not there.
    """
    rules = {
        (_metadata(r).get("namespace", ""), _metadata(r).get("name", "")): r.inputs.get("rules", [])
        for r in resources
        if r.type == "kubernetes:rbac.authorization.k8s.io/v1:Role"
    }
    for binding in resources:
        if binding.type != "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding":
            continue
        namespace = _metadata(binding).get("namespace", "")
        document: Mapping[str, Any] = plain(binding.inputs)
        granted = rules.get((namespace, document["roleRef"]["name"]), [])
        started = sorted({each for rule in granted for each in _started(rule)})
        if not started:
            continue
        subjects = {(s.get("namespace", namespace), s["name"]) for s in document.get("subjects", ())}
        for source in pods:
            if (source.namespace, source.service_account) in subjects:
                for target in pods:
                    if target.namespace == namespace:
                        how = f"creates {', '.join(started)} in {namespace}"
                        yield Edge(source=source.role.name, target=target.role.name, how=how)


def _metadata(resource: Resource) -> Mapping[str, Any]:
    return plain(resource.inputs.get("metadata", {}))


def _started(rule: Mapping[str, Any]) -> set[str]:
    return set(rule.get("resources", ())) & POD_STARTERS if set(rule.get("verbs", ())) & WRITES else set()


def _by_iam(resources: list[Resource], account: Account, pods: list[_PodRole]) -> Iterator[Edge]:
    clusters = [str(r.outputs["arn"]) for r in resources if r.type == "aws:eks/cluster:Cluster"]
    projects = [r for r in resources if r.type == "aws:codebuild/project:Project"]

    def may(role: Role, action: str, resource: str) -> bool:
        target = account.roles.get(resource)
        return decide(account, role, action, resource, facts=target.facts if target else None).allowed

    for role in account.roles.values():
        for target in account.roles.values():
            if may(role, "sts:AssumeRole", target.arn) and _trusts(target, role):
                yield Edge(source=role.name, target=target.name, how="sts:AssumeRole")
            if may(role, "iam:PassRole", target.arn):
                yield Edge(source=role.name, target=target.name, how="iam:PassRole")
            for action in CHANGES_ROLES:
                if may(role, action, target.arn):
                    yield Edge(source=role.name, target=target.name, how=action)
        for project in projects:
            service = account.roles.get(str(project.inputs["serviceRole"]))
            arn = str(project.outputs.get("arn", ""))
            if service and any(may(role, f"codebuild:{verb}", arn) for verb in ("StartBuild", "UpdateProject")):
                yield Edge(source=role.name, target=service.name, how=f"starts builds of {project.name}")
        if any(may(role, FROM_NODE, cluster) for cluster in clusters):
            for pod in pods:
                yield Edge(source=role.name, target=pod.role.name, how="takes the token of a pod on its own node")
        if any(may(role, action, cluster) for cluster in clusters for action in CHANGES_CLUSTER_ACCESS):
            for pod in pods:
                yield Edge(source=role.name, target=pod.role.name, how="gives itself access to the cluster")


def _trusts(target: Role, role: Role) -> bool:
    return any(
        statement.allow and kind == "AWS" and (matches(name, role.arn) or name.endswith(":root"))
        for statement in target.trust
        for kind, name in statement.principals
    )


def reach(found: Iterable[Edge]) -> dict[str, dict[str, str]]:
    """For every source, the targets that it reaches over any number of edges, with the first step of a shortest way."""
    following: dict[str, set[str]] = {}
    for edge in found:
        following.setdefault(edge.source, set()).add(edge.target)
    reached: dict[str, dict[str, str]] = {}
    for source in following:
        first: dict[str, str] = {}
        frontier = [(target, target) for target in sorted(following[source])]
        while frontier:
            target, step = frontier.pop(0)
            if target not in first and target != source:
                first[target] = step
                frontier += [(further, step) for further in sorted(following.get(target, ()))]
        reached[source] = first
    return reached
