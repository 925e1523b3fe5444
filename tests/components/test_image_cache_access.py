"""Nodes pull through the caches: they make repositories below the caches' prefixes, and none elsewhere."""

import json

import pytest

from components.image_cache_access import ImageCacheAccess, ImageCacheAccessArgs
from components.node_role import NODE_POLICIES
from tests.components.test_cluster import LOCATION

ROLE = "arn:aws:iam::123456789012:role/acme-dev-system-nodes-role"


def access(**args):
    defaults = {
        "location": LOCATION,
        "stem": "acme-dev",
        "caches": ("quay", "k8s"),
        "role_arns": {"system-nodes": ROLE, "pools": "arn:aws:iam::123456789012:role/path/acme-dev-pools-role"},
    }
    return ImageCacheAccess("caches", ImageCacheAccessArgs(**(defaults | args)))


def test_every_nodes_role_may_import_below_the_caches_prefixes_alone(capture):
    deployment = capture(access)
    policies = deployment.of_type("aws:iam/rolePolicy:RolePolicy")
    assert {r.name: r.inputs["role"] for r in policies} == {
        "caches-system-nodes": "acme-dev-system-nodes-role",
        "caches-pools": "acme-dev-pools-role",
    }
    for policy in policies:
        (statement,) = json.loads(policy.inputs["policy"])["Statement"]
        assert statement["Action"] == "ecr:CreateRepository"
        assert statement["Resource"] == [
            f"arn:aws:ecr:eu-central-1:123456789012:repository/acme-dev/{cache}/*" for cache in ("k8s", "quay")
        ], "a node that makes repositories elsewhere could stand in for our own images"


@pytest.mark.local
def test_fetching_comes_with_the_policy_of_aws_that_every_node_has():
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    policies = json.loads(aws_managed_policies_data)
    (allowed,) = policies[NODE_POLICIES[0]]["Document"]["Statement"]
    assert NODE_POLICIES[0] == "AmazonEC2ContainerRegistryPullOnly"
    assert "ecr:BatchImportUpstreamImage" in allowed["Action"], "then the nodes need it by themselves"


def test_outputs_are_registered(capture):
    outputs = capture(access).only("stackyard:index:ImageCacheAccess").outputs
    assert outputs["repositories"][0] == "arn:aws:ecr:eu-central-1:123456789012:repository/acme-dev/k8s/*"


@pytest.mark.parametrize("empty", [{"caches": ()}, {"role_arns": {}}])
def test_access_of_nobody_or_to_nothing_is_refused(capture, empty):
    with pytest.raises(ValueError, match="at least one cache and one role of nodes"):
        capture(access, **empty)
