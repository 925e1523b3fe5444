"""Calls to AWS with the caller's own credentials; what goes wrong becomes a sentence."""

import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from stackyard.errors import UserError

if TYPE_CHECKING:
    import boto3

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403", "Forbidden", "UnauthorizedOperation"})
NO_CREDENTIALS = (
    "no AWS credentials were found. Give them in one of the ways that the AWS CLI knows: `aws sso login` with "
    "AWS_PROFILE set to the profile, a profile from `aws configure`, the variables AWS_ACCESS_KEY_ID, "
    "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the role of the machine that this runs on"
)
STALE = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "SignatureDoesNotMatch"}
    | {"UnrecognizedClientException", "InvalidAccessKeyId", "TokenRefreshRequired"}
)

# Where the permission is not called as the operation is:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
_OTHER_NAMES: Mapping[str, str] = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
}
_OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "sts": ("get_caller_identity",),
    "kms": (
        *("describe_key", "list_keys", "list_resource_tags", "get_key_policy", "get_key_rotation_status"),
        *("create_key", "create_alias", "tag_resource", "put_key_policy", "enable_key_rotation"),
        *("enable_key", "cancel_key_deletion"),
    ),
    "s3": (
        *("head_bucket", "list_buckets", "create_bucket", "get_bucket_tagging", "put_bucket_tagging"),
        *("get_public_access_block", "put_public_access_block"),
        *("get_bucket_ownership_controls", "put_bucket_ownership_controls"),
        *("get_bucket_versioning", "put_bucket_versioning", "get_bucket_encryption", "put_bucket_encryption"),
        *("get_object_lock_configuration", "put_object_lock_configuration"),
        *("get_bucket_lifecycle_configuration", "put_bucket_lifecycle_configuration"),
        *("get_bucket_policy", "put_bucket_policy", "get_bucket_logging", "put_bucket_logging"),
        *("get_bucket_notification_configuration", "put_bucket_notification_configuration"),
    ),
}
"""Every operation that bootstrap may call; another one is a mistake."""

# Another change of the same bucket is under way, or AWS has not yet told all its servers of a new resource.
_PASSING = frozenset({"OperationAborted", "NoSuchBucket", "404", "NotFoundException"})
_TRIES, _PAUSE_SECONDS = 6, 2.0


def permission(service: str, method: str) -> str:
    """The IAM action that a call needs: `s3:PutEncryptionConfiguration` for `put_bucket_encryption`."""
    operation = "".join(part.capitalize() for part in method.split("_"))
    return _OTHER_NAMES.get(f"{service}:{operation}", f"{service}:{operation}")


def permissions() -> list[str]:
    """All IAM actions that bootstrap may need, sorted."""
    return sorted({permission(service, method) for service, methods in _OPERATIONS.items() for method in methods})


class AwsRefusal(UserError):
    """AWS answered with an error that nobody here expected."""

    def __init__(self, text: str, code: str):
        super().__init__(text)
        self.code = code


class Aws:
    """One account as one session reaches it. Every method call is a call to AWS."""

    def __init__(
        self,
        session: "boto3.Session",
        region: str,
        *,
        endpoint: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ):
        """`endpoint` is for tests: it must be on loopback. Without it no configured endpoint counts, only AWS's own."""
        self._session, self._region, self._endpoint, self._sleep = session, region, endpoint, sleep
        self._clients: dict[str, Any] = {}
        self.caller = "?"
        """ARN of the credentials, once `identity.check` has asked."""

    def call(
        self,
        service: str,
        method: str,
        *,
        on: str = "",
        missing: frozenset[str] = frozenset(),
        settle: bool = False,
        **arguments: Any,
    ) -> Any:
        """The call's answer; None when AWS says one of `missing`.

        `on` names what it is about. `settle` waits for AWS to know what was just created. Raises UserError.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        if method not in _OPERATIONS[service]:
            raise LookupError(f"{service} {method} is not among the calls that docs and permissions name")
        for attempt in range(1, _TRIES + 1):
            try:
                return getattr(self._client(service), method)(**arguments)
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", ""))
                if code in missing:
                    return None
                if settle and code in _PASSING and attempt < _TRIES:
                    self._sleep(_PAUSE_SECONDS)
                    continue
                raise self._explained(error, code, service, method, on) from None
            except BotoCoreError as error:
                raise connection_error(error, self._region) from None
        raise AssertionError("unreachable")

    def _client(self, service: str) -> Any:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        from stackyard.local.safety import require_loopback

        if service not in self._clients:
            retries: Any = {"mode": "standard", "total_max_attempts": 6}
            if self._endpoint is None:
                # A variable left over from an emulator must not pass for AWS, nor one for AWS lead elsewhere.
                config, where = Config(retries=retries, ignore_configured_endpoint_urls=True), {}
            else:
                require_loopback(self._endpoint)
                config = Config(retries=retries, s3={"addressing_style": "path"}, proxies={}, inject_host_prefix=False)
                where = {"endpoint_url": self._endpoint}
            untyped: Any = self._session
            try:
                self._clients[service] = untyped.client(service, region_name=self._region, config=config, **where)
            except BotoCoreError as error:
                raise connection_error(error, self._region) from None
        return self._clients[service]

    def _explained(self, error: Any, code: str, service: str, method: str, on: str) -> UserError:
        said = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())
        if code in STALE:
            return stale_credentials(code, said, self._region)
        if code not in DENIED:
            return AwsRefusal(f"AWS refused {permission(service, method)}{_about(on)}: {code}, {said}", code)
        # What AWS names is exact: a create with tags may fail for the tags alone.
        named = re.search(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)", said)
        action = named[1] if named else permission(service, method)
        reason = f" AWS says: {said}." if said and said not in ("Forbidden", "Access Denied") else ""
        return AwsRefusal(
            f"the permission {action} is missing{_about(on)}: {self.caller} may not do that.{reason} Let an "
            "administrator grant it (docs/first-deployment.md lists all that bootstrap needs), then run the command "
            "again: it goes on from what exists",
            code,
        )


def stale_credentials(code: str, said: str, region: str) -> UserError:
    return UserError(
        f"AWS does not accept the credentials ({code}: {said}). They have expired or were removed, or the region "
        f"{region} is not enabled in the account. Renew them, with `aws sso login` for example, and run the command "
        "again"
    )


def connection_error(error: Exception, region: str) -> UserError:
    """Why nothing could be asked: no credentials, a profile that is not there, no network."""
    from botocore import exceptions

    match error:
        case exceptions.NoCredentialsError():
            return UserError(NO_CREDENTIALS)
        case exceptions.PartialCredentialsError() | exceptions.ProfileNotFound() | exceptions.ConfigParseError():
            return UserError(f"the AWS credentials are incomplete: {error}. {NO_CREDENTIALS.partition('. ')[2]}")
        case (
            exceptions.SSOError()
            | exceptions.TokenRetrievalError()
            | exceptions.CredentialRetrievalError()
            | exceptions.UnauthorizedSSOTokenError()
        ):
            return UserError(f"the AWS credentials could not be had: {error}. Run `aws sso login` and try again")
        case exceptions.HTTPClientError() | exceptions.ConnectionError():
            return UserError(
                f"AWS in {region} does not answer: {error}. Check the network, a proxy (HTTPS_PROXY) and the region's "
                "name; nothing is known of a call that was under way, so run the command again"
            )
        case _:
            return UserError(f"AWS could not be asked: {error}")


def _about(on: str) -> str:
    return f" for {on}" if on else ""
