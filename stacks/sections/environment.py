"""What an environment is called, where it lives and how well it is protected."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from stacks.domain import AccountId, EnvironmentName, Prefix, Region, TagKey, TagValue
from stacks.problems import Problem, problem, refuse
from stacks.protection import Protection
from stacks.sections.section import Section, setting

# AWS allows 50 tags a resource; these many are left to Stackyard's own and to what EKS and Karpenter add.
RESERVED_TAGS, AWS_TAGS = 10, 50
OWN_TAGS = ("environment", "owner", "cost-centre", "component", "managed-by", "name")


class Layer(StrEnum):
    BASE = "base"
    PLATFORM = "platform"
    ACCOUNT = "account"


def _known_layers(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    if not layers:
        reason = "a stack without a layer has nothing to provision"
        raise refuse("must list base, platform or both, or account alone", reason, ["base", "platform"])
    if Layer.ACCOUNT in layers and len(set(layers)) > 1:
        reason = "the account layer is applied by an administrator, never together with what CI deploys"
        raise refuse("must list account alone, or not at all", reason, ["base", "platform"])
    if len(set(layers)) < len(layers):
        example = [str(Layer.ACCOUNT)] if Layer.ACCOUNT in layers else ["base", "platform"]
        raise refuse("must list each layer once", "a stack provisions a layer or does not", example)
    return layers


def _few_own_tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    most = AWS_TAGS - RESERVED_TAGS
    if len(tags) > most:
        raise refuse(
            f"must have at most {most} tags",
            f"these are {len(tags)}, AWS allows {AWS_TAGS} a resource, "
            f"and {RESERVED_TAGS} are kept for Stackyard, EKS and Karpenter",
        )
    if taken := sorted(key for key in tags if key.lower() in OWN_TAGS):
        raise refuse(
            f"must not contain {', '.join(taken)}", f"Stackyard sets the tags {', '.join(OWN_TAGS)} on resources itself"
        )
    return tags


Layers = Annotated[tuple[Layer, ...], AfterValidator(_known_layers), Field(json_schema_extra={"minItems": 1})]
Tags = Annotated[Mapping[TagKey, TagValue], AfterValidator(_few_own_tags)]


class Environment(Section):
    """Name, layers, account, region and protection of the environment."""

    read_by: ClassVar = "all components"

    name: EnvironmentName = setting("Name of the environment; part of every physical name.", "dev")
    layers: Layers = setting(
        "Layers that this stack provisions: base, platform or both; or account alone.", ["base", "platform"]
    )
    account_id: AccountId = setting("AWS account, 12 digits in quotes; every other one is refused.", "111122223333")
    region: Region = setting("AWS region.", "us-east-1")
    protection: Protection = setting(
        "How well data and service are protected: deletion protection, retention, backups, multi-AZ, endpoints.",
        "standard",
    )
    owner: TagValue = setting("Team that answers for the environment; becomes the tag owner.", "machine-learning")
    cost_centre: TagValue = setting("Who pays; becomes the tag cost-centre.", "ml-1001")
    prefix: Prefix = setting("First part of every physical name.", "stackyard", default="stackyard")
    tags: Tags = setting(
        f"More tags for every resource that can carry one, at most {AWS_TAGS - RESERVED_TAGS}.",
        {"data-class": "internal"},
        default_factory=dict,
    )

    def rules(self, path: str) -> Iterable[Iterator[Problem]]:
        return (self._tag_problems(path),)

    def _tag_problems(self, path: str) -> Iterator[Problem]:
        counts = Counter(key.lower() for key in self.tags)
        if alike := [key for key in self.tags if counts[key.lower()] > 1]:
            yield problem(
                f"{path}.tags",
                alike,
                "must have keys that differ in more than capitals",
                "IAM takes such keys for one, and refuses to create a role with both",
            )
