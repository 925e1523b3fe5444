"""SNS, SQS, EventBridge rules and CloudWatch alarms."""

from stackyard.local.aws import handlers
from stackyard.local.aws.rows import Op, Read, Row, attributes

TOPIC_ATTRIBUTES = attributes(
    "Attributes",
    "contentBasedDeduplication",
    "deliveryPolicy",
    "displayName",
    "fifoTopic",
    "kmsMasterKeyId",
    "policy",
    "signatureVersion",
    "tracingConfig",
)

# What SNS gives a new topic: its owner's account may use it.
DEFAULT_TOPIC_POLICY = (
    '{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID","Effect":"Allow",'
    '"Principal":{"AWS":"*"},"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission",'
    '"SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic","SNS:Publish"],'
    '"Resource":"{arn}","Condition":{"StringEquals":{"AWS:SourceOwner":"{account}"}}}]}'
)

TOPIC = Row(
    service="sns",
    create=Op(name="CreateTopic"),
    id="=r.TopicArn",
    read=Read(name="GetTopicAttributes", params={"TopicArn": "=id"}, path="Attributes"),
    delete=(Op(name="DeleteTopic", params={"TopicArn": "=id"}),),
    rename=TOPIC_ATTRIBUTES,
    steps=handlers.attribute_changes("SetTopicAttributes", "TopicArn", TOPIC_ATTRIBUTES),
    steps_on=tuple(TOPIC_ATTRIBUTES),
    out={"arn": "=id", "owner": "=account"},
    # A topic policy of its own is another resource's; delivery policies are read back as AWS completes them.
    keep=("policy", "deliveryPolicy"),
    shows={"name": "=ends_with(id, join('', [':', name])) && name || id"},
    absent=("kmsMasterKeyId",),
)

TOPIC_POLICY = Row(
    service="sns",
    create=Op(
        name="SetTopicAttributes", params={"TopicArn": "=arn", "AttributeName": "Policy", "AttributeValue": "=policy"}
    ),
    id="=arn",
    read=Read(name="GetTopicAttributes", params={"TopicArn": "=id"}, path="Attributes"),
    delete=(
        Op(
            name="SetTopicAttributes",
            params={"TopicArn": "=arn", "AttributeName": "Policy", "AttributeValue": DEFAULT_TOPIC_POLICY},
        ),
    ),
    put=True,
    out={"owner": "=account"},
)

SUBSCRIPTION_ATTRIBUTES = attributes(
    "Attributes",
    "deliveryPolicy",
    "filterPolicy",
    "filterPolicyScope",
    "rawMessageDelivery",
    "redrivePolicy",
    "subscriptionRoleArn",
)

TOPIC_SUBSCRIPTION = Row(
    service="sns",
    create=Op(name="Subscribe", params={"TopicArn": "=topic", "ReturnSubscriptionArn": True}),
    id="=r.SubscriptionArn",
    read=Read(name="GetSubscriptionAttributes", params={"SubscriptionArn": "=id"}, path="Attributes"),
    delete=(Op(name="Unsubscribe", params={"SubscriptionArn": "=id"}),),
    rename=SUBSCRIPTION_ATTRIBUTES,
    own=("confirmationTimeoutInMinutes", "endpointAutoConfirms"),
    steps=handlers.attribute_changes("SetSubscriptionAttributes", "SubscriptionArn", SUBSCRIPTION_ATTRIBUTES),
    steps_on=tuple(SUBSCRIPTION_ATTRIBUTES),
    out={"arn": "=id", "ownerId": "=account"},
    keep=("subscriptionRoleArn",),
    shows={"topic": "=d.TopicArn"},
)

QUEUE_ATTRIBUTES = attributes(
    "Attributes",
    "contentBasedDeduplication",
    "deduplicationScope",
    "delaySeconds",
    "fifoQueue",
    "fifoThroughputLimit",
    "kmsDataKeyReusePeriodSeconds",
    "kmsMasterKeyId",
    "policy",
    "redriveAllowPolicy",
    "redrivePolicy",
    "sqsManagedSseEnabled",
    maxMessageSize="MaximumMessageSize",
    messageRetentionSeconds="MessageRetentionPeriod",
    receiveWaitTimeSeconds="ReceiveMessageWaitTimeSeconds",
    visibilityTimeoutSeconds="VisibilityTimeout",
)
# AWS's defaults, for inputs that are taken back. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
QUEUE_DEFAULTS = {
    "DelaySeconds": "0",
    "KmsDataKeyReusePeriodSeconds": "300",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
}

