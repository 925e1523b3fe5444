"""A capture as a Terraform plan in JSON, for scanners that read that form: only AWS's resources.

pulumi-aws is made from the Terraform provider by rules, which are applied backwards here: names in snake case, a single
object is a block of one, a list of objects is the repeated block, whose name is singular. Names that no rule gives
stand in tables. Sources: https://developer.hashicorp.com/terraform/internals/json-format and the provider's own names.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from stackyard.program.deployment import Deployment, Resource
from stackyard.program.values import secret_blinded, to_json

FORMAT_VERSION = "1.2"
PROVIDER = "hashicorp/aws"

# Modules of pulumi-aws whose types carry another word, or none, in Terraform.
MODULES: Mapping[str, str] = {
    "accessanalyzer": "accessanalyzer",
    "cfg": "config",
    "costexplorer": "ce",
    "ec2": "",
    "rds": "db",
}

TYPES: Mapping[str, str] = {
    "aws:cfg/recorder:Recorder": "aws_config_configuration_recorder",
    "aws:cfg/recorderStatus:RecorderStatus": "aws_config_configuration_recorder_status",
    "aws:cloudtrail/trail:Trail": "aws_cloudtrail",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": "aws_iam_openid_connect_provider",
    "aws:rds/cluster:Cluster": "aws_rds_cluster",
    "aws:s3/bucketObjectv2:BucketObjectv2": "aws_s3_object",
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": "aws_s3_bucket_replication_configuration",
    "aws:s3/inventory:Inventory": "aws_s3_bucket_inventory",
}

# Properties whose values are maps with keys of their own, not blocks.
MAPS = frozenset({"default_tags", "labels", "tags", "tags_all", "variables"})

# Lists of objects that are plural in Terraform as well.
PLURAL = frozenset({"block_device_mappings", "tag_specifications"})

# Assets: a scanner has no use for them.
LEFT_OUT = frozenset({"source"})


def terraform_plan(deployment: Deployment) -> dict[str, Any]:
    """The plan that would create every AWS resource of the stack. Secrets are blinded."""
    resources = [resource for resource in deployment if resource.type.startswith("aws:")]
    addresses = {resource.urn: _address(resource) for resource in resources}
    doubled = {address for address, count in Counter(addresses.values()).items() if count > 1}
    if doubled:
        raise ValueError(f"two resources have the address {', '.join(sorted(doubled))}: a plan cannot tell them apart")
    known = _known_values(resources, addresses)
    heads = {r.urn: _head(r, addresses[r.urn]) for r in resources}
    values = {r.urn: _values(r) for r in resources}
    return {
        "format_version": FORMAT_VERSION,
        "terraform_version": "1.9.0",
        "planned_values": {
            "root_module": {"resources": [{**head, "values": values[urn]} for urn, head in heads.items()]}
        },
        "resource_changes": [
            {**head, "change": {"actions": ["create"], "before": None, "after": values[urn]}}
            for urn, head in heads.items()
        ],
        "configuration": {
            "provider_config": {"aws": {"name": "aws", "full_name": PROVIDER}},
            "root_module": {
                "resources": [{**heads[r.urn], "expressions": _expressions(r, addresses, known)} for r in resources]
            },
        },
    }


def terraform_type(type_: str) -> str:
    """For example `aws_s3_bucket_policy` for `aws:s3/bucketPolicy:BucketPolicy`."""
    if type_ in TYPES:
        return TYPES[type_]
    module, noun = type_.split(":")[1].split("/")
    return "_".join(part for part in ("aws", MODULES.get(module, module), snake_case(noun)) if part)


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def singular(name: str) -> str:
    """The name of one of several blocks."""
    if name in PLURAL or name.endswith("ss"):
        return name
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name.removesuffix("s")


def _address(resource: Resource) -> str:
    return f"{terraform_type(resource.type)}.{resource.name}"


def _head(resource: Resource, address: str) -> dict[str, Any]:
    return {
        "address": address,
        "mode": "managed",
        "type": terraform_type(resource.type),
        "name": resource.name,
        "provider_name": PROVIDER,
    }


def _values(resource: Resource) -> dict[str, Any]:
    values = dict(resource.inputs)
    if "tagsAll" in resource.outputs:
        values["tagsAll"] = resource.outputs["tagsAll"]
    return _block(to_json(values, secret=secret_blinded))


def _block(values: Mapping[str, Any]) -> dict[str, Any]:
    block: dict[str, Any] = {}
    for key, value in values.items():
        name = snake_case(key)
        if name in LEFT_OUT or value is None:
            continue
        if name in MAPS:
            block[name] = value
        elif isinstance(value, Mapping):
            block[name] = [_block(value)]
        elif isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
            block[singular(name)] = [_block(entry) for entry in value]
        else:
            block[name] = value
    return block


def _known_values(resources: list[Resource], addresses: Mapping[str, str]) -> dict[str, str]:
    """Ids and ARNs to the address of what made them: the first to be registered, since others take its id over."""
    known: dict[str, str] = {}
    for resource in resources:
        for value in (resource.id, resource.outputs.get("arn")):
            if isinstance(value, str) and value:
                known.setdefault(value, addresses[resource.urn])
    return known


def _expressions(resource: Resource, addresses: Mapping[str, str], known: Mapping[str, str]) -> dict[str, Any]:
    """Which other resources a property comes from: whose id or ARN it holds, and what it was computed from."""
    expressions: dict[str, Any] = {}
    for key, value in sorted(resource.inputs.items()):
        held = [known.get(entry) for entry in (value if isinstance(value, list) else [value]) if isinstance(entry, str)]
        computed = [addresses.get(urn) for urn in resource.property_dependencies.get(key, ())]
        own = addresses[resource.urn]
        found = dict.fromkeys(address for address in (*held, *computed) if address and address != own)
        references = [reference for address in found for reference in (f"{address}.id", address)]
        if references:
            expressions[_name(key, value)] = {"references": references}
    return expressions


def _name(key: str, value: object) -> str:
    name = snake_case(key)
    several = isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value)
    return singular(name) if several and name not in MAPS else name
