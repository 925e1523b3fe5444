"""Image repositories: immutable, scanned, encrypted, kept; and names that ECR refuses."""

import json

import pytest

from components.aws_location import AwsLocation
from components.container_registry import ContainerRegistry, ContainerRegistryArgs, lifecycle_policy
from components.retention import Retention, RetentionMode

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
REPOSITORY = "aws:ecr/repository:Repository"


def registry(**args):
    defaults = {"location": LOCATION, "stem": "acme-dev", "repositories": ["training", "tracking-server"]}
    return ContainerRegistry("images", ContainerRegistryArgs(**(defaults | args)))


def test_every_image_has_a_repository_with_a_lifecycle(capture):
    deployment = capture(registry)
    assert {r.inputs["name"] for r in deployment.of_type(REPOSITORY)} == {
        "acme-dev/training",
        "acme-dev/tracking-server",
    }
    policies = deployment.of_type("aws:ecr/lifecyclePolicy:LifecyclePolicy")
    assert {r.inputs["repository"] for r in policies} == {"acme-dev/training", "acme-dev/tracking-server"}


def test_tags_never_move_and_every_push_is_scanned_and_encrypted(capture):
    deployment = capture(registry)
    key = deployment.only("aws:kms/key:Key")
    for repository in deployment.of_type(REPOSITORY):
        assert repository.inputs["imageTagMutability"] == "IMMUTABLE"
        assert repository.inputs["imageScanningConfiguration"] == {"scanOnPush": True}
        assert repository.inputs["encryptionConfigurations"] == [
            {"encryptionType": "KMS", "kmsKey": key.outputs["arn"]}
        ]
    assert key.inputs["enableKeyRotation"] is True


def test_images_and_their_key_survive_a_destroy(capture):
    deployment = capture(registry)
    kept = {r.name for r in deployment if r.protect and r.retain_on_delete}
    assert kept == {"images-key", "images-training", "images-tracking-server"}
    assert {r.inputs["forceDelete"] for r in deployment.of_type(REPOSITORY)} == {False}


def test_a_loosened_retention_still_deletes_no_image(capture):
    loosened = Retention(mode=RetentionMode.DISPOSABLE, reason="local emulator")
    for repository in capture(registry, retention=loosened).of_type(REPOSITORY):
        assert repository.inputs["forceDelete"] is False
        assert repository.inputs["tags"]["stackyard:loosened"] == "disposable: local emulator"


def test_only_images_without_a_tag_expire():
    (rule,) = json.loads(lifecycle_policy(14))["rules"]
    assert rule["selection"] == {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": 14,
    }, "a tagged image may serve a promoted model"


def test_images_cannot_expire_at_once():
    with pytest.raises(ValueError, match="ECR knows 1 day and more"):
        lifecycle_policy(0)


def test_addresses_are_outputs_by_the_names_given(capture):
    outputs = capture(registry).only("stackyard:index:ContainerRegistry").outputs
    host = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/acme-dev"
    assert outputs["repositoryUrls"] == {"training": f"{host}/training", "tracking-server": f"{host}/tracking-server"}
    assert set(outputs) == {"repositoryUrls", "repositoryArns", "keyArn"}


@pytest.mark.parametrize(
    ("repositories", "sentence"),
    [
        ([], "at least one repository"),
        (["training", "training"], "named twice"),
        (["Training"], "is not possible"),
        (["a__b"], "is not possible"),
        (["x" * 256], "is not possible"),
    ],
)
def test_repositories_that_cannot_be_are_refused(capture, repositories, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(registry, repositories=repositories)
