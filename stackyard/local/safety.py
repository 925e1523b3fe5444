"""Nothing that a local environment does reaches a real account: its processes' environment, sockets and clients."""

import ipaddress
import os
import sys
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from stackyard.errors import UserError
from stackyard.local.guard import stackyard_loopback
from stackyard.local.places import Places

if TYPE_CHECKING:
    import boto3
    import botocore.session

EMULATED_ACCOUNT_ID = "123456789012"
"""The account that moto answers for (moto.core.DEFAULT_ACCOUNT_ID)."""
DUMMY_ACCESS_KEY_ID = "stackyard"
DUMMY_SECRET_ACCESS_KEY = "stackyard"

# A guest may say where in AWS it is and how long it waits, never who it is or whom it asks.
_HARMLESS_AWS_NAMES = frozenset({"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS"})
_PROXY_NAMES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY"})

_clients = threading.Lock()


def base_environment(places: Places) -> dict[str, str]:
    """Environment variables of every child process, built from nothing: none of the caller's are in it.

    Creates the processes' HOME inside `.stackyard`.
    """
    places.home.mkdir(parents=True, exist_ok=True)
    # Neither file exists: the SDKs read an absent file as an empty one.
    aws_files = {
        "AWS_CONFIG_FILE": str(places.home / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(places.home / "no-aws-credentials"),
    }
    silence = {
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OTEL_SDK_DISABLED": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    python = {"PYTHONHASHSEED": "0", "PYTHONPATH": str(guard_path()), "PYTHONUNBUFFERED": "1"}
    return {
        # The venv's own folder first, unresolved: sys.executable is a link out of it.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "HOME": str(places.home),
        "USER": "stackyard",
        "LOGNAME": "stackyard",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "NO_PROXY": "*",
        "no_proxy": "*",
        "AWS_ACCESS_KEY_ID": DUMMY_ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": DUMMY_SECRET_ACCESS_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "METAFLOW_HOME": str(places.home / "metaflow"),
        "METAFLOW_USER": "stackyard",
        "PULUMI_HOME": str(places.home / "pulumi"),
        **aws_files,
        **silence,
        **python,
    }


def child_environment(
    places: Places, *, endpoint: str, region: str, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """`base_environment` plus the emulator's endpoint, the region, and `extra`.

    `extra` may set anything but what would lead away from the emulator: keys, profiles, other endpoints, proxies and
    HOME raise UserError. Its PYTHONPATH and PATH are put behind ours.
    """
    require_loopback(endpoint)
    environment = base_environment(places) | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    for name, value in (extra or {}).items():
        if name in ("PYTHONPATH", "PATH"):
            environment[name] = os.pathsep.join([environment[name], value])
        elif environment.get(name) != value:
            _refuse_escape(name, value)
            environment[name] = value
    return environment


def _refuse_escape(name: str, value: str) -> None:
    upper = name.upper()
    if upper.startswith("AWS_ENDPOINT_URL") or upper == "METAFLOW_S3_ENDPOINT_URL":
        require_loopback(value)
    elif (
        upper in _PROXY_NAMES
        or upper in ("HOME", "NO_PROXY", "METAFLOW_HOME", "PULUMI_HOME")
        or (upper.startswith("AWS_") and upper not in _HARMLESS_AWS_NAMES)
    ):
        # The value is left out: it may be a key.
        raise UserError(
            f"The environment variable {name} is not allowed in a local environment: it could lead a process from the "
            "emulator to a real account. Remove it from the pipeline's environment."
        )


def guard_path() -> Path:
    """Folder for PYTHONPATH: every Python process that starts with it refuses sockets that leave this machine."""
    return Path(stackyard_loopback.__file__).parent


def guard_sockets() -> None:
    """From here on this process refuses connections and name lookups that leave this machine. Cannot be undone."""
    stackyard_loopback.install()


def session(region: str) -> "boto3.Session":
    """A boto3 session built from nothing: no profile, no files, no environment variable, dummy keys.

    Its clients still need `endpoint_url`; `client` gives it.
    """
    return _session(region)


@cache
def _session(region: str) -> "boto3.Session":
    import boto3

    keys = (DUMMY_ACCESS_KEY_ID, DUMMY_SECRET_ACCESS_KEY)
    return boto3.Session(*keys, region_name=region, botocore_session=bare_session())


def bare_session() -> "botocore.session.Session":
    """A new botocore session that reads no environment variable, no file and no service model but botocore's own."""
    import botocore.configprovider as botocore_config
    import botocore.session
    from botocore.loaders import Loader

    # Every variable keeps its default and loses its environment name and its name in the configuration file.
    variables = cast(dict[str, Any], botocore_config.BOTOCORE_DEFAUT_SESSION_VARIABLES)  # pyright: ignore[reportUnknownMemberType]
    unnamed: dict[str, Any] = {
        name: (None, None, default, convert) for name, (_, _, default, convert) in variables.items()
    }
    unnamed["config_file"] = unnamed["credentials_file"] = (None, None, os.devnull, None)
    bare = botocore.session.Session(session_vars=unnamed)
    # Without the default search paths ~/.aws/models cannot change what a call means.
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    bare.register_component("data_loader", loader)
    return bare


def client(service: str, *, endpoint: str, region: str = "us-east-1") -> Any:
    """A boto3 client that can only reach `endpoint`, which must be on loopback; one per service, region, endpoint."""
    require_loopback(endpoint)
    # Sessions are not thread-safe, clients are.
    with _clients:
        return _client(service, endpoint, region)


@cache
def _client(service: str, endpoint: str, region: str) -> Any:
    from botocore.config import Config

    config = Config(
        proxies={},
        # One attempt: the emulator does not throttle, and a retried 500 only hides the first.
        retries={"total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=120,
        max_pool_connections=32,
        inject_host_prefix=False,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"},
    )
    untyped: Any = session(region)
    return untyped.client(service, endpoint_url=endpoint, config=config)


def assert_emulator(endpoint: str, account_id: str) -> None:
    """Raises UserError unless `endpoint` is our emulator on loopback and answers for the emulated account.

    `account_id` is the account that the settings are about to be applied to. Reads only.
    """
    from stackyard.local.emulator import identity

    require_loopback(endpoint)
    if account_id != EMULATED_ACCOUNT_ID:
        raise UserError(
            f"The program is set to account {account_id}, but a local environment may only use the emulated account "
            f"{EMULATED_ACCOUNT_ID}. Nothing was written."
        )
    if identity(endpoint) is None:
        raise UserError(
            f"What answers at {endpoint} is not Stackyard's emulator. Nothing was written. "
            "Run `stackyard local down`, then `stackyard local up`."
        )
    found = str(client("sts", endpoint=endpoint).get_caller_identity()["Account"])
    if found != EMULATED_ACCOUNT_ID:
        raise UserError(
            f"{endpoint} answers for account {found}, expected was the emulated account {EMULATED_ACCOUNT_ID}. "
            "Nothing was written."
        )


def require_loopback(endpoint: str) -> None:
    """Raises UserError unless the endpoint is plain HTTP to a literal loopback address."""
    parts = urlsplit(endpoint)
    try:
        loopback = ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        # A name, `localhost` too, may be sent elsewhere by /etc/hosts: only addresses count.
        loopback = False
    if not loopback or parts.scheme != "http":
        raise UserError(
            f"The endpoint {endpoint!r} is not an http address on this machine, such as http://127.0.0.1:21000: "
            "a local environment talks to its emulator only. Nothing was written."
        )
