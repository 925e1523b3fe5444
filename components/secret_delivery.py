"""Secrets of AWS Secrets Manager as files in pods. Nothing of them is copied into Kubernetes."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pulumi import Input, Output, ResourceOptions

from components.cluster import Cluster
from components.iam_policies import Statement
from components.invalid_argument import InvalidArgument
from components.tagging import child_tags

ADDON = "aws-secrets-store-csi-driver-provider"
SECRET_ARN = re.compile(r"arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+")
FILE_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class SecretDeliveryArgs:
    cluster: Cluster
    """Cluster whose pods get secrets."""

    addon_version: str
    """Version of the add-on, for example `v3.1.3-eksbuild.1`; stacks/versions.py has it."""

    after: Sequence[pulumi.Resource] = ()
    """What must be there first: nodes. Default: the cluster is enough."""


@dataclass(frozen=True, kw_only=True)
class SecretFile:
    arn: str
    """ARN of the secret in Secrets Manager."""

    file: str
    """Name of the file that a pod sees."""


class SecretDelivery(pulumi.ComponentResource):
    """Creates, always: the Secrets Store CSI driver with AWS's provider, as a managed add-on.

    It has no rights of its own: a pod's secrets are fetched with the role of that pod. What a pod sees is named by
    `secret_files`, what its role may read by `read_secrets`. Costs nothing; each secret costs 0.40 $ a month at AWS.
    """

    addon_name: Output[str]
    """Known once the driver runs."""

    def __init__(self, name: str, args: SecretDeliveryArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:SecretDelivery", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        if "-eksbuild." not in args.addon_version:
            raise InvalidArgument(
                f"version {args.addon_version!r} of add-on {ADDON} is not one of EKS's: pin it with its build, "
                "for example 'v3.1.3-eksbuild.1'"
            )

        addon = self._create_addon()

        self.addon_name = addon.addon_name
        self.register_outputs({"addonName": self.addon_name})

    def _create_addon(self) -> aws.eks.Addon:
        name = f"{self._name}-addon"
        return aws.eks.Addon(
            name,
            cluster_name=self._args.cluster.cluster_name,
            addon_name=ADDON,
            addon_version=self._args.addon_version,
            resolve_conflicts_on_create="OVERWRITE",
            # Kept changes by hand would make two clusters of one program differ unseen.
            resolve_conflicts_on_update="OVERWRITE",
            tags=child_tags(self._name, name),
            opts=ResourceOptions.merge(self._child, ResourceOptions(depends_on=list(self._args.after))),
        )


def secret_files(
    name: str,
    *,
    object_name: str,
    namespace: Input[str],
    region: str,
    files: Sequence[SecretFile],
    opts: ResourceOptions,
) -> k8s.apiextensions.CustomResource:
    """What a pod of `namespace` mounts to see `files`; no Kubernetes Secret is made. `opts` must name the delivery.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/integrating_csi_driver_SecretProviderClass.html
    """
    return k8s.apiextensions.CustomResource(
        name,
        api_version="secrets-store.csi.x-k8s.io/v1",
        kind="SecretProviderClass",
        metadata={"name": object_name, "namespace": namespace},
        spec={
            "provider": "aws",
            "parameters": {"objects": json.dumps(_objects(files)), "region": region, "usePodIdentity": "true"},
        },
        opts=opts,
    )


def read_secrets(arns: Sequence[str]) -> list[Statement]:
    """What a pod's role needs to see these secrets, and no others. Keys of their own are granted beside it."""
    for arn in arns:
        _check_arn(arn)
    return [
        Statement(
            actions=["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], resources=sorted(set(arns))
        )
    ]


def _objects(files: Sequence[SecretFile]) -> list[dict[str, Any]]:
    if not files:
        raise InvalidArgument("no secret is named: give one or more files")
    names = [entry.file for entry in files]
    for entry in files:
        _check_arn(entry.arn)
        if not FILE_NAME.fullmatch(entry.file) or names.count(entry.file) > 1:
            raise InvalidArgument(
                f"file {entry.file!r} is not possible: one name each, of letters, digits, '.', '_' and '-'"
            )
    ordered = sorted(files, key=lambda entry: entry.file)
    return [{"objectAlias": entry.file, "objectName": entry.arn, "objectType": "secretsmanager"} for entry in ordered]


def _check_arn(arn: str) -> None:
    if not SECRET_ARN.fullmatch(arn):
        raise InvalidArgument(
            f"{arn!r} is not the ARN of a secret: write for example "
            "'arn:aws:secretsmanager:us-east-1:123456789012:secret:github-app-AbCdEf'"
        )
