"""EKS clusters with their access, and ECR repositories."""

from stackyard.local.aws import cluster_handlers
from stackyard.local.aws.rows import Op, Read, Row
from stackyard.local.aws.rows.tagging import by_arn

REPOSITORY = Row(
    service="ecr",
    create=Op(name="CreateRepository"),
    id="=r.repository.repositoryName",
    read=Read(name="DescribeRepositories", params={"repositoryNames": ["=id"]}, path="repositories[0]"),
    delete=(Op(name="DeleteRepository", params={"repositoryName": "=id", "force": "=forceDelete"}),),
    mod=(
        Op(
            name="PutImageTagMutability",
            params={"repositoryName": "=id", "imageTagMutability": "=imageTagMutability || 'MUTABLE'"},
            on=("imageTagMutability", "imageTagMutabilityExclusionFilters"),
            resets=True,
        ),
        Op(
            name="PutImageScanningConfiguration",
            params={
                "repositoryName": "=id",
                "imageScanningConfiguration": '=imageScanningConfiguration || `{"scanOnPush": false}`',
            },
            on=("imageScanningConfiguration",),
        ),
    ),
    rename={"name": "repositoryName", "encryptionConfigurations": "encryptionConfiguration"},
    own=("forceDelete",),
    out={"arn": "=d.repositoryArn", "repositoryUrl": "=d.repositoryUri", "registryId": "=d.registryId"},
)

LIFECYCLE_POLICY = Row(
    service="ecr",
    create=Op(name="PutLifecyclePolicy"),
    id="=repository",
    read=Read(name="GetLifecyclePolicy", params={"repositoryName": "=id"}, path="@"),
    delete=(Op(name="DeleteLifecyclePolicy", params={"repositoryName": "=id"}),),
    put=True,
    rename={"repository": "repositoryName", "policy": "lifecyclePolicyText"},
    out={"registryId": "=d.registryId || account"},
)

PULL_THROUGH_CACHE_RULE = Row(
    service="ecr",
    create=Op(name="CreatePullThroughCacheRule"),
    id="=ecrRepositoryPrefix",
    read=Read(
        name="DescribePullThroughCacheRules",
        params={"ecrRepositoryPrefixes": ["=id"]},
        path="pullThroughCacheRules[0]",
    ),
    delete=(Op(name="DeletePullThroughCacheRule", params={"ecrRepositoryPrefix": "=id"}),),
    mod=(
        Op(
            name="UpdatePullThroughCacheRule",
            params={"ecrRepositoryPrefix": "=id"},
            on=("credentialArn", "customRoleArn"),
        ),
    ),
    fake={"registryId": "=account"},
)

CREATION_TEMPLATE = Row(
    service="ecr",
    create=Op(name="CreateRepositoryCreationTemplate"),
    id="=prefix",
    read=Read(
        name="DescribeRepositoryCreationTemplates",
        params={"prefixes": ["=id"]},
        path="repositoryCreationTemplates[0]",
    ),
    delete=(Op(name="DeleteRepositoryCreationTemplate", params={"prefix": "=id"}),),
    mod=(Op(name="UpdateRepositoryCreationTemplate", params={"prefix": "=id"}, on=("*",)),),
    rename={"appliedFors": "appliedFor", "encryptionConfigurations": "encryptionConfiguration"},
    fake={"registryId": "=account"},
)

