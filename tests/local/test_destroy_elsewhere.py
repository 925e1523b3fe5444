"""`stackyard local destroy` outside us-east-1: it looks in the environment's region, and in those of its replicas."""

import io

import pytest
import yaml
from rich.console import Console

from stackyard.local import emulator, safety
from stackyard.local.destroy import destroy
from stackyard.local.up import up
from tests.local.small_project import STACK, Project

pytestmark = pytest.mark.local

REGION = "eu-central-1"
ELSEWHERE = "ca-west-1"
"""Where the emulator lacks services, which replicas do not need."""


@pytest.fixture
def project(tmp_path):
    project = Project.make(tmp_path / "project")
    project.edit("stacks/Pulumi.local.yaml", "us-east-1", REGION)
    yield project
    project.stop()


def test_what_no_state_knows_is_found_and_final_snapshots_go_in_the_environments_region(project):
    endpoint = emulator.start(project.places()).endpoint
    rds, sqs = (safety.client(service, endpoint=endpoint, region=REGION) for service in ("rds", "sqs"))
    rds.create_db_instance(DBInstanceIdentifier="orphan", Engine="postgres", DBInstanceClass="db.t4g.micro")
    rds.create_db_snapshot(DBSnapshotIdentifier="final", DBInstanceIdentifier="orphan")
    url = sqs.create_queue(QueueName="orphan")["QueueUrl"]

    remains = destroy(project.root, STACK, Console(file=io.StringIO()), include_data=True).remains

    assert remains["rds database"] == ["orphan"] and remains["sqs queue"] == [url]
    left = rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    assert left == [], "data that nobody would ever look for again"
    assert emulator.running(project.places()), "what remains can be looked at"


def orphan(project: Project, region: str) -> str:
    kms = safety.client("kms", endpoint=emulator.start(project.places()).endpoint, region=region)
    return kms.create_key()["KeyMetadata"]["KeyId"]


def test_what_is_left_where_the_settings_have_a_replica_is_found(project):
    file = project.root / "stacks" / "Pulumi.local.yaml"
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    settings["config"]["stackyard:dataBuckets"][0]["replicaRegion"] = ELSEWHERE
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    key = orphan(project, ELSEWHERE)
    remains = destroy(project.root, STACK, Console(file=io.StringIO()), include_data=True).remains
    assert remains == {f"kms key in {ELSEWHERE}": [key]}


def test_what_is_left_where_only_the_state_has_something_is_found(project):
    program = project.root / "stacks" / "__main__.py"
    bucket = f'aws.s3.Bucket("replica", region="{ELSEWHERE}", opts=on_aws)\n'
    program.write_text(program.read_text(encoding="utf-8") + bucket, encoding="utf-8")
    up(project.root, STACK, Console(file=io.StringIO()))
    key = orphan(project, ELSEWHERE)
    remains = destroy(project.root, STACK, Console(file=io.StringIO()), include_data=True).remains
    assert remains == {f"kms key in {ELSEWHERE}": [key]}
