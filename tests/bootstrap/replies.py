"""AWS's answers from memory, put in at the wire: botocore builds the request and reads the reply as ever."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

from stackyard.local import safety

REGION = "us-east-1"
LOOPBACK = "http://127.0.0.1:9"
"""Nothing listens there: a call without a reply fails instead of reaching somebody."""

Reply = tuple[int, str] | tuple[int, str, dict[str, str]]
"""Status, body and headers."""


def denied_json(text: str = "") -> Reply:
    return 400, '{"__type": "AccessDeniedException", "Message": "' + text + '"}'


def error_xml(code: str, text: str = "", status: int = 403) -> Reply:
    return status, f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"


def identity(account: str, partition: str = "aws") -> Reply:
    return 200, (
        "<GetCallerIdentityResponse><GetCallerIdentityResult>"
        f"<Arn>arn:{partition}:iam::{account}:user/anna</Arn><UserId>U</UserId><Account>{account}</Account>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )


def session(replies: Mapping[str, Reply | Callable[[], Reply]], seen: list[str] | None = None) -> boto3.Session:
    """A session whose calls are answered by operation name (`HeadBucket`); others find nobody."""
    made = boto3.Session("k", "s", region_name=REGION, botocore_session=safety.bare_session())

    def answer(event_name: str, request: Any, **_: Any) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        if seen is not None:
            seen.append(operation)
        if operation not in replies:
            return None
        reply = replies[operation]
        status, body, *more = reply if isinstance(reply, tuple) else reply()
        raw = _Raw(b"" if request.method == "HEAD" else body.encode())
        return AWSResponse(request.url, status, {"x-amz-request-id": "1", **(more[0] if more else {})}, raw)

    made.events.register("before-send", answer)
    return made


class _Raw(io.BytesIO):
    def stream(self, amt: int = 1024, decode_content: bool = False):
        while chunk := self.read(amt):
            yield chunk
