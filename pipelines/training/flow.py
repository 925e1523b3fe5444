"""The training pipeline: order, retries and deadlines of its steps. What they do stands in the modules beside this one.

Steps hand plain results to each other; data and models lie in the buckets, named by URI and hash.
"""

# Metaflow makes what it exports while it is imported, and types `step` without its arguments.
# pyright: reportPrivateImportUsage=false, reportAttributeAccessIssue=false, reportCallIssue=false

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from metaflow import FlowSpec, Parameter, current, retry, step, timeout
from metaflow.exception import MetaflowException

from pipelines import storage
from pipelines.contract import Contract
from pipelines.training.declaration import DECLARATION
from stackyard.errors import UserError

DEFAULTS = {parameter.name: parameter for parameter in DECLARATION.parameters}
UNPACKAGED = "unpackaged"
"""Code package of a run that was started from the sources."""


class StepRefused(MetaflowException):
    headline = "The step stops"


@contextmanager
def told_plainly() -> Iterator[None]:
    """What a person can mend is told as a sentence, not as a stack trace."""
    try:
        yield
    except UserError as error:
        raise StepRefused(str(error)) from None


def declared(name: str) -> Any:
    """The flow's parameter, from the declaration."""
    parameter = DEFAULTS[name]
    return Parameter(name, default=parameter.default, type=type(parameter.default), help=parameter.help)


class TrainingFlow(FlowSpec):
    """Trains the flight delay model on a range of months and promotes it if it beats the champion."""

    ingest_from = declared("ingest_from")
    ingest_to = declared("ingest_to")
    train_from = declared("train_from")
    train_to = declared("train_to")
    evaluate_from = declared("evaluate_from")
    evaluate_to = declared("evaluate_to")
    margin = declared("margin")
    device = declared("device")
    source = declared("source")

    # No retry up to validation: bad data stays bad, and S3 calls are tried again by themselves.
    @timeout(minutes=30)
    @step(start=True)
    def ingest(self) -> None:
        from pipelines.training.ingest import ingest
        from pipelines.training.request import check_request

        with told_plainly():
            check_request(
                ingest_from=self.ingest_from,
                ingest_to=self.ingest_to,
                train_from=self.train_from,
                train_to=self.train_to,
                evaluate_from=self.evaluate_from,
                evaluate_to=self.evaluate_to,
                margin=self.margin,
                device=self.device,
                source=self.source,
            )
            bucket = _data_uri(Contract.from_environment())
            # The rest of the history is for the months to come; what is there already is not written again.
            self.history = ingest(bucket, self.ingest_from, self.ingest_to, source=self.source)
            self.training = ingest(bucket, self.train_from, self.train_to, source=self.source)
            self.evaluation = ingest(bucket, self.evaluate_from, self.evaluate_to, source=self.source)
        self.next(self.validate)

    @timeout(minutes=30)
    @step
    def validate(self) -> None:
        from pipelines.training.validate import validate

        with told_plainly():
            self.reports = [validate(dataset) for dataset in (self.training, self.evaluation)]
        self.next(self.train)

    @retry(times=2, minutes_between_retries=1)
    @timeout(hours=2)
    @step
    def train(self) -> None:
        from pipelines.training.train import TrainSettings, train

        with told_plainly():
            folder = storage.join(_artifacts_uri(Contract.from_environment()), "models", DECLARATION.name)
            output = storage.join(folder, _run_id())
            self.trained = train(self.training, output, TrainSettings(device=self.device))
        self.next(self.evaluate)

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=30)
    @step
    def evaluate(self) -> None:
        from pipelines.training.evaluate import evaluate

        with told_plainly():
            self.results = evaluate(self.trained.model_uri, self.evaluation, model_sha256=self.trained.model_sha256)
        self.next(self.register)

    @retry(times=2, minutes_between_retries=1)
    @timeout(minutes=30)
    @step(end=True)
    def register(self) -> None:
        from pipelines.training.compare import compare
        from pipelines.training.register import Lineage, register
        from pipelines.training.summary import write_summary

        with told_plainly():
            contract = Contract.from_environment()
            # Here, not with the evaluation: only this step talks to MLflow, and the champion is the one of this moment.
            self.comparison = compare(
                self.results, self.evaluation, tracking_uri=contract.tracking_uri, margin=self.margin
            )
            lineage = Lineage(
                pipeline_run_id=_run_id(),
                code_package_sha256=os.environ.get("METAFLOW_CODE_SHA", UNPACKAGED),
                image=contract.image,
            )
            self.registration = register(
                self.trained,
                self.results,
                self.comparison,
                lineage,
                tracking_uri=contract.tracking_uri,
                bucket_uri=_artifacts_uri(contract),
                now=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            training, evaluation = self.reports
            write_summary(
                storage.join(_artifacts_uri(contract), "models", DECLARATION.name, _run_id()),
                data={"training": (self.training, training), "evaluation": (self.evaluation, evaluation)},
                trained=self.trained,
                evaluation=self.results,
                comparison=self.comparison,
                registration=self.registration,
                lineage=lineage,
            )
        print(self.registration.reason)


def _run_id() -> str:
    """The same for all steps of a run, and for each try of a step."""
    return str(current.run_id)


def _data_uri(contract: Contract) -> str:
    return f"s3://{contract.data_bucket}"


def _artifacts_uri(contract: Contract) -> str:
    return f"s3://{contract.bucket}"


if __name__ == "__main__":
    TrainingFlow()
