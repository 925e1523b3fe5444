"""Nothing reaches a real account: neither through the environment, nor through files, nor through a socket."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from stackyard.errors import UserError
from stackyard.local import emulator, safety
from stackyard.local.guard.stackyard_loopback import is_loopback
from stackyard.local.places import Places

ENDPOINT = "http://127.0.0.1:21000"
PLANTED = {
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL",
    "AWS_SECRET_ACCESS_KEY": "real-secret",
    "AWS_SESSION_TOKEN": "real-token",
    "AWS_ENDPOINT_URL": "http://10.9.9.9:80",
    "AWS_ENDPOINT_URL_S3": "http://10.9.9.9:80",
    "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/real",
    "AWS_CA_BUNDLE": "/nonexistent/bundle.pem",
    "HTTPS_PROXY": "http://10.9.9.9:3128",
    "HTTP_PROXY": "http://10.9.9.9:3128",
    "http_proxy": "http://10.9.9.9:3128",
    "PULUMI_ACCESS_TOKEN": "real-pulumi-token",
    "KUBECONFIG": "/nonexistent/kubeconfig",
}
WHAT_A_CHILD_SEES = """
import botocore.session, json, os
session = botocore.session.Session()
credentials = session.get_credentials()
client = session.create_client("s3")
print(json.dumps({
    "environ": dict(os.environ), "profiles": session.available_profiles, "key": credentials.access_key,
    "secret": credentials.secret_key, "token": credentials.token, "endpoint": client.meta.endpoint_url,
    "region": client.meta.region_name, "proxies": client._endpoint.http_session._proxy_config._proxies,
}))
"""


@pytest.fixture
def places(tmp_path):
    places = Places(tmp_path / "checkout", "local")
    yield places
    emulator.stop(places)


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A developer's machine with everything that could lead to a real account."""
    aws = tmp_path / "home" / ".aws"
    aws.mkdir(parents=True)
    (aws / "config").write_text(
        "[default]\nregion = eu-central-1\nendpoint_url = http://10.9.9.9:80\n"
        "[profile production]\nregion = eu-west-1\n"
    )
    (aws / "credentials").write_text("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = file-secret\n")
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(aws / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(aws / "credentials"))


def run_child(places, code, *, interpreter_options=(), **extra):
    environment = safety.child_environment(places, endpoint=ENDPOINT, region="us-east-1", extra=extra)
    command = [sys.executable, *interpreter_options, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_child_sees_nothing_of_the_callers_profile_keys_endpoints_proxies_and_files(places, planted):
    child = run_child(places, WHAT_A_CHILD_SEES)
    assert child.returncode == 0, child.stderr
    seen = json.loads(child.stdout)
    leaked = [f"{name}={value}" for name, value in seen["environ"].items() if value in PLANTED.values()]
    assert not leaked
    assert seen["environ"].keys() & {"AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTPS_PROXY", "KUBECONFIG"} == set()
    assert seen["environ"]["HOME"].startswith(str(places.folder))
    assert seen["profiles"] == []
    assert (seen["key"], seen["secret"], seen["token"]) == (
        safety.DUMMY_ACCESS_KEY_ID,
        safety.DUMMY_SECRET_ACCESS_KEY,
        None,
    )
    assert (seen["endpoint"], seen["region"]) == (ENDPOINT, "us-east-1")
    assert not seen["proxies"]


def test_without_the_built_environment_the_same_child_does_see_the_planted_settings(planted):
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.environ['AWS_PROFILE'])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout.strip() == "production", "the test above would prove nothing"


def test_the_childs_environment_is_the_same_whatever_the_callers_is(places, monkeypatch):
    before = safety.child_environment(places, endpoint=ENDPOINT, region="us-east-1")
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    assert safety.child_environment(places, endpoint=ENDPOINT, region="us-east-1") == before


