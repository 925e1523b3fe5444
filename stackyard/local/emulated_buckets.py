"""Where the emulator's buckets have to be other than moto's: what they tell, and how long a lock holds."""

from functools import wraps
from typing import Any

from moto.s3.models import FakeKey
from moto.s3.responses import S3Response

FLAG = "EventBridgeConfiguration"


def tell_of_eventbridge() -> None:
    """Makes moto's answer hold the flag that it stores and leaves out.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html
    """
    get = S3Response.get_bucket_notification

    @wraps(get)
    def get_with_flag(self: S3Response) -> Any:
        found = self.backend.get_bucket_notification_configuration(self.bucket_name)
        write = self.serialized

        def with_flag(action_result: Any) -> Any:
            if found is not None and found.event_bridge is not None:
                action_result.result[FLAG] = {}
            return write(action_result)

        self.serialized = with_flag
        return get(self)

    S3Response.get_bucket_notification = get_with_flag


def let_a_destroy_pass_locks() -> None:
    """Makes a lock in compliance mode give way to the header that passes one in governance mode.

    On AWS nothing passes it, and a destroy leaves locked data behind. Here `local destroy --include-data` has promised
    to leave nothing; without the header, which only that sends, the lock holds.
    """
    is_locked = FakeKey.is_locked

    @wraps(is_locked)
    def locked_for(self: FakeKey, governance_bypass: bool) -> bool:
        held = self.lock_legal_status == "ON"
        return is_locked(self, governance_bypass) and (held or not governance_bypass)

    FakeKey.is_locked = locked_for
