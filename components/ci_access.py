"""How CI gets into an account: short-lived roles for the jobs of named GitHub environments, with a boundary."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.ci_boundary import boundary_policy
from components.ci_changes import groups_of
from components.ci_permissions import LONGEST_MANAGED_POLICY
from components.ci_stacks import CiNames, CiPurpose, CiStack
from components.ci_trust import AUDIENCE, ISSUER, environment_subject, github_trust_policy
from components.iam_policies import identity_policy
from components.invalid_argument import InvalidArgument
from components.role_names import LONGEST_ROLE_NAME
from components.tagging import child_tags

# A deployment that takes longer has to be split; a stolen token is worth an hour.
SESSION_SECONDS = 3600

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: 10 unless AWS was asked for more.
MOST_POLICIES_PER_ROLE = 10


@dataclass(frozen=True, kw_only=True)
class CiAccessArgs:
    location: AwsLocation
    """Account of the roles, and the region in which they may create things."""

    prefix: str
    """First part of every physical name: the roles are `<prefix>-ci-<stack>-preview` and `-deploy`."""

    project: str
    """Pulumi project, part of the states' keys."""

    repository: str
    """GitHub repository, `OWNER/NAME`, whose jobs assume the roles."""

    stacks: Sequence[CiStack]
    """Stacks that get roles, at least one, each with its own GitHub environments."""


class CiAccess(pulumi.ComponentResource):
    """Creates, always:

    - the OIDC provider for GitHub's tokens, one per account;
    - the permissions boundary `<prefix>-ci-boundary`: no change to CI's roles, to the boundary, to the state buckets;
    - for each stack a preview role, for jobs of the GitHub environment `STACK-preview`: it reads settings and its own
      state (of a platform stack its base's, too), no object of data and no key of data;
    - for each stack a deploy role, for jobs of the GitHub environment `STACK`: what its layers need, roles only with
      the boundary, and only what carries the environment's tag;
    - the policies of the roles, split so that each stays below IAM's limit.

    An administrator applies it, CI never: it holds CI's own permissions. It costs nothing.
    """

    role_arns: dict[str, Output[str]]
    """By the name of the GitHub environment whose jobs assume the role."""
    boundary_arn: Output[str]

    def __init__(self, name: str, args: CiAccessArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:CiAccess", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        self._names = CiNames(prefix=args.prefix, project=args.project, location=args.location)
        _check_stacks(args.stacks)

        provider = self._create_provider()
        boundary = self._create_boundary()
        self.role_arns = {
            stack.github_environment(purpose): self._create_role(stack, purpose, provider, boundary)
            for stack in args.stacks
            for purpose in CiPurpose
        }
        self.boundary_arn = boundary.arn
        self.register_outputs({"roleArns": self.role_arns, "boundaryArn": self.boundary_arn})

    def _tags(self, child: str) -> dict[str, str]:
        return child_tags(self._name, child)

    def _create_provider(self) -> aws.iam.OpenIdConnectProvider:
        name = f"{self._name}-github"
        return aws.iam.OpenIdConnectProvider(
            name,
            url=f"https://{ISSUER}",
            # No thumbprints: AWS trusts GitHub's certificates by its own list of authorities.
            client_id_lists=[AUDIENCE],
            tags=self._tags(name),
            opts=self._child,
        )

    def _create_boundary(self) -> aws.iam.Policy:
        name = f"{self._name}-boundary"
        return aws.iam.Policy(
            name,
            name=self._names.policy("boundary"),
            policy=_short(boundary_policy(self._names, self._args.stacks), "the boundary"),
            tags=self._tags(name),
            opts=self._child,
        )

    def _create_role(
        self,
        stack: CiStack,
        purpose: CiPurpose,
        provider: aws.iam.OpenIdConnectProvider,
        boundary: aws.iam.Policy,
    ) -> Output[str]:
        """The role's ARN, known once it may do what it is for."""
        name = f"{self._name}-{stack.name}-{purpose}"
        subject = environment_subject(self._args.repository, stack.github_environment(purpose))
        role = aws.iam.Role(
            f"{name}-role",
            name=_role_name(self._names.role(stack.name, purpose)),
            assume_role_policy=github_trust_policy(provider.arn, subject),
            permissions_boundary=boundary.arn,
            max_session_duration=SESSION_SECONDS,
            tags=self._tags(f"{name}-role"),
            opts=self._child,
        )
        attachments = self._attach_policies(name, stack, purpose, role)
        return Output.all(role.arn, *(attachment.id for attachment in attachments)).apply(lambda known: known[0])

    def _attach_policies(
        self, name: str, stack: CiStack, purpose: CiPurpose, role: aws.iam.Role
    ) -> list[aws.iam.RolePolicyAttachment]:
        groups = groups_of(self._names, stack, purpose)
        if len(groups) > MOST_POLICIES_PER_ROLE:
            raise InvalidArgument(
                f"{stack.name} needs {len(groups)} policies, and IAM attaches {MOST_POLICIES_PER_ROLE} to a role: "
                "give its layers stacks of their own"
            )
        attachments: list[aws.iam.RolePolicyAttachment] = []
        for noun, statements in groups.items():
            child = f"{name}-{noun}"
            policy = aws.iam.Policy(
                child,
                name=self._names.policy(f"{stack.name}-{purpose}-{noun}"),
                policy=_short(identity_policy(statements), child),
                tags=self._tags(child),
                opts=self._child,
            )
            attachments.append(
                aws.iam.RolePolicyAttachment(
                    f"{child}-attachment", role=role.name, policy_arn=policy.arn, opts=self._child
                )
            )
        return attachments


def _short(document: Input[str], what: str) -> Output[str]:
    return Output.from_input(document).apply(lambda text: check_length(text, what))


def check_length(document: str, what: str) -> str:
    """The document itself. Raises ValueError when IAM would refuse it as too long; white space does not count."""
    length = len(document.replace(" ", ""))
    if length > LONGEST_MANAGED_POLICY:
        raise InvalidArgument(
            f"the policy of {what} has {length} characters, and IAM allows {LONGEST_MANAGED_POLICY}: "
            "split it by service, or let CI deploy fewer environments in one account"
        )
    return document


def _role_name(name: str) -> str:
    if len(name) > LONGEST_ROLE_NAME:
        raise InvalidArgument(
            f"role name {name!r} has {len(name)} characters, and IAM allows {LONGEST_ROLE_NAME}: "
            "shorten environment.prefix or the stack's name"
        )
    return name


def _check_stacks(stacks: Sequence[CiStack]) -> None:
    names = [stack.name for stack in stacks]
    if not names:
        raise InvalidArgument("CI needs at least one stack that it may preview and deploy, for example 'prod-base'")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidArgument(f"{', '.join(twice)} stands twice among the stacks of CI: each has one pair of roles")
    if "account" in names:
        raise InvalidArgument(
            "the stack 'account' holds CI's own permissions, so CI never deploys it: leave it out of the stacks of CI"
        )
    _check_environments(sorted({stack.environment for stack in stacks}))


def _check_environments(names: Sequence[str]) -> None:
    for name in names:
        if name == "ci" or name.startswith("ci-"):
            raise InvalidArgument(
                f"an environment called {name!r} cannot be deployed by CI: names of its roles would begin like those "
                "of CI's own, which nobody from CI may change; call it for example 'build'"
            )
        if longer := [other for other in names if other.startswith(f"{name}-")]:
            raise InvalidArgument(
                f"the environments {name!r} and {longer[0]!r} cannot be told apart by the names of their buckets and "
                "roles, so CI cannot deploy both in one account: give one another name or an account of its own"
            )
