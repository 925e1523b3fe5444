"""The two buckets of the store: states, and the log of who read or wrote them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from stackyard.bootstrap.calls import DENIED, Aws, AwsRefusal
from stackyard.bootstrap.change import Change, Verb, covers, policy_difference, tag_difference
from stackyard.bootstrap.store import (
    LOCK_DAYS,
    LOGS_EXPIRE_DAYS,
    LOGS_NONCURRENT_DAYS,
    MULTIPART_ABORT_DAYS,
    StateStore,
)
from stackyard.errors import UserError

_TAKEN = frozenset({"BucketAlreadyExists"})
# The region whose buckets have no LocationConstraint:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
_FIRST_REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One setting of a bucket: how it is read and written, and what it should be."""

    noun: str
    get: str
    put: str
    member: str
    """Of the answer of `get`."""
    argument: str
    """Of `put`."""
    wanted: Any
    missing: str = ""
    """Error by which S3 says that there is none."""
    keeps_others: bool = False
    """`put` replaces more than `member`: what else is there is sent along."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One bucket as it should be."""

    name: str
    holds: str
    locked: bool
    parts: Callable[[], tuple[Part, ...]]
    policy: Callable[[], dict[str, Any]]
    """Called when the key is there."""


def log_bucket(store: StateStore) -> Wanted:
    """Encrypted with S3's own key, since log delivery accepts no other default, and not locked, for the same reason.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
    """
    lifecycle = _lifecycle(LOGS_NONCURRENT_DAYS, expire_days=LOGS_EXPIRE_DAYS)
    return Wanted(
        name=store.log_bucket,
        holds="access logs of the state bucket",
        locked=False,
        parts=lambda: (*_common_parts(), _encryption({"SSEAlgorithm": "AES256"}), lifecycle),
        policy=store.log_bucket_policy,
    )


def state_bucket(store: StateStore, key_arn: Callable[[], str]) -> Wanted:
    """Encrypted with the store's key; nothing in it is lost for LOCK_DAYS, whoever deletes it."""

    def parts() -> tuple[Part, ...]:
        own_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn()}
        logging = {"LoggingEnabled": {"TargetBucket": store.log_bucket, "TargetPrefix": f"{store.bucket}/"}}
        return (
            *_common_parts(),
            _encryption(own_key, bucket_key=True),
            _lock(),
            _lifecycle(store.noncurrent_days),
            Part(
                noun=f"access logs to {store.log_bucket}",
                get="get_bucket_logging",
                put="put_bucket_logging",
                member="LoggingEnabled",
                argument="BucketLoggingStatus",
                wanted=logging,
            ),
            _events(),
        )

    return Wanted(
        name=store.bucket,
        holds="states of " + ", ".join(stack.name for stack in store.stacks),
        locked=True,
        parts=parts,
        policy=lambda: store.bucket_policy(key_arn()),
    )


class Bucket:
    """A bucket of this account: whether it is there, and what differs."""

    def __init__(self, aws: Aws, store: StateStore, wanted: Wanted):
        self._aws, self._store, self._wanted = aws, store, wanted

    def changes(self) -> Iterator[Change]:
        """What is missing or other than it should be. Reads only. Raises UserError when somebody else has the name."""
        if self._exists():
            yield from self._differences()
            return
        lock = ", locked" if self._wanted.locked else ""
        sentence = f"bucket {self._wanted.name} ({self._wanted.holds}): versioned, encrypted, closed{lock}"
        yield Change(Verb.CREATE, sentence, self._create)

    def _call(self, method: str, **arguments: Any) -> Any:
        if method not in ("create_bucket", "list_buckets"):
            # Whatever becomes of the name, nothing of ours is written into somebody else's bucket.
            arguments |= {"Bucket": self._wanted.name, "ExpectedBucketOwner": self._store.account_id}
        return self._aws.call("s3", method, on=f"the bucket {self._wanted.name}", **arguments)

    def _exists(self) -> bool:
        try:
            found = self._call("head_bucket", missing=frozenset({"404", "NoSuchBucket"}))
        except AwsRefusal as refusal:
            if refusal.code not in DENIED or self._wanted.name in self._own_names():
                raise
            raise self._taken() from None
        # boto3 follows a bucket to the region where it is.
        if found and found.get("BucketRegion", self._store.region) != self._store.region:
            raise self._elsewhere(str(found["BucketRegion"]))
        return found is not None

    def _own_names(self) -> set[str]:
        listed = self._call("list_buckets", Prefix=self._wanted.name)
        return {str(bucket["Name"]) for bucket in listed["Buckets"]}

    def _taken(self) -> UserError:
        return UserError(
            f"the bucket name {self._wanted.name} is taken by another AWS account, and names are unique in the world. "
            "Nothing of it was changed. Set another environment.prefix in the stack files of "
            f"{self._store.environment}, all of them alike, then run the command again"
        )

    def _elsewhere(self, region: str) -> UserError:
        return UserError(
            f"the bucket {self._wanted.name} lies in {region}, not in {self._store.region}, and S3 does not move "
            "buckets. Nothing of it was changed. Delete it if it is empty, or set another environment.prefix, then run "
            "the command again"
        )

    def _create(self) -> None:
        region = self._store.region
        place = {} if region == _FIRST_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        locked = {"ObjectLockEnabledForBucket": True} if self._wanted.locked else {}
        made = self._call(
            "create_bucket",
            missing=_TAKEN,
            settle=True,
            Bucket=self._wanted.name,
            ObjectOwnership="BucketOwnerEnforced",
            **place,
            **locked,
        )
        if made is None:
            raise self._taken()
        self._call("head_bucket", settle=True)
        for change in self._differences():
            change.apply()

    def _differences(self) -> Iterator[Change]:
        for place, part in enumerate(self._wanted.parts()):
            if not covers(self._live(part), _shown(part)):
                yield self._repair(part.noun, part.put, partial(self._argument, place))
        yield from self._policy_difference()
        yield from self._tag_difference()

    def _argument(self, place: int) -> dict[str, Any]:
        # Made when it is written: by then the key that it names exists.
        part = self._wanted.parts()[place]
        others = self._call(part.get) if part.keeps_others else {}
        return {part.argument: {**{k: v for k, v in others.items() if k != "ResponseMetadata"}, **part.wanted}}

    def _live(self, part: Part) -> Any:
        missing = frozenset({part.missing}) if part.missing else frozenset[str]()
        answer = self._call(part.get, missing=missing)
        return None if answer is None else answer.get(part.member)

    def _policy_difference(self) -> Iterator[Change]:
        answer = self._call("get_bucket_policy", missing=frozenset({"NoSuchBucketPolicy"}))
        if difference := policy_difference(json.loads(answer["Policy"]) if answer else None, self._wanted.policy()):
            yield self._repair(f"policy ({difference})", "put_bucket_policy", self._policy)

    def _policy(self) -> dict[str, Any]:
        return {"Policy": json.dumps(self._wanted.policy(), sort_keys=True)}

    def _tag_difference(self) -> Iterator[Change]:
        answer = self._call("get_bucket_tagging", missing=frozenset({"NoSuchTagSet"}))
        live = {str(tag["Key"]): str(tag["Value"]) for tag in (answer or {"TagSet": []})["TagSet"]}
        if other := tag_difference(live, self._store.tags):
            # S3 replaces the whole set.
            tags = [{"Key": key, "Value": value} for key, value in sorted({**live, **self._store.tags}.items())]
            yield self._repair(f"tags {', '.join(other)}", "put_bucket_tagging", lambda: {"Tagging": {"TagSet": tags}})

    def _repair(self, noun: str, method: str, arguments: Callable[[], dict[str, Any]]) -> Change:
        def apply() -> None:
            self._call(method, settle=True, **arguments())

        return Change(Verb.REPAIR, f"bucket {self._wanted.name}: {noun}", apply)


