"""A program of twelve resources with everything around it, to be provisioned often, and all that it leaves behind."""

import difflib
import io
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from stackyard.local import emulator, inventory, safety
from stackyard.local.destroy import Destroyed, destroy
from stackyard.local.kubernetes.store import Store
from stackyard.local.places import Places
from stackyard.local.up import up
from tests.local.checkouts import ROOT, Checkout
from tests.local.faults import Proxy
from tests.local.forking import Emulated, Forks

STACK = "local"

# Twelve resources beside the stack and its two providers. Named and unnamed types; with calls after the create
# (key rotation, tags, retention); objects of a cluster; a component. In the second version: updates (log group,
# role, ConfigMap), a replacement that is created first (subnet, unnamed), one that is deleted first (security group,
# a fixed name), and two that are gone (queue, alias).
PROGRAM = '''
import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

VERSION = 1


class Site(pulumi.ComponentResource):
    def __init__(self, opts):
        super().__init__("test:site:Site", "site", {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.20.0.0/16", enable_dns_hostnames=True, opts=child)
        self.subnet = aws.ec2.Subnet(
            "subnet", vpc_id=vpc.id, cidr_block=f"10.20.{VERSION}.0/24", availability_zone="us-east-1a", opts=child
        )
        aws.ec2.SecurityGroup(
            "group",
            name="faults",
            description=f"version {VERSION}",
            vpc_id=vpc.id,
            ingress=[{"protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_blocks": ["10.0.0.0/8"]}],
            opts=child,
        )
        self.register_outputs({"subnet": self.subnet.id})


provider = aws.Provider(
    "aws",
    region="us-east-1",
    allowed_account_ids=["123456789012"],
    default_tags={"tags": {"project": "faults"}},
)
cluster = k8s.Provider("cluster", kubeconfig="{}", cluster_identifier="faults")
on_aws = pulumi.ResourceOptions(provider=provider)
in_cluster = pulumi.ResourceOptions(provider=cluster)

site = Site(pulumi.ResourceOptions(providers=[provider]))
key = aws.kms.Key("key", description="of the test", enable_key_rotation=True, opts=on_aws)
bucket = aws.s3.Bucket("bucket", bucket="faults-data", opts=on_aws)
aws.s3.BucketPublicAccessBlock(
    "closed", bucket=bucket.id, block_public_acls=True, block_public_policy=True, opts=on_aws
)
aws.cloudwatch.LogGroup("log", name="/faults/log", retention_in_days=7 * VERSION, opts=on_aws)
trust = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
"Principal": {"Service": "ec2.amazonaws.com"}}]}"""
role = aws.iam.Role("role", assume_role_policy=trust, description=f"version {VERSION}", opts=on_aws)
if VERSION == 1:
    aws.kms.Alias("alias", name="alias/faults", target_key_id=key.id, opts=on_aws)
    aws.sqs.Queue("queue", opts=on_aws)
k8s.core.v1.ConfigMap(
    "settings",
    metadata={"name": "settings", "namespace": "default"},
    data={"role": role.arn, "version": str(VERSION)},
    opts=in_cluster,
)
pulumi.export("subnet", site.subnet.id)
'''
RESOURCES = 12


@dataclass(frozen=True)
class Project(Checkout):
    """A project folder with the small program, and the files of the environment `local` around it."""

    @classmethod
    def make(cls, folder: Path) -> "Project":
        (folder / "stacks").mkdir(parents=True)
        shutil.copy(ROOT / "Pulumi.yaml", folder)
        shutil.copy(ROOT / "stacks" / "Pulumi.local.yaml", folder / "stacks")
        project = cls(folder)
        project.version(1)
        return project

    def run(self, *arguments: str, **environment: str):
        return super().run(*arguments, **{"PYTHONPATH": str(ROOT), **environment})

    def version(self, number: int) -> None:
        """Writes the program in its first or second version."""
        text = PROGRAM.replace("VERSION = 1\n", f"VERSION = {number}\n", 1)
        (self.root / "stacks" / "__main__.py").write_text(text, encoding="utf-8")

    @property
    def state_file(self) -> Path:
        return self.places().state(STACK)

    @property
    def journal_file(self) -> Path:
        return self.places().journal(STACK)


