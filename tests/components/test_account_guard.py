"""What watches an account: each service on, each record encrypted and kept, each alarm wired."""

import json
import re

import pytest

from components.account_alarms import ALARMS, NAMESPACE
from components.account_guard import AccountGuard, AccountGuardArgs, using_disk_key
from components.aws_location import AwsLocation
from components.log_bucket import LogBucket, LogBucketArgs
from components.notifications import Severity
from components.retention import Retention, RetentionMode

LOCATION = AwsLocation(account_id="123456789012", region="eu-central-1")
TRAIL_ARN = "arn:aws:cloudtrail:eu-central-1:123456789012:trail/acme-account-trail"
TOPICS = {severity: f"arn:aws:sns:eu-central-1:123456789012:{severity}" for severity in Severity}


def guard(sources=("acme-trail", "acme-config"), **args):
    logs = LogBucket(
        "logs", LogBucketArgs(location=LOCATION, bucket_name="acme-access-logs", source_buckets=list(sources))
    )
    defaults = {
        "location": LOCATION,
        "stem": "acme-account",
        "disk_key_alias": "alias/acme-disks",
        "trail_bucket": "acme-trail",
        "config_bucket": "acme-config",
        "access_logs": logs,
        "topic_arns": TOPICS,
    }
    return AccountGuard("guard", AccountGuardArgs(**(defaults | args)))


def statements(resource, key="policy"):
    return {entry.get("Sid"): entry for entry in json.loads(resource.inputs[key])["Statement"]}


# CloudTrail: controls 14 and 78


def test_the_trail_records_every_region_encrypted_and_validated(capture):
    deployment = capture(guard)
    trail = deployment.only("aws:cloudtrail/trail:Trail")
    assert trail.inputs["isMultiRegionTrail"] is True
    assert trail.inputs["includeGlobalServiceEvents"] is True
    assert trail.inputs["enableLogFileValidation"] is True
    assert trail.inputs["enableLogging"] is True
    assert trail.inputs["kmsKeyId"] == deployment.named("guard-trail-key").outputs["arn"]
    assert trail.outputs["arn"] == TRAIL_ARN, "policies name the trail that is there"


def test_the_trail_writes_into_a_log_group_that_is_encrypted_and_kept(capture):
    deployment = capture(guard)
    group = deployment.only("aws:cloudwatch/logGroup:LogGroup")
    trail = deployment.only("aws:cloudtrail/trail:Trail")
    assert trail.inputs["cloudWatchLogsGroupArn"] == f"{group.outputs['arn']}:*"
    assert group.inputs["kmsKeyId"] == deployment.named("guard-trail-key").outputs["arn"]
    assert group.inputs["retentionInDays"] == 365
    assert group.protect and group.retain_on_delete, "the record of an incident outlives a destroy"


