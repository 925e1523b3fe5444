"""How each service tags what exists already. Tags at create need no table: the model says which member takes them."""

from stackyard.local.aws.rows import Op, Tagging


def by_arn(resource: str, tags: str, keys: str, *, arn: str = "=arn") -> Tagging:
    """TagResource and UntagResource with the given member names."""
    return Tagging(
        set=Op(name="TagResource", params={resource: arn, tags: "=tags"}),
        unset=Op(name="UntagResource", params={resource: arn, keys: "=removed"}),
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
    "kms": by_arn("KeyId", "Tags", "TagKeys", arn="=id"),
    "logs": by_arn("resourceArn", "tags", "tagKeys"),
    "ecr": by_arn("resourceArn", "tags", "tagKeys"),
    "eks": by_arn("resourceArn", "tags", "tagKeys"),
    "sns": by_arn("ResourceArn", "Tags", "TagKeys"),
    "sqs": Tagging(
        set=Op(name="TagQueue", params={"QueueUrl": "=id", "Tags": "=tags"}),
        unset=Op(name="UntagQueue", params={"QueueUrl": "=id", "TagKeys": "=removed"}),
    ),
    "secretsmanager": by_arn("SecretId", "Tags", "TagKeys"),
    "events": by_arn("ResourceARN", "Tags", "TagKeys"),
    "cloudwatch": by_arn("ResourceARN", "Tags", "TagKeys"),
    "budgets": by_arn("ResourceARN", "ResourceTags", "ResourceTagKeys"),
    "rds": Tagging(
        set=Op(name="AddTagsToResource", params={"ResourceName": "=arn", "Tags": "=tags"}),
        unset=Op(name="RemoveTagsFromResource", params={"ResourceName": "=arn", "TagKeys": "=removed"}),
    ),
}
