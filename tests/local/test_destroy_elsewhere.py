"""`stackyard local destroy` of an environment outside us-east-1: what it looks for lies in the environment's region."""

import io

import pytest
from rich.console import Console

from stackyard.local import emulator, safety
from stackyard.local.destroy import destroy
from tests.local.small_project import STACK, Project

pytestmark = pytest.mark.local

REGION = "eu-central-1"


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
