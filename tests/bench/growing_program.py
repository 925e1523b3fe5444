"""A program of any number of resources, as a platform team would write it: every team gets a component of nine parts.

Parts depend on each other as real ones do: by parent, by the properties that they take, by `depends_on`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

TEAM_SIZE = 10
"""Registrations of one team: the component and nine resources."""
SHARED_TYPES = ("pulumi:pulumi:Stack", "pulumi:providers:aws", "aws:ec2/vpc:Vpc")
"""Registered once whatever the size, and not counted in it."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What a later revision of the program does differently."""

    prefix: str = "team"
    """Of the components' names, and so of their children's."""
    former_prefix: str = ""
    """The components say by an alias that they had this one."""
    generation: str = "one"
    """Part of physical names and descriptions, which force a replacement, the old resource first."""


class Team(pulumi.ComponentResource):
    """A bucket with its settings, a role with its policies, a security group with a rule."""

    def __init__(self, name: str, physical_name: str, network: aws.ec2.Vpc, opts: pulumi.ResourceOptions):
        super().__init__("bench:index:Team", name, None, opts)
        self._physical_name = physical_name
        self._child = pulumi.ResourceOptions(parent=self)
        self._old_first = pulumi.ResourceOptions(parent=self, delete_before_replace=True)
        bucket = self._create_bucket(name)
        role = self._create_role(name, bucket)
        group = self._create_security_group(name, network)
        self.register_outputs({"bucket": bucket.arn, "role": role.arn, "securityGroup": group.id})

    def _create_bucket(self, name: str) -> aws.s3.Bucket:
        bucket = aws.s3.Bucket(
            f"{name}-bucket", bucket=self._physical_name, tags={"kind": "data"}, opts=self._old_first
        )
        versioning = aws.s3.BucketVersioning(
            f"{name}-bucket-versioning",
            bucket=bucket.id,
            versioning_configuration={"status": "Enabled"},
            opts=self._child,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-bucket-encryption",
            bucket=bucket.id,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms"}}],
            opts=self._child,
        )
        aws.s3.BucketPublicAccessBlock(
            f"{name}-bucket-public-access",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )
        return bucket

    def _create_role(self, name: str, bucket: aws.s3.Bucket) -> aws.iam.Role:
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        role = aws.iam.Role(
            f"{name}-role",
            name=self._physical_name,
            assume_role_policy=pulumi.Output.json_dumps(trust),
            opts=self._old_first,
        )
        statement = {
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": [pulumi.Output.concat(bucket.arn, "/*")],
        }
        aws.iam.RolePolicy(
            f"{name}-role-policy",
            role=role.id,
            policy=pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [statement]}),
            opts=self._child,
        )
        aws.iam.RolePolicyAttachment(
            f"{name}-role-logs",
            role=role.name,
            policy_arn="arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy",
            opts=self._child,
        )
        return role

    def _create_security_group(self, name: str, network: aws.ec2.Vpc) -> aws.ec2.SecurityGroup:
        group = aws.ec2.SecurityGroup(
            f"{name}-security-group",
            description=f"Pods of {self._physical_name}",
            vpc_id=network.id,
            tags={"kind": "pods"},
            opts=self._old_first,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-security-group-https",
            security_group_id=group.id,
            cidr_ipv4=network.cidr_block,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=self._child,
        )
        return group


def program(resources: int, variant: Variant | None = None) -> Callable[[], None]:
    """A program of that many registrations, a multiple of ten, beside those of `SHARED_TYPES`."""
    if resources < 1 or resources % TEAM_SIZE:
        raise ValueError(f"{resources} resources: a team has {TEAM_SIZE}, so take a multiple, for example 100")
    variant = variant or Variant()

    def run() -> None:
        provider = aws.Provider("aws", region="eu-central-1", default_tags={"tags": {"environment": "bench"}})
        network = aws.ec2.Vpc("network", cidr_block="10.0.0.0/16", opts=pulumi.ResourceOptions(provider=provider))
        for number in range(resources // TEAM_SIZE):
            former = [pulumi.Alias(name=f"{variant.former_prefix}-{number:03}")] if variant.former_prefix else None
            opts = pulumi.ResourceOptions(providers=[provider], aliases=former)
            physical_name = f"acme-{number:03}-{variant.generation}"
            Team(f"{variant.prefix}-{number:03}", physical_name, network, opts)

    return run
