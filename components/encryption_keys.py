"""KMS keys of components: rotating, slow to delete, administered by the account."""

from collections.abc import Mapping, Sequence

import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.iam_policies import Effect, Statement, resource_policy
from components.invalid_argument import InvalidArgument

# https://docs.aws.amazon.com/kms/latest/developerguide/rotating-keys-enable.html
SHORTEST_ROTATION_DAYS = 90
LONGEST_ROTATION_DAYS = 2560
ROTATION_DAYS = 365

# https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html: 30 days, the longest, to notice a mistake.
DELETION_WINDOW_DAYS = 30

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
LOG_GROUP_KEY_ACTIONS = ("kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*")

DATA_KEY_ACTIONS = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")


def encryption_key(
    name: str,
    *,
    description: str,
    policy: Input[str],
    tags: Mapping[str, str],
    opts: ResourceOptions,
    rotation_days: int = ROTATION_DAYS,
) -> aws.kms.Key:
    """A symmetric key for encryption. Raises ValueError when KMS does not know the rotation period."""
    if not SHORTEST_ROTATION_DAYS <= rotation_days <= LONGEST_ROTATION_DAYS:
        raise InvalidArgument(
            f"key rotation every {rotation_days} days is not possible: "
            f"KMS rotates every {SHORTEST_ROTATION_DAYS} to {LONGEST_ROTATION_DAYS} days, for example {ROTATION_DAYS}"
        )
    return aws.kms.Key(
        name,
        description=description,
        enable_key_rotation=True,
        rotation_period_in_days=rotation_days,
        deletion_window_in_days=DELETION_WINDOW_DAYS,
        bypass_policy_lockout_safety_check=False,
        policy=policy,
        tags=dict(tags),
        opts=opts,
    )


def key_policy(location: AwsLocation, statements: Sequence[Statement] = ()) -> Output[str]:
    """Key policy: the account administers (its IAM policies decide who), plus `statements`."""
    return resource_policy([administered_by_account(location), *statements])


def administered_by_account(location: AwsLocation) -> Statement:
    """Without this statement a lost role would lock everybody out of the key for good."""
    return Statement(sid="Administer", actions=["kms:*"], resources=["*"], principals={"AWS": [location.root_arn]})


def used_through_service_only(location: AwsLocation, service: str) -> Statement:
    """Data is encrypted and decrypted through `service` (`s3`, say) in this region, never by a call to KMS itself."""
    return Statement(
        sid="OnlyThroughService",
        effect=Effect.DENY,
        actions=DATA_KEY_ACTIONS,
        resources=["*"],
        # The account stands for all its principals; others have no Allow.
        principals={"AWS": [location.root_arn]},
        conditions={"StringNotEquals": {"kms:ViaService": f"{service}.{location.region}.{location.dns_suffix}"}},
    )


def used_by_log_group(location: AwsLocation, log_group_name: str) -> Statement:
    """CloudWatch Logs encrypts this one log group."""
    return Statement(
        sid="EncryptLogs",
        actions=LOG_GROUP_KEY_ACTIONS,
        resources=["*"],
        principals={"Service": [f"logs.{location.region}.{location.dns_suffix}"]},
        conditions={
            # The ARN holds the account, so no other account's log group can use the key either.
            "ArnEquals": {"kms:EncryptionContext:aws:logs:arn": location.arn("logs", f"log-group:{log_group_name}")}
        },
    )
