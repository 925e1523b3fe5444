"""The cluster and what runs in it, node pools and teams excepted."""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from stacks.domain import Cidr, KubernetesVersion, LogRetentionDays, RoleArn, SecretArn
from stacks.problems import MISSING, Problem, problem
from stacks.sections.section import NOTHING_YET, Section, by_protection, setting

SHORTEST_REASON = 20
"""Characters of the reason for an endpoint that the whole internet reaches. Judged beside the networks it is for."""
WORLD_EXAMPLE = "hosted CI without fixed addresses, until the runner in the VPC works"

WorldReason = Annotated[str, Field(max_length=200, json_schema_extra={"minLength": SHORTEST_REASON})]


class Cluster(Section):
    """Kubernetes version, API endpoint and administrators of the EKS cluster."""

    read_by: ClassVar = "`Cluster`"

    kubernetes_version: KubernetesVersion = setting("Kubernetes minor version, in quotes.", "1.35")
    public_access_cidrs: tuple[Cidr, ...] = setting(
        "Networks that reach the API endpoint from the internet. Default: none, the endpoint is private.",
        ["203.0.113.0/24"],
        default=(),
        max_length=40,
    )
    open_to_world_reason: WorldReason | None = setting(
        "Why the whole internet must reach the API endpoint; allows 0.0.0.0/0 and shows up in every review.",
        WORLD_EXAMPLE,
        default=None,
    )
    log_retention_days: LogRetentionDays = by_protection(
        "Days that control-plane logs are kept.", 90, 365, "log_retention_days"
    )
    admin_role_arns: tuple[RoleArn, ...] = setting(
        "Roles that administer the cluster.", ["arn:aws:iam::111122223333:role/ml-platform-admin"], min_length=1
    )
    viewer_role_arns: tuple[RoleArn, ...] = setting(
        "Roles that may look at everything but secrets. Default: none.",
        ["arn:aws:iam::111122223333:role/ml-engineer"],
        default=(),
    )

    def rules(self, path: str) -> Iterable[Iterator[Problem]]:
        return self._world_problems(path), self._role_problems(path)

    def _world_problems(self, path: str) -> Iterator[Problem]:
        world = {index: cidr for index, cidr in self.entries("public_access_cidrs") if _is_world(cidr)}
        if self.open_to_world_reason is None:
            for index, cidr in world.items():
                yield problem(
                    f"{path}.publicAccessCidrs[{index}]",
                    cidr,
                    f"must not be (nearly) the whole internet unless {path}.openToWorldReason says why",
                    "anybody could try stolen credentials and unpatched flaws against the API",
                    "203.0.113.0/24",
                )
        elif not world and self.readable("public_access_cidrs"):
            yield problem(
                f"{path}.openToWorldReason",
                self.open_to_world_reason,
                "must only be given with 0.0.0.0/0 in publicAccessCidrs",
                "a reason without its exception would allow the exception unseen later",
            )
        elif len(self.open_to_world_reason) < SHORTEST_REASON:
            yield problem(
                f"{path}.openToWorldReason",
                self.open_to_world_reason,
                f"must have at least {SHORTEST_REASON} characters",
                "reviewers must understand why the whole internet is let in",
                WORLD_EXAMPLE,
            )

    def _role_problems(self, path: str) -> Iterator[Problem]:
        viewers = [arn for _, arn in self.entries("viewer_role_arns")]
        if both := sorted({arn for _, arn in self.entries("admin_role_arns")} & set(viewers)):
            yield problem(
                f"{path}.viewerRoleArns",
                viewers,
                f"must not contain {' and '.join(both)}",
                f"{path}.adminRoleArns has it too, and EKS keeps one access entry per role",
                [arn for arn in viewers if arn not in both] if self.readable("viewer_role_arns") else MISSING,
            )


def _is_world(cidr: str) -> bool:
    # Two halves of the internet are the internet: the usual way around a check for /0.
    return ipaddress.IPv4Network(cidr).prefixlen < 8


class Serving(Section):
    """Online prediction with the champion model. Without this section there is none."""

    read_by: ClassVar = NOTHING_YET

    min_replicas: int = setting("Fewest replicas; two survive the loss of a node.", 2, ge=1, le=1000)
    max_replicas: int = setting("Most replicas.", 6, ge=1, le=1000)

    def rules(self, path: str) -> Iterable[Iterator[Problem]]:
        return (self._replica_problems(path),)

    def _replica_problems(self, path: str) -> Iterator[Problem]:
        if self.min_replicas > self.max_replicas:
            yield problem(
                f"{path}.minReplicas",
                self.min_replicas,
                f"must be at most {path}.maxReplicas ({self.max_replicas})",
                "the autoscaler moves between the two",
                self.max_replicas,
            )


class Runners(Section):
    """Continuous integration runners inside the cluster. Without this section there are none."""

    read_by: ClassVar = NOTHING_YET

    max_runners: int = setting("Most jobs at once.", 8, ge=1, le=500)
    github_app_secret_arn: SecretArn = setting(
        "Secrets Manager secret with the GitHub App's id, installation and key.",
        "arn:aws:secretsmanager:us-east-1:111122223333:secret:github-app-AbCdEf",
        json_schema_extra={"x-sensitive": "a secret may stand here by mistake"},
    )


class Monitoring(Section):
    """Metrics, alert rules and dashboards. Without this section there are none."""

    read_by: ClassVar = NOTHING_YET

    retention_days: int = setting("Days that metrics are kept in the cluster.", 14, ge=1, le=400)
