"""The tracking database: controls 71 to 76, what a destroy leaves, and arguments that RDS or a scanner refuses."""

import json

import pytest

from components import database_parts as parts
from components.aws_location import AwsLocation
from components.retention import Retention, RetentionMode
from components.tracking_database import (
    TrackingDatabase,
    TrackingDatabaseArgs,
    connecting_as,
    final_snapshot_identifier,
)
from stackyard.program.values import Secret, walk

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
IDENTIFIER = "acme-dev-tracking-123456789012-eu-central-1"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:ticket"
INSTANCE, KEY, LOG_GROUP = "aws:rds/instance:Instance", "aws:kms/key:Key", "aws:cloudwatch/logGroup:LogGroup"
EVENTS = "aws:rds/eventSubscription:EventSubscription"
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
GROUP = "aws:ec2/securityGroup:SecurityGroup"


def database(**args):
    defaults = {
        "location": LOCATION,
        "identifier": IDENTIFIER,
        "vpc_id": "vpc-0123456789abcdef0",
        "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "topic_arn": TOPIC,
        "engine_version": "17",
        "instance_class": "db.t4g.micro",
        "storage_gb": 20,
    }
    return TrackingDatabase("tracking", TrackingDatabaseArgs(**(defaults | args)))


@pytest.fixture
def known(capture):
    """The value of an output: `known(make, argument)`."""

    def evaluate(make, *args):
        values = []
        capture(lambda: [make(*args).apply(values.append)])
        return values[0]

    return evaluate


def test_it_is_private_encrypted_with_its_own_key_and_in_two_zones(capture):
    # control 71
    deployment = capture(database)
    instance, key = deployment.only(INSTANCE).inputs, deployment.only(KEY)
    assert (instance["publiclyAccessible"], instance["storageEncrypted"], instance["multiAz"]) == (False, True, True)
    assert instance["kmsKeyId"] == key.outputs["arn"]
    assert key.inputs["enableKeyRotation"] is True
    assert capture(database, multi_az=False).only(INSTANCE).inputs["multiAz"] is False


def test_it_survives_mistakes(capture):
    # control 72
    instance = capture(database).only(INSTANCE)
    assert instance.inputs["deletionProtection"] is True
    assert instance.inputs["backupRetentionPeriod"] == 30
    assert instance.inputs["copyTagsToSnapshot"] is True
    assert instance.inputs["skipFinalSnapshot"] is False
    assert instance.protect
    assert instance.retain_on_delete


def test_roles_connect_with_tokens_and_never_in_plain_text(capture):
    # control 73
    deployment = capture(database)
    instance, group = deployment.only(INSTANCE).inputs, deployment.only("aws:rds/parameterGroup:ParameterGroup")
    assert instance["iamDatabaseAuthenticationEnabled"] is True
    assert instance["parameterGroupName"] == group.outputs["name"]
    assert group.inputs["family"] == "postgres17"
    values = {entry["name"]: entry["value"] for entry in group.inputs["parameters"]}
    assert values["rds.force_ssl"] == "1"
    assert values["log_statement"] == "ddl", "the data of statements do not belong in a log"


def test_it_is_watched_logged_and_patched(capture):
    # control 74
    deployment = capture(database)
    instance = deployment.only(INSTANCE)
    role = deployment.only("aws:iam/role:Role")
    assert (instance.inputs["monitoringInterval"], instance.inputs["monitoringRoleArn"]) == (60, role.outputs["arn"])
    assert instance.inputs["enabledCloudwatchLogsExports"] == ["postgresql", "upgrade"]
    assert instance.inputs["autoMinorVersionUpgrade"] is True
    assert instance.inputs["engineVersion"] == "17", "a pinned minor version would be a downgrade after the first patch"


def test_its_logs_are_encrypted_and_end_and_exist_before_it(capture):
    deployment = capture(database, log_retention_days=90)
    groups = {r.inputs["name"]: r for r in deployment.of_type(LOG_GROUP)}
    assert set(groups) == {f"/aws/rds/instance/{IDENTIFIER}/{log}" for log in ("postgresql", "upgrade")}
    key = deployment.only(KEY)
    for group in groups.values():
        assert (group.inputs["kmsKeyId"], group.inputs["retentionInDays"]) == (key.outputs["arn"], 90)
        assert group.urn in deployment.only(INSTANCE).dependencies, "RDS would make its own, kept for ever"
    (logs,) = [s for s in json.loads(key.inputs["policy"])["Statement"] if s["Sid"] == "EncryptLogs"]
    (pattern,) = logs["Condition"]["ArnEquals"].values()
    assert pattern.endswith(f":log-group:/aws/rds/instance/{IDENTIFIER}/*")


def test_its_monitoring_role_works_for_this_database_alone(capture):
    deployment = capture(database)
    (trust,) = json.loads(deployment.only("aws:iam/role:Role").inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "monitoring.rds.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": f"arn:aws:rds:eu-central-1:123456789012:db:{IDENTIFIER}"},
    }


def test_it_stands_apart_and_is_not_where_everybody_looks(capture):
    # control 75
    deployment = capture(database)
    instance, subnets = deployment.only(INSTANCE).inputs, deployment.only("aws:rds/subnetGroup:SubnetGroup")
    assert instance["dbSubnetGroupName"] == subnets.outputs["name"]
    assert instance["port"] == 5433
    assert instance["username"] == "tracking_owner"


