"""The model registry's rights in every stack with a platform: as the section `tracking` says, on both sides."""

import copy
import json
from dataclasses import replace

import pytest

from stackyard.program.capture import Format, capture, render, request_for
from stackyard.program.deployment import Deployment
from stackyard.program.process import Refused
from stackyard.program.stackfiles import read_stack, to_environment
from tests.stack_captures import ROOT, evaluate, stack_capture

REGISTRY = "stackyard:index:ModelRegistry"
# What fails while outputs are awaited leaves the SDK unusable for the next test of the process.
in_a_child = pytest.mark.local
SERVER = "https://mlflow.example.com"


def platform(stack: str, base: str = "", *, base_outputs: dict | None = None, tracking: dict | None) -> Deployment:
    """A platform stack with another section `tracking`, None for none."""
    config = read_stack(ROOT, stack)
    sections = copy.deepcopy(dict(config.config))
    sections.pop("stackyard:tracking", None)
    config = replace(config, config=sections | ({"stackyard:tracking": tracking} if tracking else {}))
    below = stack_capture(base) if base else None
    if below and base_outputs is not None:
        below = replace(below, outputs={**below.outputs, **base_outputs})
    return evaluate(request_for(ROOT, config, mode="capture", base=below), to_environment(config))


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
    assert platform("dev", tracking=None).of_type(REGISTRY) == []


def test_a_server_that_exists_replaces_the_registry_and_is_what_pipelines_get():
    section = {"uri": SERVER, "instanceClass": "db.t4g.micro", "storageGb": 20}
    deployment = platform("prod-platform", "prod-base", base_outputs={"trackingDatabase": {}}, tracking=section)
    assert deployment.of_type(REGISTRY) == []
    assert deployment.outputs["contract"]["tracking_uri"] == SERVER


@in_a_child
def test_a_base_that_was_deployed_without_its_database_is_named(tmp_path):
    document = json.loads(render(stack_capture("prod-base"), Format.JSON))
    document["outputs"]["trackingDatabase"] = {}
    file = tmp_path / "base.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(Refused, match=r"prod-base has no output trackingDatabase\.\w+: deploy it first"):
        capture(ROOT, "prod-platform", base_from=file)
