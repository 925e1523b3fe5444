"""What every process of a deployed step is given: the way to the emulator, and nothing that lies about here."""

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stackyard.local import pipelines
from stackyard.local.places import Places
from tests.local.argo.support import container, workflow

ENDPOINT = "http://127.0.0.1:21000"
PLANTED = {
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_ENDPOINT_URL": "http://192.0.2.1",
    "AWS_ENDPOINT_URL_S3": "http://192.0.2.1",
    "AWS_CONFIG_FILE": "/planted/config",
    "METAFLOW_S3_ENDPOINT_URL": "http://192.0.2.1",
    "METAFLOW_PROFILE": "production",
    "MLFLOW_TRACKING_URI": "http://192.0.2.1",
    "KUBECONFIG": "/planted/kubeconfig",
    "HTTPS_PROXY": "http://192.0.2.1",
    "https_proxy": "http://192.0.2.1",
}


@pytest.fixture
def environment(tmp_path, monkeypatch):
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    target: Any = SimpleNamespace(places=Places(tmp_path, "local"), endpoint=ENDPOINT, contract={"region": "eu-west-1"})
    return pipelines._environment(cast(pipelines.Deployed, target))


def test_a_step_gets_none_of_the_planted_credentials_endpoints_and_files(start, environment):
    # As deployed templates do; what they say of credentials and endpoints does not count.
    declared = [{"name": "AWS_SECRET_ACCESS_KEY", "value": "real"}, {"name": "HTTP_PROXY", "value": "http://192.0.2.1"}]
    assert start(workflow(container("env -0", env=declared)), environment=environment).succeeded
    seen = dict(entry.partition("=")[::2] for entry in start.log("main").split("\0") if entry)
    absent = {"AWS_PROFILE", "AWS_SESSION_TOKEN", "KUBECONFIG", "METAFLOW_PROFILE", "MLFLOW_TRACKING_URI", "HTTP_PROXY"}
    assert not (absent | {"HTTPS_PROXY", "https_proxy"}) & seen.keys()
    assert {seen["AWS_ENDPOINT_URL"], seen["METAFLOW_S3_ENDPOINT_URL"], seen["MLFLOW_S3_ENDPOINT_URL"]} == {ENDPOINT}
    assert (seen["AWS_ACCESS_KEY_ID"], seen["AWS_SECRET_ACCESS_KEY"]) == ("stackyard", "stackyard")
    assert not os.path.exists(seen["AWS_CONFIG_FILE"]) and not os.path.exists(seen["AWS_SHARED_CREDENTIALS_FILE"])
    assert not set(PLANTED.values()) & set(seen.values())


def test_metaflow_starts_no_helpers_beside_a_local_step(environment):
    code = "from metaflow.sidecar import Sidecar; print(*(Sidecar(n)._has_valid_worker for n in "
    code += "('spot_termination_monitor', 'save_logs_periodically', 'heartbeat')))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False", "True"], done.stderr
