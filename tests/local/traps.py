"""What lies about on a developer's machine, the server that it leads to, and what an emulator was asked with."""

import json
import re
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from tests.local.checkouts import Checkout

PLANTED_KEY = "AKIAREAL"


@contextmanager
def trapped() -> Iterator[tuple[str, list[str]]]:
    """An address on this machine that nobody may ask, and who asked."""
    visits: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                visits.append(str(address))
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", visits
        finally:
            # macOS has nothing to shut down where nobody is connected.
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)


def planted(checkout: Checkout, url: str) -> dict[str, str]:
    """Credentials in files and in the variables that are returned, and settings of both that lead to `url`."""
    folder = checkout.root / ".aws"
    folder.mkdir(exist_ok=True)
    secret = "aws_secret_access_key = real"
    (folder / "config").write_text(f"[default]\nendpoint_url = {url}\n[profile p]\nendpoint_url = {url}\n")
    (folder / "credentials").write_text(
        "".join(f"[{profile}]\naws_access_key_id = {PLANTED_KEY}\n{secret}\n" for profile in ("default", "p"))
    )
    endpoints = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "METAFLOW_S3_ENDPOINT_URL", "MLFLOW_S3_ENDPOINT_URL")
    others = ("MLFLOW_TRACKING_URI", "METAFLOW_SERVICE_URL", "HTTP_PROXY", "HTTPS_PROXY")
    keys = {"AWS_PROFILE": "p", "AWS_ACCESS_KEY_ID": PLANTED_KEY, "AWS_SECRET_ACCESS_KEY": "real"}
    return keys | {name: url for name in endpoints + others}


@contextmanager
def recorded(endpoint: str) -> Iterator[list[str]]:
    """Access key of each request that the emulator gets meanwhile, "" for an unsigned one; there at the end."""
    keys: list[str] = []
    _recorder(endpoint, "reset-recording")
    _recorder(endpoint, "start-recording")
    try:
        yield keys
    finally:
        _recorder(endpoint, "stop-recording")
    for line in _recorder(endpoint, "download-recording").splitlines():
        request = json.loads(line)
        # Moto's own pages are not signed.
        if not urlsplit(request["url"]).path.startswith("/moto-api"):
            found = re.search(r"Credential=([^/]+)/", request["headers"].get("Authorization", ""))
            keys.append(found[1] if found else "")


def _recorder(endpoint: str, action: str) -> str:
    method = "GET" if action.startswith("download") else "POST"
    # No proxies: it must not be this process that falls into the trap.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"{endpoint}/moto-api/recorder/{action}", method=method)
    with opener.open(request, timeout=30) as answer:
        return answer.read().decode()