def through(places: Places, port: int, pid: int) -> None:
    """From now on the commands take `port` for the emulator's, and the process `pid` for the emulator."""
    places.folder.mkdir(parents=True, exist_ok=True)
    record = emulator.Record(pid=pid, port=port, started=emulator.started_at(pid) or "", owner=places.owner)
    emulator.write_record(places.emulator_record, record)


def found(project: Project, endpoint: str) -> dict[str, Any]:
    """All that there is afterwards: state, emulator, cluster, in a form in which two equal runs are equal."""
    places = project.places()
    text = places.state(STACK).read_text(encoding="utf-8") if places.state(STACK).exists() else "{}"
    text = EMULATOR.sub("<emulator>", text)
    exists = inventory.inventory(endpoint)
    names = _placeholders(text)
    return {
        "state": _normal(_by_urn(json.loads(text)), names),
        "exists": {label: sorted(_known(name, names) for name in entries) for label, entries in exists.items()},
        "settings": _settings(endpoint),
        "waiting": {label: len(entries) for label, entries in inventory.pending_deletion(endpoint).items()},
        "cluster": _normal(_objects(places), names),
        "journal": places.journal(STACK).exists(),
    }


def _settings(endpoint: str) -> dict[str, Any]:
    """What calls after the creates set: half-made resources differ here although their names are right."""
    ec2, kms, s3 = (safety.client(service, endpoint=endpoint) for service in ("ec2", "kms", "s3"))
    logs, iam = (safety.client(service, endpoint=endpoint) for service in ("logs", "iam"))
    keys = [key["KeyId"] for key in kms.list_keys()["Keys"]]
    enabled = [key for key in keys if kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"]
    vpcs = [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]
    groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["faults"]}])["SecurityGroups"]
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    return {
        "rotation": [kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] for key in enabled],
        "key tags": [kms.list_resource_tags(KeyId=key)["Tags"] for key in enabled],
        "hostnames": [
            ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")["EnableDnsHostnames"] for vpc in vpcs
        ],
        "rules": [(group["IpPermissions"], group["IpPermissionsEgress"], group["Description"]) for group in groups],
        "retention": [group["retentionInDays"] for group in logs.describe_log_groups()["logGroups"]],
        "roles": [role["Description"] for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("role-")],
        "closed": [_public_access(s3, bucket) for bucket in buckets],
        "bucket tags": [s3.get_bucket_tagging(Bucket=bucket)["TagSet"] for bucket in buckets],
    }


def _public_access(s3: Any, bucket: str) -> Any:
    try:
        return s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    except s3.exceptions.ClientError:
        return None


def _by_urn(exported: dict[str, Any]) -> dict[str, Any]:
    deployment = exported.get("deployment", {})
    entries = deployment.pop("resources", [])
    by_urn = {entry["urn"]: entry for entry in entries}
    assert len(by_urn) == len(entries), "a URN stands twice in the state"
    return {**exported, "resources": by_urn}


def _objects(places: Places) -> list[dict[str, Any]]:
    objects = Store(places.kubernetes_objects).list()
    for entry in objects:
        # Counts the store's changes: a run that was killed in between made the same ones in another order.
        entry["metadata"].pop("resourceVersion", None)
    return objects


def _placeholders(text: str) -> dict[str, str]:
    deployment = json.loads(text).get("deployment", {})
    entries = [*deployment.get("resources", []), *(p["resource"] for p in deployment.get("pending_operations", []))]
    ids = sorted(((entry.get("id", ""), entry["urn"].rsplit("::", 1)[1]) for entry in entries), reverse=True)
    # Names that the program gave, or that follow from the URN, are compared as they are.
    return {id_: f"<{name}>" for id_, name in ids if GENERATED.search(id_)}