def _shown(part: Part) -> Any:
    """What `get` answers once `put` has been called."""
    return part.wanted.get(part.member, part.wanted)


def _common_parts() -> tuple[Part, ...]:
    flags = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    return (
        Part(
            noun="public access block",
            get="get_public_access_block",
            put="put_public_access_block",
            member="PublicAccessBlockConfiguration",
            argument="PublicAccessBlockConfiguration",
            wanted=dict.fromkeys(flags, True),
            missing="NoSuchPublicAccessBlockConfiguration",
        ),
        Part(
            noun="objects owned by the account",
            get="get_bucket_ownership_controls",
            put="put_bucket_ownership_controls",
            member="OwnershipControls",
            argument="OwnershipControls",
            wanted={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            missing="OwnershipControlsNotFoundError",
        ),
        Part(
            noun="versioning",
            get="get_bucket_versioning",
            put="put_bucket_versioning",
            member="Status",
            argument="VersioningConfiguration",
            wanted={"Status": "Enabled"},
        ),
    )


def _encryption(default: dict[str, Any], *, bucket_key: bool = False) -> Part:
    rule = {"ApplyServerSideEncryptionByDefault": default} | ({"BucketKeyEnabled": True} if bucket_key else {})
    return Part(
        noun="encryption with the store's own key" if bucket_key else "encryption",
        get="get_bucket_encryption",
        put="put_bucket_encryption",
        member="ServerSideEncryptionConfiguration",
        argument="ServerSideEncryptionConfiguration",
        wanted={"Rules": [rule]},
        missing="ServerSideEncryptionConfigurationNotFoundError",
    )


def _lock() -> Part:
    """Governance: an administrator with s3:BypassGovernanceRetention can still clear an environment away.

    Pulumi's own deletes (its locks under `.pulumi/locks`, old states) only add delete markers, which a lock allows.
    """
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": LOCK_DAYS}}
    return Part(
        noun=f"object lock, {LOCK_DAYS} days",
        get="get_object_lock_configuration",
        put="put_object_lock_configuration",
        member="ObjectLockConfiguration",
        argument="ObjectLockConfiguration",
        wanted={"ObjectLockEnabled": "Enabled", "Rule": rule},
        missing="ObjectLockConfigurationNotFoundError",
    )


def _events() -> Part:
    """Who wrote or deleted a state can be told at once (control 10)."""
    return Part(
        noun="events to EventBridge",
        get="get_bucket_notification_configuration",
        put="put_bucket_notification_configuration",
        member="EventBridgeConfiguration",
        argument="NotificationConfiguration",
        wanted={"EventBridgeConfiguration": {}},
        keeps_others=True,
    )


def _lifecycle(noncurrent_days: int, *, expire_days: int | None = None) -> Part:
    expiration = {"ExpiredObjectDeleteMarker": True} if expire_days is None else {"Days": expire_days}
    rule = {
        "ID": "clean-up",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": expiration,
        "NoncurrentVersionExpiration": {"NoncurrentDays": noncurrent_days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": MULTIPART_ABORT_DAYS},
    }
    return Part(
        noun=f"lifecycle, old versions {noncurrent_days} days",
        get="get_bucket_lifecycle_configuration",
        put="put_bucket_lifecycle_configuration",
        member="Rules",
        argument="LifecycleConfiguration",
        wanted={"Rules": [rule]},
        missing="NoSuchLifecycleConfiguration",
    )
