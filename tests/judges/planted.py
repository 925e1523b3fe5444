"""Bad twins: a stack in which each check that counts must fail, and the good one beside it that passes."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi_aws as aws
from pulumi import ResourceOptions

ACCOUNT = "123456789012"
EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, sort_keys=True
)
ANYONE_READS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bad/*"}
        ],
    },
    sort_keys=True,
)
ANYONE_DECRYPTS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}],
    },
    sort_keys=True,
)

# Check, the bad twin that it must fail, and the control that it judges.
MUST_FAIL: Mapping[str, tuple[str, int]] = {
    "CKV2_AWS_6": ("aws_s3_bucket.bad-bucket", 1),
    "CKV_AWS_53": ("aws_s3_bucket_public_access_block.bad-block", 1),
    "CKV_AWS_54": ("aws_s3_bucket_public_access_block.bad-block", 1),
    "CKV_AWS_55": ("aws_s3_bucket_public_access_block.bad-block", 1),
    "CKV_AWS_56": ("aws_s3_bucket_public_access_block.bad-block", 1),
    "CKV_AWS_70": ("aws_s3_bucket_policy.bad-policy", 2),
    "CKV_AWS_145": ("aws_s3_bucket.bad-bucket", 5),
    "CKV_AWS_21": ("aws_s3_bucket.bad-bucket", 6),
    "CKV2_AWS_61": ("aws_s3_bucket.bad-bucket", 7),
    "CKV_AWS_18": ("aws_s3_bucket.bad-bucket", 9),
    "CKV2_AWS_62": ("aws_s3_bucket.bad-bucket", 10),
    "CKV_AWS_7": ("aws_kms_key.bad-key", 16),
    "CKV_AWS_33": ("aws_kms_key.bad-key", 18),
    "CKV_AWS_62": ("aws_iam_role_policy.bad-admin", 21),
    "CKV_AWS_355": ("aws_iam_role_policy.bad-admin", 22),
    "CKV2_AWS_11": ("aws_vpc.bad-vpc", 35),
    "CKV2_AWS_12": ("aws_vpc.bad-vpc", 34),
    "CKV_AWS_79": ("aws_launch_template.bad-template", 37),
    "CKV_AWS_341": ("aws_launch_template.bad-template", 38),
    "CKV_AWS_130": ("aws_subnet.bad-subnet", 39),
    "CKV_AWS_24": ("aws_security_group.bad-group", 41),
    "CKV_AWS_25": ("aws_security_group.bad-group", 41),
    "CKV_AWS_39": ("aws_eks_cluster.bad-cluster", 46),
    "CKV_AWS_38": ("aws_eks_cluster.bad-cluster", 46),
    "CKV_AWS_58": ("aws_eks_cluster.bad-cluster", 48),
    "CKV_AWS_37": ("aws_eks_cluster.bad-cluster", 49),
    "CKV_AWS_163": ("aws_ecr_repository.bad-images", 67),
    "CKV_AWS_51": ("aws_ecr_repository.bad-images", 68),
    "CKV_AWS_136": ("aws_ecr_repository.bad-images", 70),
    "CKV_AWS_17": ("aws_db_instance.bad-database", 71),
    "CKV_AWS_16": ("aws_db_instance.bad-database", 71),
    "CKV_AWS_157": ("aws_db_instance.bad-database", 71),
    "CKV_AWS_293": ("aws_db_instance.bad-database", 72),
    "CKV_AWS_133": ("aws_db_instance.bad-database", 72),
    "CKV_AWS_161": ("aws_db_instance.bad-database", 73),
    "CKV_AWS_118": ("aws_db_instance.bad-database", 74),
    "CKV_AWS_129": ("aws_db_instance.bad-database", 74),
    "CKV_AWS_226": ("aws_db_instance.bad-database", 74),
    "CKV_AWS_67": ("aws_cloudtrail.bad-trail", 78),
    "CKV_AWS_35": ("aws_cloudtrail.bad-trail", 78),
    "CKV_AWS_36": ("aws_cloudtrail.bad-trail", 78),
    "CKV_AWS_26": ("aws_sns_topic.bad-topic", 82),
    "CKV_AWS_27": ("aws_sqs_queue.bad-queue", 82),
    "CKV_AWS_158": ("aws_cloudwatch_log_group.bad-logs", 35),
    "CKV_AWS_338": ("aws_cloudwatch_log_group.bad-logs", 94),
    "CKV_AWS_66": ("aws_cloudwatch_log_group.bad-logs", 94),
    "CKV_AWS_149": ("aws_secretsmanager_secret.bad-secret", 77),
    "CKV2_AWS_57": ("aws_secretsmanager_secret.bad-secret", 77),
    "CKV2_AWS_10": ("aws_cloudtrail.bad-trail", 78),
    "CKV2_AWS_60": ("aws_db_instance.bad-database", 72),
    "CKV_AWS_144": ("aws_s3_bucket.bad-bucket", 12),
    "CKV_AWS_316": ("aws_codebuild_project.bad-project", 86),
}


def bad() -> None:
    """One resource of every kind, as nobody should make it."""
    opts = ResourceOptions(provider=aws.Provider("aws", region="eu-central-1"))
    _data(opts)
    _network(opts)
    _compute(opts)
    _watching(opts)


def _data(opts: ResourceOptions) -> None:
    bucket = aws.s3.Bucket("bad-bucket", bucket="bad", opts=opts)
    aws.s3.BucketPolicy("bad-policy", bucket=bucket.id, policy=ANYONE_READS, opts=opts)
    other = aws.s3.Bucket("bad-open", bucket="open", opts=opts)
    aws.s3.BucketPublicAccessBlock(
        "bad-block",
        bucket=other.id,
        block_public_acls=False,
        block_public_policy=False,
        ignore_public_acls=False,
        restrict_public_buckets=False,
        opts=opts,
    )
    aws.kms.Key("bad-key", enable_key_rotation=False, policy=ANYONE_DECRYPTS, opts=opts)
    aws.ecr.Repository("bad-images", name="bad", image_tag_mutability="MUTABLE", opts=opts)
    aws.rds.Instance(
        "bad-database",
        engine="postgres",
        instance_class="db.t4g.micro",
        allocated_storage=20,
        publicly_accessible=True,
        storage_encrypted=False,
        multi_az=False,
        deletion_protection=False,
        backup_retention_period=0,
        auto_minor_version_upgrade=False,
        opts=opts,
    )
    aws.secretsmanager.Secret("bad-secret", name="bad", opts=opts)


def _network(opts: ResourceOptions) -> None:
    vpc = aws.ec2.Vpc("bad-vpc", cidr_block="10.0.0.0/16", opts=opts)
    aws.ec2.Subnet("bad-subnet", vpc_id=vpc.id, cidr_block="10.0.0.0/24", map_public_ip_on_launch=True, opts=opts)
    aws.ec2.SecurityGroup(
        "bad-group",
        vpc_id=vpc.id,
        ingress=[
            aws.ec2.SecurityGroupIngressArgs(protocol="tcp", from_port=22, to_port=22, cidr_blocks=["0.0.0.0/0"]),
            aws.ec2.SecurityGroupIngressArgs(protocol="tcp", from_port=3389, to_port=3389, cidr_blocks=["0.0.0.0/0"]),
        ],
        opts=opts,
    )


def _compute(opts: ResourceOptions) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    aws.iam.RolePolicy("bad-admin", role="r", policy=EVERYTHING, opts=opts)
    template: dict[str, Any] = {"http_tokens": "optional", "http_put_response_hop_limit": 3}
    aws.ec2.LaunchTemplate(
        "bad-template",
        block_device_mappings=[
            aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                device_name="/dev/xvda",
                ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(volume_size=8, encrypted="false"),
            )
        ],
        metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(**template),
        opts=opts,
    )
    aws.eks.Cluster(
        "bad-cluster",
        role_arn=role,
        vpc_config=aws.eks.ClusterVpcConfigArgs(
            subnet_ids=["subnet-1"], endpoint_public_access=True, public_access_cidrs=["0.0.0.0/0"]
        ),
        opts=opts,
    )
    aws.codebuild.Project(
        "bad-project",
        service_role=role,
        artifacts=aws.codebuild.ProjectArtifactsArgs(type="NO_ARTIFACTS"),
        source=aws.codebuild.ProjectSourceArgs(type="NO_SOURCE"),
        environment=aws.codebuild.ProjectEnvironmentArgs(
            compute_type="BUILD_GENERAL1_SMALL", image="i", type="LINUX_CONTAINER", privileged_mode=True
        ),
        opts=opts,
    )


def _watching(opts: ResourceOptions) -> None:
    aws.cloudwatch.LogGroup("bad-logs", opts=opts)
    aws.cloudtrail.Trail("bad-trail", s3_bucket_name="bad", is_multi_region_trail=False, opts=opts)
    aws.sns.Topic("bad-topic", opts=opts)
    aws.sqs.Queue("bad-queue", sqs_managed_sse_enabled=False, opts=opts)
