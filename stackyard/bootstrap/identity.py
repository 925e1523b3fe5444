"""Whose credentials these are, before anything is looked at or created."""

from stackyard.bootstrap.calls import Aws
from stackyard.bootstrap.store import StateStore
from stackyard.errors import UserError


def check(aws: Aws, store: StateStore) -> str:
    """ARN of the caller. Raises UserError when the account is not the one that the stack files name."""
    identity = aws.call("sts", "get_caller_identity")
    account, caller = str(identity["Account"]), str(identity["Arn"])
    aws.caller = caller
    files = ", ".join(f"stacks/Pulumi.{stack.name}.yaml" for stack in store.stacks)
    if account != store.account_id:
        raise UserError(
            f"the credentials belong to account {account} ({caller}), but {files} names account {store.account_id} as "
            f"the home of {store.environment}. Nothing was created. Take credentials of {store.account_id}, or correct "
            "environment.accountId if the file is wrong: the ids of the committed examples are AWS's own placeholders"
        )
    partition = caller.split(":")[1]
    if partition != store.partition:
        raise UserError(
            f"the credentials belong to the partition {partition} ({caller}), but the region {store.region} in "
            f"{files} lies in {store.partition}. Nothing was created. Correct environment.region"
        )
    return caller
