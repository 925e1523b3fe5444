"""What exists once per account: CloudTrail, GuardDuty, Access Analyzer, Config, EBS and S3 defaults, metric filters."""

from stackyard.local.aws.rows import Op, Read, Row, Tagging
from stackyard.local.aws.rows.tagging import by_arn, iam

_SELECTORS = (
    "=eventSelectors[].{ReadWriteType: readWriteType, IncludeManagementEvents: includeManagementEvents, "
    "DataResources: dataResources[].{Type: type, Values: values}}"
)
_TRAIL_INPUTS = (
    "s3BucketName",
    "s3KeyPrefix",
    "snsTopicName",
    "includeGlobalServiceEvents",
    "isMultiRegionTrail",
    "enableLogFileValidation",
    "cloudWatchLogsGroupArn",
    "cloudWatchLogsRoleArn",
    "kmsKeyId",
)

TRAIL = Row(
    service="cloudtrail",
    create=Op(name="CreateTrail"),
    id="=r.TrailARN",
    read=Read(name="GetTrail", params={"Name": "=id"}, path="Trail"),
    # The emulator deletes by name alone, and says nothing.
    delete=(Op(name="DeleteTrail", params={"Name": "=name"}),),
    then=(
        Op(
            name="PutEventSelectors",
            params={"TrailName": "=id", "EventSelectors": _SELECTORS},
            on=("eventSelectors",),
        ),
        Op(name="StartLogging", params={"Name": "=id"}, on=("enableLogging",), when="enableLogging"),
    ),
    mod=(
        Op(name="UpdateTrail", params={"Name": "=id"}, on=_TRAIL_INPUTS),
        Op(name="StopLogging", params={"Name": "=id"}, on=("enableLogging",), when="enableLogging == `false`"),
    ),
    rename={"cloudWatchLogsGroupArn": "CloudWatchLogsLogGroupArn", "tags": "TagsList"},
    tagging=Tagging(
        set=Op(name="AddTags", params={"ResourceId": "=id", "TagsList": "=tags"}),
        unset=Op(name="RemoveTags", params={"ResourceId": "=id", "TagsList": "=removed[].{Key: @}"}),
        read=Read(name="ListTags", params={"ResourceIdList": ["=id"]}, path="ResourceTagList[0].TagsList"),
    ),
    out={"arn": "=id", "homeRegion": "=d.HomeRegion"},
    watch={
        "status": Read(name="GetTrailStatus", params={"Name": "=id"}, path="@"),
        "selectors": Read(name="GetEventSelectors", params={"TrailName": "=id"}, path="EventSelectors"),
    },
    shows={
        "enableLogging": "=status.IsLogging",
        "enableLogFileValidation": "=d.LogFileValidationEnabled",
        "eventSelectors": "=selectors",
    },
)

DETECTOR = Row(
    service="guardduty",
    create=Op(name="CreateDetector"),
    id="=r.DetectorId",
    read=Read(name="GetDetector", params={"DetectorId": "=id"}, path="@"),
    delete=(Op(name="DeleteDetector", params={"DetectorId": "=id"}),),
    mod=(
        Op(
            name="UpdateDetector",
            params={"DetectorId": "=id", "FindingPublishingFrequency": "=findingPublishingFrequency"},
            on=("enable", "findingPublishingFrequency"),
        ),
    ),
    tagging=by_arn("ResourceArn", "Tags", "TagKeys", shown_by=""),
    out={"arn": "arn:aws:guardduty:{region}:{account}:detector/{id}", "accountId": "=account"},
    shows={"enable": "=d.Status == 'ENABLED'"},
)

_FEATURES = {"DetectorId": "=detectorId", "Features": [{"Name": "=name", "Status": "=status"}]}

DETECTOR_FEATURE = Row(
    service="guardduty",
    create=Op(name="UpdateDetector", params=_FEATURES),
    id="{detectorId}/{name}",
    # The emulator keeps only the feature that was set last.
    read=None,
    # As the provider: a feature that leaves the program stays as it is.
    delete=(),
    put=True,
)

