"""What a deployment asks AWS for the resources of a capture: each call of the local stack's table as an IAM request."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stackyard.local.aws.rows import Op, Read, Row, load
from stackyard.local.aws.rows.tagging import BY_SERVICE
from stackyard.program.deployment import Deployment, Resource
from stackyard.program.values import plain, walk

# Operations that IAM calls otherwise:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
ACTIONS_OF = {
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketInventoryConfiguration": "s3:PutInventoryConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "s3:DeleteBucketReplication": "s3:PutReplicationConfiguration",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketInventoryConfiguration": "s3:GetInventoryConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketInventoryConfiguration": "s3:PutInventoryConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:PutBucketReplication": "s3:PutReplicationConfiguration",
    "s3:PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "budgets:CreateBudget": "budgets:ModifyBudget",
    "budgets:DeleteBudget": "budgets:ModifyBudget",
    "budgets:DescribeBudget": "budgets:ViewBudget",
}
# AWS's provider never takes the boundary from a role, and CI could not.
NEVER = {"iam:DeleteRolePermissionsBoundary"}
SERVICES = {"codestar-connections": "codeconnections"}

# Of the actions that are asked for, those for which AWS knows no resource (tests/judges/test_ci_grants.py compares).
WITHOUT_RESOURCE = frozenset(
    {
        "codeconnections:CreateConnection",
        "ecr:CreatePullThroughCacheRule",
        "ecr:CreateRepositoryCreationTemplate",
        "ecr:DeletePullThroughCacheRule",
        "ecr:DeleteRepositoryCreationTemplate",
        "ecr:DescribePullThroughCacheRules",
        "ecr:DescribeRepositoryCreationTemplates",
        "ecr:UpdatePullThroughCacheRule",
        "ecr:UpdateRepositoryCreationTemplate",
        "eks:CreateCluster",
        "kms:CreateKey",
        "kms:ListAliases",
        "sns:GetSubscriptionAttributes",
        "sns:SetSubscriptionAttributes",
        "sns:Unsubscribe",
    }
)
# Types that AWS knows as a part of another resource: the input that names it.
OWNERS = {
    "aws:cloudwatch/eventTarget:EventTarget": "rule",
    "aws:codebuild/webhook:Webhook": "projectName",
    "aws:ec2/route:Route": "routeTableId",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "routeTableId",
    "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation": "vpcId",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": "repository",
    "aws:iam/rolePolicy:RolePolicy": "role",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "role",
    "aws:s3/inventory:Inventory": "bucket",
    "aws:sns/topicPolicy:TopicPolicy": "arn",
    "aws:sns/topicSubscription:TopicSubscription": "topic",
    "aws:sqs/queuePolicy:QueuePolicy": "queueUrl",
}
WHOLE_IN_S3 = ("aws:s3/bucket:Bucket", "aws:s3/bucketObjectv2:BucketObjectv2")
# What AWS makes inside something else asks about that when it is made.
MADE_IN = {
    "aws:eks/accessEntry:AccessEntry": "clusterName",
    "aws:eks/addon:Addon": "clusterName",
    "aws:eks/nodeGroup:NodeGroup": "clusterName",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": "clusterName",
}
# To whom a type hands a role that it names. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
HANDED_TO = {
    "aws:codebuild/project:Project": "codebuild.amazonaws.com",
    "aws:ec2/flowLog:FlowLog": "vpc-flow-logs.amazonaws.com",
    "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate": "ecr.amazonaws.com",
    "aws:eks/addon:Addon": "pods.eks.amazonaws.com",
    "aws:eks/cluster:Cluster": "eks.amazonaws.com",
    "aws:eks/nodeGroup:NodeGroup": "eks.amazonaws.com",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": "pods.eks.amazonaws.com",
    "aws:rds/instance:Instance": "monitoring.rds.amazonaws.com",
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": "s3.amazonaws.com",
}
# These name a role and hand it to nobody.
POLICY_ASSOCIATION = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
NAMES_A_PRINCIPAL = ("aws:eks/accessEntry:AccessEntry", POLICY_ASSOCIATION)


class UnknownToTheTable(LookupError):
    """A type of which these tables do not say what deploying it asks for."""


@dataclass(frozen=True, kw_only=True)
class Request:
    resource: Resource
    phase: str
    """`create`, `change`, `delete` or `read`."""
    action: str
    arn: str
    context: Mapping[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        return f"{self.resource.type}: to {self.phase} {self.resource.name} takes {self.action} on {self.arn}"


class Requests:
    """Of one stack; `around` holds what its resources name in other stacks."""

    def __init__(self, deployment: Deployment, around: Sequence[Deployment] = ()):
        self._table = load()
        self._deployment = deployment
        whole = [r for each in (deployment, *around) for r in each if r.custom and not _owner_input(r.type)]
        names = ("arn", "id", "url", "bucket", "name")
        self._named = {str(r.outputs[n]): r for n in reversed(names) for r in whole if r.outputs.get(n)}
        self._named |= {r.id: r for r in whole if r.id}
        self._roles = {arn: r for arn, r in self._named.items() if r.type == "aws:iam/role:Role" and ":role/" in arn}

    def all(self) -> Iterator[Request]:
        for resource in self._deployment:
            if resource.custom and not resource.is_provider and resource.type.startswith("aws:"):
                yield from self.of(resource)

    def of(self, resource: Resource) -> Iterator[Request]:
        """Raises UnknownToTheTable for a type without a row, or that hands a role to nobody knows whom."""
        row = self._table.get(resource.type)
        if row is None:
            raise UnknownToTheTable(f"{resource.type} has no row in stackyard/local/aws/rows")
        for phase, calls in _calls(row, resource).items():
            for call in calls:
                service = SERVICES.get(row.service, row.service)
                name = f"{service}:{call.name}"
                action = ACTIONS_OF.get(name, name)
                if action not in NEVER:
                    yield from self._about(resource, row, phase, call, action)
        yield from self._handed_on(resource)

    def _about(self, resource: Resource, row: Row, phase: str, call: Op | Read, action: str) -> Iterator[Request]:
        new = phase == "create" and (call is row.create or _sets_tags(row, call)) and not _owner_input(resource.type)
        context = _context(resource)
        if "tagsAll" in resource.outputs and (call is row.create or _sets_tags(row, call)):
            context |= _tags("aws:RequestTag", resource)
        if action in WITHOUT_RESOURCE:
            yield Request(resource=resource, phase=phase, action=action, arn="*", context=context)
            return
        subjects = list(self._subjects(resource, row, call, action, new=new))
        for arn, about in subjects:
            extra = {} if about is None else _tags("aws:ResourceTag", about) | _boundary(about)
            yield Request(
                resource=resource, phase=phase, action=action, arn=arn, context=context | _boundary(resource) | extra
            )

    def _subjects(
        self, resource: Resource, row: Row, call: Op | Read, action: str, *, new: bool
    ) -> Iterator[tuple[str, Resource | None]]:
        """ARNs that the call is about, with what is there already and so has tags."""
        owner = self._owner(resource)
        container = self._named.get(str(resource.inputs.get(MADE_IN.get(resource.type, ""))))
        if owner is not None:
            yield _arn(owner), owner
        elif new and container is not None and call is row.create:
            yield _arn(container), container
        else:
            yield _arn(resource), None if new else resource
        if call is row.create and (row.service == "ec2" or action == "rds:CreateDBInstance"):
            # Made in and beside others, about which AWS asks too.
            for named in self._named_by(resource):
                if named.type.split(":")[1].split("/")[0] in (row.service, "vpc") and named is not owner:
                    yield _arn(named), named
        if action.startswith("kms:") and resource.type == "aws:kms/alias:Alias":
            key = self._named[str(resource.inputs["targetKeyId"])]
            yield _arn(key), key

    def _owner(self, resource: Resource) -> Resource | None:
        if resource.type == POLICY_ASSOCIATION:
            entries = self._deployment.of_type("aws:eks/accessEntry:AccessEntry")
            return next(e for e in entries if e.inputs["principalArn"] == resource.inputs["principalArn"])
        return self._named.get(str(resource.inputs.get(_owner_input(resource.type))))

    def _named_by(self, resource: Resource) -> list[Resource]:
        found = {r.urn: r for _, v in walk(plain(dict(resource.inputs))) if (r := self._named.get(str(v)))}
        return list(found.values())

    def _handed_on(self, resource: Resource) -> Iterator[Request]:
        if resource.type in NAMES_A_PRINCIPAL:
            return
        for _, value in walk(plain(dict(resource.inputs))):
            role = self._roles.get(value) if isinstance(value, str) else None
            if role is None:
                continue
            service = HANDED_TO.get(resource.type)
            if service is None:
                raise UnknownToTheTable(f"{resource.type} names {role.name}: HANDED_TO must say who gets the role")
            context = _context(resource) | {"iam:PassedToService": service}
            yield Request(resource=resource, phase="create", action="iam:PassRole", arn=_arn(role), context=context)


def _calls(row: Row, resource: Resource) -> dict[str, list[Op | Read]]:
    inputs: dict[str, Any] = plain(dict(resource.inputs))
    tagging = row.tagging or BY_SERVICE.get(row.service) if "tagsAll" in resource.outputs else None
    sets: list[Op | Read] = [tagging.set] if tagging else []
    changes = [*row.then, *(row.steps({}, inputs) if row.steps else ())]
    # What the emulator cannot change the table makes anew; AWS's provider changes it.
    mods = [op for op in row.mod if row.put or op.name != row.create.name]
    reads = [row.read, *row.look.values(), *row.watch.values(), tagging.read if tagging else None]
    return {
        "create": [row.create, *changes, *sets],
        "change": [*changes, *mods, *sets, *([tagging.unset] if tagging and tagging.unset else [])],
        "delete": list(row.delete),
        "read": [read for read in reads if read],
    }


def _sets_tags(row: Row, call: Op | Read) -> bool:
    tagging = row.tagging or BY_SERVICE.get(row.service)
    return tagging is not None and call is tagging.set


def _owner_input(type_: str) -> str:
    if type_.startswith("aws:s3/bucket") and type_ not in WHOLE_IN_S3:
        return "bucket"
    if type_.startswith("aws:vpc/securityGroup"):
        return "securityGroupId"
    return OWNERS.get(type_, "principalArn" if type_ == POLICY_ASSOCIATION else "")


def _arn(resource: Resource) -> str:
    # Resources without one stand under statements that name none.
    return str(resource.outputs.get("arn") or f"arn:aws:{resource.type.split(':')[1].split('/')[0]}:::{resource.name}")


def _context(resource: Resource) -> dict[str, str]:
    return {
        "aws:RequestedRegion": str(resource.outputs.get("region") or "us-east-1"),
        "aws:SecureTransport": "true",
        "aws:PrincipalAccount": "777788889999",
        "codeconnections:ProviderType": "GitHub",
    }


def _boundary(resource: Resource) -> dict[str, str]:
    boundary = resource.inputs.get("permissionsBoundary")
    return {"iam:PermissionsBoundary": str(boundary)} if boundary else {}


def _tags(kind: str, resource: Resource) -> dict[str, str]:
    tags: Mapping[str, Any] = resource.outputs.get("tagsAll") or {}
    return {f"{kind}/{key}": str(value) for key, value in tags.items()}
