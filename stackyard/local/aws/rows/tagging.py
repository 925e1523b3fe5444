"""How each service tags what exists already. Tags at create need no table: the model says which member takes them."""

from stackyard.local.aws.rows import Op, Read, Tagging


def by_arn(
    resource: str, tags: str, keys: str, *, arn: str = "=arn", shown_by: str = "ListTagsForResource", shown: str = ""
) -> Tagging:
    """TagResource and UntagResource with the given member names. `shown_by` is empty where the document has the tags.

    `shown` is the path in its answer, the member `tags` by default.
    """
    return Tagging(
        set=Op(name="TagResource", params={resource: arn, tags: "=tags"}),
        unset=Op(name="UntagResource", params={resource: arn, keys: "=removed"}),
        read=Read(name=shown_by, params={resource: arn}, path=shown or tags) if shown_by else None,
    )


def iam(noun: str, member: str, *, id: str = "=id") -> Tagging:
    return Tagging(
        set=Op(name=f"Tag{noun}", params={member: id, "Tags": "=tags"}),
        unset=Op(name=f"Untag{noun}", params={member: id, "TagKeys": "=removed"}),
    )


BY_SERVICE: dict[str, Tagging] = {
    "ec2": Tagging(
        set=Op(name="CreateTags", params={"Resources": ["=id"], "Tags": "=tags"}),
        unset=Op(name="DeleteTags", params={"Resources": ["=id"], "Tags": "=removed[].{Key: @}"}),
    ),
    "kms": by_arn("KeyId", "Tags", "TagKeys", arn="=id", shown_by="ListResourceTags"),
    "logs": by_arn("resourceArn", "tags", "tagKeys"),
    "ecr": by_arn("resourceArn", "tags", "tagKeys"),
    "eks": by_arn("resourceArn", "tags", "tagKeys", shown_by=""),
    "sns": by_arn("ResourceArn", "Tags", "TagKeys"),
    "sqs": Tagging(
        set=Op(name="TagQueue", params={"QueueUrl": "=id", "Tags": "=tags"}),
        unset=Op(name="UntagQueue", params={"QueueUrl": "=id", "TagKeys": "=removed"}),
        read=Read(name="ListQueueTags", params={"QueueUrl": "=id"}, path="Tags"),
    ),
    "secretsmanager": by_arn("SecretId", "Tags", "TagKeys", shown_by=""),
    "events": by_arn("ResourceARN", "Tags", "TagKeys"),
    "cloudwatch": by_arn("ResourceARN", "Tags", "TagKeys"),
    "budgets": by_arn("ResourceARN", "ResourceTags", "ResourceTagKeys"),
    "rds": Tagging(
        set=Op(name="AddTagsToResource", params={"ResourceName": "=arn", "Tags": "=tags"}),
        unset=Op(name="RemoveTagsFromResource", params={"ResourceName": "=arn", "TagKeys": "=removed"}),
        read=Read(name="ListTagsForResource", params={"ResourceName": "=arn"}, path="TagList"),
    ),
}
