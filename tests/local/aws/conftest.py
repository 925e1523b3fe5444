"""A moto server for the whole run and the provider on it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stackyard.local.aws import AwsProvider
from tests.local.aws.support import ACCOUNT, REGION, Cloud

START_SECONDS = 30


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with emulator() as url:
        yield url


@contextmanager
def emulator(**variables: str) -> Iterator[str]:
    """A moto server with these environment variables beside its usual ones; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={"PATH": os.environ["PATH"], **settings, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=1):
                return
        except OSError:
            assert process.poll() is None, "the moto server ended at start"
            time.sleep(0.1)
    raise AssertionError(f"no moto server at {url} after {START_SECONDS} s")


@pytest.fixture(scope="session")
def cloud(endpoint: str) -> Cloud:
    return Cloud(endpoint)


@pytest.fixture
def offline() -> AwsProvider:
    """A provider whose endpoint nobody serves: any call fails."""
    return AwsProvider(endpoint="http://127.0.0.1:9", account_id=ACCOUNT, region=REGION)
