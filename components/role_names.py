"""Names of roles: they begin with the stem of their environment, so that a policy can tell whose a role is.

IAM does not reliably know a role's tags when the role is handed to a service, so that right is given by name.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
"""

import hashlib
from typing import overload

from pulumi import Output, ResourceOptions

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LONGEST_ROLE_NAME = 64
HASH_LENGTH = 7

# Another name would be another role, which a cluster cannot take: a role keeps the name that it was made with. One that
# must be replaced goes first, since two cannot have one name.
KEEPS_ITS_NAME = ResourceOptions(ignore_changes=["name"], delete_before_replace=True)


@overload
def role_name(stem: str, child: str) -> str: ...
@overload
def role_name(stem: Output[str], child: str) -> Output[str]: ...
def role_name(stem: str | Output[str], child: str) -> str | Output[str]:
    """Physical name of a role, `<stem>-<child>`; what IAM finds too long ends in a hash of the whole.

    `stem` is `<prefix>-<environment>`, or begins so. Give the role `KEEPS_ITS_NAME` among its options.
    """
    if isinstance(stem, Output):
        return stem.apply(lambda known: role_name(known, child))
    name = f"{stem}-{child}"
    if len(name) <= LONGEST_ROLE_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:HASH_LENGTH]
    return f"{name[: LONGEST_ROLE_NAME - HASH_LENGTH - 1]}-{digest}"


def cluster_of(cluster_arn: str) -> str:
    """Name of a cluster, which is the stem of its environment, from its ARN."""
    return cluster_arn.rsplit("/", 1)[-1]
