"""An empty account is empty, what exists is listed, and what waits for its deletion is told apart."""

import pytest

from stackyard.local import emulator, safety
from stackyard.local.inventory import LISTINGS, inventory, pending_deletion

TRUST = '{"Version": "2012-10-17", "Statement": []}'
ALLOW = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}'
)
REGION = "us-east-1"


@pytest.fixture
def client(endpoint):
    emulator.empty(endpoint)
    return lambda service: safety.client(service, endpoint=endpoint, region=REGION)


def test_no_two_listings_share_a_name():
    names = [(listing.service, listing.label) for listing in LISTINGS]
    assert len(names) == len(set(names))


@pytest.mark.local
def test_a_new_emulator_is_empty_although_it_has_a_default_vpc_and_the_keys_of_services(client, endpoint):
    assert inventory(endpoint, region=REGION) == {}
    assert pending_deletion(endpoint, region=REGION) == {}
    assert [vpc["IsDefault"] for vpc in client("ec2").describe_vpcs()["Vpcs"]] == [True]
    assert client("kms").list_aliases()["Aliases"], "without defaults this test would prove nothing"


@pytest.mark.local
def test_every_part_of_a_network_is_listed_and_nothing_of_the_default_one(client, endpoint):
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    service = f"com.amazonaws.{REGION}.s3"
    vpc_endpoint = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service)["VpcEndpoint"]["VpcEndpointId"]
    found = inventory(endpoint, region=REGION)
    assert found["ec2 vpc"] == [vpc]
    assert found["ec2 subnet"] == [subnet]
    assert found["ec2 internet gateway"] == [gateway]
    assert found["ec2 elastic IP"] == [address]
    assert found["ec2 NAT gateway"] == [nat]
    assert found["ec2 VPC endpoint"] == [vpc_endpoint]
    assert table in found["ec2 route table"]
    assert len(found["ec2 route table"]) == 2, "the VPC's main route table goes with the VPC"
    assert group in found["ec2 security group"]
    assert len(found["ec2 security group"]) == 2, "the VPC's default group goes with the VPC"


@pytest.mark.local
def test_a_network_that_was_deleted_again_is_gone_from_the_list(client, endpoint):
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.release_address(AllocationId=address)
    ec2.delete_subnet(SubnetId=subnet)
    assert set(inventory(endpoint, region=REGION)) >= {"ec2 vpc", "ec2 route table", "ec2 security group"}
    ec2.delete_vpc(VpcId=vpc)
    assert inventory(endpoint, region=REGION) == {}


def make_everything_else(client):
    """One resource of each kind that our components make, and the label and name that it must be listed under."""
    role = client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    client("iam").create_policy(PolicyName="policy", PolicyDocument=ALLOW)
    client("iam").create_instance_profile(InstanceProfileName="profile")
    oidc = client("iam").create_open_id_connect_provider(Url="https://oidc.test", ThumbprintList=["a" * 40])
    client("s3").create_bucket(Bucket="bucket")
    key = client("kms").create_key()["KeyMetadata"]["KeyId"]
    client("kms").create_alias(AliasName="alias/data", TargetKeyId=key)
    client("logs").create_log_group(logGroupName="/flows")
    client("ecr").create_repository(repositoryName="training")
    subnets = [subnet["SubnetId"] for subnet in client("ec2").describe_subnets()["Subnets"]][:2]
    client("eks").create_cluster(name="cluster", roleArn=role, resourcesVpcConfig={"subnetIds": subnets})
    client("rds").create_db_subnet_group(DBSubnetGroupName="sg", DBSubnetGroupDescription="d", SubnetIds=subnets)
    client("rds").create_db_parameter_group(
        DBParameterGroupName="pg", DBParameterGroupFamily="postgres17", Description="d"
    )
    client("rds").create_db_instance(DBInstanceIdentifier="db", DBInstanceClass="db.t4g.micro", Engine="postgres")
    topic = client("sns").create_topic(Name="page")["TopicArn"]
    queue = client("sqs").create_queue(QueueName="interruptions")["QueueUrl"]
    client("secretsmanager").create_secret(Name="secret", SecretString="x")
    client("ssm").put_parameter(Name="/app/p", Value="v", Type="String")
    client("events").put_rule(Name="rule", EventPattern='{"source": ["aws.ec2"]}')
    client("cloudwatch").put_metric_alarm(
        AlarmName="alarm", ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, MetricName="m",
        Namespace="n", Period=60, Statistic="Sum", Threshold=1,
    )  # fmt: skip
    limit = {"Amount": "100", "Unit": "USD"}
    client("budgets").create_budget(
        AccountId=safety.EMULATED_ACCOUNT_ID,
        Budget={"BudgetName": "monthly", "BudgetLimit": limit, "TimeUnit": "MONTHLY", "BudgetType": "COST"},
    )
    detector = client("guardduty").create_detector(Enable=True)["DetectorId"]
    return {
        "iam role": ["role"], "iam policy": ["policy"], "iam instance profile": ["profile"],
        "iam OIDC provider": [oidc["OpenIDConnectProviderArn"]], "s3 bucket": ["bucket"], "kms key": [key],
        "kms alias": ["alias/data"], "logs log group": ["/flows"], "ecr repository": ["training"],
        "eks cluster": ["cluster"], "rds database": ["db"], "rds subnet group": ["sg"], "rds parameter group": ["pg"],
        "sns topic": [topic], "sqs queue": [queue], "secretsmanager secret": ["secret"], "ssm parameter": ["/app/p"],
        "events rule": ["rule"], "cloudwatch alarm": ["alarm"], "budgets budget": ["monthly"],
        "guardduty detector": [detector],
    }  # fmt: skip


