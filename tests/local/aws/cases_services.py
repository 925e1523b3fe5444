"""Cases of identity, compute, messaging and databases."""

import json

from tests.local.aws.cases import Case, of
from tests.local.aws.support import READ_ANYTHING, TRUST, policy

IDENTITY = {
    "aws:kms/key:Key": Case(
        of(
            description="data",
            enableKeyRotation=True,
            deletionWindowInDays=7,
            policy=policy(
                {
                    "Sid": "Administer",
                    "Effect": "Allow",
                    "Action": "kms:*",
                    "Resource": "*",
                    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                }
            ),
        ),
        of(description="data of the team", enableKeyRotation=False),
    ),
    "aws:kms/alias:Alias": Case(
        lambda w: {"name": "alias/table", "targetKeyId": w["key_ids"][0]},
        lambda w: {"targetKeyId": w["key_ids"][1]},
        tags=False,
    ),
    "aws:iam/role:Role": Case(
        of(name="table", assumeRolePolicy=TRUST, description="one", maxSessionDuration=3600, path="/stackyard/"),
        of(description="two", maxSessionDuration=7200, assumeRolePolicy=TRUST.replace("ec2", "eks")),
    ),
    "aws:iam/rolePolicy:RolePolicy": Case(
        lambda w: {"name": "inline", "role": w["roles"][0], "policy": READ_ANYTHING},
        of(policy=READ_ANYTHING.replace("GetObject", "ListBucket")),
        tags=False,
    ),
    "aws:iam/policy:Policy": Case(
        of(name="table", description="reads", policy=READ_ANYTHING, path="/"),
        of(policy=READ_ANYTHING.replace("GetObject", "ListBucket")),
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Case(
        lambda w: {"role": w["roles"][0], "policyArn": "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"}, tags=False
    ),
    "aws:iam/instanceProfile:InstanceProfile": Case(
        lambda w: {"name": "table", "role": w["roles"][0], "path": "/"}, lambda w: {"role": w["roles"][1]}
    ),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": Case(
        of(
            url="https://token.actions.githubusercontent.com",
            clientIdLists=["sts.amazonaws.com"],
            thumbprintLists=["a" * 40],
        ),
        of(clientIdLists=["sts.amazonaws.com", "other"], thumbprintLists=["b" * 40]),
    ),
    "aws:cloudwatch/logGroup:LogGroup": Case(
        lambda w: {
            "name": "/table/group",
            "retentionInDays": 30,
            "kmsKeyId": w["keys"][0],
            "logGroupClass": "STANDARD",
        },
        of(retentionInDays=90),
    ),
}

LIFECYCLE_RULE = {
    "rulePriority": 1,
    "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
    "action": {"type": "expire"},
}

