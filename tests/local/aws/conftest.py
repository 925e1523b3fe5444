"""A moto server for the whole run and the provider on it."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stackyard.local.aws import AwsProvider
from tests.local.aws.support import ACCOUNT, REGION, Cloud
from tests.ports import free_port

START_SECONDS = 60


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with emulator() as url:
        yield url


@contextmanager
def emulator(**variables: str) -> Iterator[str]:
    """A moto server with these environment variables beside its usual ones; its address."""
    port = free_port()
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
        answered = _answers(url)
        # After the answer: without the server, somebody else gave it.
        assert process.poll() is None, "the moto server ended at start"
        if answered:
            return
        time.sleep(0.1)
    raise AssertionError(f"no moto server at {url} after {START_SECONDS} s")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=1):
            return True
    except OSError:
        return False


@pytest.fixture(scope="session")
def cloud(endpoint: str) -> Cloud:
    return Cloud(endpoint)


@pytest.fixture
def offline() -> AwsProvider:
    """A provider whose endpoint nobody serves: any call fails."""
    return AwsProvider(endpoint="http://127.0.0.1:9", account_id=ACCOUNT, region=REGION)