def test_people_are_told_what_happens_to_it(capture):
    # control 75: RDS.20 to RDS.22
    deployment = capture(database)
    found = {r.inputs["sourceType"]: r.inputs for r in deployment.of_type(EVENTS)}
    assert set(found) == {"db-instance", "db-parameter-group", "db-security-group"}
    assert {entry["snsTopic"] for entry in found.values()} == {TOPIC}
    assert set(found["db-instance"]["eventCategories"]) >= {"configuration change", "failure", "maintenance"}
    assert found["db-instance"]["sourceIds"] == [IDENTIFIER]
    assert "configuration change" in found["db-parameter-group"]["eventCategories"]
    assert set(found["db-security-group"]["eventCategories"]) == {"configuration change", "failure"}


def test_no_password_is_in_the_state(capture):
    # control 76
    deployment = capture(database)
    instance = deployment.only(INSTANCE)
    assert instance.inputs["manageMasterUserPassword"] is True
    assert instance.inputs["masterUserSecretKmsKeyId"] == deployment.only(KEY).outputs["arn"]
    assert not {"password", "passwordWo"} & set(instance.inputs)
    assert not [path for path, value in walk(dict(instance.inputs)) if isinstance(value, Secret)]


def test_nobody_connects_who_was_not_passed_in(capture):
    deployment = capture(database)
    group = deployment.only(GROUP)
    assert deployment.only(INSTANCE).inputs["vpcSecurityGroupIds"] == [group.id]
    assert not {"ingress", "egress"} & set(group.inputs), "a database opens no connections"
    assert deployment.of_type(RULE) == []


def test_clients_connect_to_its_port_alone(capture):
    rule = capture(lambda: database(clients={"registry": "sg-0123456789abcdef0"})).only(RULE).inputs
    assert rule["referencedSecurityGroupId"] == "sg-0123456789abcdef0"
    assert (rule["ipProtocol"], rule["fromPort"], rule["toPort"]) == ("tcp", 5433, 5433)
    assert not {"cidrIpv4", "cidrIpv6"} & set(rule)


def test_loosened_it_goes_with_its_network_and_the_key_of_its_final_snapshot_stays(capture):
    retained = Retention(mode=RetentionMode.RETAINED, reason="example")
    deployment = capture(database, retention=retained, deletion_protection=False)
    instance, key = deployment.only(INSTANCE), deployment.only(KEY)
    assert not instance.protect
    assert not instance.retain_on_delete
    assert instance.inputs["tags"]["stackyard:loosened"] == "disposable: example"
    assert instance.inputs["skipFinalSnapshot"] is False
    assert key.retain_on_delete
    assert not any(group.retain_on_delete for group in deployment.of_type(LOG_GROUP))


def test_a_rebuilt_database_leaves_a_final_snapshot_of_another_name(capture, known):
    deployment = capture(database)
    suffix = deployment.only(GROUP).id.removeprefix("sg-")[:8]
    assert deployment.only(INSTANCE).inputs["finalSnapshotIdentifier"] == f"{IDENTIFIER}-final-{suffix}"
    first, second = (known(final_snapshot_identifier, "db", id_) for id_ in ("sg-111122223", "sg-333344445"))
    assert (first, second) == ("db-final-11112222", "db-final-33334444")


def test_outputs_say_how_to_reach_it(capture):
    deployment = capture(database)
    outputs = deployment.only("stackyard:index:TrackingDatabase").outputs
    assert set(outputs) == {"address", "port", "resourceId", "securityGroupId", "secretArn", "keyArn"}
    assert outputs["port"] == 5433
    assert outputs["resourceId"].startswith("db-")
    assert outputs["secretArn"].startswith("arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!")


def test_a_role_connects_as_one_user(known):
    def resource():
        statement = connecting_as(LOCATION, "db-ABC", "mlflow")
        assert statement.actions == ["rds-db:connect"]
        return statement.resources[0]

    assert known(resource) == "arn:aws:rds-db:eu-central-1:123456789012:dbuser:db-ABC/mlflow"
    with pytest.raises(ValueError, match="database user '\\*' is not possible"):
        connecting_as(LOCATION, "db-ABC", "*")


def test_storage_grows_by_itself_to_twice_as_much(capture):
    instance = capture(database, storage_gb=50).only(INSTANCE).inputs
    assert (instance["storageType"], instance["allocatedStorage"], instance["maxAllocatedStorage"]) == ("gp3", 50, 100)
    assert parts.largest_storage_gb(60_000) == 65_536


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"port": 5432}, "is where every scanner looks"),
        ({"port": 443}, "RDS has 1150 to 65535"),
        ({"admin_name": "postgres"}, "'postgres' is the first one that is tried"),
        ({"admin_name": "Owner"}, "administrator's name 'Owner' is not possible"),
        ({"database_name": "ml-flow"}, "database name 'ml-flow' is not possible"),
        ({"backup_retention_days": 1}, "choose 7 to 35"),
        ({"backup_retention_days": 36}, "choose 7 to 35"),
        ({"storage_gb": 5}, "20 to 65536 GB"),
        ({"engine_version": "latest"}, "is not a version of PostgreSQL"),
        ({"log_retention_days": 100}, "unknown to CloudWatch Logs, use 120"),
        ({"identifier": "acme--dev"}, "database identifier 'acme--dev'"),
        ({"identifier": "a" * 64}, "64 characters"),
    ],
)
def test_a_database_that_cannot_be_is_refused(capture, args, sentence):
    with pytest.raises(ValueError, match=sentence):
        capture(database, **args)
