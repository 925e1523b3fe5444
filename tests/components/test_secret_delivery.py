"""Secrets as files: a driver without rights, named secrets alone, no copy in Kubernetes."""

import json

import pulumi
import pytest

from components.secret_delivery import SecretDelivery, SecretDeliveryArgs, SecretFile, read_secrets, secret_files
from tests.components.test_cluster import cluster

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:github-app-AbCdEf"


def delivery(version="v3.1.3-eksbuild.1"):
    return SecretDelivery("secrets", SecretDeliveryArgs(cluster=cluster(), addon_version=version))


def files(*entries):
    opts = pulumi.ResourceOptions()
    secret_files("app", object_name="app", namespace="runners", region="us-east-1", files=entries, opts=opts)


def test_the_driver_is_pinned_and_has_no_rights_of_its_own(capture):
    deployment = capture(delivery)
    addon = deployment.only("aws:eks/addon:Addon").inputs
    assert addon["addonName"] == "aws-secrets-store-csi-driver-provider"
    assert (addon["addonVersion"], addon["resolveConflictsOnUpdate"]) == ("v3.1.3-eksbuild.1", "OVERWRITE")
    assert not {"podIdentityAssociations", "serviceAccountRoleArn"} & set(addon)
    assert not [r for r in deployment if r.type.startswith("aws:iam") and r.name.startswith("secrets")]


def test_an_open_version_is_refused(capture):
    with pytest.raises(ValueError, match="'latest' of add-on aws-secrets-store"):
        capture(delivery, version="latest")


def test_files_come_with_the_pods_own_role_and_no_kubernetes_secret_is_made(capture):
    spec = capture(lambda: files(SecretFile(arn=ARN, file="key.pem"))).only(
        "kubernetes:secrets-store.csi.x-k8s.io/v1:SecretProviderClass"
    )
    spec = spec.inputs["spec"]
    assert set(spec) == {"provider", "parameters"}, "secretObjects would copy them into Kubernetes"
    assert spec["parameters"]["usePodIdentity"] == "true"
    assert json.loads(spec["parameters"]["objects"]) == [
        {"objectAlias": "key.pem", "objectName": ARN, "objectType": "secretsmanager"}
    ]


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([], "no secret is named"),
        ([SecretFile(arn="github-app", file="key")], "is not the ARN of a secret"),
        ([SecretFile(arn=ARN, file="../key")], "'../key' is not possible"),
        ([SecretFile(arn=ARN, file="key")] * 2, "one name each"),
    ],
)
def test_files_that_cannot_be_are_refused(capture, entries, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(lambda: files(*entries))


def test_a_role_reads_the_named_secrets_alone():
    (statement,) = read_secrets([ARN, ARN])
    assert statement.resources == [ARN]
    assert set(statement.actions) == {"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"}
    with pytest.raises(ValueError, match="is not the ARN of a secret"):
        read_secrets(["*"])
