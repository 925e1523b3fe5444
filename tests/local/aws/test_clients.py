"""The provider reaches an emulator on this machine and nothing else, whatever the environment says."""

from pathlib import Path

import pytest
from botocore.loaders import Loader

from stackyard.errors import UserError
from stackyard.local.aws import AwsProvider
from stackyard.local.aws.clients import Clients
from stackyard.local.safety import DUMMY_ACCESS_KEY_ID, DUMMY_SECRET_ACCESS_KEY
from tests.local.aws.support import ACCOUNT, REGION


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://s3.eu-central-1.amazonaws.com",
        "http://10.0.0.5:5000",
        "https://127.0.0.1:5000",
        "http://127.0.0.1.example.com:5000",
        "http://0.0.0.0:5000",
        "http://localhost:5000",
        "",
    ],
)
def test_an_endpoint_that_is_not_on_loopback_is_refused(endpoint: str):
    with pytest.raises(UserError, match="talks to its emulator only"):
        AwsProvider(endpoint=endpoint, account_id=ACCOUNT, region=REGION)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:5000", "http://[::1]:5000"])
def test_loopback_endpoints_are_accepted(endpoint: str):
    Clients(endpoint)


def test_profiles_keys_proxies_and_config_files_of_the_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    config = tmp_path / "config"
    config.write_text(
        "[default]\nregion = us-west-2\nuse_fips_endpoint = true\nendpoint_url = http://203.0.113.1\nnonsense"
    )
    home = tmp_path / "home"
    home.mkdir()
    for name, value in {
        "HOME": str(home),
        "AWS_PROFILE": "production",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(config),
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL": "http://203.0.113.1",
        "AWS_ENDPOINT_URL_S3": "http://203.0.113.1",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_DATA_PATH": str(tmp_path),
        "HTTP_PROXY": "http://203.0.113.1:3128",
        "http_proxy": "http://203.0.113.1:3128",
    }.items():
        monkeypatch.setenv(name, value)

    client = Clients("http://127.0.0.1:5000").client("s3", REGION)

    assert client.meta.endpoint_url == "http://127.0.0.1:5000"
    assert client.meta.region_name == REGION
    credentials = client._request_signer._credentials
    keys = (DUMMY_ACCESS_KEY_ID, DUMMY_SECRET_ACCESS_KEY, None)
    assert (credentials.access_key, credentials.secret_key, credentials.token) == keys
    assert client._endpoint.http_session._proxy_config.proxy_url_for("http://127.0.0.1:5000") is None


def test_service_models_come_from_botocore_alone():
    loader = Clients("http://127.0.0.1:5000")._session.get_component("data_loader")
    assert loader.search_paths == [Loader.BUILTIN_DATA_PATH], "models in ~/.aws would change what a call means"


def test_clients_and_models_are_made_once():
    clients = Clients("http://127.0.0.1:5000")
    assert clients.client("sqs", REGION) is clients.client("sqs", REGION)
    assert clients.operation("sqs", "CreateQueue") is clients.operation("sqs", "CreateQueue")
