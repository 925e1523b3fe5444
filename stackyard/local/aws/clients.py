"""botocore clients and service models for the emulator, built from nothing: no profile, no environment, no proxy."""

import threading
from typing import Any

from botocore.client import BaseClient
from botocore.config import Config
from botocore.model import OperationModel, ServiceModel

from stackyard.local.safety import DUMMY_ACCESS_KEY_ID, DUMMY_SECRET_ACCESS_KEY, bare_session, require_loopback

# Calls run in the threads of the registration loop; fewer connections than threads would make them wait.
CONNECTIONS = 64


class Clients:
    """Thread-safe: sessions are not, so clients and models are made under a lock; both may then be shared."""

    def __init__(self, endpoint: str):
        require_loopback(endpoint)
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._session = bare_session()
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
            aws_access_key_id=DUMMY_ACCESS_KEY_ID,
            aws_secret_access_key=DUMMY_SECRET_ACCESS_KEY,
            config=Config(
                max_pool_connections=CONNECTIONS,
                retries={"total_max_attempts": 2},
                proxies={},
                s3={"addressing_style": "path"},
                connect_timeout=5,
                read_timeout=60,
            ),
        )