CLUSTER = Row(
    service="eks",
    create=Op(
        name="CreateCluster",
        params={
            "logging": {
                "clusterLogging": "=enabledClusterLogTypes && [{types: enabledClusterLogTypes, enabled: `true`}]",
            },
        },
    ),
    id="=r.cluster.name",
    read=Read(name="DescribeCluster", params={"name": "=id"}, path="cluster"),
    delete=(Op(name="DeleteCluster", params={"name": "=id"}),),
    mod=(
        Op(
            name="UpdateClusterConfig",
            params={"name": "=id", "resourcesVpcConfig": "=vpcConfig"},
            on=("vpcConfig",),
        ),
        Op(
            name="UpdateClusterConfig",
            params={"name": "=id", "accessConfig": "=accessConfig.{authenticationMode: authenticationMode}"},
            on=("accessConfig",),
        ),
        Op(name="UpdateClusterConfig", params={"name": "=id"}, on=("deletionProtection",)),
        Op(name="UpdateClusterConfig", params={"name": "=id"}, on=("upgradePolicy",)),
        Op(name="UpdateClusterConfig", params={"name": "=id"}, on=("zonalShiftConfig",)),
        Op(
            name="UpdateClusterVersion",
            params={"name": "=id", "version": "=version", "force": "=forceUpdateVersion"},
            on=("version",),
        ),
    ),
    rename={
        "bootstrapSelfManagedAddons": "bootstrapSelfManagedAddons",
        "vpcConfig": "resourcesVpcConfig",
    },
    own=("defaultAddonsToRemoves", "forceUpdateVersion"),
    steps=cluster_handlers.cluster_changes,
    steps_on=("enabledClusterLogTypes", "version"),
    # The emulator invents the endpoint and the certificate; a moto without our mends has no cluster security group.
    out={
        "endpoint": "=clusterEndpoint || d.endpoint",
        "certificateAuthority": "={data: clusterCa || d.certificateAuthority.data}",
        "identities": "=d.identity.oidc.issuer && [{oidcs: [{issuer: d.identity.oidc.issuer}]}]",
        "vpcConfig": "=merge(vpcConfig, "
        "{clusterSecurityGroupId: d.resourcesVpcConfig.clusterSecurityGroupId || join('', ['sg-', h])}, "
        "d.resourcesVpcConfig.vpcId && {vpcId: d.resourcesVpcConfig.vpcId} || `{}`)",
    },
    shows={"enabledClusterLogTypes": "=d.logging.clusterLogging[?enabled].types | []"},
    fills=("vpcConfig.clusterSecurityGroupId", "vpcConfig.vpcId"),
    keep=("endpoint", "clusterId"),
)


def _fake_time(*names: str) -> dict[str, str]:
    # Fixed, so that two runs record the same.
    return dict.fromkeys(names, "2026-01-01T00:00:00Z")


ACCESS_ENTRY = Row(
    service="eks",
    create=Op(name="CreateAccessEntry"),
    id="{clusterName}:{principalArn}",
    read=Read(
        name="DescribeAccessEntry",
        params={"clusterName": "=clusterName", "principalArn": "=principalArn"},
        path="accessEntry",
    ),
    delete=(Op(name="DeleteAccessEntry", params={"clusterName": "=clusterName", "principalArn": "=principalArn"}),),
    mod=(
        Op(
            name="UpdateAccessEntry",
            params={
                "clusterName": "=clusterName",
                "principalArn": "=principalArn",
                "kubernetesGroups": "=kubernetesGroups || `[]`",
                "username": "=userName",
            },
            on=("kubernetesGroups", "userName"),
        ),
    ),
    rename={"userName": "username"},
    tagging=by_arn("resourceArn", "tags", "tagKeys", arn="=accessEntryArn"),
    fake={
        "accessEntryArn": "arn:aws:eks:{region}:{account}:access-entry/{clusterName}/{h}",
        "type": "=type || 'STANDARD'",
        "userName": "=userName || principalArn",
        **_fake_time("createdAt", "modifiedAt"),
    },
)

ACCESS_POLICY_ASSOCIATION = Row(
    service="eks",
    create=Op(name="AssociateAccessPolicy"),
    id="{clusterName}#{principalArn}#{policyArn}",
    read=Read(
        name="ListAssociatedAccessPolicies",
        params={"clusterName": "=clusterName", "principalArn": "=principalArn"},
        path="associatedAccessPolicies[?policyArn == '{policyArn}'] | [0]",
    ),
    delete=(
        Op(
            name="DisassociateAccessPolicy",
            params={"clusterName": "=clusterName", "principalArn": "=principalArn", "policyArn": "=policyArn"},
        ),
    ),
    fake=_fake_time("associatedAt", "modifiedAt"),
)

