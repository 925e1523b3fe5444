"""The committed training pipeline, bound and deployed to the object store, run from there against the emulator."""

import json
import os

import boto3
import pytest

from pipelines.binding import bind
from pipelines.compile.compiled import read_compiled, require_package
from pipelines.compile.compiler import compile_pipeline
from pipelines.contract import parse
from stackyard.errors import UserError
from stackyard.local import emulator
from stackyard.local.argo.results import Phase
from stackyard.local.argo.runner import run
from stackyard.local.kubernetes.provider import KubernetesProvider
from stackyard.local.kubernetes.store import Store
from stackyard.local.places import Places

pytestmark = pytest.mark.local

KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "eu-central-1"}
CRON = "kubernetes:argoproj.io/v1alpha1:CronWorkflow"
TEMPLATE = "kubernetes:argoproj.io/v1alpha1:WorkflowTemplate"


@pytest.fixture
def endpoint(tmp_path):
    places = Places(tmp_path, "local")
    yield emulator.start(places).endpoint
    emulator.stop(places)


@pytest.fixture
def compiled(tmp_path):
    committed = read_compiled("training")
    try:
        require_package(committed)
    except UserError:
        # The package is not committed; its bytes follow from the sources.
        compile_pipeline("training", tmp_path / "compiled")
    return committed


@pytest.fixture
def deployed(tmp_path, endpoint, compiled):
    """The template as the store holds it, its package in the bucket."""
    contract = parse(
        {
            "bucket": "acme-local-artifacts",
            "data_bucket": "acme-local-data",
            "region": "eu-central-1",
            "namespace": "pipelines",
            "tracking_uri": f"sqlite:///{tmp_path / 'mlflow.db'}",
            "image": f"stackyard.local/training@sha256:{'0' * 64}",
            "service_accounts": {"training": "training"},
            "s3_endpoint": endpoint,
        }
    )
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    for bucket in (contract.bucket, contract.data_bucket):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.upload_file(str(require_package(compiled)), contract.bucket, compiled.package.key)
    store = Store(tmp_path / "objects.json")
    provider = KubernetesProvider(store=store, kubernetes_version="1.35")
    provider.create("kubernetes:core/v1:Namespace", "urn:ns", {"metadata": {"name": "pipelines"}})
    provider.create(TEMPLATE, "urn:template", bind(compiled.template, contract, pipeline="training"))
    provider.create(CRON, "urn:cron", bind(compiled.cron, contract, pipeline="training"))
    return store.get("argoproj.io/v1alpha1", "WorkflowTemplate", "training", "pipelines")


def test_a_wrong_month_stops_the_deployed_pipeline_at_its_first_step(tmp_path, endpoint, deployed):
    result = run(
        deployed,
        parameters={"train_from": json.dumps("2013-13")},
        environment={"PATH": os.defpath, "AWS_ENDPOINT_URL": endpoint, **KEYS},
        logs=tmp_path / "logs",
        workdir=tmp_path / "work",
        kept=[tmp_path],
        on_event=lambda event: None,
    )
    assert result.phase is Phase.FAILED
    first, *others = result.steps
    assert (first.step, first.phase) == ("ingest", Phase.FAILED)
    assert "2013-13" in first.logs[0].read_text(), "the log says which value was wrong"
    assert {step.phase for step in others} == {Phase.OMITTED}
    assert len(others) == 4
    assert not (tmp_path / "mlflow.db").exists(), "nothing was registered"
    assert not os.path.exists("/mnt/out"), "the mount path was never made on this machine"
