"""What AWS's answers mean: gone, refused, refused in part, throttled, broken down, no answer at all."""

import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from botocore.parsers import ResponseParserError

from stackyard.local.aws.errors import shown

# AWS has about twenty spellings of «gone»; 404 alone is HeadBucket's.
NOT_FOUND = re.compile(r"NotFound|NoSuch|NonExistent|^404$")
# The last is GuardDuty's way of saying that there is no such detector.
ALREADY_DELETED = re.compile(
    r"currently marked deleted|scheduled for deletion|pending deletion|detectorId is not owned by the current account"
)

NO_ANSWER = (BotoCoreError, ResponseParserError)
"""What a call raises when there is no answer, or one that is no AWS answer (a crash of the emulator)."""

# As botocore's standard mode knows them (botocore/retries/standard.py); SlowDown and RequestLimitExceeded say 503.
THROTTLED = re.compile(r"Throttl|TooManyRequests|SlowDown|RequestLimitExceeded|BandwidthLimitExceeded")
READS = ("Describe", "Get", "List", "Head")
REMOVALS = ("Revoke", "Remove", "Untag", "Detach", "Disassociate", "Delete")
# Sent, but the answer got lost. EndpointConnectionError and ConnectTimeoutError are none: nothing was sent.
ANSWER_LOST = (HTTPClientError, IncompleteReadError, ResponseParserError)

# Refusals that keep something safe: what a person can do. By code and, where a code says many things, by message.
WAYS_OUT: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"^BucketNotEmpty"),
        "Its objects are kept: if nobody needs them, empty the bucket yourself, then try again",
    ),
    (
        re.compile(r"^(DependencyViolation|ResourceInUse(Exception)?|DeleteConflict)\b"),
        "Something that this stack did not make still needs it: remove that first, then try again",
    ),
    (
        re.compile(r"^InvalidParameterCombination: .*(protected|deletion protection)", re.IGNORECASE),
        "Deletion protection was turned on: turn it off on purpose first, then try again",
    ),
    (
        re.compile(r"^ResourceExistsException: .*\bsecret\b|scheduled for deletion", re.IGNORECASE),
        "A deleted secret keeps its name for its recovery window: `aws secretsmanager restore-secret --secret-id NAME` "
        "brings it back; or give another name",
    ),
    (
        re.compile(r"^(AccessDenied(Exception)?|UnauthorizedOperation)\b"),
        "Whoever applies the stack lacks this permission: docs/components/ci_access.md says what a deploy role may do",
    ),
)

# Answers that say 200 and list what failed.
PARTS = ("Unsuccessful", "FailedEntries", "Failed")


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def is_gone(error: ClientError) -> bool:
    return bool(NOT_FOUND.search(code(error)) or ALREADY_DELETED.search(str(error)))


def is_refusal(error: Exception) -> bool:
    """Whether AWS looked at the call and said no: neither throttled nor broken down."""
    return isinstance(error, ClientError) and not THROTTLED.search(code(error)) and not is_unknown(error)


def is_done_already(error: Exception, operation: str) -> bool:
    """Whether a setter is refused only since an earlier, half-done change of the resource made the same call."""
    if not isinstance(error, ClientError):
        return False
    removed = operation.startswith(REMOVALS) and bool(NOT_FOUND.search(code(error)))
    return removed or (operation.startswith("Authorize") and code(error).endswith(".Duplicate"))


def only_reads(operation: str) -> bool:
    return operation.startswith(READS)


def may_have_happened(error: Exception | None, parsed: Mapping[str, Any] | None) -> bool:
    """Whether a try may have been carried out although no success was answered: cut off, or an error of AWS's own.

    `error` is what sending raised, `parsed` the answer as botocore parsed it; one of them is None.
    """
    if error is not None:
        return isinstance(error, ANSWER_LOST)
    status = int((parsed or {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return status >= 500 and not THROTTLED.search(str((parsed or {}).get("Error", {}).get("Code", "")))


def is_unknown(error: Exception) -> bool:
    """Whether the failed call's last try may have been carried out."""
    return may_have_happened(error, None) or (
        isinstance(error, ClientError) and may_have_happened(None, dict(error.response))
    )


def explain(error: Exception, where: str, inputs: Mapping[str, Any], tries: int = 1) -> str:
    """One sentence for a failed call; inputs whose value AWS repeats are named."""
    after = f" ({tries} tries)" if tries > 1 else ""
    if _is_breakdown(error):
        log = "its log (emulator.log beside the state) ends with the reason"
        return f"{where} failed{after}: the emulator broke down; {log}"
    if not isinstance(error, ClientError):
        return f"{where} failed{after}: {error}. Is the emulator running? `stackyard local status` tells"
    message = str(error.response.get("Error", {}).get("Message", "")).strip()
    said = f"{code(error)}: {message}"
    if THROTTLED.search(code(error)):
        return f"AWS throttled {where}{after}: {said}"
    if is_unknown(error):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return f"AWS answered {where} with status {status}{after}: {said}"
    named = [
        f"{name} = {shown(value)}"
        for name, value in inputs.items()
        if isinstance(value, str) and len(value) > 2 and value in message
    ]
    about = [f"Input: {', '.join(named)}"] if named else []
    ways_out = [way for pattern, way in WAYS_OUT if pattern.search(said)][:1]
    return ". ".join([f"AWS refused {where}: {said}".rstrip("."), *about, *ways_out])


def _is_breakdown(error: Exception) -> bool:
    """Whether the answer is a page of the server's own: no XML, and in JSON's place taken for a message."""
    if isinstance(error, ClientError):
        return "<!doctype html>" in str(error.response.get("Error", {}).get("Message", ""))
    return isinstance(error, ResponseParserError)


def refused_part(response: Any) -> str | None:
    """The code and message of the first part that failed, if any did."""
    failed = next((entries for name in PARTS if (entries := response.get(name))), None)
    if not failed:
        return None
    error = failed[0].get("Error", failed[0])
    return f"{error.get('Code', error.get('ErrorCode'))}: {error.get('Message', error.get('ErrorMessage'))}"
