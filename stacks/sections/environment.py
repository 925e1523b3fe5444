"""What an environment is called, where it lives and how well it is protected."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import ClassVar

from stacks.domain import AccountId, EnvironmentName, Prefix, Region, TagKey, TagValue
from stacks.problems import Problem, problem
from stacks.protection import Protection
from stacks.sections.section import Section, setting

# AWS allows 50 tags a resource; these many are left to Stackyard's own and to what EKS and Karpenter add.
RESERVED_TAGS, AWS_TAGS = 10, 50
OWN_TAGS = ("environment", "owner", "cost-centre", "component", "managed-by", "name")


class Layer(StrEnum):
    BASE = "base"
    PLATFORM = "platform"
    ACCOUNT = "account"


class Environment(Section):
    """Name, layers, account, region and protection of the environment."""

    read_by: ClassVar = "all components"

    name: EnvironmentName = setting("Name of the environment; part of every physical name.", "dev")
    layers: tuple[Layer, ...] = setting(
        "Layers that this stack provisions: base, platform or both; or account alone.", ["base", "platform"], min_length=1
    )
    account_id: AccountId = setting("AWS account, 12 digits in quotes; every other one is refused.", "111122223333")
    region: Region = setting("AWS region.", "us-east-1")
    protection: Protection = setting(
        "How well data and service are protected: deletion protection, retention, backups, multi-AZ, endpoints.", "standard"
    )
    owner: TagValue = setting("Team that answers for the environment; becomes the tag owner.", "machine-learning")
    cost_centre: TagValue = setting("Who pays; becomes the tag cost-centre.", "ml-1001")
    prefix: Prefix = setting("First part of every physical name.", "stackyard", default="stackyard")
    tags: Mapping[TagKey, TagValue] = setting(
        f"More tags for every resource that can carry one, at most {AWS_TAGS - RESERVED_TAGS}.",
        {"data-class": "internal"},
        default_factory=dict,
    )

    def problems(self, path: str) -> Iterator[Problem]:
        if len(set(self.layers)) != len(self.layers) or (Layer.ACCOUNT in self.layers and len(self.layers) > 1):
            yield problem(
                f"{path}.layers",
                [str(layer) for layer in self.layers],
                "must list base, platform or both once, or account alone",
                "the account layer is applied by an administrator, never together with what CI deploys",
                ["base", "platform"],
            )
        yield from self._tag_problems(f"{path}.tags")

    def _tag_problems(self, path: str) -> Iterator[Problem]:
        most = AWS_TAGS - RESERVED_TAGS
        if len(self.tags) > most:
            yield problem(
                path,
                f"{len(self.tags)} tags",
                f"must have at most {most}",
                f"AWS allows {AWS_TAGS} tags a resource, and {RESERVED_TAGS} are kept for Stackyard, EKS and Karpenter",
                {"data-class": "internal"},
            )
        for key, value in self.tags.items():
            if key.lower() in OWN_TAGS:
                yield problem(
                    f"{path}.{key}",
                    value,
                    "must have another name",
                    f"Stackyard sets the tags {', '.join(OWN_TAGS)} itself",
                    {"data-class": "internal"},
                    at=path,
                )
