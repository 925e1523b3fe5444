"""The provider's Check: names that it makes up, and the tags that it adds to everything it makes."""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from stackyard.program.deployment import Resource
from stackyard.program.naming import autonamed
from stackyard.program.values import Value, plain


def checked(
    goal: Resource,
    prior: Resource | None,
    tags: Mapping[str, Value],
    *,
    region: str = "",
    replacing: bool = False,
) -> Resource:
    """The goal with the provider's own inputs. A name that the provider made before stays, unless it is replaced.

    `tags` and `region` are the provider's; it shows them among the outputs.
    """
    if not goal.custom or goal.is_provider:
        return goal
    made = {key: prior.inputs[key] for key in prior.defaults if key in prior.inputs} if prior else {}
    before = json.dumps(plain(made), sort_keys=True) if made and replacing else ""
    urn = prior.urn if prior else goal.urn
    inputs, defaults = autonamed(goal.type, urn, goal.name, goal.inputs, instead_of=before)
    if prior and not replacing:
        kept = {key: prior.inputs[key] for key in defaults if key in prior.defaults and key in prior.inputs}
        if "metadata" in kept:
            made = prior.inputs["metadata"].get("name")
            kept["metadata"] = {**inputs["metadata"], "name": made}
        inputs |= kept
    outputs: dict[str, Value] = {}
    if taggable(goal.type):
        outputs["tagsAll"] = {**tags, **(inputs.get("tags") or {})}
    if region and regional(goal.type):
        outputs["region"] = inputs.get("region") or region
    return replace(goal, inputs=inputs, defaults=defaults, outputs=outputs)


def provider_region(provider_inputs: Mapping[str, Value]) -> str:
    """Region of an AWS provider; empty where it is none, or not known."""
    value = provider_inputs.get("region")
    return value if isinstance(value, str) else ""


def default_tags(provider_inputs: Mapping[str, Value]) -> dict[str, Value]:
    """Tags of an AWS provider's `defaultTags`, which travels as a JSON string."""
    value = provider_inputs.get("defaultTags")
    parsed = json.loads(value) if isinstance(value, str) else value or {}
    return dict(parsed.get("tags") or {})


def taggable(type_: str) -> bool:
    """Whether the provider manages `tagsAll` for a type, by the SDK class that the program has loaded."""
    return _has(type_, "tags_all")


def regional(type_: str) -> bool:
    """Whether what a type stands for lies in a region: IAM's does not."""
    return _has(type_, "region")


@cache
def _has(type_: str, property_: str) -> bool:
    package, _, rest = type_.partition(":")
    if package != "aws" or "/" not in rest:
        return False
    module, _, class_ = rest.partition("/")
    loaded = sys.modules.get(f"pulumi_aws.{module}")
    return hasattr(getattr(loaded, class_.rsplit(":", 1)[-1], None), property_)
