"""The lock of images: digests only, examples never deployed, missing ones left out."""

import hashlib

import pytest

from stacks import images
from stackyard.errors import InvalidInput, UserError

DIGEST = "sha256:" + "c" * 64


@pytest.fixture
def lock(tmp_path):
    def write(text):
        path = tmp_path / "images.lock.yaml"
        path.write_text(text)
        return path

    return write


def image_of(lock, environment="dev", **options):
    return images.image_of(
        "pipelines", environment=environment, repository_url="registry.example/p", lock=lock, **options
    )


def test_an_image_is_named_by_repository_and_digest(lock):
    path = lock(f'dev:\n  pipelines: {{digest: "{DIGEST}"}}\n')
    assert image_of(path) == f"registry.example/p@{DIGEST}"


def test_an_image_that_is_not_built_yet_is_none_and_the_warning_says_what_to_do(lock):
    path = lock("staging: {}\n")
    assert image_of(path) is None
    assert image_of(path, environment="staging") is None
    assert "write its digest there and deploy the platform layer again" in images.missing_image("pipelines", "dev")


def test_the_local_stack_needs_no_lock_and_names_what_its_environment_was_installed_from(lock, tmp_path):
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "pipelines.txt").write_text("metaflow==1\n")
    expected = hashlib.sha256(b"metaflow==1\n").hexdigest()
    local = image_of(lock(""), environment="local", root=tmp_path)
    assert local == f"stackyard.local/pipelines@sha256:{expected}"


def test_examples_are_seen_by_captures_and_refused_by_a_real_up(lock):
    path = lock(f'dev:\n  pipelines: {{digest: "{DIGEST}", example: true}}\n')
    assert image_of(path) == f"registry.example/p@{DIGEST}"
    with pytest.raises(UserError) as error:
        images.refuse_examples("dev", lock=path)
    assert "dev: pipelines" in str(error.value)
    images.refuse_examples("prod", lock=path)


def test_a_built_image_is_not_refused(lock):
    images.refuse_examples("dev", lock=lock(f'dev:\n  pipelines: {{digest: "{DIGEST}"}}\n'))


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("pipelines: {digest: latest}", "'latest' is not sha256: and 64 digits"),
        ("pipelines: {}", "None is not sha256"),
        ("pipelines: latest", "must have `digest`"),
        (f'pipelines: {{digest: "{DIGEST}", tag: v1}}', "must have `digest`"),
        (f'pipelines: {{digest: "{DIGEST}", example: "no"}}', "'no' must be true or false"),
        (f'pipeline: {{digest: "{DIGEST}"}}', "There is no image 'pipeline'. This project builds: pipelines"),
    ],
)
def test_a_lock_that_nobody_could_deploy_from_is_refused(lock, line, part):
    with pytest.raises(InvalidInput) as error:
        images.locked_images("dev", lock=lock(f"dev:\n  {line}\n"))
    assert part in str(error.value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("- dev\n", 'stacks/images.lock.yaml: ["dev"] is no mapping'),
        ("dev: 5\n", "stacks/images.lock.yaml, dev: 5 is no mapping"),
        ("staging: {}\n<<<<<<< HEAD\ndev: [\n", "stacks/images.lock.yaml, line 3: this is not valid YAML"),
        ("dev: 2027-13-45\n", "is not valid YAML"),
        (f'dev:\n  5: {{digest: "{DIGEST}"}}\n  pipelines: {{digest: "{DIGEST}"}}\n', "There is no image 5"),
        (None, "stacks/images.lock.yaml cannot be read (No such file or directory)"),
    ],
)
def test_a_lock_of_another_shape_is_one_sentence_that_says_how_to_get_it_back(lock, tmp_path, text, part):
    path = tmp_path / "absent.yaml" if text is None else lock(text)
    with pytest.raises(InvalidInput) as error:
        images.locked_images("dev", lock=path)
    assert part in str(error.value)
    assert "\n" not in str(error.value)
    assert "git restore stacks/images.lock.yaml" in str(error.value) or "This project builds" in str(error.value)


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_committed_environments_have_every_image_and_mark_it_as_an_example(environment):
    committed = images.locked_images(environment)
    assert set(committed) == set(images.IMAGES)
    assert all(image.example for image in committed.values()), "nobody has built images for example.com"
