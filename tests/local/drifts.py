"""Changes that somebody makes behind the state's back, with boto3 and in the object store."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stackyard.local.safety import client
from stackyard.program import state
from stackyard.program.deployment import Deployment
from tests.local.checkouts import Checkout

EVERYONE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
CLUSTER_POLICY = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@dataclass
class World:
    """A provisioned environment, its clients and the ids of its resources."""

    checkout: Checkout
    env: str = "local"

    def __getattr__(self, service: str) -> Any:
        return client(service, endpoint=self.checkout.endpoint(self.env))

    @cached_property
    def deployment(self) -> Deployment:
        found = state.read(self.checkout.places(self.env).state(self.env))
        assert found
        return found

    def id(self, name: str) -> str:
        return next(r.id for r in self.deployment if r.name == name and r.custom)

    def edit_objects(self, change: Callable[[dict[str, Any]], None]) -> None:
        path = self.checkout.places(self.env).kubernetes_objects
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content["objects"])
        path.write_text(json.dumps(content), encoding="utf-8")

    def objects(self) -> dict[str, Any]:
        return json.loads(self.checkout.places(self.env).kubernetes_objects.read_text(encoding="utf-8"))["objects"]


@dataclass(frozen=True)
class Planted:
    """One change behind the state's back."""

    change: Callable[[World], Any]
    found: tuple[str, ...]
    """Resource and property, as the report names them: `data-key enableKeyRotation: true -> false`."""
    shows: Callable[[World], Any]
    """What boto3 or the store shows, for before and after."""


def block(w: World) -> Any:
    return w.s3.get_public_access_block(Bucket=w.id("data-bucket"))["PublicAccessBlockConfiguration"]


def bucket_tags(w: World) -> Any:
    return {t["Key"]: t["Value"] for t in w.s3.get_bucket_tagging(Bucket=w.id("data-bucket"))["TagSet"]}


def key_tags(w: World) -> Any:
    return {t["TagKey"]: t["TagValue"] for t in w.kms.list_resource_tags(KeyId=w.id("data-key"))["Tags"]}


def role(w: World, name: str = "cluster-role") -> Any:
    found = w.iam.get_role(RoleName=w.id(name))["Role"]
    return {member: found[member] for member in ("RoleName", "AssumeRolePolicyDocument", "Tags")}


def inline_policy(w: World, name: str) -> Any:
    role, _, policy = w.id(name).partition(":")
    return w.iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]


def sorted_tags(listed: list[dict[str, str]]) -> Any:
    return sorted((t["Key"], t["Value"]) for t in listed)


def vpc_tags(w: World) -> Any:
    return sorted_tags(w.ec2.describe_vpcs(VpcIds=[w.id("network-vpc")])["Vpcs"][0]["Tags"])


def subnet(w: World) -> Any:
    return w.ec2.describe_subnets(SubnetIds=[w.id("network-public-us-east-1a")])["Subnets"][0]["MapPublicIpOnLaunch"]


def ingress(w: World) -> Any:
    group = w.id("network-default-security-group")
    return w.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]


def latest_template(w: World) -> Any:
    versions = w.ec2.describe_launch_template_versions(
        LaunchTemplateId=w.id("system-nodes-template"), Versions=["$Latest"]
    )
    return versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]["MetadataOptions"]["HttpTokens"]


def replace_tags(w: World) -> None:
    tags = {**bucket_tags(w), "environment": "other", "foreign": "yes"}
    del tags["owner"]
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    w.s3.put_bucket_tagging(Bucket=w.id("data-bucket"), Tagging={"TagSet": pairs})


def delete_bucket(w: World) -> None:
    bucket = w.id("access-logs-bucket")
    for version in w.s3.list_object_versions(Bucket=bucket).get("Versions", []):
        w.s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    w.s3.delete_bucket(Bucket=bucket)


