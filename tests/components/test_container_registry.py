"""Image repositories: immutable, scanned, encrypted, kept; and names that ECR refuses."""

import json

import pytest

from components.aws_location import AwsLocation
from components.container_registry import ContainerRegistry, ContainerRegistryArgs, lifecycle_policy
from components.image_caches import LONGEST_CACHE_PREFIX, cached_lifecycle
from components.retention import Retention, RetentionMode
from stacks.naming import CACHE_PREFIX_LENGTH
from tests.stack_captures import stack_capture

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
REPOSITORY = "aws:ecr/repository:Repository"
RULE = "aws:ecr/pullThroughCacheRule:PullThroughCacheRule"
TEMPLATE = "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate"
UPSTREAMS = {"quay": "quay.example", "k8s": "registry.example"}


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


def test_with_a_number_the_newest_images_are_kept(capture):
    policies = capture(registry, keep_images=200).of_type("aws:ecr/lifecyclePolicy:LifecyclePolicy")
    for policy in policies:
        untagged, oldest = json.loads(policy.inputs["policy"])["rules"]
        assert untagged["selection"]["tagStatus"] == "untagged" and untagged["selection"]["countNumber"] == 14
        assert oldest["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 200}
        assert untagged["rulePriority"] < oldest["rulePriority"], "ECR wants the rule for any image to come last"
        assert policy.delete_before_replace is True, "deleted after the new one, the old one would take it along"


@pytest.mark.parametrize(("stack", "images"), [("dev", 20), ("staging-base", 50), ("prod-base", 200)])
def test_the_settings_say_how_many_are_kept(stack, images):
    policy = stack_capture(stack).named("registry-pipelines-lifecycle").inputs["policy"]
    assert json.loads(policy)["rules"][-1]["selection"]["countNumber"] == images


def test_no_images_at_all_cannot_be_kept():
    with pytest.raises(ValueError, match="a repository cannot keep 0 images"):
        lifecycle_policy(14, 0)


def test_images_cannot_expire_at_once():
    with pytest.raises(ValueError, match="ECR knows 1 day and more"):
        lifecycle_policy(0)


def test_addresses_are_outputs_by_the_names_given(capture):
    outputs = capture(registry).only("stackyard:index:ContainerRegistry").outputs
    host = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/acme-dev"
    assert outputs["repositoryUrls"] == {"training": f"{host}/training", "tracking-server": f"{host}/tracking-server"}
    assert set(outputs) == {"repositoryUrls", "repositoryArns", "cacheUrls", "keyArn"}
    assert outputs["cacheUrls"] == {}


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


# Pull-through caches


@pytest.fixture
def cached(capture):
    return capture(registry, upstreams=UPSTREAMS, cached_tags={"owner": "ml"})


def statements(deployment):
    return json.loads(deployment.named("images-caches-role-policy").inputs["policy"])["Statement"]


def test_without_upstreams_there_is_no_cache_and_no_role(capture):
    deployment = capture(registry)
    assert [r for r in deployment if r.type in (RULE, TEMPLATE) or r.type.startswith("aws:iam")] == []


def test_each_upstream_has_a_cache_below_the_environments_own_prefix(cached):
    rules = {r.inputs["ecrRepositoryPrefix"]: r.inputs["upstreamRegistryUrl"] for r in cached.of_type(RULE)}
    assert rules == {"acme-dev/quay": "quay.example", "acme-dev/k8s": "registry.example"}
    assert not [r for r in cached.of_type(RULE) if {"credentialArn", "customRoleArn"} & set(r.inputs)]


def test_cached_repositories_are_as_those_of_our_own_images(cached):
    # controls 68, 69, 70
    key, role = cached.only("aws:kms/key:Key"), cached.named("images-caches-role")
    templates = {r.inputs["prefix"]: r.inputs for r in cached.of_type(TEMPLATE)}
    assert set(templates) == {"acme-dev/quay", "acme-dev/k8s"}
    for inputs in templates.values():
        assert inputs["appliedFors"] == ["PULL_THROUGH_CACHE"]
        assert inputs["imageTagMutability"] == "IMMUTABLE"
        assert inputs["encryptionConfigurations"] == [{"encryptionType": "KMS", "kmsKey": key.outputs["arn"]}]
        assert inputs["lifecyclePolicy"] == cached_lifecycle(14, 50)
        assert inputs["customRoleArn"] == role.outputs["arn"], "AWS's own role makes no encrypted and no tagged ones"
    tags = templates["acme-dev/quay"]["resourceTags"]
    assert tags == {"owner": "ml", "component": "images", "Name": "images-quay-cache"}


def test_a_cache_has_its_template_before_the_first_pull(cached):
    rule = cached.named("images-quay-cache")
    assert any(urn.endswith("::images-quay-cache-template") for urn in rule.dependencies)


def test_ecr_makes_cached_repositories_below_the_prefixes_alone(cached):
    role = cached.named("images-caches-role")
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert (trust["Principal"], trust["Action"]) == ({"Service": "ecr.amazonaws.com"}, "sts:AssumeRole")
    assert role.inputs["maxSessionDuration"] == 3600
    found = {tuple(s["Action"]): s["Resource"] for s in statements(cached)}
    assert found == {
        ("ecr:CreateRepository", "ecr:TagResource"): [
            f"arn:aws:ecr:eu-central-1:123456789012:repository/acme-dev/{cache}/*" for cache in ("k8s", "quay")
        ],
        ("kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"): cached.only("aws:kms/key:Key").outputs["arn"],
    }


def test_the_boundary_bounds_the_role_that_makes_repositories(capture):
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    deployment = capture(registry, upstreams=UPSTREAMS, permissions_boundary=boundary)
    assert deployment.named("images-caches-role").inputs["permissionsBoundary"] == boundary


def test_images_are_pulled_from_the_caches_addresses(cached):
    host = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/acme-dev"
    outputs = cached.only("stackyard:index:ContainerRegistry").outputs
    assert outputs["cacheUrls"] == {"quay": f"{host}/quay", "k8s": f"{host}/k8s"}


def test_cached_images_expire_by_number_and_untagged_ones_by_age():
    untagged, oldest = json.loads(cached_lifecycle(14, 50))["rules"]
    assert (untagged["selection"]["tagStatus"], untagged["selection"]["countNumber"]) == ("untagged", 14)
    assert oldest["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 50}
    assert untagged["rulePriority"] < oldest["rulePriority"], "ECR takes a rule for any image only as the last"
    with pytest.raises(ValueError, match="ECR knows 1 and more"):
        cached_lifecycle(14, 0)


@pytest.mark.parametrize(("stem", "cache"), [("acme-dev", "Quay"), ("a" * 26, "quay"), ("acme-dev", "a//b")])
def test_prefixes_that_ecr_refuses_are_refused(capture, stem, cache):
    with pytest.raises(ValueError, match="of a cache is not possible"):
        capture(registry, stem=stem, upstreams={cache: "quay.example"})


def test_the_longest_prefix_that_ecr_knows_passes(capture):
    deployment = capture(registry, stem="a" * 25, upstreams={"quay": "quay.example"})
    assert len(deployment.only(RULE).inputs["ecrRepositoryPrefix"]) == 30
    assert CACHE_PREFIX_LENGTH == LONGEST_CACHE_PREFIX == 30, "settings refuse what the component would"
