"""botocore clients and service models for the emulator, built from nothing: no profile, no environment, no proxy."""

import ipaddress
import os
import threading
from typing import Any
from urllib.parse import urlsplit

from botocore.client import BaseClient
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, ConfigValueStore, ConstantProvider
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.session import Session

from stackyard.errors import UserError

# Calls run in the threads of the registration loop; fewer connections than threads would make them wait.
CONNECTIONS = 64
DUMMY_KEY = "stackyard-local"


def require_loopback(endpoint: str) -> None:
    """Raises UserError unless the endpoint is plain HTTP on this machine: no real account must ever be met."""
    parts = urlsplit(endpoint)
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return
    raise UserError(
        f"The local AWS provider was given the endpoint {endpoint!r}. It calls only an emulator on this machine, over "
        "http on a loopback address, so that nothing can reach a real account: use for example http://127.0.0.1:5000."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Clients:
    """Thread-safe: sessions are not, so clients and models are made under a lock; both may then be shared."""

    def __init__(self, endpoint: str):
        require_loopback(endpoint)
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._session = _session()
        self._clients: dict[tuple[str, str], BaseClient] = {}
        self._models: dict[str, ServiceModel] = {}

    def client(self, service: str, region: str) -> Any:
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._create(service, region)
            return self._clients[service, region]

    def operation(self, service: str, name: str) -> OperationModel:
        """The model of an API operation, by its name as AWS writes it (`CreateVpc`)."""
        with self._lock:
            if service not in self._models:
                self._models[service] = self._session.get_service_model(service)
            # operation_model memoises without a lock.
            return self._models[service].operation_model(name)

    def _create(self, service: str, region: str) -> BaseClient:
        return self._session.create_client(
            service,
            region_name=region,
            endpoint_url=self._endpoint,
            aws_access_key_id=DUMMY_KEY,
            aws_secret_access_key=DUMMY_KEY,
            config=Config(
                max_pool_connections=CONNECTIONS,
                retries={"total_max_attempts": 2},
                proxies={},
                s3={"addressing_style": "path"},
                connect_timeout=5,
                read_timeout=60,
            ),
        )


def _session() -> Session:
    session = Session()
    values = {name: default for name, (_, _, default, _) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()}
    values |= {"config_file": os.devnull, "credentials_file": os.devnull}
    store = ConfigValueStore(mapping={name: ConstantProvider(value) for name, value in values.items()})
    session.register_component("config_store", store)
    # Without the default search paths ~/.aws/models cannot change what a call means.
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session.register_component("data_loader", loader)
    return session
