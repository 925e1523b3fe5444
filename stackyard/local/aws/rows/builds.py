"""CodeBuild projects with their webhooks, and connections to GitHub."""

from stackyard.local.aws.rows import Op, Read, Row, Tagging
from stackyard.local.aws.rows.tagging import by_arn

_PROJECT_INPUTS = (
    "artifacts",
    "buildTimeout",
    "concurrentBuildLimit",
    "description",
    "encryptionKey",
    "environment",
    "logsConfig",
    "queuedTimeout",
    "serviceRole",
    "source",
    "sourceVersion",
    "vpcConfig",
)

PROJECT = Row(
    service="codebuild",
    create=Op(name="CreateProject"),
    id="=r.project.arn",
    # The emulator finds it by its name alone.
    read=Read(name="BatchGetProjects", params={"names": ["=name"]}, path="projects[0]"),
    delete=(Op(name="DeleteProject", params={"name": "=name"}),),
    mod=(Op(name="UpdateProject", params={"name": "=name"}, on=_PROJECT_INPUTS),),
    rename={"buildTimeout": "timeoutInMinutes", "queuedTimeout": "queuedTimeoutInMinutes"},
    # A project has no call of its own for tags.
    tagging=Tagging(set=Op(name="UpdateProject", params={"name": "=name", "tags": "=tags"})),
    out={"arn": "=id"},
    # The emulator drops these.
    keep=("encryptionKey", "buildTimeout", "concurrentBuildLimit"),
)

# A list of lists: all filters of one group must match.
_FILTER_GROUPS = "=filterGroups[*].filters"

WEBHOOK = Row(
    service="codebuild",
    create=Op(name="CreateWebhook", params={"filterGroups": _FILTER_GROUPS}),
    id="=projectName",
    read=Read(name="BatchGetProjects", params={"names": ["=projectName"]}, path="projects[0].webhook"),
    delete=(Op(name="DeleteWebhook", params={"projectName": "=id"}),),
    mod=(
        Op(
            name="UpdateWebhook",
            params={"projectName": "=id", "filterGroups": _FILTER_GROUPS},
            on=("buildType", "branchFilter", "filterGroups"),
        ),
    ),
)

CONNECTION = Row(
    service="codeconnections",
    create=Op(name="CreateConnection"),
    id="=arn",
    read=Read(name="GetConnection", params={"ConnectionArn": "=id"}, path="Connection"),
    delete=(Op(name="DeleteConnection", params={"ConnectionArn": "=id"}),),
    rename={"name": "ConnectionName"},
    tagging=by_arn("ResourceArn", "Tags", "TagKeys", arn="=id"),
    fake={
        "arn": "arn:aws:codeconnections:{region}:{account}:connection/{h}",
        "connectionStatus": "PENDING",
    },
)

ROWS = {
    "aws:codebuild/project:Project": PROJECT,
    "aws:codebuild/webhook:Webhook": WEBHOOK,
    "aws:codeconnections/connection:Connection": CONNECTION,
}
