"""Names of roles: whose a role is, and that it keeps its name."""

import pulumi_aws as aws
import pytest
from pulumi import Output, ResourceOptions

from components.role_names import KEEPS_ITS_NAME, LONGEST_ROLE_NAME, cluster_of, role_name
from stackyard.program.run import capture_callable
from tests.upgrade.recorded import destructive, steps_over


def test_a_role_is_called_after_its_environment():
    assert role_name("acme-dev", "cluster-role") == "acme-dev-cluster-role"


def test_a_name_that_iam_finds_too_long_ends_in_a_hash_of_the_whole():
    stem = "stackyard-prod-data-777788889999-ap-northeast-1"
    long = role_name(stem, "replication-of-everything-role")
    assert len(long) == LONGEST_ROLE_NAME and long.startswith(stem)
    assert role_name(stem, "replication-of-everything-else-role") != long
    assert len(role_name("a" * 56, "role-x1")) == 64, "one that just fits stays as it is"


def test_the_stem_of_a_cluster_s_roles_is_its_name():
    assert cluster_of("arn:aws:eks:eu-central-1:123456789012:cluster/acme-dev") == "acme-dev"


def role(name: str | None, kept: bool):
    def program() -> None:
        provider = ResourceOptions(provider=aws.Provider("aws", region="us-east-1"))
        opts = ResourceOptions.merge(provider, KEEPS_ITS_NAME) if kept else provider
        aws.iam.Role("role", name=name, assume_role_policy="{}", opts=opts)

    return program


@pytest.mark.parametrize("former", [None, "acme-dev-role"], ids=["made up by the provider", "of another stem"])
def test_a_role_that_exists_keeps_the_name_that_it_was_made_with(former):
    prior = capture_callable(role(former, kept=False))
    assert destructive(steps_over(prior, role("acme-prod-role", kept=True))) == []
    assert destructive(steps_over(prior, role("acme-prod-role", kept=False))), "else the option would be void"


def test_a_stem_may_be_known_later():
    def program() -> None:
        provider = ResourceOptions(provider=aws.Provider("aws", region="us-east-1"))
        aws.iam.Role("role", name=role_name(Output.from_input("acme-dev"), "x"), assume_role_policy="{}", opts=provider)

    assert capture_callable(program).only("aws:iam/role:Role").inputs["name"] == "acme-dev-x"


def test_a_role_that_must_be_replaced_goes_before_the_one_of_the_same_name_comes():
    assert KEEPS_ITS_NAME.delete_before_replace
