"""What a run has come to, in one JSON file: what reports and people read instead of MLflow's database."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from pipelines import storage
from pipelines.training.compare import Comparison
from pipelines.training.evaluate import Evaluation
from pipelines.training.ingest import Dataset
from pipelines.training.register import Lineage, Registration
from pipelines.training.train import TrainedModel
from pipelines.training.validate import ValidationReport

SUMMARY_NAME = "summary.json"


def run_folder(bucket_uri: str, pipeline_run_id: str) -> str:
    """Where a run keeps its model file and its summary."""
    return storage.join(bucket_uri, "runs", pipeline_run_id)


def write_summary(
    bucket_uri: str,
    *,
    dataset: Dataset,
    validation: ValidationReport,
    trained: TrainedModel,
    evaluation: Evaluation,
    comparison: Comparison,
    registration: Registration,
    lineage: Lineage,
) -> str:
    """Writes `<bucket_uri>/runs/<pipeline run>/summary.json` and returns its URI; equal results are equal bytes."""
    document: dict[str, Any] = {
        # Whether a file was new says nothing about the run.
        "dataset": {name: value for name, value in dataset.to_dict().items() if name != "written"},
        "validation": validation.to_dict(),
        "training": trained.to_dict(),
        "evaluation": evaluation.to_dict(),
        "comparison": comparison.to_dict(),
        "registration": registration.to_dict(),
        "lineage": asdict(lineage),
    }
    uri = storage.join(run_folder(bucket_uri, lineage.pipeline_run_id), SUMMARY_NAME)
    storage.write_if_changed(uri, (json.dumps(document, sort_keys=True, indent=1) + "\n").encode())
    return uri