def delete_role(w: World) -> None:
    name = w.id("training-role")
    for policy in w.iam.list_role_policies(RoleName=name)["PolicyNames"]:
        w.iam.delete_role_policy(RoleName=name, PolicyName=policy)
    w.iam.delete_role(RoleName=name)


def trusts_everyone(w: World) -> None:
    w.iam.update_assume_role_policy(RoleName=w.id("cluster-role"), PolicyDocument=json.dumps(EVERYONE))


def opens_the_key(w: World) -> None:
    policy = json.loads(w.kms.get_key_policy(KeyId=w.id("data-key"), PolicyName="default")["Policy"])
    policy["Statement"][0]["Principal"] = {"AWS": "*"}
    w.kms.put_key_policy(KeyId=w.id("data-key"), PolicyName="default", Policy=json.dumps(policy))


def privileges(objects: dict[str, Any]) -> None:
    labels = objects["v1 Namespace - pipelines"]["object"]["metadata"]["labels"]
    labels["pod-security.kubernetes.io/enforce"] = "privileged"


def deny(w: World) -> Any:
    return [name for name in w.objects() if "NetworkPolicy pipelines" in name]


PLANTED: dict[str, Planted] = {
    "the public access block is opened": Planted(
        lambda w: w.s3.put_public_access_block(
            Bucket=w.id("data-bucket"),
            PublicAccessBlockConfiguration=dict.fromkeys(
                ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), False
            ),
        ),
        tuple(
            f"data-public-access-block {flag}: true -> false"
            for flag in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        ),
        block,
    ),
    "versioning is suspended": Planted(
        lambda w: w.s3.put_bucket_versioning(
            Bucket=w.id("data-bucket"), VersioningConfiguration={"Status": "Suspended"}
        ),
        ('data-versioning versioningConfiguration.status: "Enabled" -> "Suspended"',),
        lambda w: w.s3.get_bucket_versioning(Bucket=w.id("data-bucket"))["Status"],
    ),
    "the bucket's own key is no longer used": Planted(
        lambda w: w.s3.put_bucket_encryption(
            Bucket=w.id("data-bucket"),
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        ),
        ('data-encryption rules[0].applyServerSideEncryptionByDefault.sseAlgorithm: "aws:kms" -> "AES256"',),
        lambda w: w.s3.get_bucket_encryption(Bucket=w.id("data-bucket"))["ServerSideEncryptionConfiguration"],
    ),
    "a bucket policy is deleted": Planted(
        lambda w: w.s3.delete_bucket_policy(Bucket=w.id("data-bucket")),
        ("data-policy is gone",),
        lambda w: json.loads(w.s3.get_bucket_policy(Bucket=w.id("data-bucket"))["Policy"]),
    ),
    "objects may have other owners": Planted(
        lambda w: w.s3.put_bucket_ownership_controls(
            Bucket=w.id("data-bucket"), OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        ),
        ('data-ownership rule.objectOwnership: "BucketOwnerEnforced" -> "ObjectWriter"',),
        lambda w: w.s3.get_bucket_ownership_controls(Bucket=w.id("data-bucket"))["OwnershipControls"],
    ),
    "a lifecycle rule is switched off": Planted(
        lambda w: w.s3.put_bucket_lifecycle_configuration(
            Bucket=w.id("data-bucket"),
            LifecycleConfiguration={
                "Rules": [{"ID": "clean-up", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
            },
        ),
        ('data-lifecycle rules[0].status: "Enabled" -> "Disabled"', "data-lifecycle rules[0].expiration.days"),
        lambda w: w.s3.get_bucket_lifecycle_configuration(Bucket=w.id("data-bucket"))["Rules"],
    ),
    "access logs are switched off": Planted(
        lambda w: w.s3.put_bucket_logging(Bucket=w.id("data-bucket"), BucketLoggingStatus={}),
        ("data-logging is gone",),
        lambda w: w.s3.get_bucket_logging(Bucket=w.id("data-bucket"))["LoggingEnabled"],
    ),
    "a bucket's tags are changed, removed and added": Planted(
        replace_tags,
        (
            'data-bucket tags.environment: "local" -> "other"',
            'data-bucket tags.foreign: nothing -> "yes"',
            'data-bucket tags.owner: "machine-learning" -> nothing',
        ),
        bucket_tags,
    ),
    "a key no longer rotates": Planted(
        lambda w: w.kms.disable_key_rotation(KeyId=w.id("data-key")),
        ("data-key enableKeyRotation: true -> false",),
        lambda w: w.kms.get_key_rotation_status(KeyId=w.id("data-key"))["KeyRotationEnabled"],
    ),
    "a key's policy is opened": Planted(
        opens_the_key,
        ('data-key policy.Statement[0].Principal.AWS: "arn:aws:iam::123456789012:root" -> "*"',),
        lambda w: json.loads(w.kms.get_key_policy(KeyId=w.id("data-key"), PolicyName="default")["Policy"]),
    ),
    "a key's tag is gone": Planted(
        lambda w: w.kms.untag_resource(KeyId=w.id("data-key"), TagKeys=["owner"]),
        ('data-key tags.owner: "machine-learning" -> nothing',),
        key_tags,
    ),
    "a key is disabled": Planted(
        lambda w: w.kms.disable_key(KeyId=w.id("network-flow-log-key")),
        ("network-flow-log-key isEnabled: nothing -> false",),
        lambda w: w.kms.describe_key(KeyId=w.id("network-flow-log-key"))["KeyMetadata"]["Enabled"],
    ),
    "SSH is opened to everybody": Planted(
        lambda w: w.ec2.authorize_security_group_ingress(
            GroupId=w.id("network-default-security-group"), IpPermissions=[SSH]
        ),
        (
            'network-default-security-group ingress: nothing -> [{"cidrBlocks": ["0.0.0.0/0"], "fromPort": 22, '
            '"protocol": "tcp", "toPort": 22}]',
        ),
        ingress,
    ),
    "a network's tags are changed and gone": Planted(
        lambda w: (
            w.ec2.delete_tags(Resources=[w.id("network-vpc")], Tags=[{"Key": "Name"}]),
            w.ec2.create_tags(Resources=[w.id("network-vpc")], Tags=[{"Key": "owner", "Value": "mallory"}]),
        ),
        (
            'network-vpc tags.Name: "network-vpc" -> nothing',
            'network-vpc tags.owner: "machine-learning" -> "mallory"',
        ),
        vpc_tags,
    ),
    "names are no longer resolved": Planted(
        lambda w: w.ec2.modify_vpc_attribute(VpcId=w.id("network-vpc"), EnableDnsHostnames={"Value": False}),
        ("network-vpc enableDnsHostnames: true -> false",),
        lambda w: w.ec2.describe_vpc_attribute(VpcId=w.id("network-vpc"), Attribute="enableDnsHostnames")[
            "EnableDnsHostnames"
        ],
    ),
    "a subnet gives out public addresses": Planted(
        lambda w: w.ec2.modify_subnet_attribute(
            SubnetId=w.id("network-public-us-east-1a"), MapPublicIpOnLaunch={"Value": True}
        ),
        ("network-public-us-east-1a mapPublicIpOnLaunch: false -> true",),
        subnet,
    ),
    "a role trusts everybody and lost a tag": Planted(
        lambda w: (trusts_everyone(w), w.iam.untag_role(RoleName=w.id("cluster-role"), TagKeys=["owner"])),
        (
            'cluster-role assumeRolePolicy.Statement[0].Principal.AWS: nothing -> "*"',
            'cluster-role tags.owner: "machine-learning" -> nothing',
        ),
        lambda w: {**role(w), "Tags": sorted_tags(role(w)["Tags"])},
    ),
    "an attached policy is detached": Planted(
        lambda w: w.iam.detach_role_policy(RoleName=w.id("cluster-role"), PolicyArn=CLUSTER_POLICY),
        ("cluster-role-policy is gone",),
        lambda w: w.iam.list_attached_role_policies(RoleName=w.id("cluster-role"))["AttachedPolicies"],
    ),
    "an inline policy allows everything": Planted(
        lambda w: w.iam.put_role_policy(
            RoleName=w.id("network-flow-log-role"),
            PolicyName=w.id("network-flow-log-role-policy").partition(":")[2],
            PolicyDocument=json.dumps(EVERYTHING),
        ),
        ("network-flow-log-role-policy policy.Statement[+]: ",),
        lambda w: inline_policy(w, "network-flow-log-role-policy"),
    ),
    "logs are kept for ever": Planted(
        lambda w: w.logs.delete_retention_policy(logGroupName=w.id("cluster-log-group")),
        ("cluster-log-group retentionInDays: 30 -> nothing",),
        lambda w: w.logs.describe_log_groups(logGroupNamePrefix=w.id("cluster-log-group"))["logGroups"][0][
            "retentionInDays"
        ],
    ),
    "image tags may be moved": Planted(
        lambda w: w.ecr.put_image_tag_mutability(
            repositoryName=w.id("registry-pipelines"), imageTagMutability="MUTABLE"
        ),
        ('registry-pipelines imageTagMutability: "IMMUTABLE" -> "MUTABLE"',),
        lambda w: w.ecr.describe_repositories(repositoryNames=[w.id("registry-pipelines")])["repositories"][0][
            "imageTagMutability"
        ],
    ),
    "nodes give their credentials without a token": Planted(
        lambda w: w.ec2.create_launch_template_version(
            LaunchTemplateId=w.id("system-nodes-template"),
            LaunchTemplateData={"MetadataOptions": {"HttpTokens": "optional"}},
        ),
        ('system-nodes-template metadataOptions.httpTokens: "required" -> "optional"',),
        latest_template,
    ),
    "the code package is replaced": Planted(
        lambda w: w.s3.put_object(
            Bucket=w.id("data-bucket"), Key=w.id("training-package").partition("/")[2], Body=b"something else"
        ),
        ("training-package source: content ",),
        lambda w: w.s3.head_object(Bucket=w.id("data-bucket"), Key=w.id("training-package").partition("/")[2])["ETag"],
    ),
    "a bucket is deleted": Planted(
        delete_bucket,
        ("access-logs-bucket is gone", "access-logs-policy is gone", "access-logs-public-access-block is gone"),
        lambda w: (
            json.loads(w.s3.get_bucket_policy(Bucket=w.id("access-logs-bucket"))["Policy"]),
            w.s3.get_public_access_block(Bucket=w.id("access-logs-bucket"))["PublicAccessBlockConfiguration"],
        ),
    ),
    "a role is deleted": Planted(
        delete_role,
        ("training-role is gone", "training-permissions is gone", "training-identity is gone with training-role"),
        lambda w: (role(w, "training-role")["AssumeRolePolicyDocument"], inline_policy(w, "training-permissions")),
    ),
    "a namespace lets privileged pods in": Planted(
        lambda w: w.edit_objects(privileges),
        (
            "pipeline-engine-pipelines-namespace metadata.labels.pod-security.kubernetes.io/enforce: "
            '"restricted" -> "privileged"',
        ),
        lambda w: w.objects()["v1 Namespace - pipelines"]["object"]["metadata"]["labels"],
    ),
    "a network policy is deleted": Planted(
        lambda w: w.edit_objects(
            lambda objects: objects.pop("networking.k8s.io/v1 NetworkPolicy pipelines default-deny")
        ),
        ("pipeline-engine-pipelines-namespace-default-deny is gone",),
        deny,
    ),
    "a release is uninstalled": Planted(
        lambda w: w.edit_objects(lambda objects: objects.pop("helm.sh/v3 Release argo argo-workflows")),
        ("pipeline-engine-release is gone",),
        lambda w: w.objects()["helm.sh/v3 Release argo argo-workflows"]["object"]["spec"],
    ),
}
