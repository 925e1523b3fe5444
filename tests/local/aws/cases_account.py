"""Cases of what exists once per account."""

from tests.local.aws.cases import Case, World, of
from tests.local.aws.support import TRUST, Cloud

ROOT_USE = '{ $.userIdentity.type = "Root" }'


# AWS has one recorder and one channel a region.
RECORDER_REGION, CHANNEL_REGION = "eu-west-1", "us-west-2"


def account_world(cloud: Cloud) -> World:
    """A recorder with its channel, a recorder that waits for one, a detector."""
    role = cloud.make("aws:iam/role:Role", "config", name="base-config", assumeRolePolicy=TRUST)
    bucket = cloud.make("aws:s3/bucket:Bucket", "config", bucket="base-config-history")
    recorder = {"name": "base", "roleArn": role.outputs["arn"], "recordingGroup": {"allSupported": True}}
    cloud.make("aws:cfg/recorder:Recorder", "base", **recorder)
    cloud.make("aws:cfg/recorder:Recorder", "waiting", region=CHANNEL_REGION, **recorder)
    cloud.make("aws:cfg/deliveryChannel:DeliveryChannel", "base", name="base", s3BucketName=bucket.id)
    detector = cloud.make("aws:guardduty/detector:Detector", "base", enable=True)
    return {"recorder": "base", "detector": detector.id}


def _transformation(name: str) -> dict[str, str]:
    return {"name": name, "namespace": "table", "value": "1", "unit": "Count"}


ACCOUNT = {
    "aws:accessanalyzer/analyzer:Analyzer": Case(of(analyzerName="table", type="ACCOUNT"), recorded=True),
    "aws:cfg/deliveryChannel:DeliveryChannel": Case(
        lambda w: {
            "name": "table",
            "region": CHANNEL_REGION,
            "s3BucketName": w["bucket"],
            "s3KeyPrefix": "config",
            "s3KmsKeyArn": w["keys"][0],
            "snapshotDeliveryProperties": {"deliveryFrequency": "TwentyFour_Hours"},
        },
        of(snapshotDeliveryProperties={"deliveryFrequency": "Six_Hours"}),
        tags=False,
    ),
    "aws:cfg/recorder:Recorder": Case(
        lambda w: {
            "name": "table",
            "region": RECORDER_REGION,
            "roleArn": w["role_arns"][0],
            "recordingGroup": {"allSupported": True, "includeGlobalResourceTypes": True},
        },
        of(recordingGroup={"allSupported": True, "includeGlobalResourceTypes": False}),
        tags=False,
    ),
    "aws:cfg/recorderStatus:RecorderStatus": Case(
        lambda w: {"name": w["recorder"], "isEnabled": True}, of(isEnabled=False), tags=False, stays=True
    ),
    "aws:cloudtrail/trail:Trail": Case(
        lambda w: {
            "name": "table",
            "s3BucketName": w["bucket"],
            "isMultiRegionTrail": True,
            "includeGlobalServiceEvents": True,
            "enableLogFileValidation": True,
            "enableLogging": True,
            "kmsKeyId": w["keys"][0],
            "cloudWatchLogsGroupArn": f"{w['logs']}:*",
            "cloudWatchLogsRoleArn": w["role_arns"][0],
            "eventSelectors": [
                {
                    "readWriteType": "All",
                    "includeManagementEvents": True,
                    "dataResources": [{"type": "AWS::S3::Object", "values": ["arn:aws:s3:::base-bucket/"]}],
                }
            ],
        },
        lambda w: {
            "enableLogging": False,
            "kmsKeyId": w["keys"][1],
            "eventSelectors": [{"readWriteType": "All", "includeManagementEvents": True}],
        },
    ),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": Case(
        of(name="table", pattern=ROOT_USE, logGroupName="/base/flow", metricTransformation=_transformation("RootUse")),
        of(pattern=ROOT_USE.replace("Root", "IAMUser"), metricTransformation=_transformation("UserUse")),
        tags=False,
    ),
    "aws:ebs/defaultKmsKey:DefaultKmsKey": Case(lambda w: {"keyArn": w["keys"][0]}, tags=False, read=False),
    "aws:ebs/encryptionByDefault:EncryptionByDefault": Case(of(enabled=True), tags=False),
    "aws:guardduty/detector:Detector": Case(
        of(enable=True, findingPublishingFrequency="FIFTEEN_MINUTES"), of(findingPublishingFrequency="ONE_HOUR")
    ),
    "aws:guardduty/detectorFeature:DetectorFeature": Case(
        lambda w: {"detectorId": w["detector"], "name": "S3_DATA_EVENTS", "status": "ENABLED"},
        of(status="DISABLED"),
        tags=False,
        read=False,
    ),
    "aws:iam/serviceLinkedRole:ServiceLinkedRole": Case(of(awsServiceName="config.amazonaws.com")),
    "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock": Case(
        of(blockPublicAcls=True, blockPublicPolicy=True, ignorePublicAcls=True, restrictPublicBuckets=True),
        of(restrictPublicBuckets=False),
        tags=False,
    ),
}
