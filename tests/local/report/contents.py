"""A report's content as it is after two trainings, and the parts that tests change."""

from dataclasses import replace
from typing import Any

from stackyard.local.registered_models import CalibrationBin, Evaluation, ModelVersion, Registry, Slice
from stackyard.local.report.content import Component, ReportContent, ResourceLine, Stack, StackOutput
from stackyard.local.report.stack_facts import BucketFacts, Fact, Folder
from stackyard.local.runs import PipelineRun, StepRun

SHA = "0123456789abcdef" * 4


def version(number: int, **changes: Any) -> ModelVersion:
    lineage = {
        "code_package_sha256": SHA,
        "evaluation_manifest_sha256": "e" * 64,
        "evaluation_months": "2013-04..2013-04",
        "image": f"stackyard.local/pipelines@sha256:{SHA}",
        "manifest_sha256": "d" * 64,
        "parameters": '{"max_depth": 5, "trees": 200}',
        "pipeline_run_id": f"argo-training-{number}",
        "training_months": "2013-01..2013-03",
    }
    made = ModelVersion(
        version=number,
        aliases=(),
        promoted_at="2026-11-24T15:33:37+00:00",
        decision=f"Decision about version {number}.",
        metrics={
            "roc_auc": 0.67 + number / 100,
            "pr_auc": 0.4,
            "brier": 0.1432,
            "calibration_error": 0.0744,
            "baseline_roc_auc": 0.6421,
            "late_rate": 0.189,
            "rows": 27564.0,
        },
        lineage=lineage,
        source=f"s3://acme-data/mlflow/{number}/model",
        mlflow_run_id=f"{number:032x}",
    )
    return replace(made, **changes)


def evaluation() -> Evaluation:
    return Evaluation(
        months=("2013-04",),
        calibration=tuple(
            CalibrationBin(rows=2757, predicted=step * 0.03, observed=step * 0.045) for step in range(1, 11)
        ),
        slices=(
            Slice(column="carrier", value="HA", rows=30, late_rate=0.033, roc_auc=None),
            Slice(column="carrier", value="UA", rows=4978, late_rate=0.174, roc_auc=0.676),
            Slice(column="origin", value="EWR", rows=10231, late_rate=0.21, roc_auc=0.731),
        ),
    )


def registry(**changes: Any) -> Registry:
    champion, previous = version(2, aliases=("champion",)), version(1, aliases=("previous-champion",))
    made = Registry(
        model_name="flight-delay",
        versions=(champion, previous),
        champion=champion,
        previous=previous,
        evaluation=evaluation(),
        compared_with_roc_auc=0.68,
    )
    return replace(made, **changes)


def pipeline_run(**changes: Any) -> PipelineRun:
    names = ("ingest", "validate", "train", "evaluate", "register")
    made = PipelineRun(
        pipeline="training",
        run_id="training-2",
        started_at="2026-11-24T15:31:59+00:00",
        finished_at="2026-11-24T15:33:45+00:00",
        status="Succeeded",
        parameters={"train_from": "2013-01"},
        steps=tuple(
            StepRun(name=name, status="Succeeded", attempts=1, seconds=10.0 + len(name), log=f".stackyard/{name}.0.log")
            for name in names
        ),
        package_sha256=SHA,
        image=f"stackyard.local/pipelines@sha256:{SHA}",
    )
    return replace(made, **changes)


def stack(**changes: Any) -> Stack:
    bucket = ResourceLine(
        type="aws:s3/bucket:Bucket",
        name="data-bucket",
        id="stackyard-local-data-123456789012-us-east-1",
        recorded=False,
    )
    entry = ResourceLine(
        type="aws:eks/accessEntry:AccessEntry",
        name="cluster-deployer-access",
        id="stackyard-local:arn:aws:iam::123456789012:role/administrator",
        recorded=True,
    )
    made = Stack(
        name="local",
        written_at="2026-11-24T15:30:41+00:00",
        components=(
            Component(kind="Cluster", name="cluster", resources=(entry,)),
            Component(kind="DataBucket", name="data", resources=(bucket,)),
        ),
        outputs=(
            StackOutput(name="kubeconfig", value='{"clusters": "' + "x" * 2000 + '"}'),
            StackOutput(name="vpcId", value="vpc-ab91e40014740be32"),
        ),
    )
    return replace(made, **changes)


def content(**changes: Any) -> ReportContent:
    made = ReportContent(
        environment="local",
        region="us-east-1",
        account="123456789012",
        declared_account="123456789012",
        kubernetes_version="1.35",
        protection="none",
        emulator_runs=True,
        stacks=(stack(),),
        absent_stacks=(),
        buckets=(
            BucketFacts(
                name="stackyard-local-data-123456789012-us-east-1",
                folders=(Folder(name="flights/", objects=16, size_bytes=7_100_000),),
                encryption="own KMS key",
                versioned=True,
                on_destroy="kept",
            ),
        ),
        facts=(
            Fact(what="KMS keys that rotate", value="4 of 4", good=True),
            Fact(what="Kubernetes API of cluster", value="public, from 203.0.113.0/24", good=None),
        ),
        run=pipeline_run(),
        registry=registry(),
    )
    return replace(made, **changes)


def empty_content() -> ReportContent:
    """Nothing provisioned, nothing run, no model."""
    return content(
        emulator_runs=False,
        stacks=(),
        absent_stacks=("local",),
        buckets=(),
        facts=(),
        run=None,
        registry=Registry(model_name="flight-delay"),
    )
