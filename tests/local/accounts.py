"""An emulated account with an environment that nothing was made for yet, and sessions that fail as a person's may."""

import io
import json
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import boto3
from rich.console import Console

from stackyard.bootstrap.command import bootstrap
from stackyard.local import emulator, safety

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT, REGION = safety.EMULATED_ACCOUNT_ID, "us-east-1"
DECLARED = "777788889999"


class Session:
    """As a boto3 session, but for making each client once: that takes longer than all calls of a bootstrap."""

    def __init__(self, *keys: str):
        keys = keys or (safety.DUMMY_ACCESS_KEY_ID, safety.DUMMY_SECRET_ACCESS_KEY)
        self._session = boto3.Session(*keys, region_name=REGION, botocore_session=safety.bare_session())
        self._clients: dict[tuple[str, str], object] = {}
        self.events = self._session.events

    def client(self, service, *, endpoint_url, **options):
        if (key := (service, endpoint_url)) not in self._clients:
            self._clients[key] = self._session.client(service, endpoint_url=endpoint_url, **options)
        return self._clients[key]


SESSION = Session()


NUMBERS = count(1)


class Account:
    """The emulated account, and a checkout with an environment in it that nothing was made for yet."""

    def __init__(self, endpoint: str, root: Path):
        self.endpoint, self.root = endpoint, root
        # A name of its own instead of an emptied emulator: that one takes seconds to load again.
        self.env = f"prod{next(NUMBERS)}"
        self.state, self.logs = (f"stackyard-{self.env}-{n}-{ACCOUNT}-{REGION}" for n in ("state", "state-logs"))
        self.alias = f"alias/{self.state}"
        (root / "stacks").mkdir()
        shutil.copy(ROOT / "Pulumi.yaml", root)
        for layer in ("base", "platform"):
            text = (ROOT / "stacks" / f"Pulumi.prod-{layer}.yaml").read_text(encoding="utf-8")
            text = text.replace("name: prod\n", f"name: {self.env}\n").replace(DECLARED, ACCOUNT)
            (root / "stacks" / f"Pulumi.{self.env}-{layer}.yaml").write_text(text, encoding="utf-8")
        self.s3, self.kms = (safety.client(name, endpoint=endpoint, region=REGION) for name in ("s3", "kms"))

    def _post(self, path: str, body: bytes) -> None:
        request = urllib.request.Request(self.endpoint + path, data=body, method="POST")
        request.add_header("Content-Type", "text/plain")
        urllib.request.urlopen(request, timeout=30).close()

    def bootstrap(self, *, session: Any = SESSION, answer=True, **options) -> tuple[list[str], str]:
        """Sentences of the changes, and what was printed."""
        text = io.StringIO()
        console = Console(file=text, width=300, soft_wrap=True)
        options = {"confirm": lambda question: answer, "endpoint": self.endpoint, **options}
        changes = bootstrap(self.root, self.env, lambda region: session, console, **options)
        return [change.sentence for change in changes], text.getvalue()

    def writes(self) -> int:
        return sum(emulator.requests(self.endpoint).mutating.values())

    @contextmanager
    def permissions(self, *actions: str) -> Iterator[Session]:
        """A session of a user who may do these and nothing else."""
        iam = safety.client("iam", endpoint=self.endpoint, region=REGION)
        iam.create_user(UserName="deployer")
        keys = iam.create_access_key(UserName="deployer")["AccessKey"]
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="deployer", PolicyName="own", PolicyDocument=policy)
        self._post("/moto-api/reset-auth", b"0")
        try:
            yield Session(keys["AccessKeyId"], keys["SecretAccessKey"])
        finally:
            self._post("/moto-api/reset-auth", b"inf")

    def inventory(self) -> dict[str, object]:
        """Everything of the store, read independently of the code that made it; ids that AWS invents left out."""
        key = self.key()
        text = json.dumps(
            {
                "keys": sum(self.is_ours(key["KeyId"]) for key in self.kms.list_keys()["Keys"]),
                "key": {name: key[name] for name in ("KeyState", "KeySpec", "KeyUsage", "Enabled", "Description")},
                "rotates": self.kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"],
                "policy": json.loads(self.kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"]),
                "tags": sorted(map(str, self.kms.list_resource_tags(KeyId=key["KeyId"])["Tags"])),
                "buckets": {"state": self.settings(self.state), "logs": self.settings(self.logs)},
            },
            sort_keys=True,
        )
        return json.loads(text.replace(key["KeyId"], "KEY").replace(self.env, "prod"))

    def key(self):
        return self.kms.describe_key(KeyId=self.alias)["KeyMetadata"]

    def is_ours(self, key_id: str) -> bool:
        return self.kms.describe_key(KeyId=key_id)["KeyMetadata"]["Description"].endswith(f" of {self.env}")

    def buckets(self) -> set[str]:
        return {self.state, self.logs} & {bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]}

    def settings(self, bucket: str) -> dict[str, object]:
        def ask(method: str, member: str):
            return getattr(self.s3, method)(Bucket=bucket)[member]

        return {
            "block": ask("get_public_access_block", "PublicAccessBlockConfiguration"),
            "ownership": ask("get_bucket_ownership_controls", "OwnershipControls"),
            "versioning": ask("get_bucket_versioning", "Status"),
            "encryption": ask("get_bucket_encryption", "ServerSideEncryptionConfiguration"),
            "policy": json.loads(ask("get_bucket_policy", "Policy")),
            "lifecycle": ask("get_bucket_lifecycle_configuration", "Rules"),
            "logging": self.s3.get_bucket_logging(Bucket=bucket).get("LoggingEnabled"),
            "events": "EventBridgeConfiguration" in self.s3.get_bucket_notification_configuration(Bucket=bucket),
            "tags": sorted(ask("get_bucket_tagging", "TagSet"), key=str),
            "lock": ask("get_object_lock_configuration", "ObjectLockConfiguration") if bucket == self.state else None,
        }


class Killed(BaseException):
    """As a signal: nothing here catches it."""


class Mortal(Session):
    """A session whose process dies before a changing call: `before`, counted from 1."""

    before = 0

    def __init__(self):
        super().__init__()
        self.events.register("before-call", self._die)

    def _die(self, model, **_):
        if model.name.startswith(("Create", "Put", "Enable", "Tag", "Cancel")):
            self.before -= 1
            if self.before == 0:
                raise Killed(model.name)
