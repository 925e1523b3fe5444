"""What AWS's answers mean: gone, refused, refused in part, no answer at all."""

import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from stackyard.local.aws.errors import shown

# AWS has about twenty spellings of «gone»; 404 alone is HeadBucket's.
NOT_FOUND = re.compile(r"NotFound|NoSuch|NonExistent|^404$")
ALREADY_DELETED = re.compile(r"currently marked deleted|scheduled for deletion|pending deletion")

NO_ANSWER = (BotoCoreError, ResponseParserError)
"""What a call raises when there is no answer, or one that is no AWS answer (a crash of the emulator)."""

# Answers that say 200 and list what failed.
PARTS = ("Unsuccessful", "FailedEntries", "Failed")


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def is_gone(error: ClientError) -> bool:
    return bool(NOT_FOUND.search(code(error)) or ALREADY_DELETED.search(str(error)))


def explain(error: Exception, where: str, inputs: Mapping[str, Any]) -> str:
    """One sentence for a failed call; inputs whose value AWS repeats are named."""
    if not isinstance(error, ClientError):
        return f"{where} failed: {error}. Is the emulator running? `stackyard local status` tells."
    message = str(error.response.get("Error", {}).get("Message", "")).strip()
    named = [
        f"{name} = {shown(value)}"
        for name, value in inputs.items()
        if isinstance(value, str) and len(value) > 2 and value in message
    ]
    about = f" Input: {', '.join(named)}." if named else ""
    return f"AWS refused {where}: {code(error)}: {message}{about}"


def refused_part(response: Any) -> str | None:
    """The code and message of the first part that failed, if any did."""
    failed = next((entries for name in PARTS if (entries := response.get(name))), None)
    if not failed:
        return None
    error = failed[0].get("Error", failed[0])
    return f"{error.get('Code', error.get('ErrorCode'))}: {error.get('Message', error.get('ErrorMessage'))}"
