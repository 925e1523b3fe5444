"""What a run has come to, in one JSON file: what reports and people read instead of MLflow's database."""

from __future__ import annotations

import json
from collections.abc import Mapping
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


def write_summary(
    folder_uri: str,
    *,
    data: Mapping[str, tuple[Dataset, ValidationReport]],
    trained: TrainedModel,
    evaluation: Evaluation,
    comparison: Comparison,
    registration: Registration,
    lineage: Lineage,
) -> str:
    """Writes `<folder_uri>/summary.json` and returns its URI; equal results are equal bytes.

    `data` names the data sets by their use, `training` and `evaluation`.
    """
    document: dict[str, Any] = {
        "data": {use: _described(dataset, report) for use, (dataset, report) in data.items()},
        "training": trained.to_dict(),
        "evaluation": evaluation.to_dict(),
        "comparison": comparison.to_dict(),
        "registration": registration.to_dict(),
        "lineage": asdict(lineage),
    }
    uri = storage.join(folder_uri, SUMMARY_NAME)
    storage.write_if_changed(uri, (json.dumps(document, sort_keys=True, indent=1) + "\n").encode())
    return uri


def _described(dataset: Dataset, report: ValidationReport) -> dict[str, Any]:
    # Whether a file was new says nothing about the run, and would differ when it is repeated.
    told = {name: value for name, value in dataset.to_dict().items() if name != "written"}
    return {**told, "validation": report.to_dict()}
