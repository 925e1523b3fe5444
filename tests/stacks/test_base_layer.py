"""What the base layer makes of the settings: notifications, budget and the model registry's database."""

import pytest

from stacks.versions import image_layer_buckets
from stackyard.program.deployment import STACK_TYPE, Deployment
from tests.stack_captures import stack_capture, with_sections

DATABASE = "aws:rds/instance:Instance"
LOCK = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
SERVER = "https://mlflow.example.com"


def with_tracking(**section) -> Deployment:
    """prod-base with another section `tracking`, without one if nothing is given."""
    return with_sections("prod-base", tracking=section or None)


def outputs_of(deployment: Deployment):
    return deployment.only(STACK_TYPE).outputs


def test_protection_decides_how_the_database_is_kept():
    # controls 71 and 72
    strict = stack_capture("prod-base").only(DATABASE)
    none = stack_capture("local").only(DATABASE)
    kept = ("multiAz", "deletionProtection", "backupRetentionPeriod", "skipFinalSnapshot")
    assert [strict.inputs[name] for name in kept] == [True, True, 30, False]
    assert [none.inputs[name] for name in kept] == [False, False, 7, False]
    assert (strict.protect, none.protect) == (True, False)


def test_a_server_that_exists_has_its_own_database():
    deployment = with_tracking(uri=SERVER)
    assert deployment.of_type(DATABASE) == []
    assert outputs_of(deployment)["trackingDatabase"] == {}, "a platform stack finds that there is none"


def test_the_local_file_of_models_stands_beside_the_database():
    deployment = with_tracking(uri="sqlite:////tmp/mlflow.db", instanceClass="db.t4g.micro", storageGb=20)
    assert len(deployment.of_type(DATABASE)) == 1


def test_without_the_section_there_is_no_database():
    assert with_tracking().of_type(DATABASE) == []


def test_a_platform_stack_finds_the_database_and_the_topics():
    outputs = outputs_of(stack_capture("prod-base"))
    assert set(outputs["trackingDatabase"]) == {"address", "port", "resourceId", "securityGroupId", "secretArn"}
    assert set(outputs["topicArns"]) == {"page", "ticket"}
    assert outputs["notificationKeyArn"].startswith("arn:aws:kms:")


@pytest.mark.parametrize("stack", ["local", "dev", "staging-base", "prod-base"])
def test_every_environment_has_its_alarm_path_and_its_budget(stack):
    # controls 82 and 93
    deployment = stack_capture(stack)
    assert len(deployment.of_type("aws:sns/topic:Topic")) == 2
    budget = deployment.only("aws:budgets/budget:Budget")
    topics = {arn for alert in budget.inputs["notifications"] for arn in alert["subscriberSnsTopicArns"]}
    assert topics == {deployment.named("notifications-ticket").outputs["arn"]}


def test_prod_locks_what_models_are_made_of():
    # control 11: models lie in the data bucket, the audit bucket locks itself, bootstrap locks the states
    (rule,) = [r.inputs["rule"] for r in stack_capture("prod-base").of_type(LOCK)]
    assert rule["defaultRetention"] == {"mode": "COMPLIANCE", "days": 30}
    assert stack_capture("prod-base").named("data-lock").inputs["bucket"].startswith("stackyard-prod-data-")
    for disposable in ("local", "dev"):
        assert stack_capture(disposable).of_type(LOCK) == [], "data of developers may go"


def test_image_layers_of_the_charts_registries_come_through_the_endpoint_for_s3():
    """They are sent to their buckets in the region, which lie behind the VPC's gateway."""
    policy = stack_capture("prod-base").named("network-s3-endpoint").inputs["policy"]
    for bucket in ("prod-registry-k8s-io-us-east-1", "quayio-production-s3"):
        assert f"arn:aws:s3:::{bucket}/*" in policy
    assert image_layer_buckets("eu-west-2") == ("767373bbdcb8270361b96548387bf2a9ad0d48758c35-eu-west-2",)
    assert image_layer_buckets("eu-west-1") == ("prod-registry-k8s-io-eu-west-1",)
