"""Keys, IAM, log groups and secrets."""

from stackyard.local.aws import handlers
from stackyard.local.aws.rows import Op, Read, Row
from stackyard.local.aws.rows.tagging import iam

KEY = Row(
    service="kms",
    create=Op(name="CreateKey"),
    id="=r.KeyMetadata.KeyId",
    read=Read(name="DescribeKey", params={"KeyId": "=id"}, path="[KeyMetadata][?KeyState != 'PendingDeletion'] | [0]"),
    delete=(Op(name="ScheduleKeyDeletion", params={"KeyId": "=id", "PendingWindowInDays": "=deletionWindowInDays"}),),
    then=(
        Op(
            name="EnableKeyRotation",
            params={"KeyId": "=id", "RotationPeriodInDays": "=rotationPeriodInDays"},
            on=("enableKeyRotation", "rotationPeriodInDays"),
            when="enableKeyRotation",
        ),
        Op(
            name="DisableKeyRotation",
            params={"KeyId": "=id"},
            on=("enableKeyRotation",),
            when="enableKeyRotation == `false`",
        ),
        Op(name="DisableKey", params={"KeyId": "=id"}, on=("isEnabled",), when="isEnabled == `false`"),
    ),
    mod=(
        Op(name="EnableKey", params={"KeyId": "=id"}, on=("isEnabled",), when="isEnabled != `false`"),
        Op(
            name="UpdateKeyDescription",
            params={"KeyId": "=id", "Description": "=description || ''"},
            on=("description",),
        ),
        Op(name="PutKeyPolicy", params={"KeyId": "=id", "PolicyName": "default"}, on=("policy",)),
    ),
    rename={"bypassPolicyLockoutSafetyCheck": "BypassPolicyLockoutSafetyCheck", "customerMasterKeySpec": "KeySpec"},
    own=("deletionWindowInDays",),
    watch={
        "rotation": Read(name="GetKeyRotationStatus", params={"KeyId": "=id"}, path="@"),
        "document": Read(name="GetKeyPolicy", params={"KeyId": "=id", "PolicyName": "default"}, path="Policy"),
    },
    shows={
        "enableKeyRotation": "=rotation.KeyRotationEnabled",
        "isEnabled": "=d.Enabled",
        "policy": "=document",
    },
    unset={"isEnabled": True},
)

ALIAS = Row(
    service="kms",
    create=Op(name="CreateAlias", params={"AliasName": "=name"}),
    id="=name",
    read=Read(name="ListAliases", params={}, path="Aliases[?AliasName == '{name}'] | [0]"),
    delete=(Op(name="DeleteAlias", params={"AliasName": "=id"}),),
    mod=(Op(name="UpdateAlias", params={"AliasName": "=id"}, on=("targetKeyId",)),),
    # The program may name the key by ARN; AWS answers with its id.
    keep=("targetKeyId",),
    shows={
        "targetKeyId": "=ends_with(targetKeyId, join('', ['/', d.TargetKeyId])) && targetKeyId || d.TargetKeyId",
    },
    out={
        "arn": "arn:aws:kms:{region}:{account}:{name}",
        "targetKeyArn": "=d.TargetKeyId && join('', ['arn:aws:kms:', region, ':', account, ':key/', d.TargetKeyId])",
    },
)

ROLE = Row(
    service="iam",
    create=Op(name="CreateRole"),
    id="=r.Role.RoleName",
    read=Read(name="GetRole", params={"RoleName": "=id"}, path="Role"),
    delete=(Op(name="DeleteRole", params={"RoleName": "=id"}),),
    mod=(
        Op(
            name="UpdateAssumeRolePolicy",
            params={"RoleName": "=id", "PolicyDocument": "=assumeRolePolicy"},
            on=("assumeRolePolicy",),
        ),
        Op(
            name="UpdateRole",
            params={
                "RoleName": "=id",
                "Description": "=description || ''",
                "MaxSessionDuration": "=maxSessionDuration || `3600`",
            },
            on=("description", "maxSessionDuration"),
        ),
        Op(
            name="PutRolePermissionsBoundary",
            params={"RoleName": "=id"},
            on=("permissionsBoundary",),
            when="permissionsBoundary",
        ),
        Op(
            name="DeleteRolePermissionsBoundary",
            params={"RoleName": "=id"},
            on=("permissionsBoundary",),
            when="!permissionsBoundary",
        ),
    ),
    rename={"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument"},
    tagging=iam("Role", "RoleName"),
    out={"uniqueId": "=d.RoleId", "name": "=id"},
    shows={"permissionsBoundary": "=d.PermissionsBoundary.PermissionsBoundaryArn"},
    absent=("description",),
)

ROLE_POLICY = Row(
    service="iam",
    create=Op(name="PutRolePolicy"),
    id="{role}:{name}",
    read=Read(name="GetRolePolicy", params={"RoleName": "=role", "PolicyName": "=name"}, path="@"),
    delete=(Op(name="DeleteRolePolicy", params={"RoleName": "=role", "PolicyName": "=name"}),),
    put=True,
    rename={"name": "PolicyName", "role": "RoleName", "policy": "PolicyDocument"},
)

