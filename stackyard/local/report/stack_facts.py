"""Facts about a provisioned stack that people ask for first: what its buckets hold and how it is secured."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackyard.program.deployment import Deployment, Resource
from stackyard.program.values import plain

BUCKET = "aws:s3/bucket:Bucket"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
PUBLIC_ACCESS_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
OWNERSHIP = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
POLICY = "aws:s3/bucketPolicy:BucketPolicy"
PUBLIC_ACCESS_SWITCHES = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
LOGGING = "aws:s3/bucketLogging:BucketLogging"
LOOSENED_TAG = "stackyard:loosened"


@dataclass(frozen=True, kw_only=True)
class Folder:
    """What lies below the first slash of a bucket's keys."""

    name: str
    objects: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class BucketFacts:
    name: str
    folders: tuple[Folder, ...] | None
    """By name; None when the emulator could not be asked."""
    encryption: str
    """`own KMS key`, `AES256` (S3's key), or empty."""
    versioned: bool
    on_destroy: str
    """What a destroy does to it, in a few words."""
    receives_logs: bool = False
    """Whether other buckets' access logs go there. They are not counted: counting writes more of them."""

    @property
    def objects(self) -> int:
        return sum(folder.objects for folder in self.folders or ())

    @property
    def size_bytes(self) -> int:
        return sum(folder.size_bytes for folder in self.folders or ())


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One thing that reviewers check, as the program declares it."""

    what: str
    value: str
    good: bool | None
    """Whether it is as the secure default wants; None where it is a choice to know of."""


def buckets_of(deployment: Deployment, s3: Any | None) -> list[BucketFacts]:
    """The stack's buckets by name. `s3` is a client for the emulator, None where it does not run."""
    parts = {kind: _by_bucket(deployment, kind) for kind in (ENCRYPTION, VERSIONING)}
    targets = {str(plain(r.inputs).get("targetBucket", "")) for r in deployment.of_type(LOGGING)}
    facts: list[BucketFacts] = []
    for resource in sorted(deployment.of_type(BUCKET), key=lambda bucket: bucket.name):
        name = str(plain(resource.outputs).get("bucket") or resource.id)
        facts.append(
            BucketFacts(
                name=name,
                folders=() if name in targets else None if s3 is None else _folders(s3, name),
                receives_logs=name in targets,
                encryption=_encryption(parts[ENCRYPTION].get(name, {})),
                versioned=_versioned(parts[VERSIONING].get(name, {})),
                on_destroy=_on_destroy(resource),
            )
        )
    return facts


def _by_bucket(deployment: Deployment, type_: str) -> dict[str, Mapping[str, Any]]:
    inputs = [plain(resource.inputs) for resource in deployment.of_type(type_)]
    return {str(values.get("bucket", "")): values for values in inputs}


def _encryption(values: Mapping[str, Any]) -> str:
    rule = next(iter(values.get("rules") or ()), {}).get("applyServerSideEncryptionByDefault", {})
    return "own KMS key" if rule.get("kmsMasterKeyId") else str(rule.get("sseAlgorithm", ""))


def _versioned(values: Mapping[str, Any]) -> bool:
    return values.get("versioningConfiguration", {}).get("status") == "Enabled"


def _on_destroy(resource: Resource) -> str:
    if resource.protect:
        return "refused, it is protected"
    return "kept" if resource.retain_on_delete else "deleted when it is empty"


def _folders(s3: Any, bucket: str) -> tuple[Folder, ...] | None:
    from botocore.exceptions import BotoCoreError, ClientError

    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", ()):
                folder, slash, _ = item["Key"].partition("/")
                counts[f"{folder}{slash}"] += 1
                sizes[f"{folder}{slash}"] += item["Size"]
    except (ClientError, BotoCoreError):
        # The emulator was emptied since: the next `up` provisions again.
        return None
    return tuple(Folder(name=name, objects=counts[name], size_bytes=sizes[name]) for name in sorted(counts))


