"""A capture as a Terraform plan: Terraform's names and blocks, references, nothing of Kubernetes, no secret."""

import json

import pulumi
import pulumi_aws as aws
import pytest
from pulumi import ResourceOptions

from stackyard.program.capture import Format, read_any, render
from stackyard.program.deployment import Resource
from stackyard.program.run import capture_callable
from stackyard.program.terraform_plan import singular, snake_case, terraform_plan, terraform_type
from tests.stack_captures import STACKS, stack_capture


@pytest.mark.parametrize(
    ("pulumi_type", "name"),
    [
        ("aws:s3/bucketPolicy:BucketPolicy", "aws_s3_bucket_policy"),
        ("aws:s3/bucketObjectv2:BucketObjectv2", "aws_s3_object"),
        ("aws:ec2/vpc:Vpc", "aws_vpc"),
        ("aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation", "aws_vpc_ipv4_cidr_block_association"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "aws_vpc_security_group_ingress_rule"),
        ("aws:rds/instance:Instance", "aws_db_instance"),
        ("aws:rds/parameterGroup:ParameterGroup", "aws_db_parameter_group"),
        ("aws:rds/cluster:Cluster", "aws_rds_cluster"),
        ("aws:cloudtrail/trail:Trail", "aws_cloudtrail"),
        ("aws:cloudwatch/logMetricFilter:LogMetricFilter", "aws_cloudwatch_log_metric_filter"),
        ("aws:costexplorer/anomalyMonitor:AnomalyMonitor", "aws_ce_anomaly_monitor"),
        ("aws:iam/openIdConnectProvider:OpenIdConnectProvider", "aws_iam_openid_connect_provider"),
        ("aws:cfg/recorder:Recorder", "aws_config_configuration_recorder"),
        ("aws:cfg/deliveryChannel:DeliveryChannel", "aws_config_delivery_channel"),
    ],
)
def test_types_get_the_names_of_terraform(pulumi_type, name):
    assert terraform_type(pulumi_type) == name


@pytest.mark.parametrize(
    ("camel", "snake"),
    [
        ("kmsKeyId", "kms_key_id"),
        ("cidrIpv4", "cidr_ipv4"),
        ("httpTokens", "http_tokens"),
        ("s3KeyPrefix", "s3_key_prefix"),
    ],
)
def test_properties_get_the_names_of_terraform(camel, snake):
    assert snake_case(camel) == snake


@pytest.mark.parametrize(
    ("several", "one"),
    [
        ("rules", "rule"),
        ("ingress", "ingress"),
        ("queries", "query"),
        ("block_device_mappings", "block_device_mappings"),
    ],
)
def test_the_blocks_of_a_list_are_named_in_the_singular(several, one):
    assert singular(several) == one


def bucket_and_template() -> None:
    opts = ResourceOptions(provider=aws.Provider("aws", region="eu-central-1"))
    bucket = aws.s3.Bucket("data-bucket", bucket="data", tags={"a-Key": "value"}, opts=opts)
    versioning = aws.s3.BucketVersioning(
        "data-versioning",
        bucket=bucket.id,
        versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
        opts=opts,
    )
    aws.s3.BucketLifecycleConfiguration(
        "data-lifecycle",
        bucket=versioning.bucket,
        rules=[aws.s3.BucketLifecycleConfigurationRuleArgs(id="a", status="Enabled")],
        opts=opts,
    )
    aws.secretsmanager.SecretVersion(
        "data-secret", secret_id="s", secret_string=pulumi.Output.secret("hunter2"), opts=opts
    )
    aws.s3.BucketObjectv2("data-code", bucket=bucket.id, key="k", source=pulumi.StringAsset("text"), opts=opts)


@pytest.fixture
def plan(capture) -> dict:
    return terraform_plan(capture(bucket_and_template))


def values(plan: dict, address: str) -> dict:
    resources = plan["planned_values"]["root_module"]["resources"]
    return next(resource["values"] for resource in resources if resource["address"] == address)


def references(plan: dict, address: str) -> dict:
    resources = plan["configuration"]["root_module"]["resources"]
    found = next(resource["expressions"] for resource in resources if resource["address"] == address)
    return {key: value["references"] for key, value in found.items()}


def test_a_single_object_is_a_block_and_a_list_of_objects_several(plan):
    assert values(plan, "aws_s3_bucket_versioning.data-versioning")["versioning_configuration"] == [
        {"status": "Enabled"}
    ]
    assert values(plan, "aws_s3_bucket_lifecycle_configuration.data-lifecycle")["rule"] == [
        {"id": "a", "status": "Enabled"}
    ]


def test_the_keys_of_tags_stay_as_they_are(plan):
    assert values(plan, "aws_s3_bucket.data-bucket")["tags"] == {"a-Key": "value"}


def test_what_holds_the_id_of_another_resource_refers_to_it_first(plan):
    expected = ["aws_s3_bucket.data-bucket.id", "aws_s3_bucket.data-bucket"]
    assert references(plan, "aws_s3_bucket_versioning.data-versioning")["bucket"][:2] == expected
    lifecycle = references(plan, "aws_s3_bucket_lifecycle_configuration.data-lifecycle")["bucket"]
    assert lifecycle[:2] == expected and "aws_s3_bucket_versioning.data-versioning" in lifecycle


def test_secrets_are_blinded_and_assets_left_out(plan):
    assert "hunter2" not in json.dumps(plan)
    assert values(plan, "aws_secretsmanager_secret_version.data-secret")["secret_string"] == "[secret]"
    assert "source" not in values(plan, "aws_s3_object.data-code")


def test_every_resource_is_planned_changed_and_configured(plan):
    planned = [r["address"] for r in plan["planned_values"]["root_module"]["resources"]]
    assert planned == [r["address"] for r in plan["resource_changes"]]
    assert planned == [r["address"] for r in plan["configuration"]["root_module"]["resources"]]
    assert len(planned) == 5 and not any("provider" in address for address in planned)


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_can_be_written_and_holds_aws_only(stack):
    document = json.loads(render(stack_capture(stack), Format.TERRAFORM_PLAN))
    planned = document["planned_values"]["root_module"]["resources"]
    assert len(planned) == sum(r.type.startswith("aws:") for r in stack_capture(stack))
    assert all(resource["type"].startswith("aws_") for resource in planned)
    if planned:
        assert all("owner" in r["values"]["tags_all"] for r in planned if "tags_all" in r["values"])


def test_two_resources_with_one_address_are_refused():
    twins = capture_callable(lambda: None)
    made = [Resource(urn=f"u{n}", type="aws:s3/bucket:Bucket", name="b") for n in (1, 2)]
    with pytest.raises(ValueError, match=r"aws_s3_bucket\.b"):
        terraform_plan(type(twins)(project="p", stack="s", resources=tuple(made)))


def test_a_plan_is_no_prior(tmp_path):
    from stackyard.errors import InvalidInput

    file = tmp_path / "plan.json"
    file.write_text(render(capture_callable(bucket_and_template), Format.TERRAFORM_PLAN), encoding="utf-8")
    with pytest.raises(InvalidInput):
        read_any(file)
