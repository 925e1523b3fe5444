"""RDS and Secrets Manager."""

from collections.abc import Mapping
from typing import Any

from stackyard.local.aws.rows import Op, Read, Row

_SUBNET_GROUP_CHANGE = {
    "DBSubnetGroupName": "=id",
    "DBSubnetGroupDescription": "=description || 'Managed by Pulumi'",
    "SubnetIds": "=subnetIds",
}

SUBNET_GROUP = Row(
    service="rds",
    create=Op(name="CreateDBSubnetGroup", params={"DBSubnetGroupDescription": "=description || 'Managed by Pulumi'"}),
    id="=r.DBSubnetGroup.DBSubnetGroupName",
    read=Read(name="DescribeDBSubnetGroups", params={"DBSubnetGroupName": "=id"}, path="DBSubnetGroups[0]"),
    delete=(Op(name="DeleteDBSubnetGroup", params={"DBSubnetGroupName": "=id"}),),
    mod=(
        Op(name="ModifyDBSubnetGroup", params=_SUBNET_GROUP_CHANGE, on=("subnetIds", "description")),
        # The emulator drops a group when it changes it.
        Op(
            name="CreateDBSubnetGroup",
            params={**_SUBNET_GROUP_CHANGE, "Tags": "=tags"},
            on=("subnetIds", "description"),
        ),
    ),
    rename={"name": "DBSubnetGroupName"},
    out={"arn": "=d.DBSubnetGroupArn", "name": "=id"},
    shows={
        "description": "=d.DBSubnetGroupDescription",
        "subnetIds": "=d.Subnets[].SubnetIdentifier",
    },
)


def parameter_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Op]:
    """Calls for a group's parameters: those that are new or changed are set, those that are gone get their default."""
    before, now = _parameters(old), _parameters(new)
    calls = {
        "ModifyDBParameterGroup": [entry for name, entry in now.items() if before.get(name) != entry],
        "ResetDBParameterGroup": [entry for name, entry in before.items() if name not in now],
    }
    return [
        Op(name=name, params={"DBParameterGroupName": "=id", "Parameters": parameters})
        for name, parameters in calls.items()
        if parameters
    ]


