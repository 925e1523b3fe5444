"""Draws the report: one HTML file that needs nothing from anywhere. Equal content gives equal bytes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from stackyard.local.places import Places
from stackyard.local.registered_models import ModelVersion, Registry, Slice
from stackyard.local.report.content import ReportContent, collect
from stackyard.local.runs import PipelineRun

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE, STYLE = "template.html.j2", "style.css"
DASH = "–"
LONGEST_INLINE_OUTPUT = 120


@dataclass(frozen=True, kw_only=True)
class Metric:
    label: str
    meaning: str
    champion: str
    baseline: str
    previous: str


# Name in MLflow, label, what it means.
METRICS = (
    ("roc_auc", "ROC AUC", "how well late flights rank above punctual ones; 0.5 is chance, 1 is perfect"),
    ("pr_auc", "PR AUC", "average precision; chance is the share of late flights"),
    ("brier", "Brier score", "mean squared error of the probability; lower is better"),
    ("calibration_error", "Calibration error", "mean distance between predicted and observed share; lower is better"),
)


def write_report(root: Path, env: str) -> Path:
    """Writes the report of an environment and returns its path, `.stackyard/<env>/report.html`."""
    content = collect(root, env)
    path = Places(root, env).report
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".html.tmp")
    partial.write_text(render(content), encoding="utf-8")
    partial.replace(path)
    return path


def render(content: ReportContent) -> str:
    """The report as HTML."""
    registry = content.registry
    page = _templates().get_template(TEMPLATE)
    html = page.render(
        content=content,
        registry=registry,
        run=content.run,
        style=files("stackyard.local.report").joinpath(STYLE).read_text(encoding="utf-8"),
        headline=headline(content),
        metrics=metric_rows(registry),
        latest_decision=latest_decision(content),
        slices=slice_tables(registry.evaluation.slices if registry.evaluation else ()),
        longest_step=max((step.seconds for step in content.run.steps), default=0.0) if content.run else 0.0,
    )
    return "\n".join(line.rstrip() for line in html.splitlines() if line.strip()) + "\n"


def headline(content: ReportContent) -> str:
    """What matters first, in one sentence."""
    registry, run = content.registry, content.run
    if registry.champion is not None:
        return f"{registry.model_name} version {registry.champion.version} is the champion."
    if registry.versions:
        return (
            f"{registry.model_name} has {_plural(len(registry.versions), 'version')}, and none of them is the champion."
        )
    if run is not None and not run.succeeded:
        return f"No model yet: the last run of {run.pipeline} ended as {run.status}."
    return "No model is registered yet."


def latest_decision(content: ReportContent) -> ModelVersion | None:
    """The version that the last run registered, if it did not become champion: people ask why."""
    run, registry = content.run, content.registry
    if run is None:
        return None
    # Metaflow calls the run of a Workflow `argo-<its name>`.
    ids = (run.run_id, f"argo-{run.run_id}")
    made = next((version for version in registry.versions if version.lineage.get("pipeline_run_id") in ids), None)
    return None if made == registry.champion else made


def metric_rows(registry: Registry) -> tuple[Metric, ...]:
    """The champion's metrics beside those of the baseline and of the champion before; nothing without a champion.

    The one before is only compared on the same flights: by its own metrics if it was evaluated on them, else by the ROC
    AUC in the promotion record.
    """
    champion, previous = registry.champion, registry.previous
    if champion is None:
        return ()
    before: dict[str, float] = {}
    if registry.compared_with_roc_auc is not None:
        before = {"roc_auc": registry.compared_with_roc_auc}
    if previous is not None and _flights(previous) and _flights(previous) == _flights(champion):
        before = dict(previous.metrics)
    return tuple(
        Metric(
            label=label,
            meaning=meaning,
            champion=_number(champion.metrics.get(name)),
            baseline=_number(champion.metrics.get(f"baseline_{name}")),
            previous=_number(before.get(name)),
        )
        for name, label, meaning in METRICS
    )


def slice_tables(slices: Sequence[Slice]) -> dict[str, list[Slice]]:
    """The slices by column, those with the most flights first."""
    tables: dict[str, list[Slice]] = {}
    for part in sorted(slices, key=lambda part: (part.column, -part.rows, part.value)):
        tables.setdefault(part.column, []).append(part)
    return tables


def _flights(version: ModelVersion) -> str:
    return version.lineage.get("evaluation_manifest_sha256", "")


def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from stackyard.local.report import charts

    environment = Environment(
        loader=PackageLoader("stackyard.local.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "bar": charts.bar,
        "calibration_chart": charts.calibration_chart,
        "calibration_sentence": charts.calibration_sentence,
    }
    environment.filters |= {
        "number": _number,
        "plural": _plural,
        "seconds": _seconds,
        "size": _size,
        "time": _time,
        "short_type": _short_type,
        "lineage": lineage_rows,
        "run_parameters": _run_parameters,
        "is_long": lambda text: len(text) > LONGEST_INLINE_OUTPUT or "\n" in text,
    }
    return environment


def lineage_rows(version: ModelVersion) -> list[tuple[str, str]]:
    """What a model was made of, in the order in which people follow it back: data, code, image, run, parameters."""
    order = (
        ("training_months", "Trained on"),
        ("manifest_sha256", "Manifest of the training data (sha256)"),
        ("evaluation_months", "Evaluated on"),
        ("evaluation_manifest_sha256", "Manifest of the evaluation data (sha256)"),
        ("code_package_sha256", "Code package (sha256)"),
        ("image", "Image"),
        ("pipeline_run_id", "Pipeline run"),
        ("parameters", "Parameters"),
        ("model_sha256", "Model file (sha256)"),
    )
    told = {"training_months": version.trained_on, "evaluation_months": version.evaluated_on}
    told["parameters"] = _pairs(version.lineage.get("parameters", ""))
    values = {**version.lineage, **told}
    named = {name for name, _ in order}
    rows = [(label, values[name]) for name, label in order if name in version.lineage]
    rest = [(name.replace("_", " "), value) for name, value in version.lineage.items() if name not in named]
    return [*rows, *rest, ("MLflow run", version.mlflow_run_id), ("MLflow model", version.source)]


def _pairs(text: str) -> str:
    """A JSON object as `name value, …`; anything else as it is."""
    try:
        values = json.loads(text)
    except ValueError:
        return text
    return ", ".join(f"{name} {value}" for name, value in values.items()) if isinstance(values, dict) else text


def _run_parameters(run: PipelineRun) -> str:
    given = ", ".join(f"{name} {value}" for name, value in sorted(run.parameters.items()))
    return given or "as declared, none was given"


def _number(value: float | None) -> str:
    return DASH if value is None else f"{value:.4f}"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _size(size_bytes: int) -> str:
    size, unit = float(size_bytes), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def _time(text: str) -> str:
    """An ISO 8601 time for people; the offset stays."""
    return text.replace("T", " ").replace("+00:00", " UTC")


def _short_type(type_: str) -> str:
    """`aws:s3/bucket:Bucket` as `aws s3 Bucket`."""
    package, _, rest = type_.partition(":")
    module, _, name = rest.partition(":")
    return f"{package} {module.split('/')[0]} {name}"