POD_IDENTITY_ASSOCIATION = Row(
    service="eks",
    create=Op(name="CreatePodIdentityAssociation"),
    id="=associationId",
    read=Read(
        name="DescribePodIdentityAssociation",
        params={"clusterName": "=clusterName", "associationId": "=id"},
        path="association",
    ),
    delete=(Op(name="DeletePodIdentityAssociation", params={"clusterName": "=clusterName", "associationId": "=id"}),),
    mod=(
        Op(
            name="UpdatePodIdentityAssociation",
            params={"clusterName": "=clusterName", "associationId": "=id"},
            on=("roleArn", "targetRoleArn", "disableSessionTags", "policy"),
        ),
    ),
    tagging=by_arn("resourceArn", "tags", "tagKeys", arn="=associationArn"),
    fake={
        "associationId": "a-{h}",
        "associationArn": "arn:aws:eks:{region}:{account}:podidentityassociation/{clusterName}/a-{h}",
    },
)

ADDON = Row(
    service="eks",
    create=Op(name="CreateAddon", params={"resolveConflicts": "=resolveConflictsOnCreate"}),
    id="{clusterName}:{addonName}",
    read=Read(name="DescribeAddon", params={"clusterName": "=clusterName", "addonName": "=addonName"}, path="addon"),
    delete=(
        Op(
            name="DeleteAddon",
            params={"clusterName": "=clusterName", "addonName": "=addonName", "preserve": "=preserve"},
        ),
    ),
    mod=(
        Op(
            name="UpdateAddon",
            params={
                "clusterName": "=clusterName",
                "addonName": "=addonName",
                "resolveConflicts": "=resolveConflictsOnUpdate",
            },
            on=("addonVersion", "configurationValues", "serviceAccountRoleArn", "podIdentityAssociations"),
        ),
    ),
    own=("preserve", "resolveConflictsOnUpdate"),
    fake={
        "arn": "arn:aws:eks:{region}:{account}:addon/{clusterName}/{addonName}/{h}",
        **_fake_time("createdAt", "modifiedAt"),
    },
)

NODE_GROUP = Row(
    service="eks",
    create=Op(name="CreateNodegroup"),
    id="{clusterName}:{nodeGroupName}",
    read=Read(
        name="DescribeNodegroup",
        params={"clusterName": "=clusterName", "nodegroupName": "=nodeGroupName"},
        path="nodegroup",
    ),
    delete=(Op(name="DeleteNodegroup", params={"clusterName": "=clusterName", "nodegroupName": "=nodeGroupName"}),),
    mod=(
        Op(
            name="UpdateNodegroupVersion",
            params={
                "clusterName": "=clusterName",
                "nodegroupName": "=nodeGroupName",
                "launchTemplate": "=launchTemplate",
                "force": "=forceUpdateVersion",
            },
            on=("version", "releaseVersion", "launchTemplate"),
        ),
    ),
    rename={
        "nodeGroupName": "nodegroupName",
        "nodeRoleArn": "nodeRole",
        "subnetIds": "subnets",
        "remoteAccess.sourceSecurityGroupIds": "sourceSecurityGroups",
    },
    own=("forceUpdateVersion",),
    steps=cluster_handlers.node_group_changes,
    steps_on=("labels", "taints", "scalingConfig", "updateConfig", "nodeRepairConfig"),
    out={
        "arn": "=d.nodegroupArn",
        "resources": (
            "=d.resources.autoScalingGroups && [{autoscalingGroups: d.resources.autoScalingGroups[].{name: name}}]"
        ),
    },
    # The emulator says 1.19 whatever was asked for.
    keep=("version", "releaseVersion"),
    absent=("labels", "taints"),
    fills=("launchTemplate.id", "launchTemplate.name"),
)

ROWS = {
    "aws:ecr/repository:Repository": REPOSITORY,
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": LIFECYCLE_POLICY,
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": PULL_THROUGH_CACHE_RULE,
    "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate": CREATION_TEMPLATE,
    "aws:eks/cluster:Cluster": CLUSTER,
    "aws:eks/accessEntry:AccessEntry": ACCESS_ENTRY,
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": ACCESS_POLICY_ASSOCIATION,
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": POD_IDENTITY_ASSOCIATION,
    "aws:eks/addon:Addon": ADDON,
    "aws:eks/nodeGroup:NodeGroup": NODE_GROUP,
}
