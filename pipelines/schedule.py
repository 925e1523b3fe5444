"""When a pipeline runs by itself."""

from typing import Any

from pipelines.declaration import PipelineDeclaration
from pipelines.tokens import token

PIPELINE_LABEL = "stackyard.dev/pipeline"
LATEST_START_SECONDS = 3600
"""How late a run may start when the engine was down at its time."""


def cron_workflow(
    declaration: PipelineDeclaration, *, schedule: str | None = None, suspended: bool = False
) -> dict[str, Any] | None:
    """The CronWorkflow of a pipeline, tokens unbound; None for one without a schedule.

    `schedule` takes the place of the declared one. A run that is still going is not doubled.
    """
    expression = schedule or declaration.schedule
    if expression is None:
        return None
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {
            "name": declaration.name,
            "namespace": token("namespace"),
            "labels": {"app.kubernetes.io/managed-by": "stackyard", PIPELINE_LABEL: declaration.name},
        },
        "spec": {
            "schedules": [expression],
            "timezone": declaration.timezone,
            "suspend": suspended,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": LATEST_START_SECONDS,
            "workflowSpec": {"workflowTemplateRef": {"name": declaration.name}},
        },
    }
