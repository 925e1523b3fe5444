"""Base, images, platform: a stack whose images are not built yet deploys without what runs in them."""

from dataclasses import replace

import pytest

from stacks import images
from stackyard.program.capture import request_for
from stackyard.program.stackfiles import read_stack, to_environment
from tests.stack_captures import ROOT, evaluate, stack_capture

DEPLOYMENT = "stackyard:index:PipelineDeployment"


@pytest.fixture
def dev():
    config = read_stack(ROOT, "dev")
    return request_for(ROOT, config, mode="capture"), to_environment(config)


def test_a_missing_image_leaves_its_pipelines_out_and_says_so(dev, monkeypatch, mocker):
    warn = mocker.patch("pulumi.log.warn")
    monkeypatch.setattr(images, "locked_images", lambda environment, **options: {})
    deployment = evaluate(*dev)
    assert deployment.of_type(DEPLOYMENT) == [] and "contract" not in deployment.outputs
    assert deployment.of_type("stackyard:index:PipelineEngine"), "the platform itself is there"
    (message,) = warn.call_args.args
    assert "pipelines" in message and "dev" in message


def test_a_locked_image_is_what_the_pods_run():
    deployment = stack_capture("dev")
    digest = images.locked_images("dev")["pipelines"].digest
    assert deployment.outputs["contract"]["image"].endswith(f"/pipelines@{digest}")
    template = deployment.only("kubernetes:argoproj.io/v1alpha1:WorkflowTemplate")
    assert digest in str(template.inputs["spec"])


def test_a_real_deployment_refuses_example_digests(dev, mocker):
    mocker.patch("pulumi.runtime.is_dry_run", return_value=False)
    mocker.patch("stacks.platform_layer.require_package")
    with pytest.raises(Exception, match="example digests for dev"):
        evaluate(*dev)


def test_a_real_deployment_without_the_code_package_names_the_command(dev, mocker):
    request, environment = dev
    emulated = {**environment, "PULUMI_CONFIG": environment["PULUMI_CONFIG"].replace("111122223333", "123456789012")}
    mocker.patch("pulumi.runtime.is_dry_run", return_value=False)
    mocker.patch("pipelines.compile.compiled.Path.is_file", return_value=False)
    with pytest.raises(Exception, match="stackyard pipelines compile training"):
        evaluate(replace(request, account_id="123456789012"), emulated)