ANALYZER = Row(
    service="accessanalyzer",
    create=Op(name="CreateAnalyzer"),
    id="=analyzerName",
    read=Read(name="GetAnalyzer", params={"analyzerName": "=id"}, path="analyzer"),
    delete=(Op(name="DeleteAnalyzer", params={"analyzerName": "=id"}),),
    tagging=by_arn("resourceArn", "tags", "tagKeys", shown_by=""),
    fake={"arn": "arn:aws:access-analyzer:{region}:{account}:analyzer/{analyzerName}"},
)

RECORDER = Row(
    service="config",
    create=Op(
        name="PutConfigurationRecorder",
        params={
            "ConfigurationRecorder": {
                "name": "=name",
                "roleARN": "=roleArn",
                "recordingGroup": (
                    "=recordingGroup && {allSupported: recordingGroup.allSupported, "
                    "includeGlobalResourceTypes: recordingGroup.includeGlobalResourceTypes}"
                ),
            }
        },
    ),
    id="=name",
    read=Read(
        name="DescribeConfigurationRecorders",
        params={"ConfigurationRecorderNames": ["=id"]},
        path="ConfigurationRecorders[0]",
    ),
    delete=(Op(name="DeleteConfigurationRecorder", params={"ConfigurationRecorderName": "=id"}),),
    put=True,
    fills=("recordingGroup.exclusionByResourceTypes", "recordingGroup.recordingStrategy"),
)

DELIVERY_CHANNEL = Row(
    service="config",
    create=Op(
        name="PutDeliveryChannel",
        params={
            "DeliveryChannel": {
                "name": "=name",
                "s3BucketName": "=s3BucketName",
                "s3KeyPrefix": "=s3KeyPrefix",
                "s3KmsKeyArn": "=s3KmsKeyArn",
                "snsTopicARN": "=snsTopicArn",
                "configSnapshotDeliveryProperties": "=snapshotDeliveryProperties",
            }
        },
    ),
    id="=name",
    read=Read(name="DescribeDeliveryChannels", params={"DeliveryChannelNames": ["=id"]}, path="DeliveryChannels[0]"),
    delete=(Op(name="DeleteDeliveryChannel", params={"DeliveryChannelName": "=id"}),),
    put=True,
    shows={"snapshotDeliveryProperties": "=d.configSnapshotDeliveryProperties"},
)

RECORDER_STATUS = Row(
    service="config",
    create=Op(name="StartConfigurationRecorder", params={"ConfigurationRecorderName": "=name"}),
    id="=name",
    read=Read(
        name="DescribeConfigurationRecorderStatus",
        params={"ConfigurationRecorderNames": ["=name"]},
        path="ConfigurationRecordersStatus[0]",
    ),
    delete=(Op(name="StopConfigurationRecorder", params={"ConfigurationRecorderName": "=id"}),),
    then=(
        Op(
            name="StopConfigurationRecorder",
            params={"ConfigurationRecorderName": "=name"},
            on=("isEnabled",),
            when="!isEnabled",
        ),
    ),
    mod=(
        Op(
            name="StartConfigurationRecorder",
            params={"ConfigurationRecorderName": "=name"},
            on=("isEnabled",),
            when="isEnabled",
        ),
    ),
    own=("isEnabled",),
    shows={"isEnabled": "=d.recording"},
)

EBS_ENCRYPTION = Row(
    service="ec2",
    create=Op(name="EnableEbsEncryptionByDefault"),
    id="=join('-', ['ebs-encryption', region])",
    read=Read(name="GetEbsEncryptionByDefault", params={}, path="[@][?EbsEncryptionByDefault] | [0]"),
    delete=(Op(name="DisableEbsEncryptionByDefault", params={}),),
    own=("enabled",),
    shows={"enabled": "=d.EbsEncryptionByDefault"},
)

EBS_KEY = Row(
    service="ec2",
    create=Op(name="ModifyEbsDefaultKmsKeyId", params={"KmsKeyId": "=keyArn"}),
    id="=keyArn",
    # The emulator can set the key, and neither show nor reset it.
    read=None,
    delete=(),
)