QUEUE = Row(
    service="sqs",
    create=Op(name="CreateQueue"),
    id="=r.QueueUrl",
    read=Read(name="GetQueueAttributes", params={"QueueUrl": "=id", "AttributeNames": ["All"]}, path="Attributes"),
    delete=(Op(name="DeleteQueue", params={"QueueUrl": "=id"}),),
    rename={"name": "QueueName", **QUEUE_ATTRIBUTES},
    steps=handlers.attribute_map_changes("SetQueueAttributes", "QueueUrl", QUEUE_ATTRIBUTES, QUEUE_DEFAULTS),
    steps_on=tuple(QUEUE_ATTRIBUTES),
    out={"arn": "=d.QueueArn", "url": "=id"},
    # A queue policy of its own is another resource's.
    keep=("policy",),
    shows={"name": "=ends_with(id, join('', ['/', name])) && name || id"},
    absent=("kmsMasterKeyId", "redrivePolicy"),
)

QUEUE_POLICY = Row(
    service="sqs",
    create=Op(name="SetQueueAttributes", params={"QueueUrl": "=queueUrl", "Attributes": {"Policy": "=policy"}}),
    id="=queueUrl",
    read=Read(
        name="GetQueueAttributes",
        params={"QueueUrl": "=id", "AttributeNames": ["Policy"]},
        path="Attributes.Policy && Attributes",
    ),
    delete=(Op(name="SetQueueAttributes", params={"QueueUrl": "=queueUrl", "Attributes": {"Policy": ""}}),),
    put=True,
)

EVENT_RULE = Row(
    service="events",
    create=Op(name="PutRule"),
    id="=eventBusName && join('/', [eventBusName, name]) || name",
    read=Read(name="DescribeRule", params={"Name": "=name", "EventBusName": "=eventBusName"}, path="@"),
    delete=(
        Op(name="DeleteRule", params={"Name": "=name", "EventBusName": "=eventBusName", "Force": "=forceDestroy"}),
    ),
    put=True,
    own=("forceDestroy",),
)

EVENT_TARGET = Row(
    service="events",
    create=Op(
        name="PutTargets",
        params={
            "Rule": "=rule",
            "EventBusName": "=eventBusName",
            "Targets": [
                {
                    "Id": "=targetId || h",
                    "Arn": "=arn",
                    "RoleArn": "=roleArn",
                    "Input": "=input",
                    "InputPath": "=inputPath",
                    "InputTransformer": (
                        "=inputTransformer && {InputPathsMap: inputTransformer.inputPaths, "
                        "InputTemplate: inputTransformer.inputTemplate}"
                    ),
                    "DeadLetterConfig": "=deadLetterConfig",
                    "RetryPolicy": "=retryPolicy",
                    "SqsParameters": "=sqsTarget",
                }
            ],
        },
    ),
    id="=join('-', [rule, targetId || h])",
    read=Read(
        name="ListTargetsByRule",
        params={"Rule": "=rule", "EventBusName": "=eventBusName"},
        path="Targets[?Id == '{targetId}' || Id == '{h}'] | [0]",
    ),
    delete=(
        Op(
            name="RemoveTargets",
            params={
                "Rule": "=rule",
                "EventBusName": "=eventBusName",
                "Ids": ["=targetId || h"],
                "Force": "=forceDestroy",
            },
        ),
    ),
    put=True,
    own=("forceDestroy",),
    out={"targetId": "=targetId || h"},
    absent=("retryPolicy", "deadLetterConfig"),
)

METRIC_ALARM = Row(
    service="cloudwatch",
    create=Op(name="PutMetricAlarm"),
    id="=name",
    read=Read(name="DescribeAlarms", params={"AlarmNames": ["=id"]}, path="MetricAlarms[0]"),
    delete=(Op(name="DeleteAlarms", params={"AlarmNames": ["=id"]}),),
    put=True,
    rename={
        "name": "AlarmName",
        "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
        "metricQueries": "Metrics",
        "metricQueries.metric": "MetricStat",
        "metricQueries.metric.metricName": "Metric.MetricName",
        "metricQueries.metric.namespace": "Metric.Namespace",
        "metricQueries.metric.dimensions": "Metric.Dimensions",
    },
    out={"arn": "=d.AlarmArn"},
)

ROWS = {
    "aws:sns/topic:Topic": TOPIC,
    "aws:sns/topicPolicy:TopicPolicy": TOPIC_POLICY,
    "aws:sns/topicSubscription:TopicSubscription": TOPIC_SUBSCRIPTION,
    "aws:sqs/queue:Queue": QUEUE,
    "aws:sqs/queuePolicy:QueuePolicy": QUEUE_POLICY,
    "aws:cloudwatch/eventRule:EventRule": EVENT_RULE,
    "aws:cloudwatch/eventTarget:EventTarget": EVENT_TARGET,
    "aws:cloudwatch/metricAlarm:MetricAlarm": METRIC_ALARM,
}
