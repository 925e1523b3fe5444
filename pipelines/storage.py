"""Files at URIs: `s3://bucket/key` through boto3, anything without a scheme (or `file://`) as a path on this machine.

boto3 itself honours `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_S3`; nothing here knows whether S3 is real or emulated.
"""

from __future__ import annotations

import functools
import hashlib
import os
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from stackyard.errors import InvalidInput, UserError

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; HEAD answers have no body, hence the bare 404.
MISSING_OBJECT_CODES = frozenset({"NoSuchKey", "404", "NotFound"})


class StorageError(UserError):
    """An object could not be read or written."""


class ObjectNotFound(StorageError):
    """Nothing lies at that URI."""


def sha256(data: bytes) -> str:
    """Hash of `data`, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def join(base: str, *parts: str) -> str:
    """`base` with `parts` below it, one slash between each."""
    return "/".join([base.rstrip("/"), *(part.strip("/") for part in parts)])


def read_bytes(uri: str) -> bytes:
    """Content of the object. Raises ObjectNotFound when there is none, StorageError for any other refusal."""
    if bucket_key := _s3(uri):
        bucket, key = bucket_key
        return _call(uri, "read", lambda: _client().get_object(Bucket=bucket, Key=key)["Body"].read())
    try:
        return _path(uri).read_bytes()
    except FileNotFoundError:
        raise ObjectNotFound(_missing(uri)) from None
    except OSError as error:
        raise StorageError(f"{uri} cannot be read: {error.strerror}.") from error


def write_bytes(uri: str, data: bytes) -> None:
    """Replaces the object as a whole: a reader sees the old content or the new one, never half of it."""
    if bucket_key := _s3(uri):
        bucket, key = bucket_key
        _call(uri, "written", lambda: _client().put_object(Bucket=bucket, Key=key, Body=data))
        return
    path = _path(uri)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        os.replace(partial, path)
    except OSError as error:
        raise StorageError(f"{uri} cannot be written: {error.strerror}.") from error


def write_if_changed(uri: str, data: bytes) -> bool:
    """Writes only if the object differs, so that a versioned bucket gets no second version of the same bytes.

    Returns whether it wrote.
    """
    try:
        if read_bytes(uri) == data:
            return False
    except ObjectNotFound:
        pass
    write_bytes(uri, data)
    return True


def exists(uri: str) -> bool:
    """Whether an object lies at the URI; a folder is not an object. Raises StorageError when the bucket is missing."""
    bucket_key = _s3(uri)
    if bucket_key is None:
        return _path(uri).is_file()
    bucket, key = bucket_key
    try:
        _call(uri, "read", lambda: _client().head_object(Bucket=bucket, Key=key))
    except ObjectNotFound:
        return _appears(uri, bucket, key)
    return True


def _appears(uri: str, bucket: str, key: str) -> bool:
    # A HEAD's bare 404 tells no missing bucket from a missing object; a GET does, with the same permissions.
    try:
        _call(uri, "read", lambda: _client().get_object(Bucket=bucket, Key=key)["Body"].close())
    except ObjectNotFound:
        return False
    return True


def names_below(uri: str) -> list[str]:
    """Names of all objects below a prefix, relative to it, sorted. Empty when there are none."""
    if bucket_key := _s3(uri.rstrip("/") + "/"):
        bucket, prefix = bucket_key
        pages = _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        found = _call(uri, "listed", lambda: [item["Key"] for page in pages for item in page.get("Contents", ())])
        return sorted(key[len(prefix) :] for key in found)
    folder = _path(uri)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _s3(uri: str) -> tuple[str, str] | None:
    """Bucket and key of an s3:// URI, None for a path."""
    if "://" not in uri:
        return None
    scheme, _, rest = uri.partition("://")
    if scheme == "file":
        return None
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise InvalidInput(
            f"{uri!r} is not a place for files: give s3://BUCKET/PREFIX or a folder, for example s3://my-bucket/training."
        )
    return bucket, key


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path)) if uri.startswith("file://") else Path(uri)


def _missing(uri: str) -> str:
    return f"{uri} does not exist: it was never written or has been deleted. Run the step that writes it first."


def _call(uri: str, verb: str, request: Any) -> Any:
    """Runs one S3 request and turns botocore's errors into sentences."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return request()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in MISSING_OBJECT_CODES:
            raise ObjectNotFound(_missing(uri)) from None
        if code == "NoSuchBucket":
            bucket = uri.removeprefix("s3://").partition("/")[0]
            raise StorageError(
                f"{uri} cannot be {verb}: the bucket {bucket} does not exist. Correct its name, or deploy the stack "
                "that makes it first."
            ) from None
        raise StorageError(f"{uri} cannot be {verb}: S3 answered {code} ({error}).") from error
    except BotoCoreError as error:
        raise StorageError(f"{uri} cannot be {verb}: {error}") from error


def _client() -> Any:
    # A client is kept per endpoint and key: tests and the local stack change both within one process.
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_REGION")
    return _client_for(tuple(os.environ.get(name, "") for name in names))


@functools.lru_cache(maxsize=4)
def _client_for(environment: tuple[str, ...]) -> Any:
    import boto3
    from botocore.config import Config

    # An emulator on loopback has no host name per bucket; AWS itself wants the virtual-hosted style.
    style = "path" if environment[0] or environment[1] else "auto"
    # A session of its own: the default one keeps the first credentials it has seen.
    return boto3.Session().client("s3", config=Config(s3={"addressing_style": style}, retries={"mode": "standard"}))