def security_facts(resources: Sequence[Resource]) -> tuple[Fact, ...]:
    """What the resources declare about encryption, exposure and retention. A kind that is not there has no line."""
    counted = [
        _counted(resources, "KMS keys that rotate", "aws:kms/key:Key", lambda i: i.get("enableKeyRotation") is True),
        _counted(resources, "Buckets closed to the public", PUBLIC_ACCESS_BLOCK, _closed, of=BUCKET),
        _counted(resources, "Buckets encrypted by default", ENCRYPTION, lambda i: bool(_encryption(i)), of=BUCKET),
        _counted(resources, "Buckets that keep old versions", VERSIONING, _versioned, of=BUCKET),
        _counted(resources, "Buckets that refuse unencrypted connections", POLICY, _tls_only, of=BUCKET),
        _counted(resources, "Buckets without access lists (owner enforced)", OWNERSHIP, _owner_enforced, of=BUCKET),
        _counted(resources, "Registries with immutable tags", "aws:ecr/repository:Repository", _immutable),
        _counted(resources, "Registries that scan on push", "aws:ecr/repository:Repository", _scanned),
        _counted(resources, "Log groups encrypted with an own key", "aws:cloudwatch/logGroup:LogGroup", _own_key),
        _counted(resources, "Subnets that give no public address", "aws:ec2/subnet:Subnet", _private_addresses),
        _counted(resources, "VPCs with flow logs", "aws:ec2/flowLog:FlowLog", lambda _: True, of="aws:ec2/vpc:Vpc"),
        _counted(
            resources,
            "Default security groups without rules",
            "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
            lambda i: not i.get("ingress") and not i.get("egress"),
        ),
        _counted(resources, "Clusters that encrypt their secrets", "aws:eks/cluster:Cluster", _secrets_encrypted),
        _counted(resources, "Clusters with deletion protection", "aws:eks/cluster:Cluster", _deletion_protected, None),
    ]
    return (*(fact for fact in counted if fact is not None), *_endpoints(resources), *_loosened(resources))


Test = Callable[[Mapping[str, Any]], bool]


def _counted(
    resources: Iterable[Resource], what: str, type_: str, test: Test, bad: bool | None = False, *, of: str | None = None
) -> Fact | None:
    """How many pass, out of how many there are; `of` is the type that must have one of `type_` each."""
    everything = list(resources)
    total = sum(resource.type == (of or type_) for resource in everything)
    passed = sum(resource.type == type_ and test(plain(resource.inputs)) for resource in everything)
    if not total:
        return None
    return Fact(what=what, value=f"{passed} of {total}", good=True if passed >= total else bad)


def _closed(inputs: Mapping[str, Any]) -> bool:
    return all(inputs.get(switch) is True for switch in PUBLIC_ACCESS_SWITCHES)


def _tls_only(inputs: Mapping[str, Any]) -> bool:
    try:
        statements = json.loads(str(inputs.get("policy", ""))).get("Statement", [])
    except (ValueError, AttributeError):
        return False
    return any(
        statement.get("Effect") == "Deny"
        and statement.get("Action") == "s3:*"
        and statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") == "false"
        for statement in statements
    )


def _owner_enforced(inputs: Mapping[str, Any]) -> bool:
    return inputs.get("rule", {}).get("objectOwnership") == "BucketOwnerEnforced"


def _immutable(inputs: Mapping[str, Any]) -> bool:
    return inputs.get("imageTagMutability") == "IMMUTABLE"


def _scanned(inputs: Mapping[str, Any]) -> bool:
    return inputs.get("imageScanningConfiguration", {}).get("scanOnPush") is True


def _own_key(inputs: Mapping[str, Any]) -> bool:
    return bool(inputs.get("kmsKeyId"))


def _private_addresses(inputs: Mapping[str, Any]) -> bool:
    return inputs.get("mapPublicIpOnLaunch") is not True


def _secrets_encrypted(inputs: Mapping[str, Any]) -> bool:
    return "secrets" in inputs.get("encryptionConfig", {}).get("resources", ())


def _deletion_protected(inputs: Mapping[str, Any]) -> bool:
    return inputs.get("deletionProtection") is True


def _endpoints(resources: Iterable[Resource]) -> list[Fact]:
    """Who reaches the Kubernetes API."""
    facts: list[Fact] = []
    for resource in resources:
        if resource.type != "aws:eks/cluster:Cluster":
            continue
        access = plain(resource.inputs).get("vpcConfig", {})
        public = access.get("endpointPublicAccess", True)
        # AWS opens a public endpoint to everybody where no network is listed.
        networks = [str(cidr) for cidr in access.get("publicAccessCidrs") or ["0.0.0.0/0"]]
        value = f"public, from {', '.join(networks)}" if public else "only from inside the VPC"
        good = None if public and "0.0.0.0/0" not in networks else not public
        facts.append(Fact(what=f"Kubernetes API of {resource.name}", value=value, good=good))
    return facts


def _loosened(resources: Iterable[Resource]) -> list[Fact]:
    """What is less strict than the default, and why: the resources say so in a tag."""
    reasons = Counter(str(reason) for r in resources if (reason := _tags(r).get(LOOSENED_TAG)))
    return [
        Fact(what="Less strict than the default", value=f"{count} resources: {reason}", good=None)
        for reason, count in sorted(reasons.items())
    ]


def _tags(resource: Resource) -> Mapping[str, Any]:
    tags = plain(resource.inputs).get("tags")
    return tags if isinstance(tags, dict) else {}
