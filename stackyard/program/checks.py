"""The provider's Check: names that it makes up, and the tags that it adds to everything it makes."""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from stackyard.program.deployment import Resource
from stackyard.program.inherited import NOTE, RELEASE, release, with_defaults, without_notes
from stackyard.program.naming import autonamed
from stackyard.program.values import UNKNOWN, Value, plain


def checked(
    goal: Resource,
    prior: Resource | None,
    tags: Mapping[str, Value],
    *,
    region: str = "",
    replacing: bool = False,
) -> Resource:
    """The goal with the provider's own inputs. A name that the provider made before stays, unless it is replaced.

    `tags` and `region` are the provider's; it shows them among the outputs. What a real provider wrote into the prior's
    inputs besides is found again (`inherited.py`); where it wrote nothing, nothing is added.
    """
    if not goal.custom or goal.is_provider:
        return goal
    made = {key: prior.inputs[key] for key in prior.defaults if key in prior.inputs} if prior else {}
    before = json.dumps(plain(made), sort_keys=True) if made and replacing else ""
    urn = prior.urn if prior else goal.urn
    inputs, defaults = autonamed(goal.type, urn, goal.name, goal.inputs, instead_of=before)
    if prior and not replacing:
        # helm_release.go, adoptOldNameIfUnnamed: a release's name stays without a note.
        noted = (*prior.defaults, "name") if goal.type == RELEASE else prior.defaults
        kept = {key: prior.inputs[key] for key in defaults if key in noted and key in prior.inputs}
        if "metadata" in kept:
            made = prior.inputs["metadata"].get("name")
            kept["metadata"] = {**inputs["metadata"], "name": made}
        inputs |= kept
    outputs: dict[str, Value] = {}
    all_tags = _all_tags(tags, inputs.get("tags") or {})
    if taggable(goal.type):
        outputs["tagsAll"] = all_tags
    if region and regional(goal.type):
        outputs["region"] = inputs.get("region") or region
    if prior:
        inputs, defaults = _as_written(goal.type, inputs, defaults, prior, all_tags, region)
    return replace(goal, inputs=inputs, defaults=defaults, outputs=outputs)


def _as_written(
    type_: str, inputs: dict[str, Value], defaults: tuple[str, ...], prior: Resource, all_tags: Value, region: str
) -> tuple[dict[str, Value], tuple[str, ...]]:
    """The inputs in the form of the prior's: a real provider writes more of them into a state than a program gives."""
    before = prior.inputs
    if type_ == RELEASE:
        return release(inputs, before), defaults
    if type_.startswith("aws:"):
        # pulumi-aws provider/region.go, applyRegion: the provider's region where the program gives none.
        if "region" in before and inputs.get("region") is None:
            inputs = {**inputs, "region": region or before["region"]}
        # pulumi-aws provider/tags.go, applyTags. Already there: the change is ignored.
        if "tagsAll" in before:
            inputs = {"tagsAll": all_tags, **inputs}
    inputs, kept = with_defaults(inputs, before, prior.defaults)
    defaults = (*defaults, *kept)
    if NOTE in before and not defaults:
        inputs[NOTE] = before[NOTE]
    return inputs, tuple(sorted(defaults))


def _all_tags(default: Mapping[str, Value], own: Value) -> Value:
    return {**default, **without_notes(own)} if isinstance(own, Mapping) else UNKNOWN


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
