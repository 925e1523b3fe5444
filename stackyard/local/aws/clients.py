"""botocore clients and service models for the emulator, built from nothing: no profile, no environment, no proxy."""

import re
import threading
from collections.abc import Mapping
from typing import Any

from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from botocore.model import OperationModel, ServiceModel

from stackyard.local import attempts
from stackyard.local.aws import answers
from stackyard.local.safety import DUMMY_ACCESS_KEY_ID, DUMMY_SECRET_ACCESS_KEY, bare_session, require_loopback

# Calls run in the threads of the registration loop; fewer connections than threads would make them wait.
CONNECTIONS = 64

TRIES = 5
"""Of one call, with botocore's standard back-off: at most 1, 2, 4 and 8 s after a throttle, 0.75 s in all after a 5xx
or a cut connection."""
READ_TIMEOUT_S = 30
ACCOUNT_HOST = re.compile(r"//\d{12}\.(?=127\.)")
SILENT_TRIES = 2
"""Of a call that nobody answers within READ_TIMEOUT_S."""


class Tries(threading.local):
    """How often this thread's last call was sent, and whether a try may have been carried out without our knowing."""

    count = 0
    unknown = False


class Clients:
    """Thread-safe: sessions are not, so clients and models are made under a lock; both may then be shared."""

    def __init__(self, endpoint: str):
        require_loopback(endpoint)
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._session = bare_session()
        self._clients: dict[tuple[str, str], BaseClient] = {}
        self._models: dict[str, ServiceModel] = {}
        self.tries = Tries()
        self._session.register("provide-client-params", self._begin)
        self._session.register("before-call", self._mark)
        self._session.register("before-send", self._sent)

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

    def _begin(self, params: Mapping[str, Any], model: OperationModel, context: dict[str, Any], **_: Any) -> None:
        # The parameters as they were given: later botocore fills in random idempotency tokens.
        context["stackyard_marks"] = attempts.marks(str(model.name), params)
        self.tries.count, self.tries.unknown = 0, False

    def _mark(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        params["headers"].update(context.get("stackyard_marks", {}))
        # S3 Control puts the account before the host, and no host is called <account>.127.0.0.1.
        params["url"] = ACCOUNT_HOST.sub("//", params["url"])

    def _sent(self, **_: Any) -> None:
        self.tries.count += 1

    def _after_try(self, response: Any, caught_exception: Exception | None, **_: Any) -> bool | None:
        """A `needs-retry` handler, asked first: False ends the tries, None leaves it to botocore."""
        if answers.may_have_happened(caught_exception, response[1] if response else None):
            self.tries.unknown = True
        silent = isinstance(caught_exception, ReadTimeoutError)
        return False if silent and self.tries.count >= SILENT_TRIES else None

    def _create(self, service: str, region: str) -> BaseClient:
        client = self._session.create_client(
            service,
            region_name=region,
            endpoint_url=self._endpoint,
            aws_access_key_id=DUMMY_ACCESS_KEY_ID,
            aws_secret_access_key=DUMMY_SECRET_ACCESS_KEY,
            config=Config(
                max_pool_connections=CONNECTIONS,
                retries={"mode": "standard", "total_max_attempts": TRIES},
                proxies={},
                s3={"addressing_style": "path"},
                connect_timeout=5,
                read_timeout=READ_TIMEOUT_S,
            ),
        )
        service_id = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register_first(f"needs-retry.{service_id}", self._after_try)
        return client
