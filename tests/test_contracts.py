"""Contracts over all components at once, in every stack; each is shown to fail on a planted fault."""

import sys
from dataclasses import replace
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest
from pulumi import ResourceOptions

from stackyard.program.deployment import Deployment
from stackyard.program.run import capture_callable
from tests import contracts
from tests.stack_captures import ROOT, STACKS, stack_capture

RULES = [
    contracts.untagged,
    contracts.without_outputs,
    contracts.unprotected,
    contracts.keys_weaker_than_what_they_encrypt,
    contracts.without_explicit_provider,
    contracts.looked_up,
    contracts.plain_secrets,
    contracts.without_replacement_row,
    contracts.badly_named_children,
    contracts.parentless,
    contracts.half_released,
    contracts.roles_of_nobody,
    contracts.opened_to_everyone,
]
COMPONENTS = list(contracts.component_classes(ROOT / "components"))
NAMES = [node.name for _, node in COMPONENTS]
MAX_CONSTRUCTOR_LINES = 60


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_stack_keeps(rule, stack):
    assert list(rule(stack_capture(stack))) == []


class Box(pulumi.ComponentResource):
    def __init__(self, name: str, *, outputs: dict | None = None):
        super().__init__("stackyard:index:Box", name)
        self.register_outputs(outputs or {})


def planted(make) -> Deployment:
    return capture_callable(make)


def provider() -> aws.Provider:
    return aws.Provider("aws", region="eu-central-1")


PLANTED = {
    contracts.untagged: lambda: aws.s3.Bucket("b", opts=ResourceOptions(provider=provider())),
    contracts.without_outputs: lambda: Box("box"),
    contracts.unprotected: lambda: aws.s3.Bucket("b", opts=ResourceOptions(protect=True)),
    contracts.without_explicit_provider: lambda: aws.s3.Bucket("b"),
    contracts.plain_secrets: lambda: k8s.helm.v3.Release("r", chart="c", values={"adminPassword": "hunter2"}),
    contracts.badly_named_children: lambda: aws.s3.Bucket("b", opts=ResourceOptions(parent=Box("box"))),
    contracts.without_replacement_row: lambda: aws.glue.Crawler("c", role="r", database_name="d"),
    contracts.parentless: lambda: aws.s3.Bucket("b"),
    contracts.half_released: lambda: k8s.helm.v3.Release("r", chart="c", name="r", atomic=True),
    contracts.roles_of_nobody: lambda: aws.iam.Role("r", assume_role_policy="{}"),
    contracts.opened_to_everyone: lambda: aws.s3.BucketPolicy(
        "p", bucket="b", policy='{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}]}'
    ),
}


@pytest.mark.parametrize("rule", PLANTED, ids=lambda rule: rule.__name__)
def test_a_planted_fault_breaks(rule):
    assert list(rule(planted(PLANTED[rule]))), "the rule would not notice"


@pytest.mark.parametrize(
    "name", ["adminPassword", "api_token", "privateKeyPem", "passwordBase64", "clientSecretValue", "accessKey"]
)
def test_what_a_secret_is_called_is_known(name):
    assert contracts.SECRET_NAME.search(name)


@pytest.mark.parametrize("name", ["passwordless", "secretName", "tokenTtl", "publicKey"])
def test_what_only_sounds_like_a_secret_is_none(name):
    assert not contracts.SECRET_NAME.search(name)


def test_a_key_that_is_easier_to_lose_than_its_bucket_is_noticed():
    base = stack_capture("prod-base")
    weaker = tuple(replace(r, protect=False) if r.type == "aws:kms/key:Key" else r for r in base)
    assert list(contracts.keys_weaker_than_what_they_encrypt(replace(base, resources=weaker)))


def test_a_second_look_up_is_noticed():
    platform = stack_capture("prod-platform")
    twice = tuple(replace(r, type="aws:s3/bucket:Bucket") if r.external else r for r in platform)
    assert list(contracts.looked_up(replace(platform, resources=twice)))


def test_type_tokens_are_complete_and_unique():
    tokens = [contracts.type_token(node) for _, node in COMPONENTS]
    assert tokens == [f"stackyard:index:{name}" for name in NAMES]
    assert len(set(tokens)) == len(tokens)


def test_every_component_stands_in_some_stack():
    used = {resource.type.rsplit(":", 1)[-1] for stack in STACKS for resource in stack_capture(stack)}
    assert set(NAMES) <= used, "a component that no stack uses is untested by every contract"


@pytest.mark.parametrize("name", NAMES)
def test_a_constructor_reads_like_a_table_of_contents(name):
    node = contracts.constructor(next(node for _, node in COMPONENTS if node.name == name))
    assert (node.end_lineno or 0) - node.lineno < MAX_CONSTRUCTOR_LINES
    last = node.body[-1]
    assert "self.register_outputs" in contracts.ast.unparse(last), "outputs are registered last, and always"


@pytest.mark.parametrize("path", sorted({path for path, _ in COMPONENTS}), ids=lambda path: path.stem)
def test_a_component_has_its_test_and_its_page(path):
    assert (ROOT / "tests" / "components" / f"test_{path.stem}.py").is_file()
    assert (ROOT / "docs" / "components" / f"{path.stem}.md").is_file()


@pytest.mark.parametrize("path", sorted((ROOT / "components").glob("*.py")), ids=lambda path: path.stem)
def test_no_resource_is_made_inside_apply(path):
    assert list(contracts.resources_inside_apply(path.read_text(encoding="utf-8"))) == []


def test_a_resource_inside_apply_is_noticed():
    assert list(contracts.resources_inside_apply("x.apply(lambda v: aws.s3.Bucket(v))"))


def test_no_module_of_the_program_hides_one_of_pythons_own():
    # Under the CLI, stacks/ is the first import path.
    names = {path.stem for path in (ROOT / "stacks").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not names & set(sys.stdlib_module_names)
    assert Path(ROOT / "stacks" / "__main__.py").is_file()
