"""RDS and Secrets Manager."""

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
    "aws:rds/instance:Instance": INSTANCE,
    "aws:secretsmanager/secret:Secret": SECRET,
    "aws:secretsmanager/secretVersion:SecretVersion": SECRET_VERSION,
}