def test_the_trails_role_writes_into_that_log_group_alone_and_for_that_trail_alone(capture):
    deployment = capture(guard)
    role, group = deployment.named("guard-trail-role"), deployment.only("aws:cloudwatch/logGroup:LogGroup")
    assert role.inputs["maxSessionDuration"] == 3600
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
    assert trust["Condition"]["ArnLike"] == {"aws:SourceArn": TRAIL_ARN}
    (policy,) = json.loads(deployment.named("guard-trail-role-policy").inputs["policy"])["Statement"]
    assert policy["Resource"] == f"{group.outputs['arn']}:log-stream:*"
    assert policy["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]


def test_accesses_to_objects_of_the_listed_buckets_are_recorded(capture):
    selected = capture(guard, data_buckets=("b-models", "a-data")).only("aws:cloudtrail/trail:Trail")
    assert selected.inputs["eventSelectors"] == [
        {
            "readWriteType": "All",
            "includeManagementEvents": True,
            "dataResources": [
                {"type": "AWS::S3::Object", "values": ["arn:aws:s3:::a-data/", "arn:aws:s3:::b-models/"]}
            ],
        }
    ]
    none = capture(guard).only("aws:cloudtrail/trail:Trail")
    assert "dataResources" not in none.inputs["eventSelectors"][0], "an empty list would record every bucket's objects"


def test_the_trails_files_are_locked_and_its_accesses_logged(capture):
    deployment = capture(guard)
    lock = deployment.only("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")
    assert lock.inputs["bucket"] == "acme-trail"
    assert lock.inputs["rule"] == {"defaultRetention": {"mode": "GOVERNANCE", "days": 365}}
    logging = {r.inputs["bucket"]: r.inputs for r in deployment.of_type("aws:s3/bucketLogging:BucketLogging")}
    assert {name: entry["targetBucket"] for name, entry in logging.items()} == {
        "acme-trail": "acme-access-logs",
        "acme-config": "acme-access-logs",
    }


def test_only_this_trail_may_use_the_trails_key(capture):
    entry = statements(capture(guard).named("guard-trail-key"))["EncryptTrail"]
    assert entry["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
    assert entry["Condition"] == {"StringEquals": {"aws:SourceArn": TRAIL_ARN}}


# GuardDuty, Access Analyzer, Config: controls 80, 24, 79


def test_guardduty_looks_at_s3_and_at_eks_audit_logs(capture):
    deployment = capture(guard)
    detector = deployment.only("aws:guardduty/detector:Detector")
    assert detector.inputs["enable"] is True
    features = deployment.of_type("aws:guardduty/detectorFeature:DetectorFeature")
    assert {(r.inputs["name"], r.inputs["status"], r.inputs["detectorId"]) for r in features} == {
        ("S3_DATA_EVENTS", "ENABLED", detector.id),
        ("EKS_AUDIT_LOGS", "ENABLED", detector.id),
    }


def test_access_analyzer_looks_at_the_account(capture):
    assert capture(guard).only("aws:accessanalyzer/analyzer:Analyzer").inputs["type"] == "ACCOUNT"


def test_config_records_all_resources_with_awss_own_role(capture):
    deployment = capture(guard)
    recorder = deployment.only("aws:cfg/recorder:Recorder")
    assert recorder.inputs["recordingGroup"] == {"allSupported": True, "includeGlobalResourceTypes": True}
    role = deployment.named("guard-config-linked-role")
    assert role.inputs["awsServiceName"] == "config.amazonaws.com"
    assert recorder.inputs["roleArn"] == role.outputs["arn"]
    channel = deployment.only("aws:cfg/deliveryChannel:DeliveryChannel")
    assert channel.inputs["s3BucketName"] == "acme-config"
    assert channel.inputs["s3KmsKeyArn"] == deployment.named("guard-config-key").outputs["arn"]
    assert deployment.only("aws:cfg/recorderStatus:RecorderStatus").inputs["isEnabled"] is True


def test_the_recorder_starts_after_it_has_a_channel(capture):
    order = [r.name for r in capture(guard) if r.type.startswith("aws:cfg/")]
    assert order.index("guard-delivery-channel") < order.index("guard-recorder-status")
    assert order.index("guard-recorder") < order.index("guard-delivery-channel")


def test_roles_of_awss_services_stay_when_the_stack_goes(capture):
    roles = capture(guard).of_type("aws:iam/serviceLinkedRole:ServiceLinkedRole")
    assert {r.inputs["awsServiceName"].split(".")[0] for r in roles} == {"autoscaling", "spot", "config"}
    assert all(role.retain_on_delete for role in roles), "other stacks may use them"


# Defaults of the account: controls 36 and 1


def test_new_disks_are_encrypted_with_a_key_of_the_accounts_own(capture):
    deployment = capture(guard)
    key = deployment.named("guard-disk-key")
    assert deployment.only("aws:ebs/encryptionByDefault:EncryptionByDefault").inputs["enabled"] is True
    assert deployment.only("aws:ebs/defaultKmsKey:DefaultKmsKey").inputs["keyArn"] == key.outputs["arn"]
    order = [r.name for r in deployment]
    assert order.index("guard-disk-default-key") < order.index("guard-disk-encryption"), (
        "no disk is encrypted with another key in between"
    )


def test_services_that_start_nodes_may_use_the_key_of_disks(capture):
    deployment = capture(guard)
    roles = [deployment.named(f"guard-{noun}-linked-role").outputs["arn"] for noun in ("autoscaling", "spot")]
    entries = statements(deployment.named("guard-disk-key"))
    assert entries["EncryptDisks"]["Principal"] == entries["GrantToEc2"]["Principal"] == {"AWS": roles}
    assert entries["GrantToEc2"]["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def test_a_role_uses_the_key_of_disks_through_ec2_alone():
    for statement in using_disk_key("alias/acme-disks", LOCATION):
        assert statement.conditions["StringEquals"] == {"kms:ViaService": "ec2.eu-central-1.amazonaws.com"}
        assert statement.conditions["ForAnyValue:StringEquals"] == {"kms:ResourceAliases": "alias/acme-disks"}
        assert statement.resources == ["arn:aws:kms:eu-central-1:123456789012:key/*"]


def test_the_key_of_disks_has_the_alias_by_which_it_is_found(capture):
    deployment = capture(guard)
    alias = deployment.named("guard-disk-key-alias").inputs
    assert alias["name"] == "alias/acme-disks"
    assert alias["targetKeyId"] == deployment.named("guard-disk-key").outputs["keyId"]


def test_no_bucket_of_the_account_can_become_public(capture):
    block = capture(guard).only("aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock").inputs
    flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert {name: block[name] for name in flags} == dict.fromkeys(flags, True)
    assert block["accountId"] == "123456789012"


# The alarms of CIS 4.1 to 4.15: controls 20 and 81


def test_the_table_has_all_fifteen_alarms_of_the_benchmark():
    assert [row.cis for row in ALARMS] == [f"4.{number}" for number in range(1, 16)]
    assert len({row.noun for row in ALARMS}) == len(ALARMS)


@pytest.mark.parametrize("row", ALARMS, ids=lambda row: row.cis)
def test_an_alarm_counts_its_filter_and_tells_the_topic_of_its_severity(capture, row):
    deployment = capture(guard)
    metric = f"guard-{row.noun}"
    found = deployment.named(f"{metric}-filter").inputs
    assert found["pattern"] == row.pattern
    assert found["logGroupName"] == "/stackyard/acme-account/trail"
    assert found["metricTransformation"] == {"name": metric, "namespace": NAMESPACE, "value": "1"}
    alarm = deployment.named(f"{metric}-alarm").inputs
    assert (alarm["metricName"], alarm["namespace"]) == (metric, NAMESPACE)
    assert alarm["alarmActions"] == [TOPICS[row.severity]]
    assert (alarm["threshold"], alarm["evaluationPeriods"], alarm["statistic"]) == (1, 1, "Sum")
    assert alarm["comparisonOperator"] == "GreaterThanOrEqualToThreshold"


# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html
LONGEST_PATTERN = 1024


@pytest.mark.parametrize("row", ALARMS, ids=lambda row: row.cis)
def test_a_pattern_is_one_that_cloudwatch_logs_can_read(row):
    assert len(row.pattern) <= LONGEST_PATTERN
    assert row.pattern.startswith("{ ") and row.pattern.endswith(" }")
    assert row.pattern.count("(") == row.pattern.count(")")
    assert not re.search(r"\)\s*\(", row.pattern), "two conditions without an operator"


def test_a_deleted_key_and_a_stopped_trail_wake_somebody():
    severity = {row.noun: row.severity for row in ALARMS}
    assert {severity[noun] for noun in ("key-deletion", "trail-changes", "root-use", "config-changes")} == {
        Severity.PAGE
    }
    assert "ScheduleKeyDeletion" in next(row.pattern for row in ALARMS if row.noun == "key-deletion")


# Keys, retention, errors


def test_every_record_and_its_key_outlive_a_destroy(capture):
    for type_ in ("aws:s3/bucket:Bucket", "aws:kms/key:Key"):
        for resource in capture(guard).of_type(type_):
            assert resource.protect and resource.retain_on_delete, resource.name


def test_a_loosened_retention_shows_its_reason(capture):
    loosened = Retention(mode=RetentionMode.RETAINED, reason="trial account")
    deployment = capture(guard, retention=loosened)
    for name in ("guard-trail-key", "guard-trail-files-bucket", "guard-config-history-bucket", "guard-disk-key"):
        assert deployment.named(name).inputs["tags"]["stackyard:loosened"] == "retained: trial account"
        assert not deployment.named(name).protect


def test_keys_rotate(capture):
    keys = capture(guard).of_type("aws:kms/key:Key")
    assert {key.name for key in keys} == {"guard-trail-key", "guard-config-key", "guard-disk-key"}
    assert all(key.inputs["enableKeyRotation"] and key.inputs["deletionWindowInDays"] == 30 for key in keys)


def test_a_retention_that_cloudwatch_logs_does_not_know_is_refused(capture):
    with pytest.raises(Exception, match="17 days is unknown"):
        capture(guard, log_retention_days=17)


def test_a_log_bucket_that_does_not_accept_the_trails_accesses_is_refused(capture):
    with pytest.raises(Exception, match="add the name to its source_buckets"):
        capture(guard, sources=("acme-config",))
