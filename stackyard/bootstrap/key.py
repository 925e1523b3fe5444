"""The KMS key of the store: encrypts the state bucket and, by way of Pulumi, the secrets in the states."""

import json
from collections.abc import Iterator
from typing import Any

from stackyard.bootstrap.calls import DENIED, Aws, AwsRefusal
from stackyard.bootstrap.change import Change, Verb, policy_difference, tag_difference
from stackyard.bootstrap.store import ROTATION_DAYS, STORE_TAG, StateStore
from stackyard.errors import UserError

_MISSING = frozenset({"NotFoundException"})
_KIND = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
_POLICY_NAME = "default"  # the only one that KMS knows


class StateKey:
    """`arn` is None until the key exists: what needs it comes later in the list of changes."""

    def __init__(self, aws: Aws, store: StateStore, *, restore: bool = False):
        """`restore` cancels a scheduled deletion of the key."""
        self._aws, self._store, self._restore = aws, store, restore
        self.arn: str | None = None
        self._id = ""

    def changes(self) -> Iterator[Change]:
        """What is missing or other than it should be. Reads only. Raises UserError for a key that cannot serve."""
        found = self._call("describe_key", missing=_MISSING, KeyId=self._store.alias)
        key = found["KeyMetadata"] if found else self._without_alias()
        if key is None:
            yield Change(Verb.CREATE, f"KMS key {self._store.alias}, rotated every year (1 $ a month)", self._create)
            return
        self._refuse_other_kinds(key)
        self._remember(key)
        if not found:
            yield Change(Verb.REPAIR, f"alias {self._store.alias} for the key {self.arn}", self._name)
        yield from self._state_changes(key)
        yield from self._part_changes()

    def _call(self, method: str, **arguments: Any) -> Any:
        return self._aws.call("kms", method, on=f"the key {self._store.alias}", **arguments)

    def _create(self) -> None:
        key = self._call(
            "create_key",
            Description=f"Pulumi state and secrets of {self._store.environment}",
            KeySpec=_KIND[0],
            KeyUsage=_KIND[1],
            Policy=json.dumps(self._store.key_policy(), sort_keys=True),
            Tags=_tag_list(self._store.key_tags),
        )
        self._remember(key["KeyMetadata"])
        self._name()
        self._rotate()

    def _remember(self, key: Any) -> None:
        self.arn, self._id = str(key["Arn"]), str(key["KeyId"])

    def _name(self) -> None:
        self._call("create_alias", settle=True, AliasName=self._store.alias, TargetKeyId=self._id)

    def _rotate(self) -> None:
        self._call("enable_key_rotation", settle=True, KeyId=self._id, RotationPeriodInDays=ROTATION_DAYS)

    def _without_alias(self) -> Any:
        """The key of a run that was killed before it could name it; KMS finds a key by its tags only one by one."""
        marker: dict[str, Any] = {}
        while True:
            page = self._call("list_keys", Limit=1000, **marker)
            for entry in page["Keys"]:
                key = self._own(str(entry["KeyId"]))
                if key is not None:
                    return key
            if not page.get("Truncated"):
                return None
            marker = {"Marker": page["NextMarker"]}

    def _own(self, key_id: str) -> Any:
        try:
            tags = self._call("list_resource_tags", missing=_MISSING, KeyId=key_id)
        except AwsRefusal as refusal:
            if refusal.code in DENIED:  # a key of AWS's, or one whose policy shuts us out: not ours
                return None
            raise
        marks = {tag["TagKey"]: tag["TagValue"] for tag in (tags or {}).get("Tags", [])}
        if marks.get(STORE_TAG) != self._store.bucket:
            return None
        key = self._call("describe_key", KeyId=key_id)["KeyMetadata"]
        return key if key["KeyState"] in ("Enabled", "Disabled") else None

    def _refuse_other_kinds(self, key: Any) -> None:
        kind = (str(key["KeySpec"]), str(key["KeyUsage"]))
        if kind != _KIND:
            raise UserError(
                f"{self._store.alias} names the key {key['Arn']} of kind {' '.join(kind)}, but S3 and Pulumi need a "
                "symmetric key for encryption. Nothing was changed. Somebody else took the alias: give that key "
                "another one (`aws kms update-alias`, `aws kms delete-alias`), then run the command again"
            )

    def _state_changes(self, key: Any) -> Iterator[Change]:
        match key["KeyState"]:
            case "PendingDeletion" if self._restore:
                sentence = f"key {self.arn}: cancel its deletion ({_day(key.get('DeletionDate'))}) and enable it"
                yield Change(Verb.REPAIR, sentence, self._bring_back)
            case "PendingDeletion":
                raise UserError(
                    f"the key {self.arn} ({self._store.alias}) is deleted {_day(key.get('DeletionDate'))}: no state of "
                    f"{self._store.environment} can be read afterwards. Nothing was changed. To keep it, run the "
                    "command again with --restore-key, which cancels the deletion"
                )
            case "Disabled":
                yield Change(Verb.REPAIR, f"key {self.arn}: enable it", self._enable)
            case "Enabled":
                pass
            case other:
                raise UserError(
                    f"the key {self.arn} ({self._store.alias}) is in the state {other} and cannot encrypt. Nothing was "
                    "changed. If it has just been created, wait a minute and run the command again"
                )

    def _bring_back(self) -> None:
        self._call("cancel_key_deletion", KeyId=self._id)
        self._enable()

    def _enable(self) -> None:
        self._call("enable_key", KeyId=self._id)

    def _part_changes(self) -> Iterator[Change]:
        store = self._store
        policy = json.loads(self._call("get_key_policy", KeyId=self._id, PolicyName=_POLICY_NAME)["Policy"])
        if difference := policy_difference(policy, store.key_policy()):
            yield Change(Verb.REPAIR, f"key {store.alias}: policy ({difference})", self._set_policy)
        rotation = self._call("get_key_rotation_status", KeyId=self._id)
        if not rotation["KeyRotationEnabled"] or rotation.get("RotationPeriodInDays", ROTATION_DAYS) != ROTATION_DAYS:
            yield Change(Verb.REPAIR, f"key {store.alias}: rotation every {ROTATION_DAYS} days", self._rotate)
        tags = self._call("list_resource_tags", KeyId=self._id).get("Tags", [])
        other = tag_difference({tag["TagKey"]: tag["TagValue"] for tag in tags}, store.key_tags)
        if other:
            yield Change(Verb.REPAIR, f"key {store.alias}: tags {', '.join(other)}", lambda: self._tag(other))

    def _set_policy(self) -> None:
        document = json.dumps(self._store.key_policy(), sort_keys=True)
        self._call("put_key_policy", KeyId=self._id, PolicyName=_POLICY_NAME, Policy=document)

    def _tag(self, tags: dict[str, str]) -> None:
        self._call("tag_resource", KeyId=self._id, Tags=_tag_list(tags))


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"TagKey": key, "TagValue": value} for key, value in sorted(tags.items())]


def _day(moment: Any) -> str:
    return f"on {moment:%Y-%m-%d}" if moment is not None else "soon"