def test_clients_of_our_own_process_ignore_the_callers_environment_and_files_too(planted):
    safety._session.cache_clear()
    try:
        client = safety.client("s3", endpoint="http://127.0.0.1:21999", region="us-east-2")
        credentials = client._request_signer._credentials
        assert (credentials.access_key, credentials.token) == (safety.DUMMY_ACCESS_KEY_ID, None)
        assert (client.meta.endpoint_url, client.meta.region_name) == ("http://127.0.0.1:21999", "us-east-2")
        assert client._endpoint.http_session._proxy_config._proxies == {}
        assert client._endpoint.http_session._verify != PLANTED["AWS_CA_BUNDLE"]
        assert safety.session("us-east-2").available_profiles == []
    finally:
        safety._session.cache_clear()


@pytest.mark.parametrize(
    "name",
    ["AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "AWS_ROLE_ARN", "https_proxy", "ALL_PROXY", "HOME", "AWS_CONFIG_FILE"],
)
def test_a_pipelines_own_variables_cannot_lead_away_from_the_emulator_nor_are_they_printed(places, name):
    with pytest.raises(UserError, match=f"{name} is not allowed") as caught:
        safety.child_environment(places, endpoint=ENDPOINT, region="us-east-1", extra={name: "sensitive"})
    assert "sensitive" not in str(caught.value)


def test_a_pipelines_own_endpoint_must_be_on_loopback_as_well(places):
    for name in ("AWS_ENDPOINT_URL_S3", "METAFLOW_S3_ENDPOINT_URL"):
        extra = {name: "https://s3.us-east-1.amazonaws.com"}
        with pytest.raises(UserError, match=r"not an http address on this machine"):
            safety.child_environment(places, endpoint=ENDPOINT, region="us-east-1", extra=extra)
        assert safety.child_environment(places, endpoint=ENDPOINT, region="r", extra={name: ENDPOINT})[name] == ENDPOINT


def test_a_pipelines_other_variables_are_kept_and_its_module_path_comes_after_the_guard(places):
    extra = {"MONTH": "2013-01", "PYTHONPATH": "/code", "AWS_DEFAULT_REGION": "eu-west-1"}
    environment = safety.child_environment(places, endpoint=ENDPOINT, region="us-east-1", extra=extra)
    assert (environment["MONTH"], environment["AWS_DEFAULT_REGION"]) == ("2013-01", "eu-west-1")
    assert environment["PYTHONPATH"] == f"{safety.guard_path()}{os.pathsep}/code"


@pytest.mark.parametrize(
    ("attempt", "peer"),
    [
        ("socket.create_connection(('10.0.0.1', 80), timeout=50)", "10.0.0.1"),
        ("socket.socket().connect_ex(('10.0.0.1', 80))", "10.0.0.1"),
        ("socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('8.8.8.8', 53))", "8.8.8.8"),
        ("socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))", "2001:db8::1"),
        ("socket.getaddrinfo('example.com', 443)", "example.com"),
        ("socket.gethostbyname('example.com')", "example.com"),
        ("urllib.request.urlopen('https://example.com', timeout=50)", "example.com"),
        ("botocore.session.Session().create_client('s3', endpoint_url='https://s3.test').list_buckets()", "s3.test"),
    ],
)  # fmt: skip
def test_a_child_that_reaches_out_fails_at_once_with_a_sentence(places, attempt, peer):
    child = run_child(places, f"import botocore.session, socket, urllib.request\n{attempt}\nprint('reached')")
    assert child.returncode == 1
    assert "reached" not in child.stdout
    last_line = child.stderr.strip().splitlines()[-1]
    assert f"a local run tried to reach {peer}: processes of a local environment may only use this machine" in last_line


def test_a_grandchild_is_guarded_as_its_parent_is(places):
    grandchild = "import socket; socket.create_connection(('10.0.0.1', 80))"
    code = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {grandchild!r}]).returncode)"
    child = run_child(places, code)
    assert child.returncode == 1
    assert "tried to reach 10.0.0.1" in child.stderr