def _known(name: str, names: Mapping[str, str]) -> str:
    return GENERATED.sub("<generated>", EMULATOR.sub("<emulator>", names.get(name, name)))


# Queue URLs name it.
EMULATOR = re.compile(r"http://127\.0\.0\.1:\d+")
# What AWS makes up, and when it did so.
GENERATED = re.compile(
    r"\b(vpc|subnet|sg|rtb|acl|dopt|sgr|eni|igw)-[0-9a-f]{8,17}\b|\bARO?A[A-Z0-9]{16,}\b"
    r"|\b[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)|\b1[67]\d{8}(\d{3})?\b"
)


def _normal(value: Any, names: Mapping[str, str]) -> Any:
    text = json.dumps(value, sort_keys=True)
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(json.dumps(name)[1:-1], names[name])
    return json.loads(GENERATED.sub("<generated>", text))


def assert_equal(now: Mapping[str, Any], clean: Mapping[str, Any], *, but: tuple[str, ...] = ()) -> None:
    """Fails with the lines that differ between two `found`."""
    for part in sorted(now.keys() - set(but)):
        ours, theirs = (json.dumps(each[part], indent=1, sort_keys=True).splitlines() for each in (now, clean))
        differences = [line for line in difflib.unified_diff(theirs, ours, "clean", "now", n=2, lineterm="")]
        assert not differences, f"{part} is not what a clean run leaves:\n" + "\n".join(differences)


@dataclass
class Site:
    """The project behind a proxy, on an emulator that starts each time with the same resources and files."""

    project: Project
    forks: Forks
    proxy: Proxy
    emulators: dict[str, Emulated]
    """By what is on them: `empty`, and what `keep` added."""
    current: Emulated
    console: Console = field(default_factory=lambda: Console(file=io.StringIO(), width=1000))

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator["Site"]:
        forks, empty = Forks(), Emulated.start()
        # Every service is used once: a fork need not set it up again.
        inventory.inventory(empty.endpoint)
        proxy = Proxy(empty.endpoint, forks.kill)
        site = cls(Project.make(folder / "project"), forks, proxy, {"empty": empty}, empty)
        try:
            with forks.installed():
                yield site
        finally:
            for emulated in {*site.emulators.values(), site.current}:
                emulated.stop()
            proxy.close()
            forks.close()

    def begin(self, kept: str = "empty") -> None:
        """Back to what `keep` kept under that name."""
        self._leave()
        self.current = self.emulators[kept].fork()
        emulator.reset_requests(self.current.endpoint)
        self.proxy.upstream = self.current.endpoint
        self.proxy.set()
        folder = self.project.places().folder
        shutil.rmtree(folder, ignore_errors=True)
        if (saved := self._saved(kept)).exists():
            shutil.copytree(saved, folder)
        self.connect()

    def _leave(self) -> None:
        if self.current not in self.emulators.values():
            self.current.stop()

    def connect(self, port: int | None = None) -> None:
        """The commands reach the emulator through the proxy, or through `port`."""
        through(self.project.places(), port or self.proxy.port, self.current.pid)

    def keep(self, name: str) -> None:
        """What there is now can be begun with under this name."""
        shutil.copytree(self.project.places().folder, self._saved(name))
        self.emulators[name] = self.current

    def _saved(self, name: str) -> Path:
        return self.project.root.parent / f"kept-{name}"

    def up(self) -> None:
        up(self.project.root, STACK, self.console)

    def destroy(self) -> Destroyed:
        return destroy(self.project.root, STACK, self.console, include_data=False)

    def carried_out(self) -> dict[str, int]:
        """Changing calls that the emulator carried out since the beginning, its own notes aside."""
        made = emulator.requests(self.current.endpoint).mutating
        return {name: count for name, count in made.items() if not name.startswith("ssm:")}

    def found(self) -> dict[str, Any]:
        return found(self.project, self.proxy.endpoint)

    def printed(self) -> str:
        """What the commands said since the last call."""
        file = self.console.file
        assert isinstance(file, io.StringIO)
        text = file.getvalue()
        file.seek(0)
        file.truncate()
        return text