POLICY = Row(
    service="iam",
    create=Op(name="CreatePolicy"),
    id="=r.Policy.Arn",
    read=Read(name="GetPolicy", params={"PolicyArn": "=id"}, path="Policy"),
    delete=(Op(name="DeletePolicy", params={"PolicyArn": "=id"}),),
    mod=(
        Op(
            name="CreatePolicyVersion",
            params={"PolicyArn": "=id", "PolicyDocument": "=policy", "SetAsDefault": True},
            on=("policy",),
        ),
    ),
    rename={"name": "PolicyName", "policy": "PolicyDocument"},
    tagging=iam("Policy", "PolicyArn"),
    out={"name": "=d.PolicyName"},
    # Counts roles that are attached later, by other resources.
    keep=("attachmentCount",),
    watch={
        "version": Read(
            name="GetPolicyVersion",
            params={"PolicyArn": "=id", "VersionId": "=d.DefaultVersionId"},
            path="PolicyVersion.Document",
        )
    },
    shows={"policy": "=version"},
    before_update=handlers.prune_policy_versions,
    before_delete=handlers.delete_policy_versions,
)

ROLE_POLICY_ATTACHMENT = Row(
    service="iam",
    create=Op(name="AttachRolePolicy"),
    id="{role}/{policyArn}",
    read=Read(
        name="ListAttachedRolePolicies",
        params={"RoleName": "=role"},
        path="AttachedPolicies[?PolicyArn == '{policyArn}'] | [0]",
    ),
    delete=(Op(name="DetachRolePolicy", params={"RoleName": "=role", "PolicyArn": "=policyArn"}),),
    rename={"role": "RoleName"},
)

INSTANCE_PROFILE = Row(
    service="iam",
    create=Op(name="CreateInstanceProfile"),
    id="=r.InstanceProfile.InstanceProfileName",
    read=Read(name="GetInstanceProfile", params={"InstanceProfileName": "=id"}, path="InstanceProfile"),
    delete=(
        Op(
            name="RemoveRoleFromInstanceProfile",
            params={"InstanceProfileName": "=id", "RoleName": "=role"},
            when="role",
        ),
        Op(name="DeleteInstanceProfile", params={"InstanceProfileName": "=id"}),
    ),
    then=(
        Op(
            name="RemoveRoleFromInstanceProfile",
            params={"InstanceProfileName": "=id", "RoleName": "=old.role"},
            on=("role",),
            when="old.role",
        ),
        Op(
            name="AddRoleToInstanceProfile",
            params={"InstanceProfileName": "=id", "RoleName": "=role"},
            on=("role",),
            when="role",
        ),
    ),
    rename={"name": "InstanceProfileName"},
    tagging=iam("InstanceProfile", "InstanceProfileName"),
    out={"uniqueId": "=d.InstanceProfileId", "name": "=id"},
    shows={"role": "=d.Roles[0].RoleName"},
)

OIDC_PROVIDER = Row(
    service="iam",
    create=Op(name="CreateOpenIDConnectProvider"),
    id="=r.OpenIDConnectProviderArn",
    read=Read(name="GetOpenIDConnectProvider", params={"OpenIDConnectProviderArn": "=id"}, path="@"),
    delete=(Op(name="DeleteOpenIDConnectProvider", params={"OpenIDConnectProviderArn": "=id"}),),
    mod=(
        Op(
            name="UpdateOpenIDConnectProviderThumbprint",
            params={"OpenIDConnectProviderArn": "=id", "ThumbprintList": "=thumbprintLists"},
            on=("thumbprintLists",),
        ),
    ),
    steps=handlers.oidc_client_ids,
    steps_on=("clientIdLists",),
    rename={"clientIdLists": "ClientIDList", "thumbprintLists": "ThumbprintList"},
    tagging=iam("OpenIDConnectProvider", "OpenIDConnectProviderArn"),
    out={"arn": "=id", "thumbprintLists": "=d.ThumbprintList"},
    # The API answers without the scheme.
    keep=("url",),
    shows={"url": "=ends_with(url, d.Url) && url || d.Url"},
)

LOG_GROUP = Row(
    service="logs",
    create=Op(name="CreateLogGroup"),
    id="=name",
    read=Read(
        name="DescribeLogGroups",
        params={"logGroupNamePrefix": "=id"},
        path="logGroups[?logGroupName == '{id}'] | [0]",
    ),
    delete=(Op(name="DeleteLogGroup", params={"logGroupName": "=id"}),),
    then=(
        Op(
            name="PutRetentionPolicy",
            params={"logGroupName": "=id", "retentionInDays": "=retentionInDays"},
            on=("retentionInDays",),
            when="retentionInDays > `0`",
        ),
    ),
    mod=(
        # 0 is the provider's way of saying for ever.
        Op(
            name="DeleteRetentionPolicy",
            params={"logGroupName": "=id"},
            on=("retentionInDays",),
            when="!(retentionInDays > `0`)",
        ),
        Op(
            name="AssociateKmsKey",
            params={"logGroupName": "=id", "kmsKeyId": "=kmsKeyId"},
            on=("kmsKeyId",),
            when="kmsKeyId",
        ),
        Op(name="DisassociateKmsKey", params={"logGroupName": "=id"}, on=("kmsKeyId",), when="!kmsKeyId"),
    ),
    rename={"name": "logGroupName"},
    own=("skipDestroy",),
    # The API's ARN ends in `:*`, the provider's does not.
    out={"arn": "arn:aws:logs:{region}:{account}:log-group:{id}"},
    keep=("arn",),
    absent=("retentionInDays", "kmsKeyId"),
)

ROWS = {
    "aws:kms/key:Key": KEY,
    "aws:kms/alias:Alias": ALIAS,
    "aws:iam/role:Role": ROLE,
    "aws:iam/rolePolicy:RolePolicy": ROLE_POLICY,
    "aws:iam/policy:Policy": POLICY,
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ROLE_POLICY_ATTACHMENT,
    "aws:iam/instanceProfile:InstanceProfile": INSTANCE_PROFILE,
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": OIDC_PROVIDER,
    "aws:cloudwatch/logGroup:LogGroup": LOG_GROUP,
}
