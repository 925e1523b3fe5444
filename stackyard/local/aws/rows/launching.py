"""EC2 launch templates."""

from stackyard.local.aws.rows import Op, Read, Row

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
    tag_type="launch-template",
    out={
        "arn": "arn:aws:ec2:{region}:{account}:launch-template/{id}",
        "latestVersion": "=d.LatestVersionNumber",
        "defaultVersion": "=d.DefaultVersionNumber",
        "name": "=d.LaunchTemplateName",
    },
)

ROWS = {"aws:ec2/launchTemplate:LaunchTemplate": LAUNCH_TEMPLATE}
