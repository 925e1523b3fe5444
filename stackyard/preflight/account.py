"""Reading calls to AWS: each is made once, throttling is waited for, and a refusal says which permission is missing."""

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from stackyard.bootstrap.calls import DENIED, STALE, connection_error
from stackyard.bootstrap.calls import permission as bootstrap_permission
from stackyard.errors import UserError
from stackyard.preflight.finding import Unanswered

if TYPE_CHECKING:
    import boto3  # pyright: ignore[reportMissingTypeStubs]  # it has none

# EC2 has a word of its own.
_STALE = STALE | {"AuthFailure"}
# What moto answers for an operation or a service that it does not have.
_NOT_EMULATED = frozenset({"404", "405", "500", "501", "InternalError", "InternalFailure", "NotYetImplemented"})

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "codeconnections": ("list_connections",),
    "ec2": (
        *("describe_addresses", "describe_availability_zones", "describe_capacity_reservations"),
        *("describe_instance_type_offerings", "describe_instance_types", "describe_instances", "describe_nat_gateways"),
        *("describe_regions", "describe_route_tables", "describe_subnets", "describe_vpc_attribute"),
        *("describe_vpc_endpoints", "describe_vpcs"),
    ),
    "eks": ("describe_addon_versions", "describe_cluster", "describe_cluster_versions", "list_clusters"),
    "iam": ("get_role", "simulate_principal_policy"),
    "s3": ("get_object", "head_bucket", "list_buckets"),
    "secretsmanager": ("describe_secret",),
    "service-quotas": ("get_aws_default_service_quota", "get_service_quota"),
    "ssm": ("get_parameters",),
    "sts": ("get_caller_identity",),
}
"""Every operation that preflight may call; another one is a mistake."""

# Fast enough that an unreachable network is told within half a minute, patient enough for throttling.
_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 5, 20, 5
_FIRST_REGIONS = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


def first_region(partition: str) -> str:
    """A region that is enabled in every account of the partition: who is asked about the others."""
    return _FIRST_REGIONS.get(partition, "us-east-1")


def permission(service: str, method: str) -> str:
    """The IAM action that a call needs, for example `servicequotas:GetServiceQuota`."""
    if method == "get_aws_default_service_quota":
        return "servicequotas:GetAWSDefaultServiceQuota"
    return bootstrap_permission(service.replace("-", ""), method)


def permissions() -> list[str]:
    """All IAM actions that preflight may need, sorted."""
    return sorted({permission(service, method) for service, methods in OPERATIONS.items() for method in methods})


Clients = Callable[[str, str], Any]
"""From service and region to a boto3 client."""


def own_clients(session: "Callable[[], boto3.Session]") -> Clients:
    """Clients with the caller's own credentials. No configured endpoint counts: a leftover of an emulator is not AWS.

    `session` is called when the first client is made, so that a profile that is not there is a finding like any other.
    """
    from botocore.config import Config  # pyright: ignore[reportMissingTypeStubs]  # it has none

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        ignore_configured_endpoint_urls=True,
    )
    made: list[Any] = []

    def client(service: str, region: str) -> Any:
        made[:] = made or [session()]
        return made[0].client(service, region_name=region, config=config)

    return client


def emulator_clients(endpoint: str) -> Clients:
    """Clients that reach the emulator at `endpoint` and nothing else."""
    from stackyard.local.safety import client

    return lambda service, region: client(service, endpoint=endpoint, region=region)


