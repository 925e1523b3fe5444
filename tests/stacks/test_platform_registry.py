"""The model registry's rights in every stack with a platform: as the section `tracking` says, on both sides."""

import pytest

from stackyard.program.capture import Format, capture, render
from stackyard.program.process import Refused
from tests.stack_captures import ROOT, stack_capture, with_outputs, with_sections

REGISTRY = "stackyard:index:ModelRegistry"
# What fails while outputs are awaited leaves the SDK unusable for the next test of the process.
in_a_child = pytest.mark.local
SERVER = "https://mlflow.example.com"


@pytest.mark.parametrize("stack", ["local", "dev", "staging-platform", "prod-platform"])
def test_the_registry_may_connect_to_the_environments_database(stack):
    deployment = stack_capture(stack)
    base = stack_capture(stack.replace("platform", "base"))
    instance = base.only("aws:rds/instance:Instance")
    policy = deployment.named("model-registry-permissions").inputs["policy"]
    assert f"dbuser:{instance.outputs['resourceId']}/mlflow" in policy
    rule = deployment.named("model-registry-database-access").inputs
    assert rule["securityGroupId"] == base.named("tracking-security-group").id
    assert rule["fromPort"] == rule["toPort"] == 5433


def test_without_a_database_there_is_no_registry():
    assert with_sections("dev", tracking=None).of_type(REGISTRY) == []


def test_a_server_that_exists_replaces_the_registry_and_is_what_pipelines_get():
    section = {"uri": SERVER, "instanceClass": "db.t4g.micro", "storageGb": 20}
    base = with_outputs(stack_capture("prod-base"), trackingDatabase={})
    deployment = with_sections("prod-platform", base=base, tracking=section)
    assert deployment.of_type(REGISTRY) == []
    assert deployment.outputs["contract"]["tracking_uri"] == SERVER


@in_a_child
def test_a_base_that_was_deployed_without_its_database_is_named(tmp_path):
    file = tmp_path / "base.json"
    base = with_outputs(stack_capture("prod-base"), trackingDatabase={})
    file.write_text(render(base, Format.JSON), encoding="utf-8")
    with pytest.raises(Refused, match=r"prod-base has no output trackingDatabase\.\w+: deploy it first"):
        capture(ROOT, "prod-platform", base_from=file)
