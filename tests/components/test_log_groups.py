"""Retention of logs is one of those that CloudWatch Logs knows."""

import pytest

from components.log_groups import RETENTION_DAYS, check_retention_days


@pytest.mark.parametrize("days", RETENTION_DAYS)
def test_what_cloudwatch_knows_is_accepted(days):
    check_retention_days(days)


@pytest.mark.parametrize(("days", "nearest"), [(0, 1), (17, 30), (366, 400), (9999, 3653)])
def test_what_it_does_not_know_is_refused_with_the_nearest_longer_one(days, nearest):
    with pytest.raises(ValueError, match=f"{days} days is unknown to CloudWatch Logs, use {nearest};"):
        check_retention_days(days)
