"""The embedded AWS provider of the local stack: resource types as table rows, calls to an emulator on loopback."""

from stackyard.local.applied import Applied
from stackyard.local.aws.engine import AwsProvider
from stackyard.local.aws.errors import ProviderError

__all__ = ["Applied", "AwsProvider", "ProviderError"]
