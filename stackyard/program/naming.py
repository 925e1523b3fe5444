"""Physical names that a provider makes up when a program gives none (autonaming): here deterministic, from the URN.

The real provider appends seven random characters; ours are a hash, so that two captures are equal.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from stackyard.program.values import Value

SUFFIX_LENGTH = 7


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a type's name goes and what it may look like."""

    property: str
    max_length: int = 255
    lower: bool = False


# Source: the provider's auto-naming table in pulumi-aws (provider/resources.go) and each service's limit.
RULES: Mapping[str, Rule] = {
    "aws:s3/bucket:Bucket": Rule("bucket", 63, lower=True),
    "aws:kms/alias:Alias": Rule("name", 256),
    "aws:iam/role:Role": Rule("name", 64),
    "aws:iam/policy:Policy": Rule("name", 128),
    "aws:iam/rolePolicy:RolePolicy": Rule("name", 128),
    "aws:iam/instanceProfile:InstanceProfile": Rule("name", 128),
    "aws:ec2/securityGroup:SecurityGroup": Rule("name", 255),
    "aws:ec2/launchTemplate:LaunchTemplate": Rule("name", 125),
    "aws:ec2/placementGroup:PlacementGroup": Rule("name", 255),
    "aws:cloudwatch/logGroup:LogGroup": Rule("name", 512),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Rule("name", 255),
    "aws:cloudwatch/eventRule:EventRule": Rule("name", 64),
    "aws:ecr/repository:Repository": Rule("name", 256, lower=True),
    "aws:eks/cluster:Cluster": Rule("name", 100),
    "aws:eks/nodeGroup:NodeGroup": Rule("nodeGroupName", 63),
    "aws:rds/eventSubscription:EventSubscription": Rule("name", 255),
    "aws:rds/instance:Instance": Rule("identifier", 63, lower=True),
    "aws:rds/subnetGroup:SubnetGroup": Rule("name", 255, lower=True),
    "aws:rds/parameterGroup:ParameterGroup": Rule("name", 255, lower=True),
    "aws:secretsmanager/secret:Secret": Rule("name", 512),
    "aws:sns/topic:Topic": Rule("name", 256),
    "aws:sqs/queue:Queue": Rule("name", 80),
    "aws:budgets/budget:Budget": Rule("name", 100),
    "aws:cloudtrail/trail:Trail": Rule("name", 128),
    "aws:codebuild/project:Project": Rule("name", 150),
    "aws:accessanalyzer/analyzer:Analyzer": Rule("analyzerName", 255),
}


def short_hash(text: str, length: int = SUFFIX_LENGTH) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def autonamed(
    type_: str, urn: str, name: str, inputs: Mapping[str, Value], *, instead_of: str = ""
) -> tuple[dict[str, Value], tuple[str, ...]]:
    """The inputs with the provider's name filled in, and which inputs the provider made.

    `instead_of`: the name of a predecessor beside which the resource has to live.
    """
    suffix = short_hash(urn + instead_of)
    if type_.startswith("kubernetes:"):
        return _kubernetes(urn, name, inputs, suffix)
    rule = RULES.get(type_)
    if rule is None or inputs.get(rule.property) is not None or inputs.get(f"{rule.property}Prefix") is not None:
        return dict(inputs), ()
    return {**inputs, rule.property: _named(rule, urn, name, suffix)}, (rule.property,)


def _named(rule: Rule, urn: str, name: str, suffix: str) -> str:
    name = name.lower() if rule.lower else name
    prefix = "alias/" if "kms/alias" in urn else ""
    room = rule.max_length - SUFFIX_LENGTH - 1 - len(prefix)
    return f"{prefix}{name[:room]}-{suffix}"


def _kubernetes(
    urn: str, name: str, inputs: Mapping[str, Value], suffix: str
) -> tuple[dict[str, Value], tuple[str, ...]]:
    if urn.split("::")[2].endswith("kubernetes:helm.sh/v3:Release"):
        if inputs.get("name"):
            return dict(inputs), ()
        return {**inputs, "name": f"{_dns(name)}-{suffix}"}, ("name",)
    metadata = inputs.get("metadata", {})
    if not isinstance(metadata, Mapping) or metadata.get("name") or metadata.get("generateName"):
        return dict(inputs), ()
    return {**inputs, "metadata": {**metadata, "name": f"{_dns(name)}-{suffix}"}}, ("metadata",)


def _dns(name: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:50]