COMPUTE = {
    "aws:ecr/repository:Repository": Case(
        lambda w: {
            "name": "table/images",
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": w["keys"][0]}],
            "forceDelete": True,
        },
        of(imageTagMutability="MUTABLE", imageScanningConfiguration={"scanOnPush": False}),
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Case(
        lambda w: {"repository": w["repository"], "policy": json.dumps({"rules": [LIFECYCLE_RULE]})},
        of(policy=json.dumps({"rules": [LIFECYCLE_RULE | {"rulePriority": 2}]})),
        tags=False,
    ),
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": Case(
        of(ecrRepositoryPrefix="shared", upstreamRegistryUrl="111122223333.dkr.ecr.eu-central-1.amazonaws.com"),
        of(customRoleArn="arn:aws:iam::123456789012:role/pull-through"),
        tags=False,
        recorded=True,
    ),
    "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate": Case(
        lambda w: {
            "prefix": "table/quay",
            "description": "Cached repositories",
            "appliedFors": ["PULL_THROUGH_CACHE"],
            "imageTagMutability": "IMMUTABLE",
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": w["keys"][0]}],
            "lifecyclePolicy": json.dumps({"rules": [LIFECYCLE_RULE]}),
            "resourceTags": {"component": "registry"},
            "customRoleArn": w["role_arns"][0],
        },
        of(resourceTags={"component": "images"}, imageTagMutability="MUTABLE"),
        tags=False,
        recorded=True,
    ),
    "aws:eks/cluster:Cluster": Case(
        lambda w: {
            "name": "table",
            "roleArn": w["role_arns"][0],
            "version": "1.35",
            "vpcConfig": {"subnetIds": w["subnets"], "endpointPrivateAccess": True, "endpointPublicAccess": False},
            "enabledClusterLogTypes": ["api", "audit"],
            "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
            "encryptionConfig": {"provider": {"keyArn": w["keys"][0]}, "resources": ["secrets"]},
            "bootstrapSelfManagedAddons": False,
        },
        of(enabledClusterLogTypes=["api"]),
    ),
    "aws:eks/accessEntry:AccessEntry": Case(
        lambda w: {"clusterName": w["cluster"], "principalArn": w["role_arns"][0], "type": "STANDARD"},
        of(kubernetesGroups=["viewers"]),
        recorded=True,
    ),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": Case(
        lambda w: {
            "clusterName": w["cluster"],
            "principalArn": w["role_arns"][0],
            "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            "accessScope": {"type": "cluster"},
        },
        tags=False,
        recorded=True,
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": Case(
        lambda w: {
            "clusterName": w["cluster"],
            "namespace": "mlflow",
            "serviceAccount": "mlflow",
            "roleArn": w["role_arns"][0],
        },
        lambda w: {"roleArn": w["role_arns"][1]},
        recorded=True,
    ),
    "aws:eks/addon:Addon": Case(
        lambda w: {
            "clusterName": w["cluster"],
            "addonName": "vpc-cni",
            "addonVersion": "v1.20.0-eksbuild.1",
            "resolveConflictsOnCreate": "OVERWRITE",
        },
        of(configurationValues='{"enableNetworkPolicy": "true"}'),
        recorded=True,
    ),
    "aws:eks/nodeGroup:NodeGroup": Case(
        lambda w: {
            "clusterName": w["cluster"],
            "nodeGroupName": "system",
            "nodeRoleArn": w["role_arns"][0],
            "subnetIds": w["subnets"],
            "scalingConfig": {"minSize": 1, "maxSize": 3, "desiredSize": 1},
            "instanceTypes": ["m7i.large"],
            "amiType": "AL2023_x86_64_STANDARD",
            "labels": {"role": "system", "old": "yes"},
            "taints": [{"key": "system", "value": "true", "effect": "NO_SCHEDULE"}],
        },
        of(labels={"role": "core"}, scalingConfig={"minSize": 2, "maxSize": 4, "desiredSize": 2}),
    ),
}

