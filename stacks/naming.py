"""Physical names of what holds data: the same on both sides of a stack reference, and after a rebuild."""

from stackyard.errors import InvalidInput

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME_LENGTH = 63
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreatePullThroughCacheRule.html
CACHE_PREFIX_LENGTH = 30

# Nouns of buckets that more than one place must call alike: components, settings' rules, CI's roles, the bootstrap.
DATA, ACCESS_LOGS = "data", "access-logs"
STATE, STATE_LOGS = "state", "state-logs"


def physical_name(
    *, prefix: str, environment: str, noun: str, account_id: str, region: str, limit: int = BUCKET_NAME_LENGTH
) -> str:
    """`<prefix>-<environment>-<noun>-<account>-<region>`, for example `stackyard-prod-data-777788889999-us-east-1`.

    Raises InvalidInput when it is longer than `limit` characters.
    """
    name = "-".join((prefix, environment, noun, account_id, region))
    if len(name) > limit:
        raise InvalidInput(
            f"the physical name {name} has {len(name)} characters, but must have at most {limit}: "
            f"AWS accepts no longer ones. Shorten {noun!r}, environment.name or environment.prefix "
            f"by {len(name) - limit}."
        )
    return name


def disk_key_alias(prefix: str) -> str:
    """Alias of the key that encrypts the disks of an account: the account stack makes it, platforms use it by name."""
    return f"alias/{prefix}-disks"