def _parameters(inputs: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {
        entry["name"]: {
            "ParameterName": entry["name"],
            "ParameterValue": entry["value"],
            "ApplyMethod": entry.get("applyMethod") or "immediate",
        }
        for entry in inputs.get("parameters") or []
    }


PARAMETER_GROUP = Row(
    service="rds",
    create=Op(name="CreateDBParameterGroup", params={"Description": "=description || 'Managed by Pulumi'"}),
    id="=r.DBParameterGroup.DBParameterGroupName",
    read=Read(name="DescribeDBParameterGroups", params={"DBParameterGroupName": "=id"}, path="DBParameterGroups[0]"),
    delete=(Op(name="DeleteDBParameterGroup", params={"DBParameterGroupName": "=id"}),),
    rename={"name": "DBParameterGroupName", "family": "DBParameterGroupFamily"},
    own=("skipDestroy",),
    steps=parameter_changes,
    steps_on=("parameters",),
    watch={"document": Read(name="DescribeDBParameters", params={"DBParameterGroupName": "=id"}, path="Parameters")},
    shows={"parameters": "=document[].{name: ParameterName, value: ParameterValue, applyMethod: ApplyMethod}"},
    fills=("parameters.applyMethod",),
    out={"arn": "=d.DBParameterGroupArn", "name": "=id"},
)

_EVENT_SUBSCRIPTION_INPUTS = ("enabled", "eventCategories", "snsTopic", "sourceIds", "sourceType")
_EVENT_SUBSCRIPTION = {
    "SubscriptionName": "=name",
    "SnsTopicArn": "=snsTopic",
    "SourceType": "=sourceType",
    "SourceIds": "=sourceIds",
    "EventCategories": "=eventCategories",
    "Enabled": "=enabled != `false`",
    "Tags": "=tags",
}

EVENT_SUBSCRIPTION = Row(
    service="rds",
    create=Op(name="CreateEventSubscription", params=_EVENT_SUBSCRIPTION),
    id="=r.EventSubscription.CustSubscriptionId",
    read=Read(
        name="DescribeEventSubscriptions", params={"SubscriptionName": "=name"}, path="EventSubscriptionsList[0]"
    ),
    delete=(Op(name="DeleteEventSubscription", params={"SubscriptionName": "=name"}),),
    mod=(
        # The emulator cannot change a subscription.
        Op(name="DeleteEventSubscription", params={"SubscriptionName": "=name"}, on=_EVENT_SUBSCRIPTION_INPUTS),
        Op(name="CreateEventSubscription", params=_EVENT_SUBSCRIPTION, on=_EVENT_SUBSCRIPTION_INPUTS),
    ),
    out={"arn": "=d.EventSubscriptionArn", "customerAwsId": "=account"},
    shows={
        "snsTopic": "=d.SnsTopicArn",
        "sourceIds": "=d.SourceIdsList",
        "eventCategories": "=d.EventCategoriesList",
    },
)

# Inputs of an instance whose API members have other names.
INSTANCE_NAMES = {
    "dbName": "DBName",
    "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    "identifier": "DBInstanceIdentifier",
    "instanceClass": "DBInstanceClass",
    "backupWindow": "PreferredBackupWindow",
    "maintenanceWindow": "PreferredMaintenanceWindow",
    "customIamInstanceProfile": "CustomIamInstanceProfile",
    "password": "MasterUserPassword",
    "username": "MasterUsername",
    "performanceInsightsEnabled": "EnablePerformanceInsights",
    "performanceInsightsKmsKeyId": "PerformanceInsightsKMSKeyId",
    "parameterGroupName": "DBParameterGroupName",
    "caCertIdentifier": "CACertificateIdentifier",
    "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
}
# Changed by ModifyDBInstance under the same names.
INSTANCE_CHANGEABLE = (
    "allocatedStorage",
    "autoMinorVersionUpgrade",
    "backupRetentionPeriod",
    "backupWindow",
    "caCertIdentifier",
    "copyTagsToSnapshot",
    "deletionProtection",
    "engineVersion",
    "iamDatabaseAuthenticationEnabled",
    "instanceClass",
    "iops",
    "maintenanceWindow",
    "manageMasterUserPassword",
    "masterUserSecretKmsKeyId",
    "maxAllocatedStorage",
    "monitoringInterval",
    "monitoringRoleArn",
    "multiAz",
    "parameterGroupName",
    "performanceInsightsEnabled",
    "performanceInsightsKmsKeyId",
    "performanceInsightsRetentionPeriod",
    "publiclyAccessible",
    "storageThroughput",
    "storageType",
    "vpcSecurityGroupIds",
)

INSTANCE = Row(
    service="rds",
    create=Op(name="CreateDBInstance"),
    # The id does not change when an instance is renamed; all calls go by the identifier.
    id="=r.DBInstance.DbiResourceId",
    read=Read(name="DescribeDBInstances", params={"DBInstanceIdentifier": "=identifier"}, path="DBInstances[0]"),
    delete=(
        # Only by a destroy that is told to take the data along.
        Op(
            name="ModifyDBInstance",
            params={"DBInstanceIdentifier": "=identifier", "DeletionProtection": False, "ApplyImmediately": True},
            when="forceDestroy && deletionProtection",
        ),
        Op(
            name="DeleteDBInstance",
            params={
                "DBInstanceIdentifier": "=identifier",
                "SkipFinalSnapshot": "=skipFinalSnapshot || `false`",
                "FinalDBSnapshotIdentifier": "=!skipFinalSnapshot && finalSnapshotIdentifier || `null`",
                "DeleteAutomatedBackups": "=deleteAutomatedBackups",
            },
        ),
    ),
    mod=(
        Op(
            name="ModifyDBInstance",
            params={"DBInstanceIdentifier": "=identifier", "ApplyImmediately": True},
            on=INSTANCE_CHANGEABLE,
        ),
    ),
    rename=INSTANCE_NAMES,
    own=(
        "applyImmediately",
        "deleteAutomatedBackups",
        "finalSnapshotIdentifier",
        "skipFinalSnapshot",
        "allowMajorVersionUpgrade",
    ),
    out={
        "arn": "=d.DBInstanceArn",
        "address": "=d.Endpoint.Address",
        "port": "=d.Endpoint.Port",
        "endpoint": "=d.Endpoint.Address && join(':', [d.Endpoint.Address, to_string(d.Endpoint.Port)])",
        "resourceId": "=d.DbiResourceId",
        "status": "=d.DBInstanceStatus",
        "masterUserSecrets": (
            "=d.MasterUserSecret && [{secretArn: d.MasterUserSecret.SecretArn, "
            "secretStatus: d.MasterUserSecret.SecretStatus, kmsKeyId: d.MasterUserSecret.KmsKeyId}]"
        ),
        "engineVersionActual": "=d.EngineVersion",
    },
    # The document's endpoint is an object, and the engine version is completed by AWS.
    keep=("endpoint", "engineVersion", "kmsKeyId", "latestRestorableTime", "performanceInsightsKmsKeyId"),
    shows={
        "engineVersion": "=starts_with(d.EngineVersion, engineVersion) && engineVersion || d.EngineVersion",
        "kmsKeyId": "=kmsKeyId && d.KmsKeyId",
        "dbSubnetGroupName": "=d.DBSubnetGroup.DBSubnetGroupName",
        "iamDatabaseAuthenticationEnabled": "=d.IAMDatabaseAuthenticationEnabled",
        "manageMasterUserPassword": "=d.MasterUserSecret && `true` || `false`",
        "masterUserSecretKmsKeyId": "=masterUserSecretKmsKeyId && d.MasterUserSecret.KmsKeyId",
        "port": "=d.Endpoint.Port",
        "parameterGroupName": "=d.DBParameterGroups[0].DBParameterGroupName",
        "vpcSecurityGroupIds": "=d.VpcSecurityGroups[].VpcSecurityGroupId",
    },
)

SECRET = Row(
    service="secretsmanager",
    create=Op(name="CreateSecret"),
    id="=r.ARN",
    read=Read(name="DescribeSecret", params={"SecretId": "=id"}, path="[@][?!DeletedDate] | [0]"),
    delete=(
        Op(
            name="DeleteSecret",
            params={
                "SecretId": "=id",
                "RecoveryWindowInDays": "=recoveryWindowInDays != `0` && recoveryWindowInDays || `null`",
                "ForceDeleteWithoutRecovery": "=recoveryWindowInDays == `0` || `null`",
            },
        ),
    ),
    then=(
        Op(
            name="PutResourcePolicy",
            params={"SecretId": "=id", "ResourcePolicy": "=policy"},
            on=("policy",),
            when="policy",
        ),
    ),
    mod=(
        Op(name="DeleteResourcePolicy", params={"SecretId": "=id"}, on=("policy",), when="!policy"),
        Op(
            name="UpdateSecret",
            params={
                "SecretId": "=id",
                "Description": "=description || ''",
                "KmsKeyId": "=kmsKeyId || 'alias/aws/secretsmanager'",
            },
            on=("description", "kmsKeyId"),
        ),
    ),
    own=("recoveryWindowInDays",),
    watch={"document": Read(name="GetResourcePolicy", params={"SecretId": "=id"}, path="ResourcePolicy")},
    shows={"policy": "=document"},
    absent=("description", "kmsKeyId"),
    out={"arn": "=id"},
)

SECRET_VERSION = Row(
    service="secretsmanager",
    create=Op(name="PutSecretValue"),
    id="=join('|', [secretId, r.VersionId])",
    read=Read(
        name="ListSecretVersionIds",
        params={"SecretId": "=secretId", "IncludeDeprecated": True},
        path="@",
    ),
    # A version cannot be deleted; it goes with its secret.
    delete=(),
    out={"arn": "=d.ARN", "secretArn": "=d.ARN", "versionId": "=r.VersionId"},
)

ROWS = {
    "aws:rds/subnetGroup:SubnetGroup": SUBNET_GROUP,
    "aws:rds/parameterGroup:ParameterGroup": PARAMETER_GROUP,
    "aws:rds/eventSubscription:EventSubscription": EVENT_SUBSCRIPTION,
    "aws:rds/instance:Instance": INSTANCE,
    "aws:secretsmanager/secret:Secret": SECRET,
    "aws:secretsmanager/secretVersion:SecretVersion": SECRET_VERSION,
}
