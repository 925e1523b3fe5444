"""MLflow's web page: what is started, with which environment, and what is said where it cannot start."""

import os
import socket

import pytest
from rich.console import Console

from stackyard.errors import InvalidInput, UserError
from stackyard.local import emulator, ui
from stackyard.local.environment import local_environment
from tests.local.checkouts import ROOT

ENDPOINT = "http://127.0.0.1:21000"


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "stacks").mkdir()
    for file in ("Pulumi.yaml", "stacks/Pulumi.local.yaml"):
        (tmp_path / file).write_bytes((ROOT / file).read_bytes())
    return local_environment(tmp_path, "local")


def test_without_uvx_the_sentence_says_what_to_install(tmp_path):
    with pytest.raises(UserError, match=r"needs uvx, and PATH has none.*pip install uv"):
        ui.find_uvx(str(tmp_path))


def test_uvx_is_found_on_path(tmp_path):
    tool = tmp_path / "uvx"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert ui.find_uvx(str(tmp_path)) == str(tool)


def test_the_server_listens_on_loopback_and_reads_the_environments_database(environment):
    command = ui.server_command("/opt/uvx", environment, 5003)
    assert command[:2] == ["/opt/uvx", "--offline"], "what serves downloads nothing"
    assert command[command.index("--from") + 1] == "mlflow==3.17.2"
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == "5003"
    assert command[command.index("--backend-store-uri") + 1] == f"sqlite:///{environment.places.database}"


def test_nothing_of_the_caller_but_uvs_places_reaches_the_server(environment):
    caller = {
        "PATH": "/usr/bin",
        "HOME": "/srv/somebody",
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "planted",
        "MLFLOW_TRACKING_URI": "https://mlflow.example.com",
        "HTTPS_PROXY": "http://proxy.example.com:3128",
        "UV_DEFAULT_INDEX": "https://packages.example.com/simple",
        "UV_INDEX_ACME_PASSWORD": "planted",
    }
    made = ui.server_environment(environment, ENDPOINT, caller, "/opt/bin/uvx")
    assert "planted" not in made.values()
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "MLFLOW_TRACKING_URI", "HTTPS_PROXY"} & made.keys()
    assert made["UV_DEFAULT_INDEX"] == "https://packages.example.com/simple", "offline, uv looks in that index's cache"
    assert made["UV_CACHE_DIR"] == "/srv/somebody/.cache/uv"
    assert made["HOME"] == str(environment.places.home)
    assert made["MLFLOW_S3_ENDPOINT_URL"] == made["AWS_ENDPOINT_URL"] == ENDPOINT
    assert "/opt/bin" in made["PATH"].split(os.pathsep)


def test_an_environment_that_does_not_run_has_no_page(environment):
    with pytest.raises(UserError, match=r"does not run, so MLflow would find no artifacts.*stackyard local up"):
        ui.serve(environment.places.root, "local", Console())


def test_an_environment_without_a_model_has_no_page(environment, monkeypatch):
    monkeypatch.setattr(emulator, "running", lambda places: emulator.Emulator(ENDPOINT, 1, started=False))
    with pytest.raises(UserError, match=r"no MLflow database yet.*stackyard pipelines run training"):
        ui.serve(environment.places.root, "local", Console())


def test_a_port_that_is_taken_is_passed_over_or_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert ui.free_port(port, 20) > port
        with pytest.raises(UserError, match=f"port {port} is taken: name a free one with --port"):
            ui.free_port(port, 1)


@pytest.mark.parametrize("port", [0, 80, 70000])
def test_a_port_that_is_no_users_port_is_refused(environment, monkeypatch, port):
    monkeypatch.setattr(ui, "_endpoint", lambda environment: ENDPOINT)
    monkeypatch.setattr(ui, "find_uvx", lambda: "/opt/uvx")
    with pytest.raises(InvalidInput, match="1024 to 65535"):
        ui.serve(environment.places.root, "local", Console(), port=port)
