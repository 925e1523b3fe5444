"""The floor of the deployed training: the same functions in the order of flow.py, called in one process.

`python -m tests.bench.plain_training DATA_URI ARTIFACTS_URI TRACKING_URI IMAGE`, with the declaration's defaults.
"""

import sys
from datetime import UTC, datetime
from inspect import signature
from typing import Any

from pipelines import storage
from pipelines.training.compare import compare
from pipelines.training.declaration import DECLARATION
from pipelines.training.evaluate import evaluate
from pipelines.training.ingest import ingest
from pipelines.training.register import Lineage, register
from pipelines.training.request import check_request
from pipelines.training.summary import write_summary
from pipelines.training.train import TrainSettings, train
from pipelines.training.validate import validate

RUN_ID = "plain"


def main(data_uri: str, artifacts_uri: str, tracking_uri: str, image: str) -> None:
    p: dict[str, Any] = {parameter.name: parameter.default for parameter in DECLARATION.parameters}
    check_request(**{name: p[name] for name in signature(check_request).parameters})
    ingest(data_uri, p["ingest_from"], p["ingest_to"], source=p["source"])
    training = ingest(data_uri, p["train_from"], p["train_to"], source=p["source"])
    evaluation = ingest(data_uri, p["evaluate_from"], p["evaluate_to"], source=p["source"])

    reports = {dataset.manifest_sha256: validate(dataset) for dataset in (training, evaluation)}

    folder = storage.join(artifacts_uri, "models", DECLARATION.name, RUN_ID)
    trained = train(training, folder, TrainSettings(device=p["device"]))

    results = evaluate(trained.model_uri, evaluation, model_sha256=trained.model_sha256)
    comparison = compare(results, evaluation, tracking_uri=tracking_uri, margin=p["margin"])

    lineage = Lineage(pipeline_run_id=RUN_ID, code_package_sha256="unpackaged", image=image)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    made = register(trained, results, comparison, lineage, tracking_uri=tracking_uri, bucket_uri=artifacts_uri, now=now)
    write_summary(
        folder,
        data={
            "training": (training, reports[training.manifest_sha256]),
            "evaluation": (evaluation, reports[evaluation.manifest_sha256]),
        },
        trained=trained,
        evaluation=results,
        comparison=comparison,
        registration=made,
        lineage=lineage,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
