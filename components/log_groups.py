"""What CloudWatch Logs allows."""

from components.invalid_argument import InvalidArgument

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip


def check_retention_days(days: int) -> None:
    """Raises ValueError when CloudWatch Logs does not know the retention, and names the nearest longer one."""
    if days in RETENTION_DAYS:
        return
    nearest = next((known for known in RETENTION_DAYS if known > days), RETENTION_DAYS[-1])
    known = ", ".join(map(str, RETENTION_DAYS))
    raise InvalidArgument(
        f"log retention of {days} days is unknown to CloudWatch Logs, use {nearest}; it knows {known}"
    )