@pytest.mark.local
def test_every_service_that_components_use_is_listed_and_listing_changes_nothing(client, endpoint):
    expected = make_everything_else(client)
    emulator.put_note(endpoint, "state-id", "s")
    emulator.reset_requests(endpoint)
    found = inventory(endpoint, region=REGION)
    assert {label: found.get(label) for label in expected} == expected
    # moto makes these for the cluster and the database.
    assert found.keys() - expected.keys() <= {"ec2 security group", "ec2 network interface", "rds database snapshot"}
    # CodeBuild, GuardDuty and the like read by POST, which the server cannot tell from a change.
    posts = [name for name in emulator.requests(endpoint).mutating if ":POST " not in name]
    assert posts == []


@pytest.mark.local
def test_deleted_keys_and_secrets_wait_in_a_list_of_their_own(client, endpoint):
    key = client("kms").create_key()["KeyMetadata"]["KeyId"]
    kept = client("kms").create_key()["KeyMetadata"]["KeyId"]
    client("secretsmanager").create_secret(Name="secret", SecretString="x")
    assert inventory(endpoint, region=REGION) == {
        "kms key": sorted([key, kept]),
        "secretsmanager secret": ["secret"],
    }
    client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=30)
    client("secretsmanager").delete_secret(SecretId="secret", RecoveryWindowInDays=30)
    assert inventory(endpoint, region=REGION) == {"kms key": [kept]}
    assert pending_deletion(endpoint, region=REGION) == {"kms key": [key], "secretsmanager secret": ["secret"]}


@pytest.mark.local
def test_another_region_is_another_list(client, endpoint):
    client("sqs").create_queue(QueueName="q")
    assert "sqs queue" in inventory(endpoint, region=REGION)
    assert inventory(endpoint, region="us-west-2") == {}


@pytest.mark.local
def test_other_regions_are_listed_by_name_and_global_services_once(client, endpoint):
    client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)
    client("s3").create_bucket(Bucket="bucket")
    for region in (REGION, "us-west-2"):
        safety.client("logs", endpoint=endpoint, region=region).create_log_group(logGroupName="/flows")
    assert inventory(endpoint, region=REGION, others=(REGION, "us-west-2", "eu-central-1")) == {
        "iam role": ["role"],
        "s3 bucket": ["bucket"],
        "logs log group": ["/flows"],
        "logs log group in us-west-2": ["/flows"],
    }


@pytest.mark.local
def test_who_is_told_of_a_databases_events_and_what_counts_log_lines_are_listed_until_they_are_gone(client, endpoint):
    topic = client("sns").create_topic(Name="alarms")["TopicArn"]
    client("rds").create_event_subscription(SubscriptionName="events", SnsTopicArn=topic, Enabled=True)
    client("logs").create_log_group(logGroupName="/trail")
    counted = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
    client("logs").put_metric_filter(
        logGroupName="/trail", filterName="root", filterPattern="x", metricTransformations=[counted]
    )
    found = inventory(endpoint, region=REGION)
    assert (found["rds event subscription"], found["logs metric filter"]) == (["events"], ["root"])
    client("rds").delete_event_subscription(SubscriptionName="events")
    client("logs").delete_metric_filter(logGroupName="/trail", filterName="root")
    assert set(inventory(endpoint, region=REGION)) == {"sns topic", "logs log group"}
