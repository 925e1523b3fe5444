"""Templates small enough to see what they say, and what runs them."""

import os
from pathlib import Path
from typing import Any

from stackyard.local.argo.results import StepEvent, WorkflowResult
from stackyard.local.argo.runner import run


def container(command, name="main", **template) -> dict[str, Any]:
    fields = {key: template.pop(key) for key in ("env", "volumeMounts", "workingDir") if key in template}
    return {"name": name, "container": {"image": "any", "command": ["bash", "-c", command], **fields}} | template


def dag(*tasks, name="main", **template):
    return {"name": name, "dag": {"tasks": list(tasks)} | template.pop("dag", {})} | template


def task(name, template=None, depends="", **fields):
    arguments = {"parameters": [{"name": key, "value": value} for key, value in fields.pop("give", {}).items()]}
    return {"name": name, "template": template or name, "depends": depends, "arguments": arguments} | fields


def inputs(*names, **defaults):
    return {"parameters": [{"name": n} for n in names] + [{"name": n, "default": d} for n, d in defaults.items()]}


def output(name="value", path="/tmp/out", **value_from):
    return {"parameters": [{"name": name, "valueFrom": {"path": path, **value_from}}]}


def workflow(*templates, **spec) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {"name": "training", "namespace": "pipelines"},
        "spec": {"entrypoint": "main", "templates": list(templates)} | spec,
    }


def phases(result):
    return {step.step: str(step.phase) for step in result.steps}


class Starter:
    """Runs templates in a folder of its own; keeps what they reported."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.events: list[StepEvent] = []

    def __call__(self, template, parameters=None, **given) -> WorkflowResult:
        usual: dict[str, Any] = {"environment": {"PATH": os.defpath}, "max_processes": 4, "name": "training-abcde"}
        places = {"logs": self.folder / "logs", "workdir": self.folder / "work"}
        options: dict[str, Any] = usual | places | given
        return run(template, parameters=parameters or {}, on_event=self.events.append, **options)

    def log(self, step, attempt=0) -> str:
        return (self.folder / "logs" / f"{step}.{attempt}.log").read_text()