class Account:
    """One account as its caller sees it. Answers are remembered: checks share facts, and no call is made twice."""

    def __init__(
        self,
        clients: Clients,
        region: str,
        *,
        emulated: bool = False,
        operations: Mapping[str, tuple[str, ...]] = OPERATIONS,
        page: str = "docs/preflight.md",
    ):
        """`operations`: all that may be called, by service, as `page` lists it for who must grant it."""
        self._make, self._region, self.emulated = clients, region, emulated
        self._operations, self._page = operations, page
        self._clients: dict[tuple[str, str], Any] = {}
        self._answers: dict[str, Any] = {}

    def call(
        self,
        service: str,
        method: str,
        *,
        region: str = "",
        missing: frozenset[str] = frozenset(),
        **arguments: Any,
    ) -> Any:
        """The answer, all pages of it; None when AWS says one of `missing`. Raises Unanswered."""
        if method not in self._operations[service]:
            raise LookupError(f"{service} {method} is not among the calls that docs and permissions name")
        region = region or self._region
        key = json.dumps([service, region, method, sorted(missing), arguments], sort_keys=True)
        if key not in self._answers:
            try:
                self._answers[key] = self._asked(service, region, method, missing, arguments)
            except Unanswered as silence:
                self._answers[key] = silence
        if isinstance(answer := self._answers[key], Unanswered):
            raise answer
        return answer

    def _asked(self, service: str, region: str, method: str, missing: frozenset[str], arguments: Any) -> Any:
        # It has no type stubs.
        from botocore import exceptions, parsers  # pyright: ignore[reportMissingTypeStubs]

        try:
            client = self._client(service, region)
            if client.can_paginate(method):
                return client.get_paginator(method).paginate(**arguments).build_full_result()
            answer = getattr(client, method)(**arguments)
            # A stream could be read once only.
            return answer | {"Body": answer["Body"].read()} if method == "get_object" else answer
        except exceptions.ClientError as error:
            said: Any = error
            code = str(said.response.get("Error", {}).get("Code", ""))
            if code in missing:
                return None
            raise self._explained(said, code, service, method) from None
        except parsers.ResponseParserError:
            if self.emulated:
                raise self._not_emulated(service, method) from None
            raise Unanswered(f"the answer to {permission(service, method)} could not be read", _PROXY) from None
        except exceptions.BotoCoreError as error:
            raise _no_connection(error, region) from None
        except UserError as error:
            raise _in_two(str(error), credentials=True) from None

    def _client(self, service: str, region: str) -> Any:
        key = (service, region)
        if key not in self._clients:
            self._clients[key] = self._make(service, region)
        return self._clients[key]

    def _explained(self, error: Any, code: str, service: str, method: str) -> Unanswered:
        said = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())
        if self.emulated and code in _NOT_EMULATED:
            return self._not_emulated(service, method)
        if code in _STALE:
            return Unanswered(
                f"AWS does not accept the credentials ({code}: {said})",
                "renew the credentials: they have expired, were removed, or belong to another partition",
                credentials=True,
            )
        action = permission(service, method)
        if code in DENIED:
            named = re.search(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)", said)
            return Unanswered(
                f"the permission {named[1] if named else action} is missing",
                f"let an administrator grant it ({self._page} lists all that the command needs), or let somebody who "
                "has it run the command",
                denied=True,
            )
        return Unanswered(f"AWS refused {action}: {code}, {said}", "run the command again; if it stays, ask AWS")

    def _not_emulated(self, service: str, method: str) -> Unanswered:
        return Unanswered(f"the emulator does not know {permission(service, method)}")


_PROXY = "check whether a proxy stands between this machine and AWS"


def _no_connection(error: Exception, region: str) -> Unanswered:
    from botocore import exceptions  # pyright: ignore[reportMissingTypeStubs]  # it has none

    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        return Unanswered(
            f"AWS in {region} does not answer: {error}",
            "check the network, a proxy (HTTPS_PROXY) and the region's name",
        )
    no_login = (
        *(exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound),
        *(exceptions.ConfigParseError, exceptions.SSOError, exceptions.TokenRetrievalError),
        *(exceptions.CredentialRetrievalError, exceptions.UnauthorizedSSOTokenError),
    )
    return _in_two(str(connection_error(error, region)), credentials=isinstance(error, no_login))


def _in_two(text: str, *, credentials: bool) -> Unanswered:
    """What is wrong, and what to do, of a text that says both."""
    sentence, _, ways = text.partition(". ")
    return Unanswered(sentence, ways[:1].lower() + ways[1:], credentials=credentials)
