"""One compiled pipeline, bound to a stack: what it runs, as whom, and what it may touch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.bucket_access import BucketAccess
from components.iam_policies import Statement, identity_policy
from components.pipeline_engine import PipelineEngine
from components.pod_identity import pod_identity_trust
from components.role_names import KEEPS_ITS_NAME, role_name
from components.tagging import child_tags
from components.workflow_admission import admission_policy, from_account, is_workflow, starts_one_of
from pipelines.binding import bind
from pipelines.compile.compiled import CompiledPipeline
from pipelines.contract import Contract
from pipelines.declaration import Bucket, PipelineDeclaration
from pipelines.schedule import cron_workflow
from stackyard.errors import InvalidInput

# https://argo-workflows.readthedocs.io/en/release-4.0/workflow-rbac/: what Argo's executor needs, and no more.
EXECUTOR_RULE: dict[str, Sequence[str]] = {
    "api_groups": ["argoproj.io"],
    "resources": ["workflowtaskresults"],
    "verbs": ["create", "patch"],
}
STARTER_RULE: dict[str, Sequence[str]] = {
    "api_groups": ["argoproj.io"],
    "resources": ["workflows"],
    "verbs": ["create", "get"],
}


@dataclass(frozen=True, kw_only=True)
class PipelineDeploymentArgs:
    declaration: PipelineDeclaration
    """What the pipeline reads, writes and may start."""

    compiled: CompiledPipeline
    """Its committed form, tokens unbound. It must have been compiled from this very declaration."""

    contract: Contract
    """The stack's values for the tokens; names the pipeline's service account."""

    location: AwsLocation
    """Account and region of cluster and buckets."""

    cluster_name: str
    """EKS cluster whose pods take on the role."""

    engine: PipelineEngine
    """Installs what knows Workflows; the pipeline waits for it."""

    data: BucketAccess
    """Grants on the bucket of data sets."""

    artifacts: BucketAccess
    """Grants on the bucket of artifacts; in a small stack the same bucket."""

    artifacts_bucket: Input[str]
    """Name of the bucket of artifacts, known once what is written gets encrypted."""

    package_path: str
    """File of the code package, from the program's working directory. Only an `up`, real or local, and the
    CLI's preview need it there."""

    after: Sequence[pulumi.Resource] = ()
    """What a run needs besides: the `LocalQueues` that admit its pods. Default: nothing."""

    schedule: str | None = None
    """Cron expression instead of the declared one. Default: as declared."""

    suspended: bool = False
    """Whether the schedule is there but starts nothing. Default: no."""

    permissions_boundary: Input[str] | None = None
    """ARN of the policy that bounds the pipeline's role. Default: none."""