MESSAGING = {
    "aws:sns/topic:Topic": Case(
        lambda w: {"name": "alarms", "displayName": "Alarms", "kmsMasterKeyId": w["keys"][0]}, of(displayName="Pages")
    ),
    "aws:sns/topicPolicy:TopicPolicy": Case(
        lambda w: {"arn": w["topic"], "policy": topic_policy(w["topic"], "budgets")},
        lambda w: {"policy": topic_policy(w["topic"], "cloudwatch")},
        tags=False,
        read=False,
    ),
    "aws:sns/topicSubscription:TopicSubscription": Case(
        lambda w: {"topic": w["topic"], "protocol": "sqs", "endpoint": w["queue_arn"], "rawMessageDelivery": True},
        of(rawMessageDelivery=False),
        tags=False,
    ),
    "aws:sqs/queue:Queue": Case(
        of(name="interruptions", messageRetentionSeconds=300, sqsManagedSseEnabled=True, visibilityTimeoutSeconds=60),
        of(messageRetentionSeconds=600, visibilityTimeoutSeconds=None),
    ),
    "aws:sqs/queuePolicy:QueuePolicy": Case(
        lambda w: {"queueUrl": w["queue"], "policy": queue_policy(w["queue_arn"], "events")},
        lambda w: {"policy": queue_policy(w["queue_arn"], "sns")},
        tags=False,
    ),
    "aws:cloudwatch/eventRule:EventRule": Case(
        of(name="interruptions", eventPattern='{"source": ["aws.ec2"]}', description="spot"),
        of(description="spot warnings"),
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Case(
        lambda w: {"rule": w["rule"], "arn": w["queue_arn"], "targetId": "queue"},
        of(retryPolicy={"maximumRetryAttempts": 3, "maximumEventAgeInSeconds": 60}),
        tags=False,
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Case(
        lambda w: {
            "name": "queue-age",
            "comparisonOperator": "GreaterThanThreshold",
            "evaluationPeriods": 3,
            "metricName": "ApproximateAgeOfOldestMessage",
            "namespace": "AWS/SQS",
            "period": 60,
            "statistic": "Maximum",
            "threshold": 300,
            "dimensions": {"QueueName": "base"},
            "alarmActions": [w["topic"]],
            "treatMissingData": "notBreaching",
        },
        of(threshold=600),
    ),
}

COSTS = {
    "aws:budgets/budget:Budget": Case(
        lambda w: {
            "name": "monthly",
            "budgetType": "COST",
            "timeUnit": "MONTHLY",
            "limitAmount": "400",
            "limitUnit": "USD",
            "costTypes": {"includeCredit": False, "includeRefund": False},
            "costFilters": [{"name": "TagKeyValue", "values": ["user:environment$dev"]}],
            "notifications": [
                {
                    "comparisonOperator": "GREATER_THAN",
                    "notificationType": "ACTUAL",
                    "threshold": 80,
                    "thresholdType": "PERCENTAGE",
                    "subscriberSnsTopicArns": [w["topic"]],
                }
            ],
        },
        of(limitAmount="500"),
    ),
    "aws:costexplorer/anomalyMonitor:AnomalyMonitor": Case(
        of(name="services", monitorType="DIMENSIONAL", monitorDimension="SERVICE"), of(name="all"), recorded=True
    ),
    "aws:costexplorer/anomalySubscription:AnomalySubscription": Case(
        lambda w: {
            "name": "anomalies",
            "frequency": "IMMEDIATE",
            "monitorArnLists": ["arn:aws:ce::123456789012:anomalymonitor/00000000-0000-4000-8000-000000000000"],
            "subscribers": [{"type": "SNS", "address": w["topic"]}],
            "thresholdExpression": {
                "dimension": {
                    "key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                    "matchOptions": ["GREATER_THAN_OR_EQUAL"],
                    "values": ["20"],
                }
            },
        },
        of(frequency="DAILY"),
        recorded=True,
    ),
}

DATABASES = {
    "aws:rds/parameterGroup:ParameterGroup": Case(
        of(
            name="table",
            family="postgres17",
            description="TLS only",
            parameters=[{"name": "rds.force_ssl", "value": "1"}, {"name": "log_statement", "value": "ddl"}],
        ),
        of(parameters=[{"name": "rds.force_ssl", "value": "1"}, {"name": "log_statement", "value": "all"}]),
    ),
    "aws:rds/eventSubscription:EventSubscription": Case(
        lambda w: {
            "name": "table",
            "snsTopic": w["topic"],
            "sourceType": "db-instance",
            "eventCategories": ["failure", "maintenance"],
        },
        of(eventCategories=["failure"]),
    ),
    "aws:rds/subnetGroup:SubnetGroup": Case(
        lambda w: {"name": "table", "description": "private", "subnetIds": w["subnets"]},
        of(description="private subnets"),
    ),
    "aws:rds/instance:Instance": Case(
        lambda w: {
            "identifier": "table",
            "engine": "postgres",
            "engineVersion": "17.5",
            "instanceClass": "db.t4g.micro",
            "allocatedStorage": 20,
            "maxAllocatedStorage": 40,
            "storageType": "gp3",
            "port": 5433,
            "autoMinorVersionUpgrade": True,
            "backupWindow": "02:00-03:00",
            "maintenanceWindow": "sun:03:30-sun:04:30",
            "copyTagsToSnapshot": True,
            "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
            "monitoringInterval": 60,
            "monitoringRoleArn": w["role_arns"][0],
            "masterUserSecretKmsKeyId": w["keys"][0],
            "performanceInsightsEnabled": True,
            "performanceInsightsKmsKeyId": w["keys"][0],
            "performanceInsightsRetentionPeriod": 7,
            "dbName": "mlflow",
            "username": "mlflow",
            "manageMasterUserPassword": True,
            "dbSubnetGroupName": w["subnet_group"],
            "vpcSecurityGroupIds": [w["groups"][0]],
            "storageEncrypted": True,
            "kmsKeyId": w["keys"][0],
            "iamDatabaseAuthenticationEnabled": True,
            "backupRetentionPeriod": 7,
            "multiAz": False,
            "publiclyAccessible": False,
            "deletionProtection": False,
            "skipFinalSnapshot": True,
        },
        of(backupRetentionPeriod=14),
    ),
    "aws:secretsmanager/secret:Secret": Case(
        lambda w: {"name": "table", "description": "token", "kmsKeyId": w["keys"][0], "recoveryWindowInDays": 7},
        of(description="the token"),
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": Case(
        lambda w: {"secretId": w["secret"], "secretString": "value"}, tags=False, stays=True
    ),
}


def topic_policy(arn: str, service: str) -> str:
    principal = {"Service": f"{service}.amazonaws.com"}
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sns:Publish", "Resource": arn})


def queue_policy(arn: str, service: str) -> str:
    principal = {"Service": f"{service}.amazonaws.com"}
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage", "Resource": arn})
