"""Access entries: administrators and viewers, each once, viewers without Secrets."""

import pytest

from components.cluster_access import ClusterAccess, ClusterAccessArgs
from tests.components.test_cluster import LOCATION, cluster
from tests.stack_captures import stack_capture

ENTRY = "aws:eks/accessEntry:AccessEntry"
ASSOCIATION = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
ADMIN = "arn:aws:iam::123456789012:role/people/admin"
VIEWER = "arn:aws:iam::123456789012:role/engineer"


def access(**args):
    return ClusterAccess("access", ClusterAccessArgs(location=LOCATION, cluster=cluster(), **args))


def policies(deployment):
    return {
        r.inputs["principalArn"]: r.inputs["policyArn"].rsplit("/", 1)[-1]
        for r in deployment.of_type(ASSOCIATION)
        if r.name.startswith("access-")
    }


def test_administrators_administer_and_viewers_see_all_but_secrets(capture):
    deployment = capture(access, admin_arns=[ADMIN], viewer_arns=[VIEWER])
    assert policies(deployment) == {ADMIN: "AmazonEKSClusterAdminPolicy", VIEWER: "AmazonEKSViewPolicy"}
    names = {r.name for r in deployment.of_type(ENTRY) if r.name.startswith("access-")}
    assert names == {"access-admin-admin", "access-viewer-engineer"}


def test_entries_are_named_after_their_principal_so_that_another_one_moves_none(capture):
    one = {r.urn for r in capture(access, viewer_arns=[VIEWER]).of_type(ENTRY)}
    two = {r.urn for r in capture(access, viewer_arns=["arn:aws:iam::123456789012:role/a", VIEWER]).of_type(ENTRY)}
    assert one < two


def test_the_deployer_has_no_second_entry():
    for stack in ("dev", "prod-platform"):
        principals = [r.inputs["principalArn"] for r in stack_capture(stack).of_type(ENTRY)]
        assert len(principals) == len(set(principals)), "EKS keeps one entry per principal"


def test_viewers_of_the_settings_get_their_entry():
    assert "AmazonEKSViewPolicy" in {
        r.inputs["policyArn"].rsplit("/", 1)[-1] for r in stack_capture("prod-platform").of_type(ASSOCIATION)
    }


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({}, "nobody is named"),
        ({"viewer_arns": ["engineer"]}, "is not the ARN of an IAM role or user"),
        ({"admin_arns": [VIEWER], "viewer_arns": [VIEWER]}, "is given twice"),
        ({"viewer_arns": [VIEWER, "arn:aws:iam::123456789012:role/x/engineer"]}, "name 'engineer' is given twice"),
    ],
)
def test_what_eks_would_refuse_is_refused_first(capture, args, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(access, **args)