class PipelineDeployment(pulumi.ComponentResource):
    """Creates, always:

    - an IAM role for the pipeline's pods, with a policy over the declared prefixes, its own code packages and the
      folder in which its steps hand results to each other; the Pod Identity association, and no key anywhere;
    - its service account (no token by default), and a role in the namespace that lets it report results;
    - the code package in the bucket of artifacts, named by its content, **retained**: old runs stay repeatable;
    - the WorkflowTemplate, bound to the stack;
    - its entry among the admission policies: the Workflows that it may create, by default none.

    With a schedule: a CronWorkflow. With pipelines that it may start: the right to create Workflows.
    Costs nothing by itself.
    """

    role_arn: Output[str]
    template_name: Output[str]
    package_key: Output[str]

    def __init__(self, name: str, args: PipelineDeploymentArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:PipelineDeployment", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        self._account = check(args)

        role = self._create_role()
        policy = self._create_permissions(role)
        association = self._create_association(role)
        account = self._create_account()
        binding = self._create_rbac(account)
        package = self._create_package()
        entry_ready = [policy, association, binding, package, *args.after]
        template = self._create_template(entry_ready)
        self._create_schedule(template)
        self._create_admission_entry()

        self.role_arn = role.arn
        self.template_name = Output.from_input(args.compiled.name)
        self.package_key = package.key
        self.register_outputs(
            {"roleArn": self.role_arn, "templateName": self.template_name, "packageKey": self.package_key}
        )

    def _create_role(self) -> aws.iam.Role:
        name, location = f"{self._name}-role", self._args.location
        return aws.iam.Role(
            name,
            name=role_name(self._args.cluster_name, name),
            description=f"Pods of pipeline {self._args.declaration.name}",
            assume_role_policy=pod_identity_trust(location, location.arn("eks", f"cluster/{self._args.cluster_name}")),
            permissions_boundary=self._args.permissions_boundary,
            tags=child_tags(self._name, name),
            opts=ResourceOptions.merge(self._child, KEEPS_ITS_NAME),
        )

    def _create_permissions(self, role: aws.iam.Role) -> aws.iam.RolePolicy:
        args = self._args
        statements = statements_of(args.declaration, data=args.data, artifacts=args.artifacts)
        return aws.iam.RolePolicy(
            f"{self._name}-permissions", role=role.id, policy=identity_policy(statements), opts=self._child
        )

    def _create_association(self, role: aws.iam.Role) -> aws.eks.PodIdentityAssociation:
        name = f"{self._name}-identity"
        return aws.eks.PodIdentityAssociation(
            name,
            cluster_name=self._args.cluster_name,
            namespace=self._args.contract.namespace,
            service_account=self._account,
            role_arn=role.arn,
            tags=child_tags(self._name, name),
            opts=self._child,
        )

    def _create_account(self) -> k8s.core.v1.ServiceAccount:
        return k8s.core.v1.ServiceAccount(
            f"{self._name}-account",
            metadata=self._metadata(),
            # The compiled template hands the token to the containers that call the API, and to no others.
            automount_service_account_token=False,
            opts=self._in_engine(),
        )

    def _create_rbac(self, account: k8s.core.v1.ServiceAccount) -> k8s.rbac.v1.RoleBinding:
        rules = [k8s.rbac.v1.PolicyRuleArgs(**EXECUTOR_RULE)]
        if self._args.declaration.may_start:
            rules.append(k8s.rbac.v1.PolicyRuleArgs(**STARTER_RULE))
        role = k8s.rbac.v1.Role(f"{self._name}-rules", metadata=self._metadata(), rules=rules, opts=self._in_engine())
        return k8s.rbac.v1.RoleBinding(
            f"{self._name}-binding",
            metadata=self._metadata(),
            role_ref=k8s.rbac.v1.RoleRefArgs(
                api_group="rbac.authorization.k8s.io", kind="Role", name=role.metadata.name
            ),
            subjects=[
                k8s.rbac.v1.SubjectArgs(
                    kind="ServiceAccount", name=account.metadata.name, namespace=self._args.contract.namespace
                )
            ],
            opts=self._child,
        )

    def _create_package(self) -> aws.s3.BucketObjectv2:
        name = f"{self._name}-package"
        return aws.s3.BucketObjectv2(
            name,
            bucket=self._args.artifacts_bucket,
            key=self._args.compiled.package.key,
            source=pulumi.FileAsset(self._args.package_path),
            content_type="application/gzip",
            tags=child_tags(self._name, name),
            # Older packages stay, so that what they trained can be trained again.
            opts=ResourceOptions.merge(self._child, ResourceOptions(retain_on_delete=True)),
        )

    def _create_template(self, needed: Sequence[pulumi.Resource]) -> k8s.apiextensions.CustomResource:
        bound = bind(self._args.compiled.template, self._args.contract, pipeline=self._args.compiled.name)
        # A run may start as soon as the template is there, and then needs code, role and rights.
        return self._custom_resource("template", bound, needed)

    def _create_schedule(self, template: pulumi.Resource) -> None:
        args = self._args
        cron = cron_workflow(args.declaration, schedule=args.schedule, suspended=args.suspended)
        if cron is not None:
            # Its first run needs the template.
            self._custom_resource("schedule", bind(cron, args.contract, pipeline=args.compiled.name), [template])

    def _create_admission_entry(self) -> None:
        allowed = self._args.declaration.may_start
        names = ", ".join(sorted(allowed)) or "no pipeline"
        admission_policy(
            f"{self._name}-starts",
            object_name=f"stackyard-pipeline-{self._args.declaration.name}",
            applies_to=from_account(self._args.contract.namespace, self._account),
            rules=[
                (
                    f"{is_workflow()} && {starts_one_of(allowed)}",
                    f"pipeline {self._args.declaration.name} declares that it may start {names}",
                )
            ],
            opts=self._child,
        )

    def _custom_resource(
        self, noun: str, document: dict[str, Any], needed: Sequence[pulumi.Resource]
    ) -> k8s.apiextensions.CustomResource:
        return k8s.apiextensions.CustomResource(
            f"{self._name}-{noun}",
            api_version=document["apiVersion"],
            kind=document["kind"],
            metadata=document["metadata"],
            spec=document["spec"],
            opts=ResourceOptions.merge(self._in_engine(), ResourceOptions(depends_on=list(needed))),
        )

    def _metadata(self) -> k8s.meta.v1.ObjectMetaArgs:
        return k8s.meta.v1.ObjectMetaArgs(name=self._account, namespace=self._args.contract.namespace)

    def _in_engine(self) -> ResourceOptions:
        # Namespace and kinds of Argo come with the engine.
        return ResourceOptions.merge(self._child, ResourceOptions(depends_on=[self._args.engine]))


def check(args: PipelineDeploymentArgs) -> str:
    """The pipeline's service account. Raises InvalidInput when declaration, compiled form and contract do not fit."""
    name = args.declaration.name
    if args.compiled.name != name or args.compiled.declaration_digest != args.declaration.digest():
        raise InvalidInput(
            f"The compiled form of pipeline {name} was not made from its declaration: "
            f"run `stackyard pipelines compile {name}` and commit what it writes."
        )
    if name not in args.contract.service_accounts:
        raise InvalidInput(f"The contract names no service account for pipeline {name}: add it to service_accounts.")
    return args.contract.service_accounts[name]


def statements_of(declaration: PipelineDeclaration, *, data: BucketAccess, artifacts: BucketAccess) -> list[Statement]:
    """What the pipeline's role may do: the declared prefixes, its own packages and the state of its own runs."""
    access = {Bucket.DATA: data, Bucket.ARTIFACTS: artifacts}
    granted = [statement for prefix in declaration.inputs for statement in access[prefix.bucket].read(prefix.path)]
    for prefix in declaration.outputs:
        # A rerun of a step looks first whether its result is there already.
        granted += access[prefix.bucket].read(prefix.path) + access[prefix.bucket].write(prefix.path)
    granted += artifacts.read(declaration.packages_prefix)
    granted += artifacts.read(declaration.state_prefix) + artifacts.write(declaration.state_prefix)
    return _once(granted)


def _once(statements: Iterable[Statement]) -> list[Statement]:
    """Grants on several prefixes of a bucket repeat the statement about its key."""
    unique: list[Statement] = []
    for statement in statements:
        if statement not in unique:
            unique.append(statement)
    return unique
