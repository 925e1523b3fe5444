"""Contracts that tests bind pipelines to."""

from typing import Any

from pipelines.contract import Contract, parse

DIGEST = "a" * 64


def contract(**changes: Any) -> Contract:
    """A contract of a cluster; `changes` replaces fields."""
    values: dict[str, Any] = {
        "bucket": "acme-dev-artifacts",
        "data_bucket": "acme-dev-data",
        "kms_key": "alias/acme-dev-data",
        "region": "eu-central-1",
        "namespace": "pipelines",
        "queue": "flights",
        "pools": {"cpu": "general", "gpu": "gpu-small"},
        "tracking_uri": "http://mlflow.mlflow.svc:5000",
        "image": f"images.example/pipelines@sha256:{DIGEST}",
        "service_accounts": {"training": "pipeline-training", "drift": "pipeline-drift"},
    }
    return parse(values | changes)
