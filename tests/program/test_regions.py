"""Two providers, two regions: what each makes lies in its own, in a capture and on the emulator."""

import pulumi_aws as aws
from pulumi import ResourceOptions

from stackyard.local.executor import sent
from stackyard.program.run import capture_callable


def made():
    near = aws.Provider("near", region="eu-central-1")
    far = aws.Provider("far", region="us-west-2")
    aws.kms.Key("near-key", opts=ResourceOptions(provider=near))
    aws.kms.Key("far-key", opts=ResourceOptions(provider=far))
    aws.iam.Role("role", assume_role_policy="{}", opts=ResourceOptions(provider=far))
    aws.kms.Key("default-key")


def test_what_a_provider_makes_lies_in_its_region():
    deployment = capture_callable(made)
    for name, region in (("near", "eu-central-1"), ("far", "us-west-2")):
        key = deployment.named(f"{name}-key")
        assert key.outputs["region"] == region
        assert f":kms:{region}:" in key.outputs["arn"]


def test_what_lies_in_no_region_says_none():
    deployment = capture_callable(made)
    assert "region" not in deployment.named("role").outputs
    assert "region" not in deployment.named("default-key").outputs, "a default provider's is not known"


def test_the_emulator_is_asked_in_the_providers_region():
    deployment = capture_callable(made)
    assert sent(deployment.named("far-key"))["region"] == "us-west-2"
    assert "region" not in sent(deployment.named("role"))
    assert "region" not in deployment.named("far-key").inputs, "an input would be a difference that nobody made"
