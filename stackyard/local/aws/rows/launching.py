"""EC2 launch templates and placement groups."""

from dataclasses import replace

from stackyard.local.aws.rows import Op, Read, Row, Tagging
from stackyard.local.aws.rows.tagging import BY_SERVICE

# What a version of a template holds; inputs that say something about the template itself are not among them.
_DATA = (
    "blockDeviceMappings",
    "capacityReservationSpecification",
    "cpuOptions",
    "creditSpecification",
    "disableApiStop",
    "disableApiTermination",
    "ebsOptimized",
    "enclaveOptions",
    "iamInstanceProfile",
    "imageId",
    "instanceInitiatedShutdownBehavior",
    "instanceType",
    "keyName",
    "metadataOptions",
    "monitoring",
    "networkInterfaces",
    "placement",
    "tagSpecifications",
    "userData",
    "vpcSecurityGroupIds",
)

LAUNCH_TEMPLATE = Row(
    service="ec2",
    create=Op(name="CreateLaunchTemplate", params={"VersionDescription": "=description"}),
    id="=r.LaunchTemplate.LaunchTemplateId",
    read=Read(name="DescribeLaunchTemplates", params={"LaunchTemplateIds": ["=id"]}, path="LaunchTemplates[0]"),
    delete=(Op(name="DeleteLaunchTemplate", params={"LaunchTemplateId": "=id"}),),
    mod=(
        # A version is whole: what a new one does not name, it does not have. The default version stays, as with the
        # real provider; who launches by `latestVersion` gets the new one.
        Op(
            name="CreateLaunchTemplateVersion",
            params={"LaunchTemplateId": "=id", "VersionDescription": "=description"},
            on=("description", *_DATA),
            resets=True,
        ),
    ),
    rename={
        "name": "LaunchTemplateName",
        # The call's own member of that name tags the template itself.
        "tagSpecifications": "LaunchTemplateData.TagSpecifications",
        "vpcSecurityGroupIds": "LaunchTemplateData.SecurityGroupIds",
    },
    under="LaunchTemplateData",
    watch={
        "latest": Read(
            name="DescribeLaunchTemplateVersions",
            params={"LaunchTemplateId": "=id", "Versions": ["$Latest"]},
            path="LaunchTemplateVersions[0]",
        )
    },
    shown_in="latest.LaunchTemplateData",
    shows={
        "name": "=d.LaunchTemplateName",
        "description": "=latest.VersionDescription",
        # The emulator keeps the template's own tags there.
        "tagSpecifications": "=latest.LaunchTemplateData.TagSpecifications[?ResourceType != 'launch-template']",
    },
    absent=_DATA,
    tag_type="launch-template",
    # The emulator's templates show the tags that they were made with.
    tagging=replace(
        BY_SERVICE["ec2"],
        read=Read(
            name="DescribeTags",
            params={"Filters": [{"Name": "resource-id", "Values": ["=id"]}]},
            path="Tags[].{Key: Key, Value: Value}",
        ),
    ),
    out={
        "arn": "arn:aws:ec2:{region}:{account}:launch-template/{id}",
        "latestVersion": "=d.LatestVersionNumber",
        "defaultVersion": "=d.DefaultVersionNumber",
        "name": "=d.LaunchTemplateName",
    },
)

PLACEMENT_GROUP = Row(
    service="ec2",
    create=Op(name="CreatePlacementGroup", params={"GroupName": "=name"}),
    id="=name",
    read=Read(name="DescribePlacementGroups", params={"GroupNames": ["=id"]}, path="PlacementGroups[0]"),
    delete=(Op(name="DeletePlacementGroup", params={"GroupName": "=id"}),),
    tag_type="placement-group",
    # Tags hang on the group's id, which is not that of the resource.
    tagging=Tagging(
        set=Op(name="CreateTags", params={"Resources": ["=placementGroupId"], "Tags": "=tags"}),
        unset=Op(name="DeleteTags", params={"Resources": ["=placementGroupId"], "Tags": "=removed[].{Key: @}"}),
    ),
    out={
        "arn": "arn:aws:ec2:{region}:{account}:placement-group/{id}",
        "placementGroupId": "=d.GroupId",
    },
    shows={"name": "=d.GroupName"},
    fake={"placementGroupId": "=join('', ['pg-', h])"},
)

ROWS = {
    "aws:ec2/launchTemplate:LaunchTemplate": LAUNCH_TEMPLATE,
    "aws:ec2/placementGroup:PlacementGroup": PLACEMENT_GROUP,
}