ACCOUNT_PUBLIC_ACCESS_BLOCK = Row(
    service="s3control",
    create=Op(
        name="PutPublicAccessBlock",
        params={
            "AccountId": "=accountId || account",
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": "=blockPublicAcls",
                "BlockPublicPolicy": "=blockPublicPolicy",
                "IgnorePublicAcls": "=ignorePublicAcls",
                "RestrictPublicBuckets": "=restrictPublicBuckets",
            },
        },
    ),
    id="=accountId || account",
    read=Read(name="GetPublicAccessBlock", params={"AccountId": "=id"}, path="PublicAccessBlockConfiguration"),
    delete=(Op(name="DeletePublicAccessBlock", params={"AccountId": "=id"}),),
    put=True,
)

_FILTER = {
    "filterName": "=name",
    "filterPattern": "=pattern",
    "logGroupName": "=logGroupName",
    "metricTransformations": [
        {
            "metricName": "=metricTransformation.name",
            "metricNamespace": "=metricTransformation.namespace",
            "metricValue": "=metricTransformation.value",
            "unit": "=metricTransformation.unit",
        }
    ],
}
_FILTER_NAME = {"logGroupName": "=logGroupName", "filterName": "=name"}
_FILTER_INPUTS = ("pattern", "metricTransformation")

METRIC_FILTER = Row(
    service="logs",
    create=Op(name="PutMetricFilter", params=_FILTER),
    id="=name",
    read=Read(
        name="DescribeMetricFilters",
        params={"logGroupName": "=logGroupName", "filterNamePrefix": "=name"},
        path="metricFilters[?filterName == '{name}'] | [0]",
    ),
    delete=(Op(name="DeleteMetricFilter", params=_FILTER_NAME),),
    mod=(
        # The emulator would keep the one before beside it.
        Op(name="DeleteMetricFilter", params=_FILTER_NAME, on=_FILTER_INPUTS),
        Op(name="PutMetricFilter", params=_FILTER, on=_FILTER_INPUTS),
    ),
    shows={
        "pattern": "=d.filterPattern",
        "metricTransformation": (
            "=d.metricTransformations[0].{name: metricName, namespace: metricNamespace, value: metricValue, unit: unit}"
        ),
    },
)

SERVICE_LINKED_ROLE = Row(
    service="iam",
    create=Op(name="CreateServiceLinkedRole", params={"AWSServiceName": "=awsServiceName"}),
    id="=r.Role.RoleName",
    read=Read(name="GetRole", params={"RoleName": "=id"}, path="Role"),
    delete=(Op(name="DeleteServiceLinkedRole", params={"RoleName": "=id"}),),
    tagging=iam("Role", "RoleName"),
    out={"arn": "=d.Arn", "name": "=d.RoleName", "uniqueId": "=d.RoleId", "path": "=d.Path"},
    shows={"awsServiceName": "=contains(d.Path, awsServiceName) && awsServiceName || d.Path"},
)

ROWS = {
    "aws:accessanalyzer/analyzer:Analyzer": ANALYZER,
    "aws:cfg/deliveryChannel:DeliveryChannel": DELIVERY_CHANNEL,
    "aws:cfg/recorder:Recorder": RECORDER,
    "aws:cfg/recorderStatus:RecorderStatus": RECORDER_STATUS,
    "aws:cloudtrail/trail:Trail": TRAIL,
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": METRIC_FILTER,
    "aws:ebs/defaultKmsKey:DefaultKmsKey": EBS_KEY,
    "aws:ebs/encryptionByDefault:EncryptionByDefault": EBS_ENCRYPTION,
    "aws:guardduty/detector:Detector": DETECTOR,
    "aws:guardduty/detectorFeature:DetectorFeature": DETECTOR_FEATURE,
    "aws:iam/serviceLinkedRole:ServiceLinkedRole": SERVICE_LINKED_ROLE,
    "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock": ACCOUNT_PUBLIC_ACCESS_BLOCK,
}