def test_loopback_and_unix_sockets_work_under_the_guard(places, tmp_path):
    code = f"""
import socket
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(("localhost", server.getsockname()[1])).close()
unix = socket.socket(socket.AF_UNIX); unix.bind({str(tmp_path / "s")!r}); unix.listen()
socket.socket(socket.AF_UNIX).connect({str(tmp_path / "s")!r})
print("ok")
"""
    child = run_child(places, code)
    assert child.stdout == "ok\n", child.stderr


def test_a_process_can_guard_itself(places):
    code = (
        "from stackyard.local.safety import guard_sockets; guard_sockets(); import socket; socket.gethostbyname('a.b')"
    )
    plain = {"PATH": os.environ["PATH"]}
    child = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True, check=False)
    assert "tried to reach a.b" in child.stderr


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        (None, True), ("", True), ("localhost", True), (b"127.0.0.1", True), ("127.8.0.1", True), ("::1", True),
        ("0.0.0.0", False), ("10.0.0.1", False), ("169.254.169.254", False), ("127.0.0.1.example.com", False),
        ("localhost.example.com", False), ("fe80::1%eth0", False),
    ],
)  # fmt: skip
def test_only_literal_loopback_addresses_are_this_machine(host, loopback):
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    "endpoint",
    ["https://s3.test", "http://10.0.0.1:80", "http://localhost:5000", "http://127.0.0.1.test", "ftp://127.0.0.1", ""],
)  # fmt: skip
def test_an_endpoint_off_this_machine_is_refused_before_anything_is_sent(endpoint):
    with pytest.raises(UserError, match=r"not an http address on this machine.*Nothing was written"):
        safety.assert_emulator(endpoint, safety.EMULATED_ACCOUNT_ID)
    with pytest.raises(UserError, match=r"not an http address on this machine"):
        safety.client("s3", endpoint=endpoint)


def test_a_program_set_to_a_real_account_is_refused_with_both_accounts_named():
    with pytest.raises(UserError, match=r"account 999999999999.*emulated account 123456789012.*Nothing was written"):
        safety.assert_emulator(ENDPOINT, "999999999999")


class Impostor(BaseHTTPRequestHandler):
    """Answers on loopback as something that is not the emulator, a tunnel to AWS for instance."""

    asked: ClassVar[list[str]] = []
    identity = b'{"product": "something else"}'

    def do_GET(self):
        self.asked.append(f"GET {self.path}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.identity)

    def do_POST(self):
        self.asked.append(f"POST {self.path}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(
            b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>999999999999</Account>"
            b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
        )

    def log_message(self, format, *args):
        pass


@pytest.fixture
def impostor():
    server = HTTPServer(("127.0.0.1", 0), Impostor)
    Impostor.asked.clear()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))  # how long a shutdown waits, in seconds
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_program_on_loopback_is_not_taken_for_the_emulator_and_is_sent_no_api_call(impostor):
    with pytest.raises(UserError, match=r"is not Stackyard's emulator. Nothing was written"):
        safety.assert_emulator(impostor, safety.EMULATED_ACCOUNT_ID)
    assert Impostor.asked == [f"GET {emulator.IDENTITY_PATH}"]


def test_an_endpoint_that_answers_for_another_account_is_refused_and_only_asked_who_it_is(impostor, monkeypatch):
    monkeypatch.setattr(Impostor, "identity", json.dumps({"product": emulator.PRODUCT}).encode())
    with pytest.raises(
        UserError, match=r"answers for account 999999999999, expected was the emulated account 123456789012"
    ):
        safety.assert_emulator(impostor, safety.EMULATED_ACCOUNT_ID)
    assert Impostor.asked == [f"GET {emulator.IDENTITY_PATH}", "POST /"]


@pytest.mark.local
def test_the_emulator_passes_the_check_on_a_machine_full_of_real_settings_and_the_check_changes_nothing(
    places, planted
):
    endpoint = emulator.start(places).endpoint
    safety.assert_emulator(endpoint, safety.EMULATED_ACCOUNT_ID)
    assert emulator.requests(endpoint).mutations == 0
