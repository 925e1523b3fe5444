"""Bucket names: free, or ours and known to the stack. A name in the world belongs to one account."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stacks.naming import ACCESS_LOGS, STATE
from stacks.settings import PROJECT, Layer, Settings
from stackyard.local.places import Places
from stackyard.preflight.account import Account
from stackyard.preflight.check import Check
from stackyard.preflight.finding import Finding, Unanswered, failed, passed
from stackyard.preflight.target import Target

BUCKET_TYPE = "aws:s3/bucket:Bucket"
# S3's answers to HEAD have no body, so the status is all there is.
_FREE = frozenset({"404", "NoSuchBucket"})
_NO_OBJECT = frozenset({"404", "NoSuchKey", "NoSuchBucket"})


class Owner(StrEnum):
    NOBODY = "nobody"
    US = "us"
    OTHERS = "others"


@dataclass(frozen=True, kw_only=True)
class BucketFacts:
    name: str
    stack: str
    """The stack that makes it."""
    owner: Owner | Unanswered
    known: bool | Unanswered = False
    """Whether the stack's state holds it; asked of our own buckets only."""


def bucket_names(settings: Settings) -> list[str]:
    """Buckets that a stack makes, by their fixed names."""
    if settings.has(Layer.ACCOUNT):
        from stacks.account_layer import CONFIG, TRAIL

        return [settings.physical_name(noun) for noun in (ACCESS_LOGS, TRAIL, CONFIG)]
    if not settings.has(Layer.BASE):
        return []
    buckets = settings.data_buckets
    regions = sorted({bucket.replica_region for bucket in buckets if bucket.replica_region})
    names = [settings.physical_name(noun) for noun in (ACCESS_LOGS, *(bucket.name for bucket in buckets))]
    names += [settings.physical_name(ACCESS_LOGS, region=region) for region in regions]
    names += [settings.physical_name(b.name, region=b.replica_region) for b in buckets if b.replica_region]
    return names


def fetch_buckets(account: Account, target: Target) -> list[BucketFacts]:
    found: list[BucketFacts] = []
    for stack, settings in target.stacks.items():
        found += [_bucket(account, target, stack, name) for name in bucket_names(settings)]
    return found


def _bucket(account: Account, target: Target, stack: str, name: str) -> BucketFacts:
    owner = _owner(account, target, name)
    known = _is_known(account, target, stack, name) if owner is Owner.US else False
    return BucketFacts(name=name, stack=stack, owner=owner, known=known)


def _owner(account: Account, target: Target, name: str) -> Owner | Unanswered:
    try:
        own = {"Bucket": name, "ExpectedBucketOwner": target.account_id}
        return Owner.NOBODY if account.call("s3", "head_bucket", missing=_FREE, **own) is None else Owner.US
    except Unanswered as silence:
        if not silence.denied:
            return silence
        return silence if name in _own_names(account, name) else Owner.OTHERS


def _own_names(account: Account, name: str) -> set[str]:
    """Buckets of the account that begin so; S3 refuses somebody else's and a closed one of ours in the same way."""
    return {str(bucket["Name"]) for bucket in account.call("s3", "list_buckets", Prefix=name)["Buckets"]}


def _is_known(account: Account, target: Target, stack: str, name: str) -> bool | Unanswered:
    try:
        return name in _buckets_of(_state(account, target, stack))
    except Unanswered as silence:
        return silence
    except (ValueError, AttributeError) as error:
        return Unanswered(f"the state of {stack} is no state that can be read ({error})")


def _state(account: Account, target: Target, stack: str) -> Mapping[str, Any]:
    """The stack's state; empty where there is none."""
    if target.emulated:
        path = Places(target.root, target.environment).state(stack)
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    store = target.stacks[stack].physical_name(STATE)
    # https://www.pulumi.com/docs/iac/concepts/state-and-backends/; compressed if PULUMI_SELF_MANAGED_STATE_GZIP is set.
    key = f".pulumi/stacks/{PROJECT}/{stack}.json"
    for name in (key, f"{key}.gz"):
        answer = account.call("s3", "get_object", missing=_NO_OBJECT, Bucket=store, Key=name)
        if answer is not None:
            content: bytes = answer["Body"]
            return json.loads(gzip.decompress(content) if name.endswith(".gz") else content)
    return {}


def _buckets_of(state: Mapping[str, Any]) -> set[str]:
    """Names of the buckets in a checkpoint or an exported state."""
    latest: Mapping[str, Any] = state.get("checkpoint", {}).get("latest") or state.get("deployment") or {}
    resources: Sequence[Any] = latest.get("resources") or ()
    return {str(resource.get("id")) for resource in resources if resource.get("type") == BUCKET_TYPE}


def judge_buckets(found: Sequence[BucketFacts], target: Target) -> Iterator[Finding]:
    free = [facts.name for facts in found if facts.owner is Owner.NOBODY]
    ours = [facts.name for facts in found if facts.owner is Owner.US and facts.known is True]
    for facts in found:
        if isinstance(facts.owner, Unanswered):
            yield facts.owner.finding(f"whose the bucket {facts.name} is")
        elif facts.owner is Owner.OTHERS:
            yield failed(
                f"the bucket name {facts.name} is taken by another AWS account, and names are unique in the world",
                f"set another environment.prefix in {target.files}",
            )
        elif isinstance(facts.known, Unanswered):
            yield facts.known.finding(f"{facts.name} is ours; whether the state of {facts.stack} holds it")
        elif facts.owner is Owner.US and not facts.known:
            yield _retained(facts, target)
    if free:
        yield passed(f"free: {', '.join(free)}")
    if ours:
        yield passed(f"ours, and in the state: {', '.join(ours)}")


def _retained(facts: BucketFacts, target: Target) -> Finding:
    sentence = f"the bucket {facts.name} is ours, and the state of {facts.stack} does not hold it: a destroy kept it"
    if target.emulated:
        # The local stack takes up by itself what a destroy left.
        return passed(f"{sentence}; `stackyard local up` takes it up again")
    path = Places(target.root, target.environment).retained(facts.stack)
    shown = path.relative_to(target.root) if path.exists() else "retained.json"
    where = "" if path.exists() else " (retained.json stands for the file that the destroy wrote)"
    return failed(
        f"{sentence}, and `pulumi up` ends with BucketAlreadyOwnedByYou",
        f"take it up again with what belongs to it{where}, or set another environment.prefix",
        f"pulumi import --file {shown} --protect=false --stack {facts.stack}",
    )


CHECKS: tuple[Check[Any], ...] = (
    Check(
        name="bucket names",
        layers=frozenset({Layer.BASE, Layer.ACCOUNT}),
        fetch=fetch_buckets,
        judge=judge_buckets,
    ),
)
