"""The stacks that CI deploys, and the names that follow from them: both sides must compute the same ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from components.aws_location import AwsLocation

STATE_FOLDER = ".pulumi"


class CiLayer(StrEnum):
    BASE = "base"
    PLATFORM = "platform"


class CiPurpose(StrEnum):
    PREVIEW = "preview"
    """Reads; its GitHub environment `STACK-preview` asks nobody."""
    DEPLOY = "deploy"
    """Changes; its GitHub environment `STACK` asks for approvals."""


@dataclass(frozen=True, kw_only=True)
class CiStack:
    """One stack that CI previews and deploys."""

    name: str
    """Name of the stack, which its GitHub environment shares: `prod-base`."""

    environment: str
    """Environment that the stack belongs to: `prod`. Its tag tells the environment's resources from others'."""

    layers: tuple[CiLayer, ...]
    """Layers that the stack provisions."""

    state_bucket: str
    """Bucket of the environment's states; its key has the alias of the same name (`stackyard bootstrap`)."""

    state_log_bucket: str
    """Bucket of the state bucket's access logs."""

    data_bucket: str
    """Bucket into which the platform layer puts the code of pipelines."""

    @property
    def base_stack(self) -> str | None:
        """The stack whose outputs this one reads; None where it has its own base layer."""
        return None if CiLayer.BASE in self.layers else f"{self.environment}-base"

    def github_environment(self, purpose: CiPurpose) -> str:
        """Name of the GitHub environment whose jobs assume the role."""
        return self.name if purpose is CiPurpose.DEPLOY else f"{self.name}-{purpose}"


def layers_of(stack: str) -> tuple[str, tuple[CiLayer, ...]]:
    """Environment and layers by a stack's name: `prod-base` is the base layer of prod, `dev` has both."""
    for layer in CiLayer:
        if stack.endswith(f"-{layer}"):
            return stack.removesuffix(f"-{layer}"), (layer,)
    return stack, (CiLayer.BASE, CiLayer.PLATFORM)


@dataclass(frozen=True, kw_only=True)
class CiNames:
    """Names and ARNs of what belongs to CI. All begin alike, so that one pattern protects them."""

    prefix: str
    """First part of every physical name."""

    project: str
    """Pulumi project, part of the states' keys."""

    location: AwsLocation

    def role(self, stack: str, purpose: CiPurpose) -> str:
        return f"{self.prefix}-ci-{stack}-{purpose}"

    def role_arn(self, stack: str, purpose: CiPurpose) -> str:
        return self._iam("role/" + self.role(stack, purpose))

    def policy(self, noun: str) -> str:
        return f"{self.prefix}-ci-{noun}"

    @property
    def boundary_arn(self) -> str:
        """ARN of the boundary, as the conditions and the layers name it."""
        return self._iam("policy/" + self.policy("boundary"))

    @property
    def protected_arns(self) -> list[str]:
        """Roles and policies of CI, and the providers whose tokens open them."""
        return [
            self._iam(f"policy/{self.prefix}-ci-*"),
            self._iam(f"role/{self.prefix}-ci-*"),
            self._iam("oidc-provider/*"),
        ]

    def role_arns(self, environment: str) -> str:
        """Pattern of the ARNs of an environment's roles, which carry its name (role_names.py)."""
        return self._iam(f"role/{self.prefix}-{environment}-*")

    @property
    def any_profile_arn(self) -> str:
        return self._iam("instance-profile/*")

    def in_any_region(self, service: str, resource: str) -> str:
        """ARN of a resource of this account, wherever it lies: copies of buckets live in other regions."""
        location = self.location
        return f"arn:{location.partition}:{service}:*:{location.account_id}:{resource}"

    @property
    def service_role_arn(self) -> str:
        return self._iam("role/aws-service-role/*")

    def state_key_arns(self, bucket: str, stack: str) -> list[str]:
        """Objects of one stack's state. A checkpoint may be compressed and has a copy of the one before.

        Source: https://www.pulumi.com/docs/iac/concepts/state-and-backends/
        """
        arn, folder = self.location.bucket_arn(bucket), f"{STATE_FOLDER}/stacks/{self.project}"
        return [f"{arn}/{folder}/{stack}.json", f"{arn}/{folder}/{stack}.json.*"]

    def history_arns(self, bucket: str, stack: str) -> list[str]:
        """What an update writes beside the state: its lock, the history and copies."""
        arn = self.location.bucket_arn(bucket)
        folders = ("backups", "history", "locks/organization")
        return [f"{arn}/{STATE_FOLDER}/{folder}/{self.project}/{stack}/*" for folder in folders]

    def meta_arn(self, bucket: str) -> str:
        """The backend's format, which every command reads first."""
        return f"{self.location.bucket_arn(bucket)}/{STATE_FOLDER}/meta.yaml"

    def _iam(self, resource: str) -> str:
        return f"arn:{self.location.partition}:iam::{self.location.account_id}:{resource}"


def by_alias(*aliases: str) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Condition for keys that have one of the aliases: their ARNs are known to AWS alone.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    """
    return {"ForAnyValue:StringEquals": {"kms:ResourceAliases": [f"alias/{alias}" for alias in aliases]}}
